-- Revert idscope:tenancy from pg
-- Deletes every tenant, and the keys that sign access tokens.

BEGIN;

DROP FUNCTION idscope.gate_client(uuid);
DROP FUNCTION idscope.principal_there(uuid);
DROP TABLE idscope.name_rest;
DROP TABLE idscope.resource_group;
DROP TABLE idscope.token_key;
DROP TABLE idscope.role_assignment;
DROP TABLE idscope.service_principal;
DROP TABLE idscope.subscription;
DROP TABLE idscope.tenant;
DROP FUNCTION idscope.in_time(bigint);
DROP FUNCTION idscope.in_scopes(text[], text);
DROP FUNCTION idscope.role_scope(uuid, text, text, text);
DROP FUNCTION idscope.current_tenant();

COMMIT;
