-- Revert idscope:registrations from pg
-- Deletes every enrollment, registration and job.

BEGIN;

DROP FUNCTION idscope.enrolled(text, text, text);
DROP FUNCTION idscope.keys_joined(jsonb, jsonb);
DROP FUNCTION idscope.identity_taken(text, text, text);
DROP FUNCTION idscope.device_id_taken(text, text, text);
DROP FUNCTION idscope.purge_retired_scopes(int);
DROP TABLE idscope.tenant_job;
DROP TABLE idscope.job;
DROP TABLE idscope.attempt;
DROP TABLE idscope.attempt_ring;
DROP TABLE idscope.alloc_input;
DROP VIEW idscope.enrollment_shown;
DROP TABLE idscope.challenge;
DROP TABLE idscope.registration;
DROP TABLE idscope.enrollment_detail;
DROP TABLE idscope.enrollment;

COMMIT;
