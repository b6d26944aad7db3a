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
    hash         bytea NOT NULL CHECK (length(hash) = 32),
    cut_blocks   bigint NOT NULL DEFAULT 0,
    cut_id       bigint NOT NULL DEFAULT 0,
    cut_hash     bytea CHECK (length(cut_hash) = 32),
    CONSTRAINT audit_chain_cut_check CHECK (cut_blocks < blocks AND (cut_hash IS NULL) = (cut_blocks = 0))
);
CREATE INDEX audit_chain_last ON idscope.audit_chain (last_id);
COMMENT ON TABLE idscope.audit_chain IS 'The end of each tenant''s chain of sealed blocks. Every event up to the largest last_id of all is sealed';
COMMENT ON COLUMN idscope.audit_chain.last_id IS 'The last event of the last block';
COMMENT ON COLUMN idscope.audit_chain.hash IS 'Of the last block';
COMMENT ON COLUMN idscope.audit_chain.cut_blocks IS 'The last block that was kept long enough and is gone, with all before it: the next one follows its hash, cut_hash';
COMMENT ON COLUMN idscope.audit_chain.cut_id IS 'The last event of that block';

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

-- What was kept long enough goes from the beginning of a chain, block by block, never the last one. The chain remembers the hash that the next block
-- follows, so that what is left can be verified as before. Nothing younger than a day goes, whoever asks; and nothing while somebody verifies.
CREATE FUNCTION idscope.audit_cut(keep_s bigint, at_most bigint)
    RETURNS TABLE (tenant_id uuid, block bigint, count bigint, hash bytea)
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH old AS MATERIALIZED (
        SELECT c.tenant_id, b.block, b.ids, b.hash, b.ids[cardinality(b.ids)] AS last_id, cardinality(b.ids)::bigint AS count
          FROM idscope.audit_chain c
          JOIN idscope.audit_block b ON b.tenant_id = c.tenant_id AND b.block = c.cut_blocks + 1
         WHERE c.cut_blocks + 1 < c.blocks AND keep_s >= 86400 AND b.sealed_at < now() - keep_s * interval '1 second' AND pg_try_advisory_xact_lock(hashtextextended('idscope.audit_cut', 0))
         LIMIT at_most
           FOR UPDATE OF c),
         events AS (
        DELETE FROM idscope.audit_event e USING old WHERE e.tenant_id = old.tenant_id AND e.id = ANY (old.ids)),
         blocks AS (
        DELETE FROM idscope.audit_block b USING old WHERE b.tenant_id = old.tenant_id AND b.block = old.block)
    UPDATE idscope.audit_chain c
       SET cut_blocks = old.block, cut_id = old.last_id, cut_hash = old.hash
      FROM old
     WHERE c.tenant_id = old.tenant_id
    RETURNING c.tenant_id, c.cut_blocks, old.count, c.cut_hash
    $$;
