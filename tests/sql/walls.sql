-- The second wall: each statement of the management plane is run as the api's own role for tenant b, with the tenant argument forged: that of a,
-- and a's names. It reads nothing of a and changes nothing at all. Without row-level security the same call does, so what holds it is the wall.
-- A statement that takes a tenant and has no call below fails, and so does one that the api runs on a table with tenants and that takes none.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
-- A group with nothing in it, to be deleted, and a location that only a has.
SELECT t.put('resource_group');
UPDATE idscope.enrollment SET iot_hub_host_name = 'named.hub.x' WHERE id_scope = t.scope('a');
UPDATE idscope.hub SET location = 'northeurope' WHERE hub_key = 'hub-a';

-- The calls: {tenant} is the argument, all else is a's.
CREATE TEMP TABLE calls (name text PRIMARY KEY, params text, touches boolean NOT NULL DEFAULT true);
INSERT INTO calls (name, params)
SELECT name, replace(replace(replace(replace(params, '{client}', quote_literal(t.client('a'))), '{group}', '{subscription}, ''group-a'''), '{subscription}', format('{tenant}, %L', t.subscription('a'))),
                     '{scope}', format('{tenant}, %L', t.scope('a')))
  FROM (VALUES
    ('subscription_find', $$ {tenant}, NULL, NULL, 10, NULL $$),
    ('subscription_retag', $$ {subscription}, '{"a": "b"}', '{}' $$),
    ('place', $$ {group} $$),
    ('location_find', $$ {subscription}, 'westeurope', 10 $$),
    ('listed_find', $$ {subscription}, NULL, NULL, NULL, NULL, 10, NULL, NULL, NULL, NULL $$),
    ('group_find', $$ {subscription}, NULL, NULL, NULL, NULL, 10, NULL, NULL $$),
    ('group_put', $$ {subscription}, 'group-y', 'group-y', 'westeurope', '{}', true, true $$),
    ('group_retag', $$ {group}, '{"a": "b"}', NULL $$),
    ('group_hold', $$ {group} $$),
    ('group_lock', $$ {group} $$),
    ('group_delete', $$ {subscription}, 'group-x' $$),
    ('hub_find', $$ {subscription}, NULL, NULL, NULL, NULL, 10 $$),
    ('hub_policy_find', $$ {group}, 'hub-a', NULL $$),
    ('hub_count', $$ {group}, 'hub-a' $$),
    ('hub_lock', $$ {group}, 'hub-a' $$),
    ('hub_insert', $$ {group}, 'hub-y', 'hub-y', 'westeurope', '{}', 'S1', 1, '{}', '{}' $$),
    ('hub_update', $$ {tenant}, 'hub-a', '{"a": "b"}', 'S1', 1, '{}', '{}', true $$),
    ('hub_retag', $$ {group}, 'hub-a', NULL, '{"a": "b"}' $$),
    ('hub_policy_put', $$ {tenant}, 'hub-a', '{p}', '{15}', '{"\\x01"}', '{"\\x02"}' $$),
    ('hub_links_recheck', $$ {tenant}, 'hub-a' $$),
    ('hub_delete', $$ {group}, 'hub-a', NULL, '.hub.x' $$),
    ('instance_find', $$ {subscription}, NULL, NULL, NULL, NULL, 10 $$),
    ('instance_policy_find', $$ {group}, 'inst-a', NULL $$),
    ('instance_lock', $$ {group}, 'inst-a' $$),
    ('tenant_holds', $$ {subscription} $$),
    ('instance_insert', $$ {group}, 'inst-y', 'inst-y', '0ne1111111a', '0ne1111111A', 'westeurope', '{}', 1, 'hashed', '{}', '{}', 'adopt' $$),
    ('instance_update', $$ {scope}, '{"a": "b"}', 1, 'hashed', '{}', '{}', 'adopt', true $$),
    ('instance_retag', $$ {group}, 'inst-a', NULL, '{"a": "b"}' $$),
    ('instance_policy_put', $$ {scope}, '{p}', '{63}', '{"\\x01"}', '{"\\x02"}' $$),
    ('instance_delete', $$ {group}, 'inst-a', NULL, 1000 $$),
    ('linked_find', $$ {tenant}, '{0ne0000000a}', NULL $$),
    ('linked_elsewhere', $$ {scope}, '.hub.x' $$),
    ('linked_named', $$ {scope}, 'named.hub.x', NULL, 10 $$),
    ('linked_named_count', $$ {scope}, '{named.hub.x}' $$),
    ('linked_target', $$ {group}, 'hub-a', 'policy-a' $$),
    ('linked_put', $$ {scope}, '{y.hub.example}', '{westeurope}', '{NULL}', '{k}', '{"\\x01"}', '{NULL}', '{NULL}', '{1}', '{true}' $$),
    ('linked_note', $$ {scope}, 'y.hub.example', 'updated', true $$),
    ('lock_scope', $$ {group}, NULL, NULL $$),
    ('lock_find', $$ {tenant}, '/subscriptions/aaaaaaaa-0000-4000-8000-000000000002', true, NULL, NULL, 10 $$),
    ('lock_put', $$ {subscription}, '/subscriptions/aaaaaaaa-0000-4000-8000-000000000002', NULL, NULL, NULL, 'Lock-a', 'ReadOnly', NULL $$),
    ('lock_delete', $$ {tenant}, '/subscriptions/aaaaaaaa-0000-4000-8000-000000000002', 'lock-a' $$),
    ('lock_over', $$ {tenant}, '/subscriptions/aaaaaaaa-0000-4000-8000-000000000002/resourcegroups/group-a', true $$),
    ('hub_certificate_find', $$ {group}, 'hub-a', NULL $$),
    ('hub_certificate_lock', $$ {tenant}, 'hub-a', 'ca-a' $$),
    ('hub_certificate_insert', $$ {tenant}, 'hub-a', 'ca-y', 'MII', '\x30', true, 25 $$),
    ('hub_certificate_update', $$ {tenant}, 'hub-a', 'ca-a', 'updated', 'MIJ', '\x31', true, NULL, NULL, NULL $$),
    ('hub_certificate_delete', $$ {tenant}, 'hub-a', 'ca-a' $$),
    ('certificate_find', $$ {group}, 'inst-a', NULL $$),
    ('certificate_lock', $$ {scope}, 'ca-a' $$),
    ('certificate_insert', $$ {scope}, 'ca-y', 'MII', '\x30', true, 25 $$),
    ('certificate_update', $$ {scope}, 'ca-a', 'updated', 'MIJ', '\x31', true, NULL, NULL, NULL $$),
    ('certificate_delete', $$ {scope}, 'ca-a' $$),
    ('role_find', $$ {tenant}, '', NULL, NULL, true, NULL, 10 $$),
    ('role_get', $$ {tenant}, md5('a')::uuid $$),
    ('role_target', $$ {tenant}, {client}, '', NULL $$),
    ('role_insert', $$ {tenant}, md5('y')::uuid, {client}, 'reader', '', '', NULL, 'x' $$),
    ('role_delete', $$ {tenant}, md5('a')::uuid $$),
    ('role_unowned', $$ {tenant}, '' $$),
    ('activity_events', $$ {tenant}, '-infinity', 'infinity', NULL, NULL, 10 $$),
    ('enrollment_certificates_lock', $$ {scope}, '{ca-a}' $$)) AS c (name, params);
