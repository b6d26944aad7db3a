-- What is asked of the schema as a whole: it is described, hot tables stay cheap to write, the data plane leads with its
-- distribution column, and text keys do not depend on a locale.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();

SELECT results_eq('SELECT version FROM idscope.schema_version', 'VALUES (1)', 'the schema version is the one that the programs know');
SELECT is_empty($$SELECT relname FROM pg_class WHERE relnamespace = 'idscope'::regnamespace AND relkind = 'r' AND obj_description(oid, 'pg_class') IS NULL$$,
                'every table has a comment');
SELECT is_empty($$SELECT proname FROM pg_proc WHERE pronamespace = 'idscope'::regnamespace AND obj_description(oid, 'pg_proc') IS NULL$$,
                'every function has a comment');
SELECT isnt(obj_description('idscope'::regnamespace, 'pg_namespace'), NULL, 'the schema has a comment');
SELECT has_pk('idscope', tablename, tablename || ' has a primary key') FROM pg_tables WHERE schemaname = 'idscope' ORDER BY tablename;

-- Hot tables: updates stay heap-only, so there is no index on what an update changes, and room in each page; no foreign keys.
SELECT indexes_are('idscope', 'registration', ARRAY['registration_pkey', 'registration_by_group', 'registration_failed'], 'a group lists its devices, and those that failed are listed; others stand in no index but the key');
SELECT is_empty($$SELECT indexdef FROM pg_indexes WHERE schemaname = 'idscope' AND tablename = 'registration'
                     AND indexdef ~ '\m(status|substatus|operation_id|revision|assigned_hub|device_id|target_hub|target_device_id|region|operation_at|updated_at|checked_at|scope_inputs)\M'$$,
                'what registering changes stands in no index of registrations, nor in the condition of one: its updates stay heap-only');
SELECT indexes_are('idscope', 'enrollment', ARRAY['enrollment_pkey', 'enrollment_by_device', 'enrollment_by_created', 'enrollment_by_updated', 'enrollment_by_status',
                                                  'enrollment_by_policy', 'enrollment_by_attestation', 'enrollment_by_name', 'enrollment_by_ca_primary', 'enrollment_by_ca_secondary', 'enrollment_by_hub'],
                   'an enrollment is written by operators alone: lists have their orders, and names are looked up');
SELECT indexes_are('idscope', 'hub_device', ARRAY['hub_device_pkey']);
SELECT indexes_are('idscope', 'job', ARRAY['job_pkey', 'job_due']);
SELECT indexes_are('idscope', 'attempt', ARRAY['attempt_pkey']);
SELECT indexes_are('idscope', 'scope', ARRAY['scope_pkey', 'scope_to_purge']);
SELECT indexes_are('idscope', 'hub_registry', ARRAY['hub_registry_pkey', 'hub_registry_retired']);
SELECT is_empty($$SELECT conname FROM pg_constraint WHERE contype = 'f'
                     AND conrelid = ANY (ARRAY['idscope.registration', 'idscope.enrollment', 'idscope.hub_device', 'idscope.job']::regclass[])$$,
                'hot tables have no foreign keys');
SELECT is_empty($$SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgrelid::regclass::text LIKE 'idscope.%'$$, 'there are no triggers');
SELECT ok((SELECT 'fillfactor=90' = ANY (reloptions) FROM pg_class WHERE oid = tab::regclass), tab || ' leaves room in its pages')
  FROM unnest(ARRAY['idscope.registration', 'idscope.hub_device']) AS tab;
SELECT is((SELECT reloptions FROM pg_class WHERE oid = 'idscope.job'::regclass),
          '{fillfactor=80,autovacuum_vacuum_scale_factor=0.02,autovacuum_vacuum_threshold=500,autovacuum_vacuum_cost_delay=0}',
          'the queue is vacuumed early and at full speed');

-- The distribution column of the data plane leads every unique index and stands in every foreign key.
SELECT is((SELECT attname FROM pg_attribute a WHERE a.attrelid = i.indrelid AND a.attnum = i.indkey[0]), 'id_scope'::name,
          format('%s leads with id_scope', i.indexrelid::regclass))
  FROM pg_index i
 WHERE i.indisunique AND i.indrelid = ANY (ARRAY['idscope.enrollment', 'idscope.enrollment_detail', 'idscope.registration', 'idscope.challenge', 'idscope.alloc_input', 'idscope.attempt', 'idscope.attempt_ring', 'idscope.inventory', 'idscope.found_identity', 'idscope.job']::regclass[])
 ORDER BY 1;
SELECT col_is_pk('idscope', 'hub_device', ARRAY['hub_id', 'device_id'], 'devices of a built-in hub lead with the hub');

-- Jobs of tenants are jobs of scopes but for whom they belong to.
SELECT col_type_is('idscope', 'tenant_job', 'tenant_id', 'uuid', 'whom a job of a tenant belongs to');
SELECT results_eq($$SELECT attname, atttypid, attcollation, attnotnull FROM pg_attribute WHERE attrelid = 'idscope.tenant_job'::regclass AND attnum > 1 ORDER BY attnum$$,
                  $$SELECT attname, atttypid, attcollation, attnotnull FROM pg_attribute WHERE attrelid = 'idscope.job'::regclass AND attnum > 1 ORDER BY attnum$$,
                  'tenant_job has the columns of job');
SELECT set_eq($$SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'idscope.tenant_job'::regclass AND contype = 'c'$$,
              $$SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'idscope.job'::regclass AND contype = 'c'$$, 'its checks');
SELECT set_eq($$SELECT column_name::text, column_default FROM information_schema.columns WHERE table_schema = 'idscope' AND table_name = 'tenant_job' AND column_default IS NOT NULL$$,
              $$SELECT column_name::text, column_default FROM information_schema.columns WHERE table_schema = 'idscope' AND table_name = 'job' AND column_default IS NOT NULL$$, 'and its defaults');

-- Every text column of an index compares in byte order: no locale, and no upgrade of the C library, changes what is equal or first.
SELECT is_empty($$SELECT i.indexrelid::regclass, a.attname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
                    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
                   WHERE c.relnamespace = 'idscope'::regnamespace AND a.atttypid = 'text'::regtype AND a.attcollation <> '"C"'::regcollation$$,
                'text keys are COLLATE "C"');
-- Foreign keys are found from both ends.
SELECT is_empty($$SELECT conname FROM pg_constraint k
                   WHERE k.connamespace = 'idscope'::regnamespace AND contype = 'f'
                     AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = k.conrelid
                                        AND k.conkey @> ARRAY[i.indkey[0]]::smallint[])$$,
                'every foreign key has an index that begins with one of its columns');

SELECT * FROM finish();
ROLLBACK;
