-- Every statement of db/sql fits the schema and the grants of the program that runs it: it is prepared, and planned as that program's
-- role, which checks every right it needs. (Preparing alone, as the programs do at start, checks none.)
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SET LOCAL plan_cache_mode = force_generic_plan;
SET LOCAL search_path = idscope, pg_catalog, pg_temp, public;

SELECT cmp_ok((SELECT count(*) FROM t.statement), '>', 20::bigint, 'there are statements');

SELECT set_eq('SELECT DISTINCT file FROM t.statement', 'SELECT file FROM t.runs', 'every file of db/sql is listed in lib/helpers.sql');

-- 'fits', or what the database has against the statement.
CREATE FUNCTION pg_temp.verdict(called text, body text, who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    params text;
BEGIN
    EXECUTE format('PREPARE %I AS %s', called, body);
    SELECT '(' || string_agg('NULL', ', ') || ')' INTO params
      FROM pg_prepared_statements p, unnest(p.parameter_types) WHERE p.name = called;
    EXECUTE format('SET LOCAL ROLE idscope_%s', who);
    EXECUTE format('EXPLAIN EXECUTE %I %s', called, coalesce(params, ''));
    RESET ROLE;
    RETURN 'fits';
EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
    RETURN SQLERRM;
END
$$;
SELECT is(pg_temp.verdict(name, text, who), 'fits', format('%s: %s, run by idscope_%s', file, name, who))
  FROM t.statement JOIN t.runs USING (file)
 WHERE text <> 'COMMIT' -- which the protocol prepares, and SQL does not
 ORDER BY file, name;

SELECT * FROM finish();
ROLLBACK;
