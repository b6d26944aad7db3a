-- Revert idscope:issuers from pg
-- Nobody comes with a token of an outside issuer any more; service principals stay.

BEGIN;

DROP FUNCTION idscope.issuer_wanted(text, bigint);
DROP FUNCTION idscope.gate_federated(text, text, text);
DROP FUNCTION idscope.gate_issuers(bigint);
DROP TABLE idscope.federated_subject, idscope.issuer_key, idscope.trusted_issuer;

COMMIT;
