-- Deploy idscope:instances to pg
-- requires: hubs
-- Provisioning service instances, their ID scopes, policies and linked hubs; latency figures.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.scope (
    id_scope        text COLLATE "C" PRIMARY KEY CHECK (id_scope ~ '^0ne[0-9a-f]{8}$'),
    issued_to       uuid NOT NULL,
    version         bigint NOT NULL DEFAULT 1,
    inputs_version  bigint NOT NULL DEFAULT 1,
    issued_at       timestamptz NOT NULL DEFAULT now(),
    retired_at      timestamptz,
    undelete_until  timestamptz CONSTRAINT scope_undelete_when_retired CHECK (undelete_until IS NULL OR retired_at IS NOT NULL),
    purged_at       timestamptz CONSTRAINT scope_purged_when_retired CHECK (purged_at IS NULL OR retired_at IS NOT NULL)
);
COMMENT ON TABLE idscope.scope IS 'Every ID scope ever issued; rows are never deleted, so a scope is never issued twice. A retired scope is dead, unless its instance is undeleted in time. The statements that insert and delete an instance write its row here too, as with hub_registry';
COMMENT ON COLUMN idscope.scope.id_scope IS 'In lower case: ID scopes ignore case';
COMMENT ON COLUMN idscope.scope.issued_to IS 'The tenant: workers share their time between tenants by it; outlives the instance, so it references nothing';
COMMENT ON COLUMN idscope.scope.version IS 'Rises with every change of the instance; every write that was checked against the instance names it';
COMMENT ON COLUMN idscope.scope.inputs_version IS 'Rises when something that allocation depends on was configured: policy, links, weights, drain flags. Never by link states or latencies';
COMMENT ON COLUMN idscope.scope.undelete_until IS 'Until then its instance can be undeleted, and nothing of it is purged; NULL, of a retired scope: it cannot';
COMMENT ON COLUMN idscope.scope.purged_at IS 'When the last row of a retired scope was deleted';
CREATE INDEX scope_to_purge ON idscope.scope (id_scope) WHERE retired_at IS NOT NULL AND purged_at IS NULL;

CREATE TABLE idscope.instance (
    name_key           text COLLATE "C" NOT NULL CHECK (length(name_key) BETWEEN 3 AND 50),
    id_scope           text COLLATE "C" PRIMARY KEY,
    id_scope_text      text NOT NULL CONSTRAINT instance_scope_of_text CHECK (lower(id_scope_text COLLATE "C") = id_scope),
    tenant_id          uuid NOT NULL,
    subscription_id    uuid NOT NULL,
    resource_group_key text COLLATE "C",
    deleted_from       text COLLATE "C" CONSTRAINT instance_stands_or_deleted CHECK ((deleted_from IS NULL) <> (resource_group_key IS NULL)),
    name               text NOT NULL CONSTRAINT instance_key_of_name CHECK (lower(name COLLATE "C") = name_key),
    location           text NOT NULL,
    tags               json NOT NULL DEFAULT '{}' CHECK (json_typeof(tags) = 'object'),
    sku_capacity       bigint NOT NULL DEFAULT 1 CHECK (sku_capacity BETWEEN 1 AND 1000),
    allocation_policy  text NOT NULL CHECK (allocation_policy IN ('hashed', 'geoLatency', 'static')),
    existing_device    text NOT NULL DEFAULT 'adopt' CHECK (existing_device IN ('adopt', 'refuse')),
    properties         json NOT NULL DEFAULT '{}' CHECK (json_typeof(properties) = 'object'),
    network            json NOT NULL DEFAULT '{}' CHECK (json_typeof(network) = 'object'),
    limits             jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(limits) = 'object'),
    etag               uuid NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, id_scope),
    FOREIGN KEY (tenant_id, subscription_id, resource_group_key)
        REFERENCES idscope.resource_group (tenant_id, subscription_id, name_key)
);
COMMENT ON TABLE idscope.instance IS 'A provisioning service instance as the management plane shows it';
COMMENT ON COLUMN idscope.instance.resource_group_key IS 'NULL: it is deleted. It stands in no group then, so nothing that looks for it in one finds it, and the group can go';
COMMENT ON COLUMN idscope.instance.deleted_from IS 'The group in which a deleted instance stood, to which it comes back when it is undeleted';
COMMENT ON COLUMN idscope.instance.id_scope_text IS 'The ID scope as it was issued (upper-case digits)';
COMMENT ON COLUMN idscope.instance.existing_device IS 'What becomes of a device without a registration whose identity stands on a linked hub';
COMMENT ON COLUMN idscope.instance.limits IS 'Limits that an operator set for it, by name, in place of its tenant''s and the deployment''s';
COMMENT ON COLUMN idscope.instance.network IS 'From which addresses it may be called: publicNetworkAccess and ipFilterRules, where they are not the default';
COMMENT ON COLUMN idscope.instance.properties IS 'Members that clients sent and that have no meaning here: stored and echoed';
CREATE UNIQUE INDEX instance_name ON idscope.instance (name_key) WHERE deleted_from IS NULL;
CREATE INDEX instance_group ON idscope.instance (tenant_id, subscription_id, resource_group_key);

