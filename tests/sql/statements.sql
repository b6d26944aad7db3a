-- Every statement of db/sql fits the schema and the grants of the program that runs it: it is prepared, and planned as that program's
-- role, which checks every right it needs. (Preparing alone, as the programs do at start, checks none.)
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL search_path = idscope, pg_catalog, pg_temp, public;

SELECT cmp_ok((SELECT count(*) FROM t.statement), '>', 20::bigint, 'there are statements');

-- Which roles have the rights for a statement.
CREATE FUNCTION t.able(name text, text text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    who text;
    able text[] := '{}';
    params text;
    kind CONSTANT text := upper(substring(text FROM '^\s*(\w+)'));
BEGIN
    EXECUTE format('PREPARE %I AS %s', name, text);
    SELECT '(' || string_agg('NULL', ', ') || ')' INTO params
      FROM pg_prepared_statements p, unnest(p.parameter_types) WHERE p.name = able.name;
    FOREACH who IN ARRAY ARRAY['admin', 'api', 'worker'] LOOP
        BEGIN
            EXECUTE format('SET LOCAL ROLE idscope_%s', who);
            EXECUTE format('EXPLAIN EXECUTE %I %s', name, coalesce(params, ''));
            able := able || who;
        EXCEPTION WHEN insufficient_privilege THEN
            NULL;
        END;
        RESET ROLE;
    END LOOP;
    RETURN array_to_string(able, ' ');
END
$$;

SELECT * FROM finish();
ROLLBACK;
