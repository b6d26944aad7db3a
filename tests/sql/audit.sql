-- Who changed what: each write statement of the management, service and hub planes notes once for each thing that it changed, and a write
-- that is refused notes nothing. The statements are those of db/sql, run as the programs run them.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();

-- How many events a statement of db/sql notes, run by a role for tenant a. Parameters are SQL.
CREATE FUNCTION pg_temp.notes(called text, params text, who text DEFAULT 'idscope_api') RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    before bigint := (SELECT count(*) FROM idscope.audit_event);
BEGIN
    PERFORM t.run(called, params, who);
    RETURN (SELECT count(*) FROM idscope.audit_event) - before;
END
$$;

CREATE FUNCTION pg_temp.subscription() RETURNS text LANGUAGE sql AS $$ SELECT format('%L, %L, ', t.tenant('a'), t.subscription('a')) $$;
CREATE FUNCTION pg_temp.place() RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.subscription() || format('%L, ', (SELECT name_key FROM idscope.resource_group WHERE tenant_id = t.tenant('a') LIMIT 1))
$$;
CREATE FUNCTION pg_temp.enrollment(version bigint, key text, of_group boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
    SELECT format($f$%L, %s, %L, %L, NULL, 'symmetricKey', '\x01', 'enabled', NULL, NULL, NULL, true, true, false, NULL, NULL, NULL, %L$f$,
                  t.scope('a'), version, key, key, of_group)
$$;
CREATE FUNCTION pg_temp.hub() RETURNS text LANGUAGE sql AS $$
    SELECT format('%s, %s, ', hub_id, version) FROM idscope.hub_registry WHERE hub_key = 'hub-a'
$$;

SELECT is(pg_temp.notes('group_put', pg_temp.subscription() || $$'rg-new', 'rg-new', 'west', '{}', true, true$$), 1::bigint, 'a new group');
SELECT is(pg_temp.notes('group_put', pg_temp.subscription() || $$'rg-new', 'rg-new', 'west', '{}', true, false$$), 0::bigint, 'a group that was to be new');
SELECT is(pg_temp.notes('group_put', pg_temp.subscription() || $$'rg-none', 'rg-none', 'west', '{}', false, true$$), 0::bigint, 'a group that was to be there');
SELECT is(pg_temp.notes('group_put', pg_temp.subscription() || $$'rg-new', 'rg-new', 'west', '{}', true, true$$), 1::bigint, 'a group as it was');
SELECT is(pg_temp.notes('group_put', pg_temp.subscription() || $$'rg-new', 'rg-new', 'west', '{"a": 1}', true, true$$), 1::bigint, 'a group changed');
SELECT is(pg_temp.notes('group_put', pg_temp.subscription() || $$'rg-new', 'rg-new', 'east', '{}', true, true$$), 0::bigint, 'a group that would move is refused');
SELECT is(pg_temp.notes('group_delete', pg_temp.subscription() || $$'rg-new'$$), 1::bigint, 'a group deleted');
SELECT is(pg_temp.notes('group_delete', pg_temp.subscription() || $$'rg-new'$$), 0::bigint, 'and not twice');

SELECT is(pg_temp.notes('hub_insert', pg_temp.place() || $$'hub-new', 'hub-new', 'west', '{}', 'S1', 1, '{}', '{}'$$), 1::bigint, 'a new hub');
SELECT is(pg_temp.notes('hub_update', format($$%L, 'hub-new', '{}', 'S1', 2, '{}', '{}', true$$, t.tenant('a'))), 1::bigint, 'a hub changed');
SELECT is(pg_temp.notes('hub_update', format($$%L, 'hub-none', '{}', 'S1', 2, '{}', '{}', true$$, t.tenant('a'))), 0::bigint, 'a hub that is not there');
SELECT is(pg_temp.notes('hub_delete', pg_temp.place() || $$'hub-new', 'stale', '.hub.x'$$), 0::bigint, 'a hub with another etag stays');
SELECT is(pg_temp.notes('hub_delete', pg_temp.place() || $$'hub-new', NULL, '.hub.x'$$), 1::bigint, 'a hub deleted');

SELECT is(pg_temp.notes('instance_insert', pg_temp.place() || $$'inst-new', 'Inst-new', '0neaaaaaaaa', '0neAAAAAAAA', 'west', '{}', 1, 'hashed', '{}', '{}', 'adopt'$$),
          1::bigint, 'a new instance');
SELECT is(pg_temp.notes('instance_insert', pg_temp.place() || $$'inst-two', 'Inst-two', '0neaaaaaaaa', '0neAAAAAAAA', 'west', '{}', 1, 'hashed', '{}', '{}', 'adopt'$$),
          0::bigint, 'no ID scope is issued twice');
SELECT is(pg_temp.notes('instance_update', format($$%L, '0neaaaaaaaa', '{}', 2, 'static', '{}', '{}', 'refuse', true$$, t.tenant('a'))), 1::bigint, 'an instance changed');
SELECT is(pg_temp.notes('instance_update', format($$%L, '0ne00000000', '{}', 2, 'static', '{}', '{}', 'refuse', true$$, t.tenant('a'))), 0::bigint, 'one that is not there');
SELECT is(pg_temp.notes('hub_certificate_insert', format($$%L, 'hub-a', 'Root', 'PEM', '\x30', false, 1$$, t.tenant('a'))), 0::bigint, 'a certificate of a hub that is one too many');
SELECT is(pg_temp.notes('hub_certificate_insert', format($$%L, 'hub-a', 'Root', 'PEM', '\x30', false, 2$$, t.tenant('a'))), 1::bigint, 'a new certificate of a hub');
SELECT is(pg_temp.notes('hub_certificate_update', format($$%L, 'hub-a', 'root', 'code', 'PEM', '\x30', false, 'C0DE', now(), NULL$$, t.tenant('a'))), 1::bigint, 'a certificate of a hub changed');
SELECT is(pg_temp.notes('hub_certificate_update', format($$%L, 'hub-a', 'none', 'code', 'PEM', '\x30', false, 'C0DE', now(), NULL$$, t.tenant('a'))), 0::bigint, 'one that is not there');
SELECT is(pg_temp.notes('hub_certificate_delete', format($$%L, 'hub-a', 'root'$$, t.tenant('a'))), 1::bigint, 'a certificate of a hub deleted');
SELECT is(pg_temp.notes('certificate_insert', format($$%L, '0neaaaaaaaa', 'Root', 'PEM', '\x30', false, 0$$, t.tenant('a'))), 0::bigint, 'a certificate that is one too many');
SELECT is(pg_temp.notes('certificate_insert', format($$%L, '0neaaaaaaaa', 'Root', 'PEM', '\x30', false, 1$$, t.tenant('a'))), 1::bigint, 'a new certificate');
SELECT is(pg_temp.notes('certificate_update', format($$%L, '0neaaaaaaaa', 'root', 'code', 'PEM', '\x30', false, 'C0DE', now(), NULL$$, t.tenant('a'))), 1::bigint, 'a certificate changed');
SELECT is(pg_temp.notes('certificate_update', format($$%L, '0neaaaaaaaa', 'none', 'code', 'PEM', '\x30', false, 'C0DE', now(), NULL$$, t.tenant('a'))), 0::bigint, 'one that is not there');
SELECT is(pg_temp.notes('certificate_delete', format($$%L, '0neaaaaaaaa', 'root'$$, t.tenant('a'))), 1::bigint, 'a certificate deleted');
SELECT results_eq($$SELECT detail ->> 'change' FROM idscope.audit_event WHERE kind = 'certificate' AND key = '0neaaaaaaaa/root' ORDER BY id$$, $$VALUES ('created'), ('code'), ('deleted')$$,
                  'an event says what was done to a certificate');
SELECT is(pg_temp.notes('instance_delete', pg_temp.place() || $$'inst-new', 'stale', 604800$$), 0::bigint, 'an instance with another etag stays');
SELECT is(pg_temp.notes('instance_delete', pg_temp.place() || $$'inst-new', NULL, 604800$$), 1::bigint, 'an instance deleted');

SELECT is(pg_temp.notes('enrollment_insert', pg_temp.enrollment(1, 'new') || ', 100, NULL, NULL'), 1::bigint, 'a new enrollment');
SELECT is(pg_temp.notes('enrollment_insert', pg_temp.enrollment(1, 'new') || ', 100, NULL, NULL'), 0::bigint, 'one that is there is not made again');
SELECT is(pg_temp.notes('enrollment_insert', pg_temp.enrollment(99, 'other') || ', 100, NULL, NULL'), 0::bigint, 'nor behind a version that is gone');
SELECT is(pg_temp.notes('enrollment_update', pg_temp.enrollment(1, 'new') || ', NULL, NULL, NULL'), 1::bigint, 'an enrollment changed');
SELECT is(pg_temp.notes('enrollment_update', pg_temp.enrollment(1, 'new') || format(', %L, NULL, NULL', gen_random_uuid())), 0::bigint, 'not with another etag');
SELECT is(pg_temp.notes('enrollment_insert', pg_temp.enrollment(1, 'naming') || ', 100, ''ca-a'', NULL'), 0::bigint, 'nor one that names a certificate that is not verified');
UPDATE idscope.certificate SET is_verified = true WHERE id_scope = t.scope('a');
SELECT is(pg_temp.notes('enrollment_insert', pg_temp.enrollment(1, 'naming') || ', 100, ''ca-a'', ''ca-b'''), 0::bigint, 'nor of another tenant');
SELECT is(pg_temp.notes('enrollment_insert', pg_temp.enrollment(1, 'naming') || ', 100, ''ca-a'', NULL'), 1::bigint, 'but one of its own that is');
SELECT is(pg_temp.notes('enrollment_update', pg_temp.enrollment(1, 'naming') || ', NULL, NULL, ''ca-x'''), 0::bigint, 'it names no other one later on');
SELECT is(pg_temp.notes('enrollment_update', pg_temp.enrollment(1, 'naming') || ', NULL, NULL, ''ca-a'''), 1::bigint, 'but the same one');
SELECT is((SELECT concat_ws('/', coalesce(ca_primary, '-'), ca_secondary) FROM idscope.enrollment WHERE registration_key = 'naming'), '-/ca-a', 'in another place');
SELECT is(pg_temp.notes('enrollment_delete', format($$%L, 1, 'new', %L, false$$, t.scope('a'), gen_random_uuid())), 0::bigint, 'nor deleted with another etag');
SELECT is(pg_temp.notes('registration_delete', format($$%L, 1, 'device-a', true, NULL, 0, NULL, 1$$, t.scope('a'))), 0::bigint,
          'what is forgotten behind its enrollment is no event of its own');
SELECT is(pg_temp.notes('enrollment_insert', pg_temp.enrollment(1, 'new', true) || ', 0, NULL, NULL'), 0::bigint, 'a group that is one too many');
SELECT is(pg_temp.notes('enrollment_insert', pg_temp.enrollment(1, 'new', true) || ', 1, NULL, NULL'), 1::bigint, 'a new group, named as a device is');
SELECT is(pg_temp.notes('enrollment_update', pg_temp.enrollment(1, 'new', true) || ', NULL, NULL, NULL'), 1::bigint, 'a group changed');
SELECT is(pg_temp.notes('enrollment_delete', format($$%L, 1, 'new', NULL, false$$, t.scope('a'))), 1::bigint, 'an enrollment deleted');
SELECT is(pg_temp.notes('enrollment_delete', format($$%L, 1, 'new', NULL, true$$, t.scope('a'))), 1::bigint, 'a group deleted, which stood beside it');
SELECT results_eq($$SELECT kind, detail ->> 'change' FROM idscope.audit_event WHERE key = t.scope('a') || '/new' ORDER BY id$$,
                  $$VALUES ('enrollment', 'created'), ('enrollment', 'updated'), ('enrollment_group', 'created'), ('enrollment_group', 'updated'),
                           ('enrollment', 'deleted'), ('enrollment_group', 'deleted')$$, 'events say which of the two they are about');
INSERT INTO idscope.registration (id_scope, registration_key, registration_id, operation_id, status, region, operation_at, created_at, updated_at)
VALUES (t.scope('a'), 'gone', 'gone', gen_random_uuid(), 'assigning', 'west', now(), now(), now());
SELECT is(pg_temp.notes('registration_delete', format($$%L, 1, 'gone', false, %L, 1, NULL, 1$$, t.scope('a'), gen_random_uuid())), 0::bigint,
          'a registration that changed stays');
SELECT is(pg_temp.notes('registration_delete', format($$%L, 1, 'gone', false, NULL, 0, NULL, 1$$, t.scope('a'))), 1::bigint, 'a registration deleted');

SELECT is(pg_temp.notes('hub_device_create', pg_temp.hub() || $$'{d1,d2}', 1, '{enabled,enabled}', '{NULL,NULL}', '{none,none}', '{NULL,NULL}',
          '{NULL,NULL}', '{NULL,NULL}', '{NULL,NULL}', '{f,f}', '0ne00000001', '{"{}",NULL}', '{NULL,NULL}'$$), 1::bigint, 'many devices of one call are one event');
SELECT is(pg_temp.notes('hub_device_create', pg_temp.hub() || $$'{d1}', 1, '{enabled}', '{NULL}', '{none}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{f}', NULL, '{NULL}', '{NULL}'$$),
          0::bigint, 'none is made: no event');
CREATE FUNCTION pg_temp.device_update(writer text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.hub() || format($f$'{d1}', 1, '{disabled}', '{NULL}', '{none}', '{NULL}', '{NULL}', '{NULL}', '{NULL}', '{f}', '{f}', '{0}', '{0}', %L$f$, writer)
$$;
SELECT is(pg_temp.notes('hub_device_update', pg_temp.device_update('0ne00000002')), 0::bigint, 'an ID scope changes no device of another one');
SELECT is(pg_temp.notes('hub_device_update', pg_temp.device_update('0ne00000001')), 1::bigint, 'but its own');
SELECT is(pg_temp.notes('hub_device_update', pg_temp.device_update(NULL)), 1::bigint, 'and the hub''s operator any');
SELECT is((SELECT owner FROM idscope.hub_device WHERE device_id = 'd1'), '0ne00000001', 'who owns none');
SELECT is(pg_temp.notes('hub_twin_put', (SELECT format($$%s, 'd1', '{}', '{}', false$$, hub_id) FROM idscope.hub_registry WHERE hub_key = 'hub-a')), 1::bigint, 'a twin changed');
SELECT is((SELECT array_agg(device_id || ' ' || revision) FROM idscope.hub_twin WHERE device_id LIKE 'd_'), '{"d1 2"}', 'and counted');
SELECT is(pg_temp.notes('hub_device_delete', pg_temp.hub() || $$'{d1,d2}', '{9,9}', '{9,9}', NULL$$), 0::bigint, 'devices with another etag stay');
SELECT is(pg_temp.notes('hub_device_delete', pg_temp.hub() || $$'{d1,d2}', '{0,0}', '{0,0}', '0ne00000002'$$), 0::bigint, 'and those of another ID scope');
INSERT INTO idscope.scope (id_scope, issued_to, retired_at) VALUES ('0ne00000001', t.tenant('a'), now());
SELECT is(pg_temp.notes('hub_device_delete', pg_temp.hub() || $$'{d1,d2}', '{0,0}', '{0,0}', '0ne00000002'$$), 1::bigint, 'whose owner is gone is anybody''s; devices of a hub deleted');
SELECT is((SELECT count(*) FROM idscope.hub_twin WHERE device_id LIKE 'd_'), 0::bigint, 'with their twins');

SELECT is(pg_temp.notes('role_insert', format($$%L, %L, %L, 'reader', '', '', NULL, 'x'$$, t.tenant('a'), t.subscription('a'), t.client('a')), who), 1::bigint, 'a role assigned by ' || who)
  FROM unnest(ARRAY['idscope_api']) AS who;
SELECT is(pg_temp.notes('role_delete', format($$%L, %L$$, t.tenant('a'), t.subscription('a')), 'idscope_admin'), 1::bigint, 'a role taken by an operator');
SELECT is(pg_temp.notes('role_delete', format($$%L, %L$$, t.tenant('a'), t.subscription('a'))), 0::bigint, 'not twice');
SELECT is(pg_temp.notes('admin_tenant_insert', format($$%L, 'new'$$, gen_random_uuid()), 'idscope_admin'), 1::bigint, 'a new tenant');
SELECT is(pg_temp.notes('admin_subscription_insert', format($$%L, %L, 's'$$, t.tenant('a'), gen_random_uuid()), 'idscope_admin'), 1::bigint, 'a new subscription');
SELECT is(pg_temp.notes('admin_subscription_insert', format($$%L, %L, 's'$$, gen_random_uuid(), gen_random_uuid()), 'idscope_admin'), 0::bigint,
          'not of a tenant that is none');
SELECT is(pg_temp.notes('admin_service_principal_insert', format($$%L, %L, 'p', %L$$, t.tenant('a'), gen_random_uuid(), t.sha()), 'idscope_admin'),
          1::bigint, 'a new service principal');
SELECT is(pg_temp.notes(name || '_able', format('%L, ' || enabled, id), 'idscope_admin'), notes, format('%s %s%s', name, CASE WHEN enabled THEN 'enabled' ELSE 'disabled' END, again))
  FROM (VALUES (1, false, 1::bigint, ''), (2, false, 0, ' already'), (3, true, 1, ''), (4, true, 0, ' already')) AS f (n, enabled, notes, again),
       (VALUES ('admin_tenant', t.tenant('a')), ('admin_subscription', t.subscription('a')), ('admin_service_principal', t.client('a'))) AS w (name, id)
 ORDER BY name, n;
SELECT is(pg_temp.notes('admin_secret_renew', format($$%L, %L, true$$, t.client('a'), t.sha()), 'idscope_admin'), 1::bigint, 'a new secret');
SELECT is(pg_temp.notes('admin_secret_renew', format($$%L, %L, true$$, gen_random_uuid(), t.sha()), 'idscope_admin'), 0::bigint, 'not of a client that is none');
SELECT is(pg_temp.notes('admin_instance_insert', t.place('a') || $$, 'moved', 'moved', '0nefeedbee1', '0neFEEDBEE1', 'west', 'p', 1, '\x01', '\x02'$$, 'idscope_admin'),
          1::bigint, 'an instance on a given ID scope');
SELECT is(pg_temp.notes('admin_instance_insert', t.place('a') || $$, 'moved2', 'moved2', '0nefeedbee1', '0neFEEDBEE1', 'west', 'p', 1, '\x01', '\x02'$$, 'idscope_admin'),
          0::bigint, 'not twice on one');
SELECT is(pg_temp.notes('admin_issuer_insert', format($$'https://new.example', 'api', 'sub', NULL, %L, 'discovery', NULL$$, t.tenant('a')), 'idscope_admin'), 1::bigint, 'an outside issuer');
SELECT is(pg_temp.notes('admin_issuer_insert', format($$'https://new2.example', 'api', 'sub', NULL, %L, 'discovery', NULL$$, gen_random_uuid()), 'idscope_admin'), 0::bigint,
          'not of a tenant that is none');
SELECT is(pg_temp.notes('admin_issuer_able', format($$'https://new.example', %L$$, enabled), 'idscope_admin'), notes, format('it is %s', told))
  FROM (VALUES (1, false, 1::bigint, 'disabled'), (2, false, 0, 'disabled already'), (3, true, 1, 'enabled')) AS f (n, enabled, notes, told) ORDER BY n;
SELECT is(pg_temp.notes('admin_federated_insert', format($$'https://new.example', 's', %L, %L$$, t.tenant('a'), t.client('a')), 'idscope_admin'), 1::bigint, 'a subject of it is a client');
SELECT is(pg_temp.notes('admin_federated_insert', format($$'https://new.example', 's2', %L, %L$$, t.tenant('b'), t.client('b')), 'idscope_admin'), 0::bigint, 'but none of another tenant');
SELECT is(pg_temp.notes('admin_issuer_delete', $$'https://new.example'$$, 'idscope_admin'), 1::bigint, 'it is trusted no more');
SELECT is(pg_temp.notes('admin_token_key_delete', $$'kid-b'$$, 'idscope_admin'), 0::bigint, 'the key that signs stays');
SELECT is(pg_temp.notes('admin_token_key_insert', $$'k1', '\x01'$$, 'idscope_admin'), 1::bigint, 'a new token key');

SELECT results_eq($$SELECT actor_kind, actor_id, tracking_id, operation, kind, key, detail FROM idscope.audit_event ORDER BY id DESC LIMIT 1$$,
                  $$VALUES ('client', 'somebody', 'track', 'admin_token_key_insert', 'tokenKey', 'k1', '{"change": "created"}'::jsonb)$$, 'an event tells who, what and how');
SELECT throws_ok($$SELECT set_config('idscope.actor_kind', '', true), idscope.note('hub', 'x', '{}')$$, '23502', NULL, 'nobody acts: no event, and so no change');

-- What an event shows: the members that changed, in the words of clients, no secret, and not too much.
SELECT is((SELECT detail FROM idscope.audit_event WHERE kind = 'enrollment' AND key = t.scope('a') || '/new' AND detail ->> 'change' = 'created'),
          '{"change": "created", "after": {"registrationId": "new", "attestationType": "symmetricKey", "attestation": "***", "enabled": true, "updateHubAssignment": true, "migrateDeviceData": true, "iotEdge": false, "byBlock": false}}'::jsonb,
          'what is new is told whole');
CREATE FUNCTION pg_temp.told(was jsonb, becomes jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    noted bigint := idscope.note('hub', 'told', '{"change": "x"}', was, becomes);
BEGIN
    RETURN (SELECT detail - 'change' FROM idscope.audit_event WHERE id = noted);
END
$$;
SELECT is(pg_temp.told('{"sku_name": "S1", "tags": {"a": 1}, "reason": "x", "etag": 1}', '{"sku_name": "S2", "tags": {"a": 1}, "reason": null, "etag": 2}'), '{"before": {"skuName": "S1", "reason": "x"}, "after": {"skuName": "S2", "reason": null}}', 'what changed is told, before and after');
SELECT is(pg_temp.told('{"private_sealed": "\\x0102", "secret_sha256": "\\x03"}', '{"private_sealed": "\\x0104", "secret_sha256": "\\x03"}'), '{"before": {"private": "***"}, "after": {"private": "***"}}', 'of a secret, that it changed');
SELECT is(pg_temp.told(NULL, '{"properties": {"a": [{"ConnectionString": "x\"y", "sharedAccessKey": "z", "name": "n", "n": 1}], "text": "HostName=h;SharedAccessKey=k", "\"secret": "q"}}') -> 'after',
          '{"properties": {"a": [{"ConnectionString": "***", "sharedAccessKey": "***", "name": "n", "n": 1}], "text": "***", "\"secret": "***"}}', 'nor one of any depth, by its name or by what it looks like');
SELECT is(pg_temp.told(NULL, jsonb_build_object('notes', repeat('x', 5000), 'der', '\x30')) -> 'after',
          jsonb_build_object('notes', jsonb_build_object('bytes', 5002, 'sha256', encode(sha256(convert_to(to_jsonb(repeat('x', 5000))::text, 'UTF8')), 'hex')), 'der', jsonb_build_object('sha256', encode(sha256('\x30'), 'hex'))), 'what is long by its length and digest');
SELECT is(pg_temp.told(NULL, NULL), '{}', 'nothing of what has no row');
-- Parts come into the event of their transaction, before it and behind it, and into no other one.
SELECT set_config('idscope.noted', '', true), idscope.note_part('policies', '[{"keyName": "a", "primaryKey": "1"}, {"keyName": "b"}]', '[{"keyName": "b"}, {"keyName": "a", "primaryKey": "2"}]');
SELECT is(pg_temp.told('{"tags": 1}', '{"tags": 2}'), '{"before": {"tags": 1, "policies": [{"keyName": "a", "primaryKey": "***"}]}, "after": {"tags": 2, "policies": [{"keyName": "a", "primaryKey": "***"}]}}', 'parts that changed before the event');
SELECT is(pg_temp.told('{"tags": 1}', '{"tags": 2}'), '{"before": {"tags": 1}, "after": {"tags": 2}}', '… come into one');
SELECT idscope.note_part('links', '[]', '[{"hostName": "h"}]');
SELECT is((SELECT detail FROM idscope.audit_event WHERE id = current_setting('idscope.noted')::bigint), '{"change": "x", "before": {"tags": 1, "links": []}, "after": {"tags": 2, "links": [{"hostName": "h"}]}}', 'and behind it');
-- What a transaction within this one has written is of another id, as is what one before it wrote.
SAVEPOINT other;
SELECT pg_temp.told('{"tags": 3}', '{"tags": 4}'), idscope.note_part('links', '[]', '[{"hostName": "late"}]');
SELECT is((SELECT detail - 'change' FROM idscope.audit_event WHERE id = current_setting('idscope.noted')::bigint), '{"before": {"tags": 3}, "after": {"tags": 4}}', 'an event of another transaction stays as it is');
RELEASE other;

-- What was kept long enough goes from the beginning of a chain, never its end, and nothing of today.
INSERT INTO idscope.audit_event (tenant_id, actor_kind, actor_id, operation, kind, key, detail) SELECT t.tenant('b'), 'operator', 'x', 'x', 'x', 'of block ' || n, '{}' FROM generate_series(1, 3) n;
INSERT INTO idscope.audit_block (tenant_id, block, ids, digests, previous, hash, sealed_at)
SELECT tenant_id, n, ARRAY[id], sha256('d'), sha256('p'), sha256(('h' || n)::bytea), now() - n * interval '2 hours'
  FROM idscope.audit_event e CROSS JOIN LATERAL (SELECT right(key, 1)::int AS n) o WHERE tenant_id = t.tenant('b') AND key ~ '^of block';
DELETE FROM idscope.audit_chain;
INSERT INTO idscope.audit_chain (tenant_id, blocks, last_id, hash) SELECT t.tenant('b'), 3, ids[1], hash FROM idscope.audit_block WHERE tenant_id = t.tenant('b') AND block = 3;
CREATE FUNCTION pg_temp.cut(keep_days bigint) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    SET LOCAL ROLE idscope_worker;
    told := (SELECT string_agg(format('%s of block %s, %s', count, block, hash = sha256(('h' || block)::bytea)), ' and ') FROM idscope.audit_cut(keep_days * 86400, 10));
    RESET ROLE;
    RETURN told || format(': %s blocks, %s events', (SELECT count(*) FROM idscope.audit_block WHERE tenant_id = t.tenant('b') AND block <= 3), (SELECT count(*) FROM idscope.audit_event WHERE tenant_id = t.tenant('b') AND key ~ '^of block'));
END
$$;
SELECT is(pg_temp.cut(0), NULL, 'nothing goes that is younger than a day, whoever asks');
UPDATE idscope.audit_block SET sealed_at = now() - interval '9 days' WHERE tenant_id = t.tenant('b');
SELECT is(pg_temp.cut(10), NULL, 'nor what was not kept long enough');
SELECT is(pg_temp.cut(8), '1 of block 1, t: 2 blocks, 2 events', 'the first block goes with its events');
SELECT is(pg_temp.cut(8), '1 of block 2, t: 1 blocks, 1 events', 'then the next one');
SELECT is(pg_temp.cut(8), NULL, 'the last one stays');
SELECT is((SELECT format('%s %s %s', blocks, cut_blocks, cut_hash = sha256('h2')) FROM idscope.audit_chain WHERE tenant_id = t.tenant('b')), '3 2 t', 'and the chain remembers what it follows');

-- Each statement that writes notes; or is one of several that make one change of one thing, in one transaction with the one that notes it; or is
-- the work of devices and workers, which is not audited one by one. That a request leaves one event, whatever it changes, tells the flow suite
-- `management`.
CREATE TEMP TABLE silent (name text, noted_by text[], because text);
INSERT INTO silent VALUES
    ('hub_policy_put',        '{hub_insert,hub_update}',           'a hub''s PUT with policies is one change of that hub'),
    ('hub_links_recheck',     '{hub_insert,hub_update}',           'links to a hub whose PUT gave it policies are only looked at again'),
    ('instance_policy_put',   '{instance_insert,instance_update}', 'an instance''s PUT with policies is one change of that instance'),
    ('linked_put',            '{instance_insert,instance_update,linked_note}', 'an instance''s PUT with links is one change of that instance, a PUT of a link one of that link'),
    ('linked_jobs',           '{instance_insert,instance_update,linked_note}', 'links that the PUT changed are looked at'),
    ('scope_touch',           '{instance_update}',                 'what was checked against the instance before its PUT is stale'),
    ('admin_token_key_prune', '{admin_token_key_insert}',          'a new key for tokens takes the place of an old one'),
    ('admin_issuer_key_insert', '{admin_issuer_insert}',           'the keys of a file come with their issuer'),
    ('import_receive',        '{import_begin,import_cancel}',      'what was received is no change yet: its end is noted, with what was written'),
    ('import_refuse',         '{import_begin}',                    'nor is what was refused'),
    ('register_write',        '{}',                                'devices are not audited one by one'),
    ('challenge_open',        '{}',                                'a challenge is part of a device''s register'),
    ('challenge_meet',        '{}',                                'so is what meets it'),
    ('audit_seal',            '{}',                                'what is noted is sealed, which is no change of anything else'),
    ('attempt_write',         '{}',                                'what a device was refused is no change of anybody');
SELECT is_empty($$SELECT s.name, n.name FROM silent s CROSS JOIN unnest(noted_by) AS n (name)
                   WHERE NOT EXISTS (SELECT 1 FROM t.statement t WHERE t.name = n.name AND text ~ 'idscope[.]note[(]')$$, 'who notes for another notes');
SELECT set_eq($$SELECT name FROM t.statement WHERE text ~ '(INSERT INTO|UPDATE|DELETE FROM) idscope' AND text !~ 'idscope[.]note[(]'
                   AND file NOT IN ('assign.sql', 'inventory.sql', 'job.sql', 'tenant_job.sql', 'link.sql', 'sweep.sql', 'issuer.sql')$$,
              'SELECT name FROM silent', 'every other write statement notes');

SELECT * FROM finish();
ROLLBACK;
