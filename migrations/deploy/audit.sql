-- Deploy idscope:audit to pg
-- requires: registrations
-- Who changed what: one row for each change that a person or their program made, written in the transaction of the change by
-- idscope.note(). Append-only: nobody but the owner may change or delete a row, and programs write only through the function.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.audit_event (
    tenant_id    uuid NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind   text NOT NULL CHECK (actor_kind IN ('client', 'instancePolicy', 'hubPolicy', 'operator', 'service')),
    actor_id     text NOT NULL CHECK (length(actor_id) BETWEEN 1 AND 400),
    tracking_id  text CHECK (length(tracking_id) <= 100),
    operation    text NOT NULL CHECK (length(operation) BETWEEN 1 AND 100),
    kind         text NOT NULL CHECK (length(kind) BETWEEN 1 AND 60),
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 600),
    detail       jsonb NOT NULL CHECK (jsonb_typeof(detail) = 'object'),
    PRIMARY KEY (tenant_id, id)
);
COMMENT ON TABLE idscope.audit_event IS 'Changes that people and their programs made, in order; append-only. The tenant of zeros is the deployment itself';
COMMENT ON COLUMN idscope.audit_event.actor_kind IS 'What actor_id names: a service principal, a shared access policy of an instance or of a hub, an operator of the deployment, the service by itself';
COMMENT ON COLUMN idscope.audit_event.tracking_id IS 'Of the request (x-ms-request-id); NULL: there was none';
COMMENT ON COLUMN idscope.audit_event.operation IS 'Name of the operation, as in openapi.yaml and in the log';
COMMENT ON COLUMN idscope.audit_event.key IS 'Which thing of that kind, as its table names it';
COMMENT ON COLUMN idscope.audit_event.detail IS 'What was done, without secrets';

ALTER TABLE idscope.audit_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_event_api ON idscope.audit_event TO idscope_api USING (tenant_id = idscope.current_tenant());
GRANT SELECT ON idscope.audit_event TO idscope_api;

-- Every statement of the management, service and hub planes that writes a thing calls it behind what it has written, so that a change without
-- its event cannot be committed. Policies and links are parts of their hub or instance and change with it, in one event. What the transaction was told of its actor (statement `act`) is read here and nowhere else; where it was told nothing,
-- the event, and with it the change, is refused.
CREATE FUNCTION idscope.note(of_kind text, of_key text, what jsonb) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        INSERT INTO idscope.audit_event (tenant_id, actor_kind, actor_id, tracking_id, operation, kind, key, detail)
        VALUES (nullif(current_setting('idscope.tenant', true), '')::uuid, nullif(current_setting('idscope.actor_kind', true), ''),
                nullif(current_setting('idscope.actor_id', true), ''), nullif(current_setting('idscope.tracking_id', true), ''),
                nullif(current_setting('idscope.operation', true), ''), of_kind, of_key, what)
        RETURNING id
    $$;
COMMENT ON FUNCTION idscope.note(text, text, jsonb) IS 'Writes down that the actor of this transaction changed a thing: its kind, its key, what was done';
REVOKE ALL ON FUNCTION idscope.note(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.note(text, text, jsonb) TO idscope_api, idscope_admin;

-- What the service does of itself to what it did not make: a device is assigned whose identity stood on its hub.
CREATE FUNCTION idscope.note_adopted(of_scope text, device text, what jsonb) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        INSERT INTO idscope.audit_event (tenant_id, actor_kind, actor_id, operation, kind, key, detail)
        SELECT issued_to, 'service', 'worker', 'assign', 'registration', id_scope || '/' || device, what || '{"change": "adopted"}'
          FROM idscope.scope
         WHERE id_scope = of_scope
        RETURNING id
    $$;
COMMENT ON FUNCTION idscope.note_adopted(text, text, jsonb) IS 'Writes down for the tenant of an ID scope that a device was assigned whose identity stood on its hub: the ID scope, the registration key, which identity';
REVOKE ALL ON FUNCTION idscope.note_adopted(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.note_adopted(text, text, jsonb) TO idscope_worker;

-- The same of many things at once, for what is written by the thousand: a call each would cost as much as the writing.
CREATE FUNCTION idscope.notes(of_kind text, of_keys text[], what jsonb) RETURNS bigint
    LANGUAGE sql VOLATILE
    AS $$
        WITH actor AS MATERIALIZED (
            SELECT nullif(current_setting('idscope.tenant', true), '')::uuid, nullif(current_setting('idscope.actor_kind', true), ''),
                   nullif(current_setting('idscope.actor_id', true), ''), nullif(current_setting('idscope.tracking_id', true), ''),
                   nullif(current_setting('idscope.operation', true), '')),
             noted AS (
            INSERT INTO idscope.audit_event (tenant_id, actor_kind, actor_id, tracking_id, operation, kind, key, detail)
            SELECT actor.*, of_kind, key, what
              FROM actor, unnest(of_keys) AS u (key)
            RETURNING 1)
        SELECT count(*) FROM noted
    $$;
COMMENT ON FUNCTION idscope.notes(text, text[], jsonb) IS 'Writes down that the actor of this transaction did the same to many things: their kind and keys, what was done; answers how many';
REVOKE ALL ON FUNCTION idscope.notes(text, text[], jsonb) FROM PUBLIC;

COMMIT;
