-- Revert idscope:audit from pg
-- What was written down is gone.

BEGIN;

DROP FUNCTION idscope.note_adopted(text, text, jsonb);
DROP FUNCTION idscope.enrollment_details(text, boolean, text);
DROP FUNCTION idscope.audit_link(text, text, text, text, bytea, text, bytea, int, boolean);
DROP FUNCTION idscope.audit_policy(text, int, bytea, bytea);
DROP FUNCTION idscope.note_part(text, jsonb, jsonb);
DROP FUNCTION idscope.note(text, text, jsonb, jsonb, jsonb);
DROP FUNCTION idscope.audit_change(jsonb, jsonb);
DROP FUNCTION idscope.audit_side(jsonb, jsonb);
DROP FUNCTION idscope.audit_word(text);
DROP FUNCTION idscope.audit_shown(text, jsonb);
DROP FUNCTION idscope.audit_resource(text);
DROP FUNCTION idscope.audit_cut(bigint, bigint);
DROP FUNCTION idscope.audit_settled(jsonb);
DROP TABLE idscope.audit_chain;
DROP TABLE idscope.audit_block;
DROP TABLE idscope.audit_event;

COMMIT;