CREATE TABLE idscope.instance_policy (
    tenant_id         uuid NOT NULL,
    id_scope          text COLLATE "C" NOT NULL,
    key_name_key      text COLLATE "C" NOT NULL,
    key_name          text NOT NULL CHECK (length(key_name) BETWEEN 1 AND 256)
                      CONSTRAINT instance_policy_key_of_name CHECK (lower(key_name COLLATE "C") = key_name_key),
    rights            int NOT NULL CHECK (rights BETWEEN 1 AND 63),
    primary_sealed    bytea NOT NULL,
    secondary_sealed  bytea NOT NULL,
    position          int NOT NULL,
    PRIMARY KEY (id_scope, key_name_key),
    -- With the tenant, or a tenant could hang a policy of its own making on another's instance.
    FOREIGN KEY (tenant_id, id_scope) REFERENCES idscope.instance (tenant_id, id_scope) ON DELETE CASCADE
);
COMMENT ON TABLE idscope.instance_policy IS 'Shared access policies of an instance';
COMMENT ON COLUMN idscope.instance_policy.position IS 'Order in which clients set the policies and read them back';
COMMENT ON COLUMN idscope.instance_policy.rights IS 'Bits: 1 ServiceConfig, 2 EnrollmentRead, 4 EnrollmentWrite, 8 DeviceConnect, 16 RegistrationStatusRead, 32 RegistrationStatusWrite';

CREATE TABLE idscope.certificate (
    tenant_id    uuid NOT NULL,
    id_scope     text COLLATE "C" NOT NULL,
    name_key     text COLLATE "C" NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 256)
                 CONSTRAINT certificate_key_of_name CHECK (lower(name COLLATE "C") = name_key),
    certificate  text NOT NULL CHECK (length(certificate) BETWEEN 1 AND 32768),
    der          bytea NOT NULL,
    is_verified  boolean NOT NULL DEFAULT false,
    code         text,
    code_until   timestamptz,
    crl          bytea CHECK (length(crl) BETWEEN 1 AND 65536),
    etag         uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id_scope, name_key),
    FOREIGN KEY (tenant_id, id_scope) REFERENCES idscope.instance (tenant_id, id_scope) ON DELETE CASCADE,
    CONSTRAINT certificate_code_ends CHECK ((code IS NULL) = (code_until IS NULL))
);
COMMENT ON TABLE idscope.certificate IS 'CA certificates of an instance, which enrollments may name';
COMMENT ON COLUMN idscope.certificate.certificate IS 'The text that was uploaded, which clients are given back';
COMMENT ON COLUMN idscope.certificate.der IS 'The certificate in it';
COMMENT ON COLUMN idscope.certificate.is_verified IS 'Somebody vouched for it, or proved to have its key: it may be named';
COMMENT ON COLUMN idscope.certificate.crl IS 'What the CA has revoked, signed by it, in DER';
COMMENT ON COLUMN idscope.certificate.code IS 'CN of the certificate that is to prove it: the last one that was asked for; gone once it was used';

