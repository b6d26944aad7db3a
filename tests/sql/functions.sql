-- What the functions of the schema answer and change, called by the programs that may call them.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();

-- Runs a query as a role and gives its rows as text, in order.
CREATE FUNCTION pg_temp.seen(who text, tenant uuid, query text) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    lines text[];
BEGIN
    PERFORM set_config('idscope.tenant', coalesce(tenant::text, ''), true);
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE format('SELECT coalesce(array_agg(q::text), ''{}'') FROM (%s) q', query) INTO lines;
    RESET ROLE;
    PERFORM set_config('idscope.tenant', '', true);
    RETURN lines;
END
$$;

-- current_tenant
SELECT is(idscope.current_tenant(), NULL::uuid, 'no tenant is set at first');
SELECT set_config('idscope.tenant', '', true);
SELECT is(idscope.current_tenant(), NULL::uuid, 'an empty setting, as one transaction leaves to the next, is no tenant');
SELECT is(pg_temp.seen('idscope_api', t.tenant('a'), 'SELECT idscope.current_tenant()'), ARRAY[format('(%s)', t.tenant('a'))], 'the tenant that was set');

-- in_time
SELECT lives_ok($$SELECT idscope.in_time((extract(epoch FROM clock_timestamp()) * 1000000)::bigint + 60000000)$$, 'there is a minute left');
SELECT throws_ok($$SELECT idscope.in_time((extract(epoch FROM clock_timestamp()) * 1000000)::bigint - 1000)$$, '57L01', NULL, 'too late by a millisecond');

-- scopes of roles
SELECT is(idscope.in_scopes(ARRAY['/a/b', '/c'], at), within, format('%s is %s in /a/b or /c', at, CASE WHEN within THEN '' ELSE 'not ' END))
  FROM (VALUES ('/a/b', true), ('/a/b/d', true), ('/c/d', true), ('/a', false), ('/a/bc', false), ('', false), ('/A/b', false)) AS f (at, within);
SELECT ok(idscope.in_scopes('{""}', '/a') AND NOT idscope.in_scopes('{}', '/a'), 'all is in the empty scope, and nothing in none');
SELECT is(pg_temp.seen('idscope_api', t.tenant('a'), format('SELECT idscope.principal_there(%L), idscope.principal_there(%L)', t.client('a'), t.client('b'))), ARRAY['(t,f)'],
          'principals of another tenant are not there');

-- gate_client
SELECT is(pg_temp.seen('idscope_api', NULL, format('SELECT tenant_id, roles, scopes FROM idscope.gate_client(%L)', t.client('b'))),
          ARRAY[format('(%s,{owner},{/subscriptions/%s/resourcegroups/b})', t.tenant('b'), t.subscription('b'))], 'a client is found before its tenant is known, with its roles');
SELECT is(pg_temp.seen('idscope_api', NULL, format('SELECT FROM idscope.gate_client(%L)', gen_random_uuid())), '{}', 'an unknown client is not found');
UPDATE idscope.service_principal SET disabled_at = now() WHERE client_id = t.client('b');
SELECT is(pg_temp.seen('idscope_api', NULL, format('SELECT FROM idscope.gate_client(%L)', t.client('b'))), '{}', 'a disabled client is not found');
UPDATE idscope.service_principal SET disabled_at = NULL WHERE client_id = t.client('b');
UPDATE idscope.tenant SET disabled_at = now() WHERE tenant_id = t.tenant('b');
SELECT is(pg_temp.seen('idscope_api', NULL, format('SELECT FROM idscope.gate_client(%L)', t.client('b'))), '{}', 'nor is one of a disabled tenant');
UPDATE idscope.tenant SET disabled_at = NULL WHERE tenant_id = t.tenant('b');
UPDATE idscope.subscription SET disabled_at = now() WHERE subscription_id = t.subscription('b');
SELECT is(pg_temp.seen('idscope_api', NULL, format('SELECT disabled_subscriptions FROM idscope.gate_client(%L)', t.client(who))), ARRAY[of], 'a client comes with the disabled subscriptions of its tenant')
  FROM (VALUES ('b', format('({%s})', t.subscription('b'))), ('a', '({})')) AS f (who, of);
