-- Deploy idscope:audit to pg
-- requires: registrations
-- Who changed what: one row for each change that a person or their program made, written in the transaction of the change by
-- idscope.note(). Append-only: nobody but the owner may change or delete a row, and programs write only through the function.
-- The worker seals events by tenant in blocks, each of which holds the hash of the one before (core/audit.h), so that whoever alters a
-- row, a block or their order afterwards is found by `idscope-admin audit verify`.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.audit_event (
    tenant_id    uuid NOT NULL,
    id           bigint GENERATED ALWAYS AS IDENTITY,
    event_id     uuid NOT NULL DEFAULT gen_random_uuid(),
    at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor_kind   text NOT NULL CHECK (actor_kind IN ('client', 'instancePolicy', 'hubPolicy', 'operator', 'service')),
    actor_id     text NOT NULL CHECK (length(actor_id) BETWEEN 1 AND 400),
    client_address text CHECK (length(client_address) BETWEEN 1 AND 64),
    tracking_id  text CHECK (length(tracking_id) <= 100),
    operation    text NOT NULL CHECK (length(operation) BETWEEN 1 AND 100),
    kind         text NOT NULL CHECK (length(kind) BETWEEN 1 AND 60),
    key          text NOT NULL CHECK (length(key) BETWEEN 1 AND 600),
    resource_id  text CHECK (length(resource_id) BETWEEN 1 AND 1000),
    detail       jsonb NOT NULL CHECK (jsonb_typeof(detail) = 'object'),
    PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX audit_event_id ON idscope.audit_event (id);
CREATE INDEX audit_event_at ON idscope.audit_event (tenant_id, at, event_id);
COMMENT ON TABLE idscope.audit_event IS 'Changes that people and their programs made, in order; append-only. The tenant of zeros is the deployment itself';
COMMENT ON COLUMN idscope.audit_event.id IS 'The order of events, over all tenants: so it is shown to none of them';
COMMENT ON COLUMN idscope.audit_event.event_id IS 'What its tenant knows it by';
COMMENT ON COLUMN idscope.audit_event.actor_kind IS 'What actor_id names: a service principal, a shared access policy of an instance or of a hub, an operator of the deployment, the service by itself';
COMMENT ON COLUMN idscope.audit_event.client_address IS 'Where the request came from; NULL: it was none';
COMMENT ON COLUMN idscope.audit_event.tracking_id IS 'Of the request (x-ms-request-id); NULL: there was none';
COMMENT ON COLUMN idscope.audit_event.operation IS 'Name of the operation, as in openapi.yaml and in the log';
COMMENT ON COLUMN idscope.audit_event.key IS 'Which thing of that kind, as its table names it';
COMMENT ON COLUMN idscope.audit_event.resource_id IS 'The management resource that it belongs to, as its path spelled it; NULL: none';
COMMENT ON COLUMN idscope.audit_event.detail IS 'What was done, without secrets';

ALTER TABLE idscope.audit_event ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_event_api ON idscope.audit_event TO idscope_api USING (tenant_id = idscope.current_tenant());
CREATE POLICY audit_event_worker ON idscope.audit_event FOR SELECT TO idscope_worker USING (true);
CREATE POLICY audit_event_admin ON idscope.audit_event FOR SELECT TO idscope_admin USING (true);
GRANT SELECT ON idscope.audit_event TO idscope_api, idscope_worker, idscope_admin;

CREATE TABLE idscope.audit_block (
    tenant_id    uuid NOT NULL,
    block        bigint NOT NULL CHECK (block > 0),
    ids          bigint[] NOT NULL CHECK (cardinality(ids) > 0),
    digests      bytea NOT NULL,
    previous     bytea NOT NULL CHECK (length(previous) = 32),
    hash         bytea NOT NULL CHECK (length(hash) = 32),
    sealed_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, block),
    CONSTRAINT audit_block_digests_check CHECK (length(digests) = 32 * cardinality(ids))
);
COMMENT ON TABLE idscope.audit_block IS 'Events of a tenant that are sealed, in order and without gaps; append-only';
COMMENT ON COLUMN idscope.audit_block.ids IS 'Its events, from the first id to the last: those of this tenant behind the block before';
COMMENT ON COLUMN idscope.audit_block.digests IS 'SHA-256 of each event as a line of text, one behind the other';
COMMENT ON COLUMN idscope.audit_block.previous IS 'The hash of the block before; of the first one zeros';
COMMENT ON COLUMN idscope.audit_block.hash IS 'SHA-256 over tenant, number, count, previous hash and digests (core/audit.h); logged as the anchor outside of the database';

