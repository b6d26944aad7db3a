-- Revert idscope:seals from pg

BEGIN;

DROP FUNCTION idscope.sealed_write(text, text, text[], bytea[], bytea[]), idscope.sealed_page(text, text, bytea, text, bigint, bigint),
              idscope.key_columns(text);
DROP VIEW idscope.sealed_column;

COMMIT;
