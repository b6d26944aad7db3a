-- Revert idscope:audit from pg
-- What was written down is gone.

BEGIN;

DROP FUNCTION idscope.note_adopted(text, text, jsonb);
DROP FUNCTION idscope.note(text, text, jsonb);
DROP FUNCTION idscope.audit_resource(text);
DROP FUNCTION idscope.audit_settled(jsonb);
DROP TABLE idscope.audit_chain;
DROP TABLE idscope.audit_block;
DROP TABLE idscope.audit_event;

COMMIT;
