-- Every grant, from both sides: each program tries every kind of statement on every table, every column it could change, and every
-- function. What is not listed must be refused.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();

-- Letters: S select, I insert, U update (of the whole row), D delete.
CREATE TEMP TABLE expected (tab text, api text, worker text, admin text);
INSERT INTO expected VALUES
    ('tenant',            'S',    '',     'SI'),
    ('subscription',      'S',    '',     'SI'),
    ('service_principal', '',     '',     'SI'),
    ('role_assignment',   'SID',  '',     'SID'),
    ('token_key',         'S',    '',     'SID'),
    ('trusted_issuer',    '',     'S',    'SID'),
    ('issuer_key',        '',     'SIUD', 'I'),
    ('federated_subject', '',     '',     'SI'),
    ('resource_group',    'SIUD', '',     'S'),
    ('name_rest',         'SI',   'SD',   ''),
    ('hub_registry',      'SI',   '',     ''),
    ('hub',               'SIUD', '',     ''),
    ('hub_policy',        'SIUD', 'S',    ''),
    ('hub_certificate',   'SIUD', '',     ''),
    ('hub_device',        'SIUD', '',     ''),
    ('hub_twin',          'SIUD', '',     ''),
    ('hub_device_count',  'SI',   'SID',  ''),
    ('scope',             'SI',   'S',    'SI'),
    ('instance',          'SIU',  'S',    'SI'),
    ('instance_policy',   'SIUD', '',     'I'),
    ('certificate',       'SIUD', '',     ''),
    ('linked_hub',        'SIUD', 'S',    'S'),
    ('link_latency',      'S',    'SIUD', ''),
    ('link_move',         'S',    '',     ''),
    ('enrollment',        'SIUD', 'S',    ''),
    ('enrollment_detail', 'SIUD', 'S',    ''),
    ('registration',      'SIUD', 'SU',   ''),
    ('challenge',         'SIU',  'SD',   ''),
    ('alloc_input',       'S',    'SID',  ''),
    ('attempt_ring',      'SIU',  '',     ''),
    ('attempt',           'SIU',  '',     ''),
    ('job',               'SIUD', 'SIUD', ''),
    ('tenant_job',        '',     'SIUD', ''),
    ('audit_event',       'S',    'S',    'S'),
    ('audit_block',       'S',    'SI',   'S'),
    ('audit_chain',       '',     'SI',   'S'),
    ('list_count',        'S',    'SIU',  ''),
    ('count_round',       'S',    'SIU',  ''),
    ('resource_lock',     'SIUD', '',     ''),
    ('inventory',         '',     'SIUD', ''),
    ('found_identity',    '',     'SIUD', ''),
    ('import',            'SIU',  '',     ''),
    ('import_error',      'SI',   '',     ''),
    ('import_enrollment', 'I',    '',     ''),
    ('import_registration', 'SI', '',     ''),
    ('schema_version',    'S',    'S',    'S');
CREATE TEMP TABLE expected_columns (who text, tab text, cols text[]);
INSERT INTO expected_columns VALUES
    ('idscope_admin',  'tenant',            '{disabled_at,limits}'),
    ('idscope_admin',  'subscription',      '{disabled_at}'),
    ('idscope_admin',  'service_principal', '{disabled_at,secret_before_sha256,secret_sha256}'),
    ('idscope_admin',  'trusted_issuer',    '{disabled_at}'),
    ('idscope_worker', 'trusted_issuer',    '{asked_at,failure,fetched_at,next_fetch_at}'),
    ('idscope_api',    'subscription',      '{tags}'),
    ('idscope_api',    'hub_registry',      '{retired_at,version}'),
    ('idscope_admin',  'instance',          '{deleted_from,limits,resource_group_key}'),
    ('idscope_admin',  'scope',             '{inputs_version,retired_at,undelete_until,version}'),
    ('idscope_api',    'scope',             '{inputs_version,retired_at,undelete_until,version}'),
    ('idscope_worker', 'audit_chain',       '{blocks,hash,last_id}'),
    ('idscope_worker', 'hub_device_count',  '{devices,enabled}'),
    ('idscope_worker', 'alloc_input',       '{named_at}'),
    ('idscope_worker', 'linked_hub',        '{last_good_at,next_check_at,next_latency_at,reason,slow_until,state,state_since}');

