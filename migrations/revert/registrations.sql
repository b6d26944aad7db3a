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
DROP DOMAIN idscope.job_waits_for, idscope.job_last_error, idscope.job_attempt, idscope.job_fence, idscope.job_hub, idscope.job_subject, idscope.job_kind;
DROP TABLE idscope.attempt;
DROP TABLE idscope.attempt_ring;
DROP TABLE idscope.alloc_input;
DROP VIEW idscope.enrollment_shown;
DROP TABLE idscope.challenge;
DROP TABLE idscope.registration;
DROP DOMAIN idscope.enrollment_group_id, idscope.registration_substatus, idscope.registration_status, idscope.sha256;
DROP TABLE idscope.enrollment_detail;
DROP TABLE idscope.enrollment;
DROP FUNCTION idscope.hubs_named(text, text[], text);

COMMIT;