UPDATE idscope.subscription SET disabled_at = NULL;
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT FROM idscope.gate_client(NULL)'), '{}', 'NULL finds no client');

-- device_id_taken
SELECT t.put('enrollment', '{"registration_key": "named", "registration_id": "Named", "device_id": "Press"}');
SELECT is(pg_temp.seen('idscope_api', NULL, format('SELECT idscope.device_id_taken(%L, %L, %L)', t.scope(scope), device, wanted)), ARRAY[format('(%s)', taken_by)], what)
  FROM (VALUES ('a', 'other', 'Press', 'Named', 'a device id that another enrollment names is its'),
               ('a', 'other', 'press', '', 'device ids know case'),
               ('a', 'named', 'Press', '', 'its own is nobody else''s'),
               ('b', 'other', 'Press', '', 'another instance has its own'),
               ('a', 'press', NULL, 'Named', 'a device without a device id uses its registration id, in any spelling'),
               ('a', 'other', 'DEVICE-A', 'Device-a', 'and so does the other'),
               ('a', 'named', NULL, '', 'what nobody has')) AS f (scope, device, wanted, taken_by, what);

-- identity_taken: and by what registrations stand on
SELECT t.put('registration', '{"registration_key": "member", "registration_id": "Member", "status": "assigned", "substatus": "initialAssignment", "assigned_hub": "h", "device_id": "Member"}');
SELECT t.put('registration', '{"registration_key": "coming", "registration_id": "Coming", "target_hub": "h", "target_device_id": "Coming"}');
SELECT is(pg_temp.seen('idscope_worker', NULL, format('SELECT idscope.identity_taken(%L, %L, %L)', t.scope(scope), device, identity)), ARRAY[format('(%s)', taken_by)], what)
  FROM (VALUES ('a', 'press', 'Press', 'Named', 'an identity that an enrollment names is its'),
               ('a', 'press', 'press', '', 'identities know case'),
               ('a', 'other', 'Member', 'Member', 'one that a registration stands on is its'),
               ('a', 'other', 'member', '', 'in its spelling'),
               ('a', 'member', 'Member', '', 'and not another''s than its own'),
               ('a', 'other', 'Coming', 'Coming', 'so is one that it is about to stand on'),
               ('b', 'other', 'Member', '', 'another instance has its own identities'),
               ('a', 'other', 'Free', '', 'an identity that nobody has')) AS f (scope, device, identity, taken_by, what);

-- gate_hub
SELECT t.put('hub_policy', '{"key_name": "First", "key_name_key": "first", "position": 0, "rights": 1, "primary_sealed": "\\x0a", "secondary_sealed": "\\x0b"}');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT hub_id > 0, version, tenant_id, name, key_names, rights, primary_sealed, secondary_sealed FROM idscope.gate_hub(''hub-a'')'),
          ARRAY[format('(t,1,%s,Hub-a,"{First,Policy-a}","{1,3}","{""\\\\x0a"",""\\\\x01""}","{""\\\\x0b"",""\\\\x02""}")', t.tenant('a'))],
          'a hub with its policies, in their order, not mixed with another''s');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT FROM idscope.gate_hub(''HUB-A'')'), '{}', 'hubs are asked for by the lower-case name');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT FROM idscope.gate_hub(NULL)'), '{}', 'NULL finds no hub');
DELETE FROM idscope.hub WHERE hub_key = 'hub-a';
UPDATE idscope.hub_registry SET retired_at = now() WHERE hub_key = 'hub-a';
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT FROM idscope.gate_hub(''hub-a'')'), '{}', 'a deleted hub is not found');