SELECT set_eq('SELECT tab FROM expected', $$SELECT tablename::text FROM pg_tables WHERE schemaname = 'idscope'$$, 'every table is listed here');

-- What the role can really do, as letters; and which columns it can really update.
CREATE FUNCTION pg_temp.rights(who text, tab text) RETURNS text LANGUAGE sql AS $$
    SELECT concat(
        CASE WHEN t.may(who, format('SELECT FROM idscope.%I', tab)) THEN 'S' END,
        CASE WHEN t.may(who, (SELECT format('INSERT INTO idscope.%I (%s) SELECT %s WHERE false', tab,
                                            string_agg(format('%I', col), ', '), string_agg('NULL', ', ')) FROM t.columns(tab))) THEN 'I' END,
        CASE WHEN t.may(who, (SELECT format('UPDATE idscope.%I SET %s WHERE false', tab,
                                            string_agg(format('%I = DEFAULT', col), ', ')) FROM t.columns(tab))) THEN 'U' END,
        CASE WHEN t.may(who, format('DELETE FROM idscope.%I WHERE false', tab)) THEN 'D' END)
$$;
CREATE FUNCTION pg_temp.updatable(who text, tab text) RETURNS text[] LANGUAGE sql AS $$
    SELECT coalesce(array_agg(col ORDER BY col), '{}') FROM t.columns(tab)
     WHERE t.may(who, format('UPDATE idscope.%I SET %I = DEFAULT WHERE false', tab, col))
$$;

SELECT is(pg_temp.rights('idscope_' || who, tab), rights, format('idscope_%s on %s: "%s" and nothing else', who, tab, rights))
  FROM expected CROSS JOIN LATERAL (VALUES ('api', api), ('worker', worker), ('admin', admin)) AS r (who, rights)
 ORDER BY tab, who;
SELECT is(pg_temp.updatable('idscope_' || r.who, e.tab),
          CASE WHEN rights LIKE '%U%' THEN (SELECT array_agg(col ORDER BY col) FROM t.columns(e.tab)) ELSE coalesce(c.cols, '{}') END,
          format('idscope_%s updates %s of %s', r.who, CASE WHEN rights LIKE '%U%' THEN 'every column' ELSE coalesce(c.cols, '{}')::text END, e.tab))
  FROM expected e CROSS JOIN LATERAL (VALUES ('api', api), ('worker', worker), ('admin', admin)) AS r (who, rights)
  LEFT JOIN expected_columns c ON c.tab = e.tab AND c.who = 'idscope_' || r.who
 ORDER BY e.tab, r.who;

-- TRUNCATE, TRIGGER, REFERENCES and rights of PUBLIC are held by nobody.
SELECT is_empty($$SELECT tab, who, kind FROM expected
                    CROSS JOIN unnest(ARRAY['idscope_api', 'idscope_worker', 'idscope_admin']) AS who
                    CROSS JOIN unnest(ARRAY['TRUNCATE', 'TRIGGER', 'REFERENCES']) AS kind
                   WHERE has_table_privilege(who, 'idscope.' || tab, kind)$$, 'no program may truncate, refer to or hang triggers on a table');
SELECT is_empty($$SELECT relname FROM pg_class CROSS JOIN LATERAL aclexplode(coalesce(relacl, acldefault('r', relowner)))
                   WHERE relnamespace = 'idscope'::regnamespace AND relkind IN ('r', 'S') AND grantee = 0$$, 'PUBLIC has no right on any table');
SELECT is_empty($$SELECT proname FROM pg_proc CROSS JOIN LATERAL aclexplode(coalesce(proacl, acldefault('f', proowner)))
                   WHERE pronamespace = 'idscope'::regnamespace AND grantee = 0$$, 'PUBLIC has no right on any function');
SELECT is_empty($$SELECT who FROM unnest(ARRAY['idscope_api', 'idscope_worker', 'idscope_admin']) AS who
                   WHERE has_sequence_privilege(who, 'idscope.hub_registry_hub_id_seq', 'USAGE, SELECT, UPDATE')$$,
                'no program touches a sequence by hand');