ALTER TABLE idscope.audit_block ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_block_api ON idscope.audit_block TO idscope_api USING (tenant_id = idscope.current_tenant());
CREATE POLICY audit_block_worker ON idscope.audit_block TO idscope_worker USING (true);
CREATE POLICY audit_block_admin ON idscope.audit_block FOR SELECT TO idscope_admin USING (true);
GRANT SELECT ON idscope.audit_block TO idscope_api, idscope_worker, idscope_admin;
GRANT INSERT ON idscope.audit_block TO idscope_worker;

CREATE TABLE idscope.audit_chain (
    tenant_id    uuid PRIMARY KEY,
    blocks       bigint NOT NULL CHECK (blocks > 0),
    last_id      bigint NOT NULL,
    hash         bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX audit_chain_last ON idscope.audit_chain (last_id);
COMMENT ON TABLE idscope.audit_chain IS 'The end of each tenant''s chain of sealed blocks. Every event up to the largest last_id of all is sealed';
COMMENT ON COLUMN idscope.audit_chain.last_id IS 'The last event of the last block';
COMMENT ON COLUMN idscope.audit_chain.hash IS 'Of the last block';

ALTER TABLE idscope.audit_chain ENABLE ROW LEVEL SECURITY;
CREATE POLICY audit_chain_worker ON idscope.audit_chain TO idscope_worker USING (true);
CREATE POLICY audit_chain_admin ON idscope.audit_chain FOR SELECT TO idscope_admin USING (true);
GRANT SELECT ON idscope.audit_chain TO idscope_worker, idscope_admin;
GRANT INSERT, UPDATE (blocks, last_id, hash) ON idscope.audit_chain TO idscope_worker;

-- Up to which id are events settled: there, or never to come? Ids are drawn in order, but who draws one may commit late, so a larger id may be
-- seen first. Whoever has drawn one holds a lock on the table until the end of their transaction. So of an id that has been drawn and of those
-- who held that lock afterwards it is known, once none of them holds it any more, that nothing up to that id is still to come. A transaction that
-- goes on for ever delays that, and only if it has noted something; those of others, here or in another database of the cluster, do not.
-- `mark` is what this function answered last, and the caller keeps it; one that was lost costs a little time.
CREATE FUNCTION idscope.audit_settled(mark jsonb, OUT settled bigint, OUT next_mark jsonb)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    drawn    CONSTANT bigint := (SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM idscope.audit_event_id_seq);
    -- Read behind the id: who drew it before that is among them, or has ended.
    writers  CONSTANT jsonb := (SELECT coalesce(jsonb_agg(DISTINCT virtualtransaction), '[]') FROM pg_locks
                                 WHERE locktype = 'relation' AND relation = 'idscope.audit_event'::regclass AND mode = 'RowExclusiveLock' AND granted
                                   AND database = (SELECT oid FROM pg_database WHERE datname = current_database()));
BEGIN
    IF writers = '[]' THEN
        settled := drawn;
    ELSIF mark IS NOT NULL AND EXISTS (SELECT 1 FROM jsonb_array_elements_text(mark -> 'writers') AS w (name) WHERE writers ? w.name) THEN
        next_mark := mark;
        RETURN;
    ELSE
        settled := (mark ->> 'drawn')::bigint;
    END IF;
    next_mark := jsonb_build_object('drawn', drawn, 'writers', writers);
END
$$;
COMMENT ON FUNCTION idscope.audit_settled(jsonb) IS 'Up to which id all events are there or never to come, as far as a mark that was taken earlier can tell; and the next mark';
REVOKE ALL ON FUNCTION idscope.audit_settled(jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.audit_settled(jsonb) TO idscope_worker;

-- Every statement of the management, service and hub planes that writes a thing calls it behind what it has written, so that a change without
-- its event cannot be committed. Policies and links are parts of their hub or instance and change with it, in one event. What the transaction was told of its actor (statement `act`) is read here and nowhere else; where it was told nothing,
-- the event, and with it the change, is refused.
CREATE FUNCTION idscope.audit_resource(of_key text) RETURNS text
    LANGUAGE sql STABLE
    AS $$
        SELECT format('/subscriptions/%s/resourceGroups/%s/providers/Microsoft.Devices/%s/%s', r.subscription_id, g.name, r.type, r.name)
          FROM (SELECT tenant_id, subscription_id, resource_group_key, 'provisioningServices' AS type, name FROM idscope.instance WHERE id_scope = split_part(of_key, '/', 1)
                UNION ALL
                SELECT tenant_id, subscription_id, resource_group_key, 'IotHubs', name FROM idscope.hub WHERE hub_key = split_part(of_key, '/', 1)) r
          JOIN idscope.resource_group g ON g.tenant_id = r.tenant_id AND g.subscription_id = r.subscription_id AND g.name_key = r.resource_group_key
         LIMIT 1
    $$;
COMMENT ON FUNCTION idscope.audit_resource(text) IS 'The management resource that what is noted under this key belongs to: an instance by its ID scope, a hub by its name; NULL: none';
REVOKE ALL ON FUNCTION idscope.audit_resource(text) FROM PUBLIC;

CREATE FUNCTION idscope.note(of_kind text, of_key text, what jsonb) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        INSERT INTO idscope.audit_event (tenant_id, actor_kind, actor_id, tracking_id, operation, client_address, resource_id, kind, key, detail)
        VALUES (nullif(current_setting('idscope.tenant', true), '')::uuid, nullif(current_setting('idscope.actor_kind', true), ''),
                nullif(current_setting('idscope.actor_id', true), ''), nullif(current_setting('idscope.tracking_id', true), ''),
                nullif(current_setting('idscope.operation', true), ''), nullif(current_setting('idscope.client_address', true), ''),
                coalesce(nullif(current_setting('idscope.resource_id', true), ''), idscope.audit_resource(of_key)), of_kind, of_key, what)
        RETURNING id
    $$;
COMMENT ON FUNCTION idscope.note(text, text, jsonb) IS 'Writes down that the actor of this transaction changed a thing: its kind, its key, what was done';
REVOKE ALL ON FUNCTION idscope.note(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.note(text, text, jsonb) TO idscope_api, idscope_admin;

-- What the service does of itself to what it did not make: a device is assigned whose identity stood on its hub.
CREATE FUNCTION idscope.note_adopted(of_scope text, device text, what jsonb) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        INSERT INTO idscope.audit_event (tenant_id, actor_kind, actor_id, operation, resource_id, kind, key, detail)
        SELECT issued_to, 'service', 'worker', 'assign', idscope.audit_resource(id_scope), 'registration', id_scope || '/' || device, what || '{"change": "adopted"}'
          FROM idscope.scope
         WHERE id_scope = of_scope
        RETURNING id
    $$;
COMMENT ON FUNCTION idscope.note_adopted(text, text, jsonb) IS 'Writes down for the tenant of an ID scope that a device was assigned whose identity stood on its hub: the ID scope, the registration key, which identity';
REVOKE ALL ON FUNCTION idscope.note_adopted(text, text, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.note_adopted(text, text, jsonb) TO idscope_worker;

COMMIT;
