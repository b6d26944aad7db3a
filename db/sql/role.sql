-- role.sql: role assignments: which service principal of a tenant may do what, and where. Scopes are as core/role.h has them.

-- name: role_find -> role as actor
-- $1 tenant, $2 scope, $3 one of them (NULL: all), $4 of one client (NULL: any), $5 those below the scope as well as those at it and above it,
-- $6 the last one of the page before (NULL: the first page), $7 rows wanted
SELECT assignment_id, client_id, role, scope_key, scope, description, created_by, created_at
  FROM idscope.role_assignment
 WHERE tenant_id = $1
   AND ($3::uuid IS NULL OR assignment_id = $3 AND scope_key = $2::text)
   AND ($4::uuid IS NULL OR client_id = $4)
   AND (idscope.in_scopes(ARRAY[scope_key::text], $2) OR ($5::boolean AND idscope.in_scopes(ARRAY[$2], scope_key)))
   AND ($6::uuid IS NULL OR assignment_id > $6)
 ORDER BY assignment_id
 LIMIT $7;

-- name: role_get -> role as actor
-- $1 tenant, $2 assignment, whatever its scope
SELECT assignment_id, client_id, role, scope_key, scope, description, created_by, created_at
  FROM idscope.role_assignment
 WHERE tenant_id = $1 AND assignment_id = $2;

-- name: role_target -> role_target as actor
-- $1 tenant, $2 client, $3 scope of a resource, $4 its name in lower case (NULL: the scope is of none): what a new assignment would be for
SELECT idscope.principal_there($2) AS principal,
       (SELECT count(*) FROM idscope.role_assignment WHERE tenant_id = $1 AND client_id = $2) AS held,
       $4::text IS NULL
       OR EXISTS (SELECT 1 FROM idscope.hub
                   WHERE tenant_id = $1 AND hub_key = $4 AND idscope.role_scope(subscription_id, resource_group_key, 'iothubs', hub_key) = $3)
       OR EXISTS (SELECT 1 FROM idscope.instance
                   WHERE tenant_id = $1 AND name_key = $4 AND idscope.role_scope(subscription_id, resource_group_key, 'provisioningservices', name_key) = $3) AS resource;

-- name: role_insert as actor
-- $1 tenant, $2 assignment, $3 client, $4 role, $5 scope, $6 the same as it is spelt, $7 description, $8 who makes it
WITH written AS (
    INSERT INTO idscope.role_assignment (tenant_id, assignment_id, client_id, role, scope_key, scope, description, created_by)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
    RETURNING *)
SELECT idscope.note('roleAssignment', assignment_id::text,
                    jsonb_build_object('change', 'created', 'client', client_id, 'role', role, 'scope', scope_key), NULL, to_jsonb(written))
  FROM written;

-- name: role_delete as actor
-- $1 tenant, $2 assignment
WITH gone AS (
    DELETE FROM idscope.role_assignment WHERE tenant_id = $1 AND assignment_id = $2 RETURNING *)
SELECT idscope.note('roleAssignment', assignment_id::text,
                    jsonb_build_object('change', 'deleted', 'client', client_id, 'role', role, 'scope', scope_key), to_jsonb(gone), NULL)
  FROM gone;

-- name: role_unowned -> role_unowned as actor
-- $1 tenant, $2 scope: is there a subscription in it that nobody owns?
SELECT EXISTS (SELECT 1
                 FROM idscope.subscription s
                WHERE s.tenant_id = $1 AND idscope.in_scopes(ARRAY[$2::text], '/subscriptions/' || s.subscription_id::text)
                  AND NOT EXISTS (SELECT 1 FROM idscope.role_assignment a
                                   WHERE a.tenant_id = $1 AND a.role = 'owner' AND a.scope_key IN ('', '/subscriptions/' || s.subscription_id::text))) AS unowned;