-- purge_retired_hubs: two devices of the hub just deleted, one of a living hub
SELECT t.put('hub_device', jsonb_build_object('hub_id', hub_id, 'device_id', 'second')) FROM idscope.hub_registry WHERE retired_at IS NOT NULL;
SELECT is(pg_temp.seen('idscope_worker', NULL, 'SELECT idscope.purge_retired_hubs(1)'), '{(1)}', 'one device goes when one is asked for');
SELECT is(pg_temp.seen('idscope_worker', NULL, 'SELECT idscope.purge_retired_hubs(100)'), '{(1)}', 'then the other');
SELECT is((SELECT count(*) FROM idscope.hub_registry WHERE retired_at IS NOT NULL), 1::bigint, 'the tombstone stands until the devices are gone');
SELECT is(pg_temp.seen('idscope_worker', NULL, 'SELECT idscope.purge_retired_hubs(100)'), '{(1)}', 'then the tombstone');
SELECT is(pg_temp.seen('idscope_worker', NULL, 'SELECT idscope.purge_retired_hubs(100)'), '{(0)}', 'then there is nothing to do');
SELECT results_eq('SELECT r.hub_key, d.device_id FROM idscope.hub_device d JOIN idscope.hub_registry r USING (hub_id)',
                  $$VALUES ('hub-b' COLLATE "C", 'Device-b' COLLATE "C")$$, 'a living hub loses nothing');
SELECT results_eq('SELECT r.hub_key, t.device_id FROM idscope.hub_twin t JOIN idscope.hub_registry r USING (hub_id)',
                  $$VALUES ('hub-b' COLLATE "C", 'Device-b' COLLATE "C")$$, 'nor do its devices lose their twins, which go with the dead ones');

-- purge_retired_scopes: every table that leads its key with id_scope is emptied, also one that is made tomorrow; nothing of a living scope goes.
SELECT t.put('scope', '{"id_scope": "0ne000000dd", "retired_at": "2026-01-02T03:04:05Z"}');
CREATE TABLE idscope.of_tomorrow (id_scope text COLLATE "C", n int, PRIMARY KEY (id_scope, n));
ALTER TABLE idscope.of_tomorrow OWNER TO idscope_owner;
INSERT INTO idscope.of_tomorrow SELECT scope, n FROM unnest(ARRAY['0ne000000dd', t.scope('a')]) AS scope, generate_series(1, 25) n;
SELECT t.put(tab, '{"id_scope": "0ne000000dd", "registration_key": "device-d", "registration_id": "device-d"}')
  FROM unnest(ARRAY['enrollment', 'registration']) AS tab;
