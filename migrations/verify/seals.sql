-- Verify idscope:seals on pg
-- Each column with sealed values is known, and who may seal them anew.

BEGIN;
SET LOCAL ROLE idscope_owner;

DO $$
BEGIN
    IF EXISTS (SELECT 1 FROM information_schema.columns c JOIN information_schema.tables t USING (table_schema, table_name)
                WHERE c.table_schema = 'idscope' AND t.table_type = 'BASE TABLE' AND c.column_name LIKE '%\_sealed'
                  AND NOT EXISTS (SELECT 1 FROM idscope.sealed_column s WHERE s.tab = c.table_name AND s.col = c.column_name)) THEN
        RAISE EXCEPTION 'a column with sealed values is not known';
    END IF;
    IF NOT has_function_privilege('idscope_admin', 'idscope.sealed_write(text, text, text[], bytea[], bytea[])', 'EXECUTE')
       OR has_function_privilege('idscope_api', 'idscope.sealed_write(text, text, text[], bytea[], bytea[])', 'EXECUTE')
       OR has_function_privilege('idscope_worker', 'idscope.sealed_page(text, text, bytea, text, bigint, bigint)', 'EXECUTE') THEN
        RAISE EXCEPTION 'operators alone seal values anew';
    END IF;
END
$$;

ROLLBACK;
