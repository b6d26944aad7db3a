-- Every row-level rule: for the api another tenant's rows are invisible and unwritable, and without a tenant there is nothing; the worker
-- and the admin see what they are for.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
-- The registry row and the ID scope of a second hub and instance, for the inserts below.
SELECT t.put('hub_registry');
SELECT t.put('scope');

CREATE TEMP TABLE guarded (tab text, reads boolean, writes boolean);
INSERT INTO guarded VALUES
    ('tenant', true, false), ('subscription', true, false), ('service_principal', false, false), ('role_assignment', true, false), ('resource_group', true, true), ('name_rest', true, false),
    ('trusted_issuer', false, false), ('federated_subject', false, false),
    ('hub', true, true), ('hub_policy', true, true), ('hub_certificate', true, true), ('instance', true, true), ('instance_policy', true, true), ('certificate', true, true), ('linked_hub', true, true), ('resource_lock', true, true),
    ('tenant_job', false, false), ('audit_event', true, false),
    ('audit_block', true, false), ('audit_chain', false, false);

SELECT set_eq('SELECT tab FROM guarded',
              $$SELECT relname::text FROM pg_class c WHERE relnamespace = 'idscope'::regnamespace AND relkind = 'r'
                   AND EXISTS (SELECT FROM pg_attribute WHERE attrelid = c.oid AND attname = 'tenant_id')$$,
              'every table with a tenant is listed here');
SELECT set_eq('SELECT tab FROM guarded',
              $$SELECT relname::text FROM pg_class WHERE relnamespace = 'idscope'::regnamespace AND relkind = 'r' AND relrowsecurity$$,
              'row-level security is on for exactly these');
SELECT policies_are('idscope', g.tab, CASE
        WHEN tab IN ('hub_policy', 'name_rest') THEN ARRAY[tab || '_api', tab || '_worker']
        WHEN tab IN ('instance', 'linked_hub', 'audit_event', 'audit_block') THEN ARRAY[tab || '_api', tab || '_worker', tab || '_admin']
        WHEN tab IN ('tenant', 'subscription', 'service_principal', 'role_assignment', 'resource_group', 'instance_policy') THEN ARRAY[tab || '_api', tab || '_admin']
        WHEN tab IN ('audit_chain', 'trusted_issuer') THEN ARRAY[tab || '_worker', tab || '_admin']
        WHEN tab = 'federated_subject' THEN ARRAY[tab || '_admin']
        WHEN tab = 'tenant_job' THEN ARRAY[tab || '_worker']
        ELSE ARRAY[tab || '_api'] END)
  FROM guarded g ORDER BY tab;
SELECT policy_roles_are('idscope', tablename, policyname, ARRAY['idscope_' || regexp_replace(policyname, '^.*_', '')])
  FROM pg_policies WHERE schemaname = 'idscope' ORDER BY tablename, policyname;

-- A statement that writes a good row of tenant b (or a) under a new name.
CREATE FUNCTION pg_temp.insert_of(tab text, who text) RETURNS text LANGUAGE sql AS $$
    SELECT format('INSERT INTO idscope.%I (%s) SELECT %s FROM jsonb_populate_record(NULL::idscope.%I, %L)', tab, cols, cols, tab, t.good(tab, who))
      FROM (SELECT string_agg(quote_ident(k), ', ') AS cols FROM jsonb_object_keys(t.good(tab, who)) k) c
$$;

-- Reading. (The api holds no grant on service_principal; it comes through gate_client.)
SELECT is(t.act('idscope_api', t.tenant('a'), format('SELECT FROM idscope.%I', tab)), 1::bigint, format('%s: a tenant sees its own row', tab))
  FROM guarded WHERE reads ORDER BY tab;
SELECT is(t.act('idscope_api', t.tenant('a'), format('SELECT FROM idscope.%I WHERE tenant_id = %L', tab, t.tenant('b'))), 0::bigint,
          format('%s: another tenant''s row is invisible', tab))
  FROM guarded WHERE reads ORDER BY tab;