SELECT t.put('enrollment_detail', '{"id_scope": "0ne000000dd", "registration_key": "device-d"}');
SELECT t.put(tab, '{"id_scope": "0ne000000dd"}') FROM unnest(ARRAY['challenge', 'alloc_input', 'attempt_ring', 'attempt', 'job', 'list_count', 'inventory', 'found_identity', 'import', 'import_error', 'import_enrollment', 'import_registration']) AS tab;
CREATE FUNCTION pg_temp.rows_of(scope text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    tab text;
    n bigint;
BEGIN
    FOR tab IN SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id_scope'
                WHERE c.relnamespace = 'idscope'::regnamespace AND c.relkind = 'r' AND c.relname <> 'scope' ORDER BY 1 LOOP
        EXECUTE format('SELECT count(*) FROM idscope.%I WHERE id_scope = $1', tab) INTO n USING scope;
        IF n > 0 THEN
            RETURN NEXT format('%s: %s', tab, n);
        END IF;
    END LOOP;
END
$$;
CREATE TEMP TABLE before AS SELECT * FROM pg_temp.rows_of(t.scope('a'));
SELECT set_eq($$SELECT split_part(pg_temp.rows_of('0ne000000dd'), ':', 1)$$,
              $$SELECT relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'id_scope'
                 WHERE c.relnamespace = 'idscope'::regnamespace AND c.relkind = 'r' AND relname NOT IN ('scope', 'instance', 'instance_policy', 'certificate', 'linked_hub', 'resource_lock')$$,
              'a deleted instance leaves rows in every table of its scope (its policies, certificates and links go with it)');
SELECT is(pg_temp.seen('idscope_worker', NULL, 'SELECT idscope.purge_retired_scopes(10)'), '{(24)}', 'at most so many rows of a table go at once (a detail goes with its enrollment)');
SELECT is(pg_temp.seen('idscope_worker', NULL, 'SELECT idscope.purge_retired_scopes(10)'), '{(10)}', 'the next bite goes on');
SELECT is((SELECT purged_at FROM idscope.scope WHERE id_scope = '0ne000000dd'), NULL, 'the scope is not purged while rows are left');
SELECT is(pg_temp.seen('idscope_worker', NULL, 'SELECT idscope.purge_retired_scopes(10)'), '{(5)}', 'to the last row');
SELECT is_empty($$SELECT pg_temp.rows_of('0ne000000dd')$$, 'no table of the scope is forgotten');
SELECT is(pg_temp.seen('idscope_worker', NULL, 'SELECT idscope.purge_retired_scopes(10)'), '{(1)}', 'then that is noted');
SELECT isnt((SELECT purged_at FROM idscope.scope WHERE id_scope = '0ne000000dd'), NULL, 'on the scope, which stays for ever');
SELECT is(pg_temp.seen('idscope_worker', NULL, 'SELECT idscope.purge_retired_scopes(10)'), '{(0)}', 'and there is nothing to do');
SELECT set_eq($$SELECT pg_temp.rows_of(t.scope('a'))$$, 'TABLE before', 'a living scope loses nothing');
DROP TABLE idscope.of_tomorrow;

-- gate_instance
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT id_scope, id_scope_text, version, inputs_version, tenant_id, name, key_names, rights
                                               FROM idscope.gate_instance(''0ne0000000a'', NULL)'),
          ARRAY[format('(0ne0000000a,0ne0000000A,1,1,%s,Inst-a,{Policy-a},{63})', t.tenant('a'))], 'an instance by its ID scope');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT id_scope FROM idscope.gate_instance(NULL, ''inst-b'')'), '{(0ne0000000b)}', 'an instance by its name');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT FROM idscope.gate_instance(''0ne0000000A'', ''INST-A'')'), '{}', 'both are asked for in lower case');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT FROM idscope.gate_instance(NULL, NULL)'), '{}', 'NULL finds no instance');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT n, id_scope, id_scope_text, version, inputs_version, tenant_id, name, key_names, rights
                                               FROM idscope.gate_instances(ARRAY[''0ne0000000b'', ''0neffffffff'', ''0ne0000000a''])'),
          ARRAY[format('(1,0ne0000000b,0ne0000000B,1,1,%s,Inst-b,{Policy-b},{63})', t.tenant('b')),
                format('(3,0ne0000000a,0ne0000000A,1,1,%s,Inst-a,{Policy-a},{63})', t.tenant('a'))],
          'many instances by their ID scopes, each with its place; an unknown one is left out');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT FROM idscope.gate_instances(ARRAY[NULL, ''inst-b'', ''0ne0000000A''])'), '{}', 'and by nothing else');

-- certificates_of
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT id_scope, name_key, is_verified, der, crl FROM idscope.certificates_of(ARRAY[''0ne0000000b'', ''0neffffffff''])'),
          ARRAY['(0ne0000000b,ca-b,f,"\\x30",)'], 'the certificates of ID scopes, and of no others');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT FROM idscope.certificates_of(ARRAY[NULL, ''0ne0000000A''])'), '{}', 'asked for in lower case');
DELETE FROM idscope.instance_policy WHERE id_scope = t.scope('b');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT name, key_names FROM idscope.gate_instance(NULL, ''inst-b'')'), '{"(Inst-b,)"}',
          'an instance without policies is found all the same');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT name, key_names FROM idscope.gate_instances(ARRAY[''0ne0000000b''])'), '{"(Inst-b,)"}',
          'also among many');
UPDATE idscope.scope SET retired_at = now() WHERE id_scope = t.scope('b');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT FROM idscope.gate_instances(ARRAY[''0ne0000000b''])'), '{}', 'nor among many does a retired scope');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT FROM idscope.gate_instance(''0ne0000000b'', ''inst-b'')'), '{}', 'a retired scope finds nothing');

-- name_free
SELECT t.put('name_rest', '{"name_key": "rests-a"}', 'a'), t.put('name_rest', '{"name_key": "rests-b"}', 'b');
SELECT is(pg_temp.seen('idscope_api', t.tenant('a'), format('SELECT idscope.name_free(%L, %L)', kind, name)), ARRAY[format('(%s)', answer)],
          format('%s %s: may a tenant have it? %s', kind, name, answer))
  FROM (VALUES ('hub', 'nobodys', 't'), ('hub', 'hub-b', 'f'), ('instance', 'inst-b', 'f'), ('hub', 'inst-b', 't'), ('instance', 'hub-b', 't'), ('hub', 'rests-a', 't'), ('hub', 'rests-b', 'f')) AS n (kind, name, answer);