CREATE TABLE idscope.linked_hub (
    tenant_id              uuid NOT NULL,
    id_scope               text COLLATE "C" NOT NULL,
    host                   text COLLATE "C" NOT NULL CHECK (length(host) BETWEEN 1 AND 253),
    host_name              text NOT NULL CONSTRAINT linked_hub_host_of_name CHECK (lower(host_name COLLATE "C") = host),
    location               text NOT NULL,
    position               int NOT NULL,
    hub_key                text COLLATE "C",
    key_name               text NOT NULL,
    primary_sealed         bytea,
    secondary_key_name     text,
    secondary_sealed       bytea,
    allocation_weight      int CHECK (allocation_weight BETWEEN 1 AND 1000),
    apply_allocation_policy boolean,
    etag                   uuid NOT NULL DEFAULT gen_random_uuid(),
    state                  text COLLATE "C" NOT NULL CHECK (state IN ('pending', 'valid', 'degraded', 'invalid', 'unreachable')),
    reason                 text,
    state_since            timestamptz NOT NULL DEFAULT now(),
    last_good_at           timestamptz,
    credential_version     bigint NOT NULL DEFAULT 1,
    slow_until             timestamptz,
    next_check_at          timestamptz NOT NULL DEFAULT now(),
    next_latency_at        timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id_scope, host),
    FOREIGN KEY (tenant_id, id_scope) REFERENCES idscope.instance (tenant_id, id_scope) ON DELETE CASCADE,
    CONSTRAINT linked_hub_by_resource_or_key CHECK ((hub_key IS NULL) <> (primary_sealed IS NULL)),
    CONSTRAINT linked_hub_second_credential_whole CHECK ((secondary_key_name IS NULL) = (secondary_sealed IS NULL))
);
COMMENT ON TABLE idscope.linked_hub IS 'A hub that an instance may assign devices to: by resource (hub_key: keys are read live from hub_policy) or by connection string (sealed here)';
COMMENT ON COLUMN idscope.linked_hub.host IS 'host_name in lower case: the key, and what allocation hashes';
COMMENT ON COLUMN idscope.linked_hub.position IS 'Order in the instance''s array of linked hubs';
COMMENT ON COLUMN idscope.linked_hub.hub_key IS 'Set: linked by resource id to this built-in hub; key_name is its policy';
COMMENT ON COLUMN idscope.linked_hub.allocation_weight IS 'NULL: never set, counts as 1';
COMMENT ON COLUMN idscope.linked_hub.apply_allocation_policy IS 'NULL: never set, counts as true; false drains the hub: it gets no new devices';
COMMENT ON COLUMN idscope.linked_hub.etag IS 'Another one with each change that a tenant makes; neither by the link''s place in the array nor by what probes find';
COMMENT ON COLUMN idscope.linked_hub.state IS 'Moves by core/linkstate.def: with what probes find, and by link_move';
COMMENT ON COLUMN idscope.linked_hub.credential_version IS 'Rises when the credential changes; a probe that used an older one leaves the state alone';
COMMENT ON COLUMN idscope.linked_hub.slow_until IS 'Until then calls to this hub are held back (it answered 429 or 503, or timed out)';
CREATE INDEX linked_hub_check ON idscope.linked_hub (next_check_at);
CREATE INDEX linked_hub_latency ON idscope.linked_hub (next_latency_at);
CREATE INDEX linked_hub_host ON idscope.linked_hub (host);
CREATE INDEX linked_hub_hub_key ON idscope.linked_hub (hub_key) WHERE hub_key IS NOT NULL;