SELECT is(t.act('idscope_api', NULL, format('SELECT FROM idscope.%I', tab)), 0::bigint, format('%s: without a tenant nothing is visible', tab))
  FROM guarded WHERE reads ORDER BY tab;
SELECT is(t.act('idscope_api', gen_random_uuid(), format('SELECT FROM idscope.%I', tab)), 0::bigint, format('%s: an unknown tenant sees nothing', tab))
  FROM guarded WHERE reads ORDER BY tab;
SELECT throws_like(format('SELECT t.act(''idscope_api'', t.tenant(''a''), %L)', format('SELECT FROM idscope.%I', tab)),
                   'permission denied for table ' || tab, format('%s: the api does not read it at all', tab))
  FROM guarded WHERE NOT reads;

-- Writing.
SELECT is(t.act('idscope_api', t.tenant('a'), pg_temp.insert_of(tab, 'a')), 1::bigint, format('%s: a tenant adds a row of its own', tab))
  FROM guarded WHERE writes ORDER BY tab;
SELECT throws_ok(format('SELECT t.act(''idscope_api'', t.tenant(''a''), %L)', pg_temp.insert_of(tab, 'b')), '42501',
                 format('new row violates row-level security policy for table "%s"', tab), format('%s: no row is added for another tenant', tab))
  FROM guarded WHERE writes ORDER BY tab;
SELECT throws_ok(format('SELECT t.act(''idscope_api'', NULL, %L)', pg_temp.insert_of(tab, 'a')), '42501',
                 format('new row violates row-level security policy for table "%s"', tab), format('%s: no row is added without a tenant', tab))
  FROM guarded WHERE writes ORDER BY tab;
SELECT is(t.act('idscope_api', t.tenant('a'), format('UPDATE idscope.%I SET tenant_id = tenant_id', tab)), 2::bigint,
          format('%s: a tenant changes its own rows, no others', tab))
  FROM guarded WHERE writes ORDER BY tab;
SELECT is(t.act('idscope_api', t.tenant('a'), format('UPDATE idscope.%I SET tenant_id = tenant_id WHERE tenant_id = %L', tab, t.tenant('b'))), 0::bigint,
          format('%s: another tenant''s row is not changed', tab))
  FROM guarded WHERE writes ORDER BY tab;
SELECT throws_ok(format('SELECT t.act(''idscope_api'', t.tenant(''a''), %L)',
                        format('UPDATE idscope.%I SET tenant_id = %L', tab, t.tenant('b'))), '42501',
                 format('new row violates row-level security policy for table "%s"', tab), format('%s: no row is given to another tenant', tab))
  FROM guarded WHERE writes ORDER BY tab;
SELECT is(t.act('idscope_api', NULL, format('UPDATE idscope.%I SET tenant_id = tenant_id', tab)), 0::bigint,
          format('%s: without a tenant nothing is changed', tab))
  FROM guarded WHERE writes ORDER BY tab;
SELECT is(t.act('idscope_api', t.tenant('a'), format('DELETE FROM idscope.%I WHERE tenant_id = %L', tab, t.tenant('b'))), 0::bigint,
          format('%s: another tenant''s row is not deleted', tab))
  FROM guarded WHERE writes AND tab <> 'instance' ORDER BY tab;
SELECT is(t.act('idscope_api', NULL, format('DELETE FROM idscope.%I', tab)), 0::bigint, format('%s: without a tenant nothing is deleted', tab))
  FROM guarded WHERE writes AND tab <> 'instance' ORDER BY tab;