-- Functions.
SELECT functions_are('idscope', ARRAY['audit_resource', 'audit_settled', 'certificate_unproved', 'certificates_of', 'counted', 'current_tenant', 'device_id_taken', 'enrolled', 'gate_client', 'gate_federated', 'gate_issuers', 'issuer_wanted', 'gate_hub', 'gate_instance', 'gate_instances', 'hub_deleted', 'hub_unlinked', 'identity_taken', 'import_bite', 'import_clear', 'import_digest', 'import_note', 'import_shown', 'import_told', 'import_device_id_taken', 'import_room', 'limits_of', 'hub_linked_by_others', 'hubs_named',
                                      'import_enrollments', 'import_move', 'import_registrations', 'import_step', 'import_write', 'in_time', 'keys_joined', 'name_free', 'name_take', 'note', 'note_adopted', 'note_part', 'audit_change', 'audit_cut', 'audit_link', 'audit_policy', 'audit_shown', 'audit_side', 'audit_word', 'enrollment_details', 'owned_by_another', 'purge_retired_hubs',
                                      'purge_retired_scopes', 'key_columns', 'sealed_page', 'sealed_write', 'in_scopes', 'principal_there', 'role_scope']);
SELECT is(t.may(who, call), who ~ allowed, format('%s %s call %s', who, CASE WHEN who ~ allowed THEN 'may' ELSE 'may not' END, call))
  FROM (VALUES
        ('SELECT idscope.current_tenant()', 'idscope_(api|admin)'),
        ('SELECT * FROM idscope.gate_client(gen_random_uuid())', 'idscope_api'),
        ('SELECT * FROM idscope.gate_issuers(1)', 'idscope_api'),
        ('SELECT * FROM idscope.gate_federated(''x'', ''x'', ''x'')', 'idscope_api'),
        ('SELECT idscope.issuer_wanted(''x'', 1)', 'idscope_api'),
        ('SELECT idscope.principal_there(gen_random_uuid())', 'idscope_(api|admin)'),
        ('SELECT idscope.role_scope(gen_random_uuid(), ''x'')', 'idscope_api'),
        ('SELECT idscope.in_scopes(''{}'', ''x'')', 'idscope_api'),
        ('SELECT * FROM idscope.gate_hub(''x'')', 'idscope_api'),
        ('SELECT * FROM idscope.gate_instance(''x'', ''x'')', 'idscope_api'),
        ('SELECT * FROM idscope.certificates_of(ARRAY[''x''])', 'idscope_api'),
        ('SELECT idscope.hub_linked_by_others(''x'', ''y'')', 'idscope_api'),
        ('SELECT * FROM idscope.gate_instances(ARRAY[''x''])', 'idscope_api'),
        ('SELECT idscope.hub_deleted(''x'', ''x'')', 'idscope_api'),
        ('SELECT idscope.name_free(''hub'', ''x'')', 'idscope_api'),
        ('SELECT idscope.name_take(''hub'', ''x'')', 'idscope_(api|admin)'),
        ('SELECT idscope.audit_settled(NULL)', 'idscope_worker'),
        ('SELECT * FROM idscope.audit_cut(1, 1)', 'idscope_worker'),
        ('SELECT idscope.audit_resource(''x'')', 'nobody'),
        ('SELECT idscope.note(''hub'', ''x'', ''{}'') WHERE false', 'idscope_(api|admin)'),
        ('SELECT idscope.note_part(''policies'', ''[]'', ''[]'')', 'idscope_api'),
        ('SELECT idscope.audit_policy(''x'', 1, '''', '''')', 'idscope_api'),
        ('SELECT idscope.audit_link(''x'', ''x'', NULL, ''x'', '''', NULL, NULL, 1, true)', 'idscope_api'),
        ('SELECT idscope.enrollment_details(''x'', false, ''x'')', 'idscope_api'),
        ('SELECT idscope.audit_shown(''x'', ''1'')', 'nobody'),
        ('SELECT idscope.audit_word(''x'')', 'nobody'),
        ('SELECT idscope.audit_side(''{}'', ''{}'')', 'nobody'),
        ('SELECT idscope.audit_change(''{}'', ''{}'')', 'nobody'),
        ('SELECT idscope.in_time(9000000000000000)', 'idscope_(api|worker|admin)'),
        ('SELECT * FROM idscope.enrolled(''x'', ''x'', ''x'')', 'idscope_(api|worker)'),
        ('SELECT idscope.device_id_taken(''x'', ''x'', ''x'')', 'idscope_(api|worker)'),
        ('SELECT idscope.identity_taken(''x'', ''x'', ''x'')', 'idscope_worker'),
        ('SELECT idscope.keys_joined(''[]'', ''[]'')', 'idscope_(api|worker)'),
        ('SELECT idscope.import_step(''x'', gen_random_uuid(), 1, 1, 1, 1, 1, 1)', 'idscope_worker'),
        ('SELECT * FROM idscope.import_write(''x'', gen_random_uuid(), '''', 0, '''', 1, 1)', 'idscope_worker'),
        ('SELECT idscope.import_move(''x'', gen_random_uuid(), 1, ''running'', 0, '''', 0)', 'idscope_worker'),
        ('SELECT idscope.note_adopted(''x'', ''x'', ''{}'')', 'idscope_worker'),
        ('SELECT idscope.hub_unlinked(''x'', NULL)', 'idscope_api'),
        ('SELECT idscope.hubs_named(''x'', NULL, NULL)', 'idscope_(api|worker)'),
        ('SELECT idscope.counted(''x'', ''registrations'')', 'idscope_api'),
        ('SELECT idscope.limits_of(NULL, ''{}'')', 'idscope_api'),
        ('SELECT idscope.certificate_unproved(''x'', NULL)', 'idscope_api'),
        ('SELECT idscope.import_device_id_taken(NULL, ''x'', ''x'', 1)', 'nobody'),
        ('SELECT * FROM idscope.import_bite(NULL, 1, true, 1, 1)', 'nobody'),
        ('SELECT * FROM idscope.import_enrollments(NULL, 1, true, 1)', 'nobody'),
        ('SELECT * FROM idscope.import_registrations(NULL, 1, true)', 'nobody'),
        ('SELECT idscope.import_clear(NULL, 1, 1)', 'nobody'),
        ('SELECT idscope.import_told(NULL, ''x'')', 'idscope_api'),
        ('SELECT idscope.import_note(NULL)', 'nobody'),
        ('SELECT idscope.import_shown(''{}'')', 'nobody'),
        ('SELECT idscope.import_digest('''', NULL)', 'nobody'),
        ('SELECT idscope.owned_by_another(''x'', ''y'')', 'idscope_api'),
        ('SELECT idscope.key_columns(''x'')', 'nobody'),
        ('SELECT * FROM idscope.sealed_page(''token_key'', ''private_sealed'', '''', NULL, 1, 1)', 'idscope_admin'),
        ('SELECT idscope.sealed_write(''token_key'', ''private_sealed'', ''{}'', ''{}'', ''{}'')', 'idscope_admin'),
        ('SELECT idscope.purge_retired_hubs(1)', 'idscope_worker'),
        ('SELECT idscope.purge_retired_scopes(1)', 'idscope_worker')) AS f (call, allowed)
 CROSS JOIN unnest(ARRAY['idscope_api', 'idscope_worker', 'idscope_admin']) AS who
 ORDER BY call, who;