CREATE TABLE idscope.link_move (
    state  text COLLATE "C" NOT NULL,
    event  text COLLATE "C" NOT NULL,
    next   text COLLATE "C" NOT NULL,
    PRIMARY KEY (state, event)
);
COMMENT ON TABLE idscope.link_move IS 'The moves of a linked hub, out of core/linkstate.def: statements that move a link join it';
-- Made from core/linkstate.def (make diagrams): begin
INSERT INTO idscope.link_move (state, event, next) VALUES
    ('absent', 'LINKED', 'pending'),
    ('degraded', 'CREDENTIAL_CHANGE', 'pending'),
    ('degraded', 'CREDENTIAL_GONE', 'invalid'),
    ('degraded', 'HUB_DELETED', 'invalid'),
    ('degraded', 'PROBE_FAILED', 'unreachable'),
    ('degraded', 'PROBE_GOOD', 'valid'),
    ('degraded', 'PROBE_ONE_BAD', 'degraded'),
    ('degraded', 'PROBE_REFUSED', 'invalid'),
    ('invalid', 'CREDENTIAL_CHANGE', 'pending'),
    ('invalid', 'CREDENTIAL_GONE', 'invalid'),
    ('invalid', 'HUB_DELETED', 'invalid'),
    ('invalid', 'PROBE_FAILED', 'invalid'),
    ('invalid', 'PROBE_GOOD', 'valid'),
    ('invalid', 'PROBE_ONE_BAD', 'degraded'),
    ('invalid', 'PROBE_REFUSED', 'invalid'),
    ('pending', 'CREDENTIAL_CHANGE', 'pending'),
    ('pending', 'CREDENTIAL_GONE', 'invalid'),
    ('pending', 'HUB_DELETED', 'invalid'),
    ('pending', 'PROBE_FAILED', 'unreachable'),
    ('pending', 'PROBE_GOOD', 'valid'),
    ('pending', 'PROBE_ONE_BAD', 'degraded'),
    ('pending', 'PROBE_REFUSED', 'invalid'),
    ('unreachable', 'CREDENTIAL_CHANGE', 'pending'),
    ('unreachable', 'CREDENTIAL_GONE', 'invalid'),
    ('unreachable', 'HUB_DELETED', 'invalid'),
    ('unreachable', 'PROBE_FAILED', 'unreachable'),
    ('unreachable', 'PROBE_GOOD', 'valid'),
    ('unreachable', 'PROBE_ONE_BAD', 'degraded'),
    ('unreachable', 'PROBE_REFUSED', 'invalid'),
    ('valid', 'CREDENTIAL_CHANGE', 'pending'),
    ('valid', 'CREDENTIAL_GONE', 'invalid'),
    ('valid', 'HUB_DELETED', 'invalid'),
    ('valid', 'PROBE_FAILED', 'unreachable'),
    ('valid', 'PROBE_GOOD', 'valid'),
    ('valid', 'PROBE_ONE_BAD', 'degraded'),
    ('valid', 'PROBE_REFUSED', 'invalid');
-- end

CREATE TABLE idscope.link_latency (
    region       text COLLATE "C" NOT NULL CHECK (length(region) BETWEEN 1 AND 64),
    host         text COLLATE "C" NOT NULL CHECK (host = lower(host)),
    samples_us   int[] NOT NULL CHECK (cardinality(samples_us) BETWEEN 1 AND 100),
    tcp_p50_us   int NOT NULL CHECK (tcp_p50_us > 0),
    tcp_p95_us   int NOT NULL CONSTRAINT link_latency_percentiles CHECK (tcp_p95_us >= tcp_p50_us),
    tls_us       int,
    http_us      int,
    count        bigint NOT NULL CHECK (count > 0),
    measured_at  timestamptz NOT NULL,
    PRIMARY KEY (region, host)
);
COMMENT ON TABLE idscope.link_latency IS 'TCP connect times from a worker''s region to a linked host, on fresh connections; TLS and first HTTP answer of the last measurement beside them';
COMMENT ON COLUMN idscope.link_latency.samples_us IS 'The latest samples, oldest first, at most 100; the percentiles are of these';
COMMENT ON COLUMN idscope.link_latency.count IS 'Measurements ever made';

CREATE INDEX link_latency_age ON idscope.link_latency (measured_at);

ALTER TABLE idscope.instance        ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.instance_policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.certificate     ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.linked_hub      ENABLE ROW LEVEL SECURITY;
CREATE POLICY instance_api        ON idscope.instance        TO idscope_api USING (tenant_id = idscope.current_tenant());
CREATE POLICY instance_policy_api ON idscope.instance_policy TO idscope_api USING (tenant_id = idscope.current_tenant());
CREATE POLICY certificate_api     ON idscope.certificate     TO idscope_api USING (tenant_id = idscope.current_tenant());
CREATE POLICY linked_hub_api      ON idscope.linked_hub      TO idscope_api USING (tenant_id = idscope.current_tenant());
CREATE POLICY instance_admin        ON idscope.instance        TO idscope_admin USING (tenant_id = idscope.current_tenant());
CREATE POLICY instance_policy_admin ON idscope.instance_policy TO idscope_admin USING (tenant_id = idscope.current_tenant());
CREATE POLICY linked_hub_admin      ON idscope.linked_hub      TO idscope_admin USING (tenant_id = idscope.current_tenant());
CREATE POLICY instance_worker     ON idscope.instance        TO idscope_worker USING (true);
CREATE POLICY linked_hub_worker   ON idscope.linked_hub      TO idscope_worker USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON idscope.instance_policy, idscope.certificate, idscope.linked_hub TO idscope_api;
-- No DELETE: a deleted instance goes with all that it had, by purge_retired_scopes.
GRANT SELECT, INSERT, UPDATE ON idscope.instance TO idscope_api;
-- No DELETE and no new name: a scope is issued once and for ever.
GRANT SELECT, INSERT, UPDATE (version, inputs_version, retired_at, undelete_until) ON idscope.scope TO idscope_api;
-- An operator takes over an ID scope that devices already carry: it is issued with the instance, and never read back.
-- And brings back an instance that was deleted.
GRANT INSERT ON idscope.instance_policy TO idscope_admin;
GRANT SELECT, INSERT, UPDATE (resource_group_key, deleted_from, limits) ON idscope.instance TO idscope_admin;
GRANT SELECT, INSERT, UPDATE (version, inputs_version, retired_at, undelete_until) ON idscope.scope TO idscope_admin;
GRANT SELECT ON idscope.linked_hub TO idscope_admin;
GRANT SELECT ON idscope.link_latency, idscope.link_move TO idscope_api;
GRANT SELECT ON idscope.instance, idscope.scope, idscope.linked_hub TO idscope_worker;
GRANT UPDATE (state, reason, state_since, last_good_at, slow_until, next_check_at, next_latency_at) ON idscope.linked_hub TO idscope_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON idscope.link_latency TO idscope_worker;

