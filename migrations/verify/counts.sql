-- Verify idscope:counts on pg
-- The columns, and who may count.

BEGIN;
SET LOCAL ROLE idscope_owner;

SELECT id_scope, list, member, value, even_round, even_count, odd_round, odd_count FROM idscope.list_count WHERE false;
SELECT name, round, at_scope, at_group, at_key, begun_at, counted_at FROM idscope.count_round WHERE false;

DO $$
BEGIN
    IF NOT has_table_privilege('idscope_worker', 'idscope.list_count', 'UPDATE') OR has_table_privilege('idscope_api', 'idscope.list_count', 'UPDATE') THEN
        RAISE EXCEPTION 'the worker counts, and nobody else';
    END IF;
END
$$;

ROLLBACK;