DELETE FROM idscope.name_rest WHERE name_key LIKE 'rests-%';

-- name_take
SELECT t.put('name_rest', '{}', 'a', 'own'), t.put('name_rest', '{}', 'b', 'theirs');
SELECT is(pg_temp.seen('idscope_api', t.tenant('a'), format('SELECT idscope.name_take(''hub'', %L)', 'name-' || name)), ARRAY[format('(%s)', answer)],
          format('%s: may a tenant take it? %s', name, answer))
  FROM (VALUES ('nobodys', 't'), ('own', 't'), ('theirs', 'f')) AS n (name, answer);
SELECT is(pg_temp.seen('idscope_api', t.tenant('a'), 'SELECT idscope.name_take(''instance'', ''name-theirs'')'), '{(t)}', 'names of hubs and of instances are two things');
SELECT set_eq('SELECT name_key FROM idscope.name_rest', $$VALUES ('name-theirs'), ('name-a'), ('name-b')$$, 'what is taken rests no more, what is another''s goes on resting');

-- hub_deleted: hub-a is gone (above) and linked by instance a; hub-b lives, belongs to tenant b and is linked by both
SELECT t.put('linked_hub', '{"hub_key": "hub-b", "state": "valid"}');
UPDATE idscope.linked_hub SET state = 'valid';
SELECT is(pg_temp.seen('idscope_api', t.tenant('a'), 'SELECT idscope.hub_deleted(''hub-a'', ''hub-a.hub.example'')'), '{(1)}', 'a deleted hub marks the links to it');
SELECT results_eq($$SELECT host, state, reason, credential_version FROM idscope.linked_hub ORDER BY host$$,
    $$VALUES ('a.hub.example' COLLATE "C", 'invalid' COLLATE "C", 'hub_deleted', 2::bigint), ('b.hub.example', 'valid', NULL, 1), ('x.hub.example', 'valid', NULL, 1)$$,
    'invalid with its reason and a new credential version; other links are left alone');
SELECT is(pg_temp.seen('idscope_api', t.tenant('a'), 'SELECT idscope.hub_deleted(''hub-b'', ''hub-b.hub.example'')'), '{(0)}', 'another tenant''s living hub is not declared deleted');
SELECT is(pg_temp.seen('idscope_api', NULL, 'SELECT idscope.hub_deleted(''hub-b'', ''hub-b.hub.example'')'), '{(0)}', 'nor is any living hub without a tenant');
SELECT is(pg_temp.seen('idscope_api', t.tenant('b'), 'SELECT idscope.hub_deleted(''hub-b'', ''hub-b.hub.example'')'), '{(2)}',
          'its own tenant may, in the transaction that deletes it, and links of all tenants follow');
SELECT is((SELECT count(*) FROM idscope.linked_hub WHERE reason = 'hub_deleted'), 3::bigint, 'so that no link to a deleted hub stays');
SELECT t.put('linked_hub', '{"host": "hub-c.hub.example", "host_name": "Hub-c.hub.example", "hub_key": null, "primary_sealed": "\\x01"}', 'a', 'c');
CREATE TEMP TABLE versions AS SELECT inputs_version FROM idscope.scope WHERE id_scope = t.scope('a');
SELECT is(pg_temp.seen('idscope_api', t.tenant('b'), format('SELECT idscope.hub_deleted(%L, %L)', name, host)), ARRAY[format('(%s)', marked)], format('%s at %s', name, host))
  FROM (VALUES ('hub-d', 'hub-c.hub.example', 0), ('hub-c', 'hub-c.hub.other', 0), ('hub', 'hub-c.hub.example', 0), ('hub-c', 'hub-c.hub.example', 1)) AS w (name, host, marked);
SELECT is((SELECT inputs_version FROM idscope.scope WHERE id_scope = t.scope('a')), (SELECT inputs_version + 1 FROM versions),
          'a link by connection string to a hub of this deployment follows as well, and what was chosen with it is chosen anew');

SELECT * FROM finish();
ROLLBACK;