-- An ID scope that is gone owns nothing any more.
CREATE FUNCTION idscope.owned_by_another(owner text, writer text) RETURNS boolean
    LANGUAGE sql STABLE
    BEGIN ATOMIC
    SELECT owner IS NOT NULL AND writer IS NOT NULL AND owner <> writer
           AND NOT EXISTS (SELECT 1 FROM idscope.scope WHERE id_scope = owner AND retired_at IS NOT NULL);
    END;
COMMENT ON FUNCTION idscope.owned_by_another(text, text) IS 'Is an identity with this owner kept from this writer? Both are ID scopes or NULL: a hub''s operator may write everything, and an identity without an owner is anybody''s';
REVOKE ALL ON FUNCTION idscope.owned_by_another(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.owned_by_another(text, text) TO idscope_api;

-- What a check needs about an instance before the tenant is known: by ID scope (devices) or by name (service plane).
-- The limits that an operator set for a tenant, but where there are others for the one instance; always a row.
CREATE FUNCTION idscope.limits_of(tenant uuid, of_instance jsonb)
    RETURNS TABLE (limit_names text[], limits bigint[])
    LANGUAGE sql STABLE
    BEGIN ATOMIC
    SELECT array_agg(l.key), array_agg(l.value::bigint)
      FROM jsonb_each_text((SELECT t.limits FROM idscope.tenant t WHERE t.tenant_id = tenant) || of_instance) l;
    END;
COMMENT ON FUNCTION idscope.limits_of(uuid, jsonb) IS 'Names and values of the limits that hold for an instance of a tenant in place of the deployment''s';
REVOKE ALL ON FUNCTION idscope.limits_of(uuid, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.limits_of(uuid, jsonb) TO idscope_api;

CREATE FUNCTION idscope.gate_instance(wanted_scope text, wanted_name text)
    RETURNS TABLE (id_scope text, id_scope_text text, version bigint, inputs_version bigint, tenant_id uuid, name text, role_scope text, limit_names text[], limits bigint[],
                   network json, key_names text[], rights int[], primary_sealed bytea[], secondary_sealed bytea[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
            SELECT s.id_scope, i.id_scope_text, s.version, s.inputs_version, i.tenant_id, i.name,
                   idscope.role_scope(i.subscription_id, i.resource_group_key, 'provisioningservices', i.name_key), l.limit_names, l.limits,
                   i.network, p.key_names, p.rights, p.primary_sealed, p.secondary_sealed
              FROM idscope.instance i
              JOIN idscope.scope s ON s.id_scope = i.id_scope AND s.retired_at IS NULL
             CROSS JOIN LATERAL idscope.limits_of(i.tenant_id, i.limits) l
              CROSS JOIN LATERAL (SELECT array_agg(key_name ORDER BY position) AS key_names,
                                         array_agg(rights ORDER BY position) AS rights,
                                         array_agg(primary_sealed ORDER BY position) AS primary_sealed,
                                         array_agg(secondary_sealed ORDER BY position) AS secondary_sealed
                                    FROM idscope.instance_policy WHERE id_scope = i.id_scope) p
             WHERE i.id_scope = wanted_scope OR i.name_key = wanted_name
             LIMIT 1;
    END
    $$;
COMMENT ON FUNCTION idscope.gate_instance(text, text) IS 'The live instance of an ID scope or of a name (both in lower case; the other NULL), whatever its tenant';
REVOKE ALL ON FUNCTION idscope.gate_instance(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.gate_instance(text, text) TO idscope_api;

-- The same for many ID scopes at once: a batch of devices comes from many, and a call of a function for each would cost more than they do.
CREATE FUNCTION idscope.gate_instances(wanted_scopes text[])
    RETURNS TABLE (n bigint, id_scope text, id_scope_text text, version bigint, inputs_version bigint, tenant_id uuid, name text, limit_names text[], limits bigint[],
                   network json, key_names text[], rights int[], primary_sealed bytea[], secondary_sealed bytea[])
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT u.n, s.id_scope, i.id_scope_text, s.version, s.inputs_version, i.tenant_id, i.name, l.limit_names, l.limits,
               i.network, p.key_names, p.rights, p.primary_sealed, p.secondary_sealed
          FROM unnest(wanted_scopes) WITH ORDINALITY AS u (id_scope, n)
          CROSS JOIN LATERAL (SELECT id_scope, version, inputs_version FROM idscope.scope
                               WHERE id_scope = u.id_scope AND retired_at IS NULL LIMIT 1) s
          CROSS JOIN LATERAL (SELECT id_scope_text, tenant_id, name, limits, network FROM idscope.instance
                               WHERE id_scope = s.id_scope LIMIT 1) i
          CROSS JOIN LATERAL idscope.limits_of(i.tenant_id, i.limits) l
          CROSS JOIN LATERAL (SELECT array_agg(key_name ORDER BY position) AS key_names,
                                     array_agg(rights ORDER BY position) AS rights,
                                     array_agg(primary_sealed ORDER BY position) AS primary_sealed,
                                     array_agg(secondary_sealed ORDER BY position) AS secondary_sealed
                                FROM idscope.instance_policy WHERE id_scope = s.id_scope) p
    $$;
COMMENT ON FUNCTION idscope.gate_instances(text[]) IS 'The live instances of ID scopes (in lower case), whatever their tenants, each with its place in the array';
REVOKE ALL ON FUNCTION idscope.gate_instances(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.gate_instances(text[]) TO idscope_api;

-- The CA certificates of instances, for devices' certificates that they may vouch for: before the tenant is known.
CREATE FUNCTION idscope.certificates_of(scopes text[])
    RETURNS TABLE (id_scope text, name_key text, is_verified boolean, der bytea, crl bytea)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT u.id_scope, c.name_key, c.is_verified, c.der, c.crl
          FROM unnest(scopes) AS u (id_scope)
         CROSS JOIN LATERAL (SELECT name_key, is_verified, der, crl
                               FROM idscope.certificate WHERE id_scope = u.id_scope) c
    $$;
COMMENT ON FUNCTION idscope.certificates_of(text[]) IS 'The CA certificates of ID scopes (in lower case), whatever their tenants';
REVOKE ALL ON FUNCTION idscope.certificates_of(text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.certificates_of(text[]) TO idscope_api;

-- Whether a name may be given to a new hub or instance; whose it is, the api may not see. What it says may be over when the name is taken:
-- the unique keys and name_take decide.
CREATE FUNCTION idscope.name_free(wanted_kind text, wanted text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT NOT EXISTS (SELECT 1 FROM idscope.hub WHERE wanted_kind = 'hub' AND hub_key = wanted)
           AND NOT EXISTS (SELECT 1 FROM idscope.instance WHERE wanted_kind = 'instance' AND name_key = wanted AND deleted_from IS NULL)
           AND NOT EXISTS (SELECT 1 FROM idscope.name_rest
                            WHERE kind = wanted_kind AND name_key = wanted AND tenant_id IS DISTINCT FROM idscope.current_tenant())
    $$;
COMMENT ON FUNCTION idscope.name_free(text, text) IS 'May this tenant give a new hub or instance this name (in lower case)?';
REVOKE ALL ON FUNCTION idscope.name_free(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.name_free(text, text) TO idscope_api;

-- Whether a name rests for another tenant is nothing that a tenant may read from the table. To be called behind the insert of the new
-- resource, which waits for a delete of the same name that is under way. An instance of the name that was deleted cannot come back any more.
CREATE FUNCTION idscope.name_take(wanted_kind text, wanted text) RETURNS boolean
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    BEGIN
        DELETE FROM idscope.name_rest
         WHERE kind = wanted_kind AND name_key = wanted AND tenant_id = idscope.current_tenant();
        UPDATE idscope.scope s
           SET undelete_until = NULL
          FROM idscope.instance i
         WHERE wanted_kind = 'instance' AND i.name_key = wanted AND i.deleted_from IS NOT NULL AND i.tenant_id = idscope.current_tenant()
           AND s.id_scope = i.id_scope;
        RETURN NOT EXISTS (SELECT 1 FROM idscope.name_rest WHERE kind = wanted_kind AND name_key = wanted);
    END
    $$;
COMMENT ON FUNCTION idscope.name_take(text, text) IS 'Ends the rest of a name (in lower case) for this tenant, and the time in which its deleted instance of that name could be undeleted; false: it rests for another one';
REVOKE ALL ON FUNCTION idscope.name_take(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.name_take(text, text) TO idscope_api, idscope_admin;

-- Whether the tenant's own hub of this host (its name, and what ends the names of all hubs of the deployment) is linked by another tenant, which the
-- api may not see and nobody is told the name of. Of the hub of another, or one elsewhere, it says nothing.
CREATE FUNCTION idscope.hub_linked_by_others(wanted_host text, suffix text) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        SELECT EXISTS (SELECT 1
                         FROM idscope.hub h
                         JOIN idscope.linked_hub l ON l.host = wanted_host AND l.tenant_id <> h.tenant_id
                         JOIN idscope.scope s ON s.id_scope = l.id_scope AND s.retired_at IS NULL
                        WHERE h.hub_key || suffix = wanted_host AND h.hub_key = split_part(wanted_host, '.', 1)
                          AND h.tenant_id = idscope.current_tenant())
    $$;
COMMENT ON FUNCTION idscope.hub_linked_by_others(text, text) IS 'Does an instance of another tenant link this hub (its host in lower case) of the tenant that asks?';
REVOKE ALL ON FUNCTION idscope.hub_linked_by_others(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.hub_linked_by_others(text, text) TO idscope_api;

-- A deleted hub makes every link to it invalid at once, by resource id (`wanted`) or by connection string (`wanted_host`, its name in this
-- deployment), also the links of other tenants, which the api may not see. It is out of their sets of links: what was chosen with it is
-- chosen anew. The hub of another tenant cannot be declared deleted. A new credential version makes a probe that is under way leave the
-- state alone.
CREATE FUNCTION idscope.hub_deleted(wanted text, wanted_host text) RETURNS bigint
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
        WITH clock AS MATERIALIZED (
            SELECT now() AS moment),
             gone AS (
            UPDATE idscope.linked_hub
               SET state = m.next, reason = 'hub_deleted', state_since = clock.moment, credential_version = credential_version + 1
              FROM idscope.link_move m, clock
             WHERE (hub_key = wanted OR (host = wanted_host AND starts_with(wanted_host, wanted || '.')))
               AND m.state = linked_hub.state AND m.event = 'HUB_DELETED'
               AND NOT EXISTS (SELECT 1 FROM idscope.hub
                                WHERE hub_key = wanted AND tenant_id IS DISTINCT FROM idscope.current_tenant())
            RETURNING id_scope),
             concerned AS MATERIALIZED (
            SELECT id_scope FROM idscope.scope
             WHERE id_scope IN (SELECT id_scope FROM gone) AND retired_at IS NULL
             ORDER BY id_scope FOR UPDATE),
             reopened AS (
            UPDATE idscope.scope s
               SET version = s.version + 1, inputs_version = s.inputs_version + 1
              FROM concerned
             WHERE s.id_scope = concerned.id_scope)
        SELECT count(*) FROM gone
    $$;
COMMENT ON FUNCTION idscope.hub_deleted(text, text) IS 'Marks the links to this built-in hub (by its name in lower case, and by its host) invalid, reason hub_deleted, and reopens what was chosen with it; called in the transaction that deletes the hub';
REVOKE ALL ON FUNCTION idscope.hub_deleted(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.hub_deleted(text, text) TO idscope_api;

COMMIT;
