-- Verify idscope:issuers on pg
-- The columns, the row-level policies, and that the api comes through functions alone.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT issuer, audience, subject_claim, tenant_claim, tenant_id, keys_from, keys_url, next_fetch_at, asked_at, fetched_at, failure, created_at, disabled_at
  FROM idscope.trusted_issuer WHERE false;
SELECT issuer, kid, algorithm, public_key FROM idscope.issuer_key WHERE false;
SELECT issuer, subject, tenant_id, client_id, created_at FROM idscope.federated_subject WHERE false;

DO $$
DECLARE
    wrong text;
BEGIN
    SELECT string_agg(policy, ', ') INTO wrong
      FROM (VALUES
        ('trusted_issuer', 'trusted_issuer_worker', 'idscope_worker'),
        ('trusted_issuer', 'trusted_issuer_admin', 'idscope_admin'),
        ('federated_subject', 'federated_subject_admin', 'idscope_admin')
      ) AS needed (tab, policy, who)
     WHERE NOT EXISTS (SELECT 1 FROM pg_policies
                        WHERE schemaname = 'idscope' AND tablename = tab AND policyname = policy AND roles = ARRAY[who]::name[] AND qual = 'true')
        OR NOT EXISTS (SELECT 1 FROM pg_class WHERE oid = ('idscope.' || tab)::regclass AND relrowsecurity);
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'row-level policies missing, changed or not in force: %', wrong;
    END IF;

    SELECT string_agg(tab, ', ') INTO wrong
      FROM unnest(ARRAY['trusted_issuer', 'issuer_key', 'federated_subject']) AS tab
     WHERE has_table_privilege('idscope_api', 'idscope.' || tab, 'SELECT') OR NOT has_table_privilege('idscope_admin', 'idscope.' || tab, 'INSERT');
    IF wrong IS NOT NULL OR NOT has_table_privilege('idscope_worker', 'idscope.issuer_key', 'DELETE') THEN
        RAISE EXCEPTION 'grants missing, or the api reads a table: %', wrong;
    END IF;

    SELECT string_agg(call, ', ') INTO wrong
      FROM unnest(ARRAY['gate_issuers(bigint)', 'gate_federated(text, text, text)', 'issuer_wanted(text, bigint)']) AS call
      JOIN pg_proc ON oid = ('idscope.' || call)::regprocedure
     WHERE NOT has_function_privilege('idscope_api', oid, 'EXECUTE') OR has_function_privilege('public', oid, 'EXECUTE') OR NOT prosecdef
        OR proowner <> 'idscope_owner'::regrole OR proconfig IS DISTINCT FROM ARRAY['search_path=pg_catalog, pg_temp'];
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION 'functions open to the wrong roles or unsafe: %', wrong;
    END IF;
END
$$;

ROLLBACK;