-- They take a tenant and touch no row: who acts, and whose turn it is.
INSERT INTO calls VALUES ('act', $$ {tenant}, 'client', 'somebody', 'track', 'Test' $$, false), ('tenant_lock', $$ {tenant} $$, false);

SELECT set_eq($$SELECT name FROM t.statement JOIN t.runs USING (file) WHERE who = 'api' AND takes_tenant$$, 'SELECT name FROM calls', 'each statement that takes a tenant has its call here, and no other');

DO $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT name, text FROM t.statement WHERE text <> 'COMMIT' LOOP
        EXECUTE format('PREPARE %I AS %s', s.name, s.text);
    END LOOP;
END $$;

-- Tables whose rows are tenants'.
CREATE FUNCTION pg_temp.owned() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT relname::text FROM pg_class c
     WHERE relnamespace = 'idscope'::regnamespace AND relkind = 'r' AND EXISTS (SELECT 1 FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id')
$$;

SELECT is_empty($$SELECT name FROM t.statement JOIN t.runs USING (file)
                   WHERE who = 'api' AND NOT takes_tenant AND text ~ ('\midscope\.(' || (SELECT string_agg(o, '|') FROM pg_temp.owned() AS o) || ')\M')$$,
                'whatever the api asks of a table with tenants takes the tenant as an argument, and says so');

-- All that there is.
CREATE FUNCTION pg_temp.everything() RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    tab text;
    digest text;
    whole jsonb := '{}';
BEGIN
    FOR tab IN SELECT relname FROM pg_class WHERE relnamespace = 'idscope'::regnamespace AND relkind = 'r' LOOP
        EXECUTE format('SELECT md5(string_agg(r::text, ''|'' ORDER BY r::text)) FROM idscope.%I r', tab) INTO digest;
        whole := whole || jsonb_build_object(tab, digest);
    END LOOP;
    RETURN whole;
END $$;

-- What a call answers and whether it changes anything, taken back: with the tenant `argument`, in a transaction of tenant `setting`, with the wall
-- or without.
CREATE FUNCTION pg_temp.outcome(called text, argument text, setting text, walled boolean, OUT answer jsonb, OUT changed boolean) LANGUAGE plpgsql AS $$
DECLARE
    before jsonb := pg_temp.everything();
    call text := (SELECT format('EXECUTE %I (%s)', name, replace(params, '{tenant}', quote_literal(t.tenant(argument)))) FROM calls WHERE name = called);
    r record;
BEGIN
    answer := '[]';
    changed := false;
    IF NOT walled THEN
        SET LOCAL ROLE idscope_owner;
        FOR r IN SELECT o FROM pg_temp.owned() AS o LOOP
            EXECUTE format('ALTER TABLE idscope.%I DISABLE ROW LEVEL SECURITY', r.o);
        END LOOP;
        RESET ROLE;
    END IF;
    PERFORM t.become('idscope_api', setting, called);
    BEGIN
        FOR r IN EXECUTE call LOOP
            answer := answer || to_jsonb(r);
        END LOOP;
    EXCEPTION WHEN invalid_cursor_definition THEN -- it answers with no rows
        EXECUTE call;
    END;
    RESET ROLE;
    changed := pg_temp.everything() <> before;
    RAISE EXCEPTION USING ERRCODE = 'T0000';
EXCEPTION
    WHEN SQLSTATE 'T0000' THEN
        NULL;
    WHEN syntax_error_or_access_rule_violation OR integrity_constraint_violation THEN
        answer := to_jsonb(SQLERRM);
END $$;

CREATE TEMP TABLE outcomes AS
SELECT name, nobody.answer AS nobodys, forged.answer AS forged, forged.changed AS forged_changed, bare.answer AS bare, bare.changed AS bare_changed
  FROM calls,
       LATERAL pg_temp.outcome(name, 'c', 'c', true) AS nobody,
       LATERAL pg_temp.outcome(name, 'a', 'b', true) AS forged,
       LATERAL pg_temp.outcome(name, 'a', 'b', false) AS bare
 WHERE touches;

SELECT ok(bare_changed OR bare <> nobodys, format('%s: without row-level security, tenant b reaches a''s row by a''s tenant id', name)) FROM outcomes ORDER BY name;
SELECT ok(jsonb_typeof(bare) = 'array', format('%s: and is refused by nothing else (%s)', name, bare)) FROM outcomes ORDER BY name;
SELECT ok(forged = nobodys OR forged #>> '{}' LIKE 'new row violates row-level security policy%',
          format('%s: with it, b is answered as one who has nothing, or the wall refuses the row (%s)', name, forged)) FROM outcomes ORDER BY name;
SELECT ok(NOT forged_changed, format('%s: and nothing is changed or deleted', name)) FROM outcomes ORDER BY name;

SELECT diag(format('second wall: %s of %s management statements reach another tenant''s rows without it, and none with it',
                   count(*) FILTER (WHERE (bare_changed OR bare <> nobodys) AND NOT forged_changed AND (forged = nobodys OR jsonb_typeof(forged) = 'string')), count(*)))
  FROM outcomes;
SELECT * FROM finish();
ROLLBACK;