COMMENT ON FUNCTION idscope.audit_cut(bigint, bigint) IS 'Deletes the first block, with its events, of so many tenants where it was sealed more than so many seconds ago; answers which';
REVOKE ALL ON FUNCTION idscope.audit_cut(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.audit_cut(bigint, bigint) TO idscope_worker;

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

-- What an event tells of a change: the members of the thing that changed, as they were before and as they are after. A statement gives the rows whole, as
-- it found and left them; what is no news to clients, what is the same on both sides and every secret is struck out here. A secret that was written
-- anew is "***" on both sides. What is long is told by its length and digest, so that an event stays small.
CREATE FUNCTION idscope.audit_shown(name text, value jsonb) RETURNS jsonb
    LANGUAGE plpgsql IMMUTABLE
    AS $$
    DECLARE
        shown text := value::text;
    BEGIN
        -- A text so short holds no secret by what it looks like, and is what most members are.
        IF jsonb_typeof(value) IN ('null', 'boolean', 'number') OR (jsonb_typeof(value) = 'string' AND length(shown) < 20 AND name !~ '_(sealed|sha256)$' AND name NOT IN ('code', 'der', 'crl')) THEN
            RETURN value;
        ELSIF name ~ '_(sealed|sha256)$' OR name = 'code' THEN
            RETURN '"***"';
        ELSIF name IN ('der', 'crl') THEN
            RETURN jsonb_build_object('sha256', encode(sha256((value #>> '{}')::bytea), 'hex'));
        END IF;
        -- Of members of any depth: by their names, then texts that hold a secret whatever their name is.
        shown := regexp_replace(shown, '("[^"]*(?:connectionstring|accesskey|primarykey|secondarykey|symmetrickey|secret|password|token)[^"]*": )"(?:[^"\\]|\\.)*"', '\1"***"', 'gi');
        shown := regexp_replace(shown, '"(?:[^"\\]|\\.)*(?:SharedAccess|Bearer |-----BEGIN|[A-Za-z0-9+/]{43}=|[A-Za-z0-9+/]{86}==)(?:[^"\\]|\\.)*"(?!:)', '"***"', 'g');
        IF octet_length(shown) > 4096 THEN
            RETURN jsonb_build_object('bytes', octet_length(shown), 'sha256', encode(sha256(convert_to(shown, 'UTF8')), 'hex'));
        END IF;
        RETURN shown::jsonb;
    END
    $$;
COMMENT ON FUNCTION idscope.audit_shown(text, jsonb) IS 'A member of a row as an event may show it: no secret, and bounded';

CREATE FUNCTION idscope.audit_word(name text) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN lower(left(name, 1)) || substr(replace(initcap(replace(regexp_replace(name, '_(sealed|sha256)$', ''), '_', ' ')), ' ', ''), 2);
COMMENT ON FUNCTION idscope.audit_word(text) IS 'A column as JSON names it: attestation_type is attestationType';

CREATE FUNCTION idscope.audit_side(mine jsonb, other jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    AS $$
        SELECT coalesce(jsonb_object_agg(idscope.audit_word(key), idscope.audit_shown(key, value)), '{}')
          FROM jsonb_each(mine)
         WHERE value IS DISTINCT FROM coalesce(other -> key, 'null')
           AND key <> ALL ('{tenant_id,subscription_id,resource_group_key,deleted_from,id_scope,hub_id,hub_key,name_key,registration_key,of_group,place,certificate,etag,version,inputs_version,created_at,updated_at}')
    $$;
COMMENT ON FUNCTION idscope.audit_side(jsonb, jsonb) IS 'The members of a row in which it differs from another one (NULL: all that it has), as an event shows them';

CREATE FUNCTION idscope.audit_change(was jsonb, becomes jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    AS $$
        SELECT CASE WHEN was IS NULL THEN '{}' ELSE jsonb_build_object('before', idscope.audit_side(was, becomes)) END
               || CASE WHEN becomes IS NULL THEN '{}' ELSE jsonb_build_object('after', idscope.audit_side(becomes, was)) END
    $$;
COMMENT ON FUNCTION idscope.audit_change(jsonb, jsonb) IS 'What changed from one row to another: before and after; of what is new or gone only one of them';
REVOKE ALL ON FUNCTION idscope.audit_shown(text, jsonb), idscope.audit_word(text), idscope.audit_side(jsonb, jsonb), idscope.audit_change(jsonb, jsonb) FROM PUBLIC;

CREATE FUNCTION idscope.note(of_kind text, of_key text, what jsonb, was jsonb DEFAULT NULL, becomes jsonb DEFAULT NULL) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    DECLARE
        parts CONSTANT jsonb := nullif(current_setting('idscope.parts', true), '');
        noted bigint;
    BEGIN
        INSERT INTO idscope.audit_event (tenant_id, actor_kind, actor_id, tracking_id, operation, client_address, resource_id, kind, key, detail)
        VALUES (nullif(current_setting('idscope.tenant', true), '')::uuid, nullif(current_setting('idscope.actor_kind', true), ''),
                nullif(current_setting('idscope.actor_id', true), ''), nullif(current_setting('idscope.tracking_id', true), ''),
                nullif(current_setting('idscope.operation', true), ''), nullif(current_setting('idscope.client_address', true), ''),
                coalesce(nullif(current_setting('idscope.resource_id', true), ''), idscope.audit_resource(of_key)), of_kind, of_key,
                what || CASE WHEN parts IS NULL THEN idscope.audit_change(was, becomes)
                             ELSE idscope.audit_change(coalesce(was, '{}') || (parts -> 'was'), coalesce(becomes, '{}') || (parts -> 'becomes')) END)
        RETURNING id INTO noted;
        PERFORM set_config('idscope.parts', '', true), set_config('idscope.noted', noted::text, true);
        RETURN noted;
    END
    $$;
COMMENT ON FUNCTION idscope.note(text, text, jsonb, jsonb, jsonb) IS 'Writes down that the actor of this transaction changed a thing: its kind, its key, what was done; its row before and after (NULL: there was none, or is none any more)';
REVOKE ALL ON FUNCTION idscope.note(text, text, jsonb, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.note(text, text, jsonb, jsonb, jsonb) TO idscope_api, idscope_admin;

-- Policies and links of a thing stand in rows of their own, written by statements of their own in the transaction of its event, before that is noted
-- or after. They are told in it: of the set those that differ. An event of another transaction is out of reach.
CREATE FUNCTION idscope.note_part(part text, was jsonb, becomes jsonb) RETURNS void
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    DECLARE
        gone CONSTANT jsonb := (SELECT coalesce(jsonb_agg(o.one ORDER BY o.n), '[]') FROM jsonb_array_elements(was) WITH ORDINALITY AS o (one, n) WHERE o.one NOT IN (SELECT jsonb_array_elements(becomes)));
        come CONSTANT jsonb := (SELECT coalesce(jsonb_agg(o.one ORDER BY o.n), '[]') FROM jsonb_array_elements(becomes) WITH ORDINALITY AS o (one, n) WHERE o.one NOT IN (SELECT jsonb_array_elements(was)));
        noted CONSTANT bigint := nullif(current_setting('idscope.noted', true), '');
        parts CONSTANT jsonb := coalesce(nullif(current_setting('idscope.parts', true), ''), '{"was": {}, "becomes": {}}');
    BEGIN
        IF gone = come THEN
            RETURN;
        ELSIF noted IS NULL THEN
            PERFORM set_config('idscope.parts', jsonb_build_object('was', (parts -> 'was') || jsonb_build_object(part, gone), 'becomes', (parts -> 'becomes') || jsonb_build_object(part, come))::text, true);
        ELSE
            UPDATE idscope.audit_event e
               SET detail = told.detail
              FROM (SELECT o.detail || jsonb_build_object('before', coalesce(o.detail -> 'before', '{}') || jsonb_build_object(part, idscope.audit_shown(part, gone)),
                                                          'after', coalesce(o.detail -> 'after', '{}') || jsonb_build_object(part, idscope.audit_shown(part, come))) AS detail
                      FROM idscope.audit_event o WHERE o.tenant_id = nullif(current_setting('idscope.tenant', true), '')::uuid AND o.id = noted) told
             WHERE e.tenant_id = nullif(current_setting('idscope.tenant', true), '')::uuid AND e.id = noted AND e.xmin = pg_current_xact_id()::xid;
        END IF;
    END
    $$;
COMMENT ON FUNCTION idscope.note_part(text, jsonb, jsonb) IS 'Adds to the event of this transaction what changed in a set of parts of the thing, which are given whole, as they were and are';
CREATE FUNCTION idscope.audit_policy(key_name text, rights int, primary_sealed bytea, secondary_sealed bytea) RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN jsonb_build_object('keyName', key_name, 'rights', rights, 'primaryKey', primary_sealed, 'secondaryKey', secondary_sealed);
COMMENT ON FUNCTION idscope.audit_policy(text, int, bytea, bytea) IS 'A shared access policy as note_part takes it';
CREATE FUNCTION idscope.audit_link(host_name text, location text, hub_key text, key_name text, primary_sealed bytea, secondary_key_name text, secondary_sealed bytea, weight int, apply boolean) RETURNS jsonb
    LANGUAGE sql STABLE
    RETURN jsonb_build_object('hostName', host_name, 'location', location, 'hub', hub_key, 'keyName', key_name, 'primaryKey', primary_sealed, 'secondaryKeyName', secondary_key_name,
                              'secondaryKey', secondary_sealed, 'allocationWeight', weight, 'applyAllocationPolicy', apply);
COMMENT ON FUNCTION idscope.audit_link(text, text, text, text, bytea, text, bytea, int, boolean) IS 'A linked hub as note_part takes it';
REVOKE ALL ON FUNCTION idscope.note_part(text, jsonb, jsonb), idscope.audit_policy(text, int, bytea, bytea), idscope.audit_link(text, text, text, text, bytea, text, bytea, int, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.note_part(text, jsonb, jsonb), idscope.audit_policy(text, int, bytea, bytea), idscope.audit_link(text, text, text, text, bytea, text, bytea, int, boolean) TO idscope_api;

-- Volatile, so that it sees what others committed before the enrollment was locked.
CREATE FUNCTION idscope.enrollment_details(scope text, is_group boolean, of_key text) RETURNS jsonb
    LANGUAGE plpgsql VOLATILE
    AS $$
    BEGIN
        RETURN coalesce((SELECT jsonb_build_object('initial_twin', initial_twin, 'optional_device_information', optional_device_information, 'webhook_sealed', webhook_sealed)
                           FROM idscope.enrollment_detail WHERE id_scope = scope AND of_group = is_group AND registration_key = of_key), '{}');
    END
    $$;
COMMENT ON FUNCTION idscope.enrollment_details(text, boolean, text) IS 'What is seldom in an enrollment, as members of its row';
REVOKE ALL ON FUNCTION idscope.enrollment_details(text, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.enrollment_details(text, boolean, text) TO idscope_api;

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
