-- Revert idscope:instances from pg
-- Deletes every instance with its links, and the ledger of ID scopes: scopes may then be issued again.

BEGIN;

DROP FUNCTION idscope.hub_deleted(text, text);
DROP FUNCTION idscope.hub_linked_by_others(text, text);
DROP FUNCTION idscope.name_take(text, text);
DROP FUNCTION idscope.name_free(text, text);
DROP FUNCTION idscope.owned_by_another(text, text);
DROP FUNCTION idscope.certificates_of(text[]);
DROP FUNCTION idscope.gate_instances(text[]);
DROP FUNCTION idscope.gate_instance(text, text);
DROP FUNCTION idscope.limits_of(uuid, jsonb);
DROP TABLE idscope.link_latency;
DROP TABLE idscope.link_move;
DROP TABLE idscope.linked_hub;
DROP TABLE idscope.certificate;
DROP TABLE idscope.instance_policy;
DROP TABLE idscope.instance;
DROP TABLE idscope.scope;

COMMIT;
