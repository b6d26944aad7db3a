-- Deploy idscope:schema_version to pg
-- requires: audit
-- The number by which the programs recognise the schema. Each later migration that programs must know of raises it by one.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.schema_version (
    only_row  boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version   int NOT NULL CHECK (version > 0)
);
COMMENT ON TABLE idscope.schema_version IS 'One row: the version of this schema. A program starts only when it knows the version';
INSERT INTO idscope.schema_version (version) VALUES (1);

GRANT SELECT ON idscope.schema_version TO idscope_api, idscope_worker, idscope_admin;

COMMIT;
