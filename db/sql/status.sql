-- status.sql: devices that are blocked, as the worker asks for them.

-- Is one of the registrations $2 of scope $1 being assigned, and is one of their enrollments disabled (NULL: there is none)?
-- name: status_wanted -> status_wanted
SELECT coalesce(bool_or(r.status = 'assigning'), false) AS assigning, bool_or(NOT e.enabled) AS blocked
  FROM unnest($2::text[]) AS u (registration_key)
  LEFT JOIN LATERAL (
        SELECT enabled FROM idscope.enrollment WHERE id_scope = $1 AND NOT of_group AND registration_key = u.registration_key LIMIT 1) e ON true
  LEFT JOIN LATERAL (
        SELECT status FROM idscope.registration WHERE id_scope = $1 AND registration_key = u.registration_key LIMIT 1) r ON true;
