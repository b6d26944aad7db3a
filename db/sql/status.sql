-- status.sql: devices that are blocked, as the worker asks for them.

-- Is one of the registrations $2 of scope $1 being assigned, and is one of them blocked, which an enrollment of its own says (NULL: they are gone)?
-- name: status_wanted -> status_wanted
SELECT coalesce(bool_or(r.status = 'assigning'), false) AS assigning, bool_or(CASE WHEN e.enabled IS NOT NULL THEN NOT e.enabled WHEN r.status IS NOT NULL THEN false END) AS blocked
  FROM unnest($2::text[]) AS u (registration_key)
  LEFT JOIN LATERAL (
        SELECT enabled FROM idscope.enrollment WHERE id_scope = $1 AND NOT of_group AND registration_key = u.registration_key LIMIT 1) e ON true
  LEFT JOIN LATERAL (
        SELECT status FROM idscope.registration WHERE id_scope = $1 AND registration_key = u.registration_key LIMIT 1) r ON true;
