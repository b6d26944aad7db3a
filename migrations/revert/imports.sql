-- Revert idscope:imports from pg
-- What was on its way in is lost; what was written stays.

BEGIN;

DROP FUNCTION idscope.import_move(text, uuid, bigint, text, bigint, bytea, bigint);
DROP FUNCTION idscope.import_write(text, uuid, text, bigint, bytea, int, bigint);
DROP FUNCTION idscope.import_step(text, uuid, int, bigint, bigint, bigint, bigint, bigint);
DROP FUNCTION idscope.import_clear(idscope.import, int, bigint);
DROP FUNCTION idscope.import_bite(idscope.import, int, boolean, bigint, bigint);
DROP FUNCTION idscope.import_registrations(idscope.import, int, boolean);
DROP FUNCTION idscope.import_enrollments(idscope.import, int, boolean, bigint);
DROP FUNCTION idscope.import_note(idscope.import);
DROP FUNCTION idscope.import_told(idscope.import, text);
DROP FUNCTION idscope.import_digest(bytea, text[]);
DROP FUNCTION idscope.import_shown(jsonb);
DROP FUNCTION idscope.import_room(idscope.import);
DROP FUNCTION idscope.import_device_id_taken(idscope.import, text, text, bigint);
DROP FUNCTION idscope.certificate_unproved(text, text[]);
DROP FUNCTION idscope.hub_unlinked(text, text[]);
DROP TABLE idscope.import_registration, idscope.import_enrollment, idscope.import_error, idscope.import;

COMMIT;