SELECT is_empty($$SELECT proname FROM pg_proc WHERE pronamespace = 'idscope'::regnamespace AND prosecdef
                     AND proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp']$$,
                'functions with the owner''s rights look nowhere but in pg_catalog');

-- Roles, schema, owners.
SELECT schema_privs_are('idscope', who, ARRAY['USAGE'], who || ' uses the schema and changes nothing in it')
  FROM unnest(ARRAY['idscope_api', 'idscope_worker', 'idscope_admin']) AS who;
SELECT is_empty($$SELECT rolname FROM pg_roles WHERE rolname LIKE 'idscope\_%'
                     AND (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)$$, 'no role goes round the grants');
SELECT is_empty($$SELECT member::regrole FROM pg_auth_members WHERE member::regrole::text LIKE 'idscope\_%'$$, 'no program is a member of another role');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'idscope'::regnamespace AND relowner <> 'idscope_owner'::regrole
                  UNION ALL
                  SELECT proname FROM pg_proc WHERE pronamespace = 'idscope'::regnamespace AND proowner <> 'idscope_owner'::regrole$$,
                'idscope_owner owns everything');
SELECT set_eq($$SELECT rolname COLLATE "default", rolcanlogin FROM pg_roles WHERE rolname LIKE 'idscope\_%' ORDER BY 1$$,
                  $$VALUES ('idscope_admin', true), ('idscope_api', true), ('idscope_owner', false), ('idscope_worker', true)$$,
                  'the programs log in, the owner does not');

SELECT * FROM finish();
ROLLBACK;