-- The wall has no gap at the joints: a row with the own tenant in it cannot hang on another tenant's resource.
SELECT throws_ok(format('SELECT t.act(''idscope_api'', t.tenant(''a''), %L)', statement), '23503', NULL, what)
  FROM (VALUES
        ('INSERT INTO idscope.hub_policy (tenant_id, hub_key, key_name_key, key_name, rights, primary_sealed, secondary_sealed, position)
          VALUES (t.tenant(''a''), ''hub-b'', ''p'', ''p'', 15, ''1'', ''2'', 9)', 'no policy of one''s own on another''s hub'),
        ('INSERT INTO idscope.instance_policy (tenant_id, id_scope, key_name_key, key_name, rights, primary_sealed, secondary_sealed, position)
          VALUES (t.tenant(''a''), t.scope(''b''), ''p'', ''p'', 63, ''1'', ''2'', 9)', 'no policy of one''s own on another''s instance'),
        ('UPDATE idscope.instance_policy SET id_scope = t.scope(''b'')', 'no policy is moved to another''s instance'),
        ('INSERT INTO idscope.hub_certificate (tenant_id, hub_key, name_key, name, certificate, der, etag)
          VALUES (t.tenant(''a''), ''hub-b'', ''c'', ''c'', ''c'', ''c'', gen_random_uuid())', 'no certificate of one''s own in another''s hub'),
        ('INSERT INTO idscope.certificate (tenant_id, id_scope, name_key, name, certificate, der, etag)
          VALUES (t.tenant(''a''), t.scope(''b''), ''c'', ''c'', ''c'', ''c'', gen_random_uuid())', 'no certificate of one''s own in another''s instance'),
        ('INSERT INTO idscope.linked_hub (tenant_id, id_scope, host, host_name, location, position, hub_key, key_name, state)
          VALUES (t.tenant(''a''), t.scope(''b''), ''h'', ''h'', ''l'', 9, ''hub-a'', ''k'', ''pending'')', 'no hub of one''s own linked to another''s instance'),
        ('INSERT INTO idscope.resource_group (tenant_id, subscription_id, name_key, name, location)
          VALUES (t.tenant(''a''), t.subscription(''b''), ''g'', ''g'', ''l'')', 'no group of one''s own in another''s subscription'))
    AS gap (statement, what);
-- Names of instances and hubs are global: a taken one is told, and nothing else of it.
SELECT throws_ok(format('SELECT t.act(''idscope_api'', t.tenant(''a''), %L)', statement), '23505', NULL, 'another tenant''s name is taken: ' || statement)
  FROM unnest(ARRAY['UPDATE idscope.hub SET hub_key = ''hub-b'', name = ''hub-b'' WHERE hub_key = ''hub-a''',
                    'UPDATE idscope.instance SET name_key = ''inst-b'', name = ''inst-b'' WHERE name_key = ''inst-a''']) AS statement;

-- Nothing above reached tenant b.
SELECT is((SELECT count(*) FROM idscope.hub_policy WHERE tenant_id = t.tenant('b') AND hub_key = 'hub-b' AND key_name_key = 'policy-b'), 1::bigint,
          'tenant b''s hub policy is as it was');
SELECT results_eq($$SELECT count(*) FROM idscope.resource_group WHERE tenant_id = t.tenant('b')
                    UNION ALL SELECT count(*) FROM idscope.hub WHERE tenant_id = t.tenant('b')
                    UNION ALL SELECT count(*) FROM idscope.instance WHERE tenant_id = t.tenant('b')
                    UNION ALL SELECT count(*) FROM idscope.instance_policy WHERE tenant_id = t.tenant('b')
                    UNION ALL SELECT count(*) FROM idscope.linked_hub WHERE tenant_id = t.tenant('b')$$,
                  'VALUES (1::bigint), (1), (1), (1), (1)', 'tenant b has what it had');
-- Deleting one's own works, in the order that foreign keys ask for; instances are marked as deleted, and go by the purge.
SELECT is(t.act('idscope_api', t.tenant('a'), format('DELETE FROM idscope.%I', tab)), 2::bigint, format('%s: a tenant deletes its own rows, no others', tab))
  FROM unnest(ARRAY['linked_hub', 'certificate', 'instance_policy', 'hub_certificate', 'hub_policy', 'hub']) WITH ORDINALITY AS own (tab, n) ORDER BY n;
SELECT is(t.act('idscope_api', t.tenant('a'), 'UPDATE idscope.instance SET deleted_from = resource_group_key, resource_group_key = NULL'), 2::bigint, 'instance: a tenant marks its own as deleted, no others');
SELECT is(t.act('idscope_api', t.tenant('a'), 'DELETE FROM idscope.resource_group'), 2::bigint, 'resource_group: a tenant deletes its own rows, no others');
-- Roles are given and taken, and never changed.
SELECT is(t.act('idscope_api', t.tenant('a'), pg_temp.insert_of('role_assignment', 'a')), 1::bigint, 'role_assignment: a tenant adds a row of its own');
SELECT throws_ok(format('SELECT t.act(''idscope_api'', %s, %L)', tenant, pg_temp.insert_of('role_assignment', 'b')), '42501',
                 'new row violates row-level security policy for table "role_assignment"', 'role_assignment: no row is added for another tenant, or without one')
  FROM unnest(ARRAY['t.tenant(''a'')', 'NULL']) AS tenant;
SELECT is(t.act('idscope_api', t.tenant('a'), format('DELETE FROM idscope.role_assignment WHERE tenant_id = %L', t.tenant('b'))), 0::bigint, 'role_assignment: another tenant''s row is not deleted');
SELECT is(t.act('idscope_api', t.tenant('a'), 'DELETE FROM idscope.role_assignment'), 2::bigint, 'role_assignment: a tenant deletes its own rows');

SELECT throws_ok($$SELECT t.act('idscope_api', NULL, 'SET idscope.tenant = ''x''; SELECT FROM idscope.hub')$$, '22P02', NULL,
                 'a tenant that is no uuid is an error, not a hole');

-- Worker and admin, whatever tenant is set.
SELECT is(t.act('idscope_worker', w.tenant, format('SELECT FROM idscope.%I', tab)), 1::bigint, format('%s: the worker sees every tenant''s rows', tab))
  FROM unnest(ARRAY['hub_policy', 'linked_hub']) AS tab CROSS JOIN (VALUES (t.tenant('a')), (NULL)) AS w (tenant);
SELECT is(t.act('idscope_worker', w.tenant, 'SELECT FROM idscope.instance'), 3::bigint, 'instance: the worker sees every tenant''s rows, of deleted ones too')
  FROM (VALUES (t.tenant('a')), (NULL)) AS w (tenant);
SELECT is(t.act('idscope_worker', NULL, 'UPDATE idscope.linked_hub SET state = ''valid'''), 1::bigint, 'the worker sets the state of every tenant''s links');
SELECT is(t.act('idscope_admin', w.tenant, format('SELECT FROM idscope.%I', tab)), 2::bigint, format('%s: the admin sees every tenant''s rows', tab))
  FROM unnest(ARRAY['tenant', 'subscription', 'service_principal']) AS tab CROSS JOIN (VALUES (t.tenant('a')), (NULL)) AS w (tenant);
SELECT is(t.act('idscope_admin', NULL, pg_temp.insert_of(tab, 'b')), 1::bigint, format('%s: the admin adds rows for any tenant', tab))
  FROM unnest(ARRAY['tenant', 'subscription', 'service_principal']) AS tab;

SELECT is(t.act('idscope_admin', w.tenant, format('SELECT FROM idscope.%I', tab)), w.seen, format('%s: the admin looks for those of the tenant that it acts for alone', tab))
  FROM (VALUES (t.tenant('b'), 1::bigint), (NULL, 0)) AS w (tenant, seen) CROSS JOIN unnest(ARRAY['resource_group', 'instance', 'linked_hub']) AS tab;
SELECT throws_ok(format('SELECT t.act(''idscope_admin'', t.tenant(''a''), %L)', pg_temp.insert_of(tab, 'b')), '42501',
                 format('new row violates row-level security policy for table "%s"', tab), format('%s: the admin adds no row for another tenant than it acts for', tab))
  FROM unnest(ARRAY['instance', 'instance_policy']) AS tab;

-- A login role of the DBA's own, made a member.
CREATE ROLE own_login LOGIN IN ROLE idscope_api;
SELECT is(t.act('own_login', t.tenant('b'), 'SELECT FROM idscope.instance'), 1::bigint, 'a member of idscope_api sees what its tenant has');
SELECT is(t.act('own_login', NULL, 'SELECT FROM idscope.instance'), 0::bigint, 'and nothing without a tenant');

SELECT * FROM finish();
ROLLBACK;
