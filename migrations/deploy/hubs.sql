-- Deploy idscope:hubs to pg
-- requires: tenancy
-- Built-in hubs: the management resource with its policies, and the device registry behind it.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.hub_registry (
    hub_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    hub_key     text COLLATE "C" NOT NULL CHECK (hub_key = lower(hub_key)),
    version     bigint NOT NULL DEFAULT 1,
    created_at  timestamptz NOT NULL DEFAULT now(),
    retired_at  timestamptz
);
COMMENT ON TABLE idscope.hub_registry IS 'One row per hub that ever was; a deleted hub leaves a tombstone until its devices are purged. The statements that insert and delete a hub write its row here too: no foreign key could say so where this table is spread over machines';
COMMENT ON COLUMN idscope.hub_registry.hub_key IS 'Name of the hub in lower case. Whose a name is says idscope.hub; here a hub and the tombstones of its namesakes may stand side by side';
COMMENT ON COLUMN idscope.hub_registry.version IS 'Rises with every change of the hub''s policies; every write of a device names the version it was checked against';
CREATE INDEX hub_registry_retired ON idscope.hub_registry (hub_id) WHERE retired_at IS NOT NULL;

CREATE TABLE idscope.hub (
    hub_key            text COLLATE "C" PRIMARY KEY CHECK (length(hub_key) BETWEEN 3 AND 50),
    hub_id             bigint NOT NULL UNIQUE,
    tenant_id          uuid NOT NULL,
    subscription_id    uuid NOT NULL,
    resource_group_key text COLLATE "C" NOT NULL,
    name               text NOT NULL CONSTRAINT hub_key_of_name CHECK (lower(name COLLATE "C") = hub_key),
    location           text NOT NULL,
    tags               json NOT NULL DEFAULT '{}' CHECK (json_typeof(tags) = 'object'),
    sku_name           text NOT NULL CHECK (sku_name IN ('F1', 'S1', 'S2', 'S3', 'B1', 'B2', 'B3')),
    sku_capacity       bigint NOT NULL CHECK (sku_capacity BETWEEN 1 AND 200),
    properties         json NOT NULL DEFAULT '{}' CHECK (json_typeof(properties) = 'object'),
    network            json NOT NULL DEFAULT '{}' CHECK (json_typeof(network) = 'object'),
    etag               uuid NOT NULL,
    created_at         timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, hub_key),
    FOREIGN KEY (tenant_id, subscription_id, resource_group_key)
        REFERENCES idscope.resource_group (tenant_id, subscription_id, name_key)
);
COMMENT ON TABLE idscope.hub IS 'A built-in IoT hub as the management plane shows it';
COMMENT ON COLUMN idscope.hub.network IS 'From which addresses it may be called: publicNetworkAccess and ipFilterRules, where they are not the default';
COMMENT ON COLUMN idscope.hub.properties IS 'Members that clients sent and that have no meaning here: stored and echoed';
CREATE INDEX hub_group ON idscope.hub (tenant_id, subscription_id, resource_group_key);

CREATE TABLE idscope.hub_policy (
    tenant_id         uuid NOT NULL,
    hub_key           text COLLATE "C" NOT NULL,
    key_name_key      text COLLATE "C" NOT NULL,
    key_name          text NOT NULL CHECK (length(key_name) BETWEEN 1 AND 256)
                      CONSTRAINT hub_policy_key_of_name CHECK (lower(key_name COLLATE "C") = key_name_key),
    rights            int NOT NULL CHECK (rights BETWEEN 1 AND 15),
    primary_sealed    bytea NOT NULL,
    secondary_sealed  bytea NOT NULL,
    position          int NOT NULL,
    PRIMARY KEY (hub_key, key_name_key),
    -- With the tenant, or a tenant could hang a policy of its own making on another's hub.
    FOREIGN KEY (tenant_id, hub_key) REFERENCES idscope.hub (tenant_id, hub_key) ON DELETE CASCADE
);
COMMENT ON TABLE idscope.hub_policy IS 'Shared access policies of a built-in hub';
COMMENT ON COLUMN idscope.hub.hub_id IS 'The hub''s identity: never used again, unlike its name';
COMMENT ON COLUMN idscope.hub_policy.position IS 'Order in which clients set the policies and read them back';
COMMENT ON COLUMN idscope.hub_policy.rights IS 'Bits: 1 RegistryRead, 2 RegistryWrite, 4 ServiceConnect, 8 DeviceConnect';

CREATE TABLE idscope.hub_certificate (
    tenant_id    uuid NOT NULL,
    hub_key      text COLLATE "C" NOT NULL,
    name_key     text COLLATE "C" NOT NULL,
    name         text NOT NULL CHECK (length(name) BETWEEN 1 AND 256)
                 CONSTRAINT hub_certificate_key_of_name CHECK (lower(name COLLATE "C") = name_key),
    certificate  text NOT NULL CHECK (length(certificate) BETWEEN 1 AND 32768),
    der          bytea NOT NULL,
    is_verified  boolean NOT NULL DEFAULT false,
    code         text,
    code_until   timestamptz,
    etag         uuid NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    updated_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (hub_key, name_key),
    FOREIGN KEY (tenant_id, hub_key) REFERENCES idscope.hub (tenant_id, hub_key) ON DELETE CASCADE,
    CONSTRAINT hub_certificate_code_ends CHECK ((code IS NULL) = (code_until IS NULL))
);
COMMENT ON TABLE idscope.hub_certificate IS 'CA certificates of a hub, kept and proved as those of an instance are (instances.sql). No device shows one here: the hub is a registry';

CREATE TABLE idscope.hub_device (
    hub_id            bigint NOT NULL,
    device_id         text COLLATE "C" NOT NULL CHECK (length(device_id) BETWEEN 1 AND 128),
    generation        bigint NOT NULL,
    revision          bigint NOT NULL DEFAULT 1,
    status            text NOT NULL DEFAULT 'enabled' CHECK (status IN ('enabled', 'disabled')),
    status_reason     text CHECK (length(status_reason) <= 128),
    status_at         timestamptz,
    auth_type         text NOT NULL CHECK (auth_type IN ('sas', 'selfSigned', 'certificateAuthority', 'none')),
    primary_sealed    bytea,
    secondary_sealed  bytea,
    primary_thumbprint   text CHECK (length(primary_thumbprint) <= 64),
    secondary_thumbprint text CHECK (length(secondary_thumbprint) <= 64),
    iot_edge          boolean NOT NULL DEFAULT false,
    owner             text COLLATE "C" CHECK (owner = lower(owner)),
    PRIMARY KEY (hub_id, device_id),
    CONSTRAINT hub_device_sas_has_keys CHECK ((auth_type = 'sas') = (primary_sealed IS NOT NULL AND secondary_sealed IS NOT NULL))
) WITH (fillfactor = 90);
COMMENT ON TABLE idscope.hub_device IS 'Device identities of the built-in hubs. Hot: no foreign keys; writes join the live hub_registry row';
COMMENT ON COLUMN idscope.hub_device.device_id IS 'Case-sensitive, as the hub protocol says';
COMMENT ON COLUMN idscope.hub_device.auth_type IS 'sas has two sealed keys; the other types have none';
COMMENT ON COLUMN idscope.hub_device.generation IS 'Differs between a device and its re-creation under the same id';
COMMENT ON COLUMN idscope.hub_device.owner IS 'The ID scope that wrote it and whose device it is; NULL: only the hub''s operator did';
COMMENT ON COLUMN idscope.hub_device.revision IS 'Rises with each change; the etag is made from it and the generation';

CREATE TABLE idscope.hub_twin (
    hub_id           bigint NOT NULL,
    device_id        text COLLATE "C" NOT NULL,
    revision         bigint NOT NULL DEFAULT 1,
    tags             json NOT NULL DEFAULT '{}' CHECK (json_typeof(tags) = 'object'),
    desired          json NOT NULL DEFAULT '{}' CHECK (json_typeof(desired) = 'object'),
    desired_version  bigint NOT NULL DEFAULT 1,
    desired_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (hub_id, device_id)
);
COMMENT ON TABLE idscope.hub_twin IS 'Twins of the built-in hubs'' devices; no row: nothing was ever written to it. It goes with its device, in the same statement';
COMMENT ON COLUMN idscope.hub_twin.revision IS 'Rises with each change; the etag is made from it and the device''s generation';
COMMENT ON COLUMN idscope.hub_twin.tags IS 'json, not jsonb: numbers and the order of members stay as they were written';

CREATE VIEW idscope.hub_twin_shown WITH (security_invoker = true) AS
SELECT d.hub_id, d.device_id, d.generation, d.revision, d.status, d.status_reason, d.auth_type, d.primary_thumbprint, d.secondary_thumbprint,
       d.iot_edge, d.status_at, coalesce(t.revision, 1) AS twin_revision, coalesce(t.tags, '{}') AS tags, coalesce(t.desired, '{}') AS desired,
       coalesce(t.desired_version, 1) AS desired_version, t.desired_at, d.owner
  FROM idscope.hub_device d
  LEFT JOIN LATERAL (
        SELECT revision, tags, desired, desired_version, desired_at
          FROM idscope.hub_twin
         WHERE hub_id = d.hub_id AND device_id = d.device_id
         LIMIT 1) t ON true;
COMMENT ON VIEW idscope.hub_twin_shown IS 'Devices of built-in hubs as their twins show them';

CREATE TABLE idscope.hub_device_count (
    hub_id    bigint NOT NULL,
    n         bigint GENERATED BY DEFAULT AS IDENTITY CHECK (n >= 0),
    devices   bigint NOT NULL,
    enabled   bigint NOT NULL,
    PRIMARY KEY (hub_id, n)
);
COMMENT ON TABLE idscope.hub_device_count IS 'How many devices a built-in hub has: the sum of its rows. Each write adds a row of its own, so that no two writes wait for one counter; a sweep folds them';
COMMENT ON COLUMN idscope.hub_device_count.n IS '0: what was folded; else a change that was not yet';
COMMENT ON COLUMN idscope.hub_device_count.enabled IS 'Of the devices, those with status enabled';
CREATE INDEX hub_device_count_unfolded ON idscope.hub_device_count (hub_id) WHERE n > 0;

ALTER TABLE idscope.hub        ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.hub_policy ENABLE ROW LEVEL SECURITY;
ALTER TABLE idscope.hub_certificate ENABLE ROW LEVEL SECURITY;
CREATE POLICY hub_api        ON idscope.hub        TO idscope_api USING (tenant_id = idscope.current_tenant());
CREATE POLICY hub_policy_api ON idscope.hub_policy TO idscope_api USING (tenant_id = idscope.current_tenant());
CREATE POLICY hub_certificate_api ON idscope.hub_certificate TO idscope_api USING (tenant_id = idscope.current_tenant());
CREATE POLICY hub_policy_worker ON idscope.hub_policy TO idscope_worker USING (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON idscope.hub, idscope.hub_policy, idscope.hub_certificate, idscope.hub_device, idscope.hub_twin TO idscope_api;
GRANT SELECT ON idscope.hub_twin_shown TO idscope_api;
GRANT SELECT, INSERT ON idscope.hub_device_count TO idscope_api;
-- No DELETE: a tombstone goes only by purge_retired_hubs, after its devices.
GRANT SELECT, INSERT, UPDATE (version, retired_at) ON idscope.hub_registry TO idscope_api;
GRANT SELECT ON idscope.hub_policy TO idscope_worker;
GRANT SELECT, INSERT, UPDATE (devices, enabled), DELETE ON idscope.hub_device_count TO idscope_worker;

CREATE FUNCTION idscope.gate_hub(wanted text)
    RETURNS TABLE (hub_id bigint, version bigint, tenant_id uuid, name text, created_at timestamptz,
                   network json, key_names text[], rights int[], primary_sealed bytea[], secondary_sealed bytea[])
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    #variable_conflict use_column
    BEGIN
        RETURN QUERY
            SELECT r.hub_id, r.version, h.tenant_id, h.name, h.created_at, h.network, p.key_names, p.rights, p.primary_sealed, p.secondary_sealed
              FROM idscope.hub h
              JOIN idscope.hub_registry r ON r.hub_id = h.hub_id AND r.retired_at IS NULL
              CROSS JOIN LATERAL (SELECT array_agg(key_name ORDER BY position) AS key_names,
                                         array_agg(rights ORDER BY position) AS rights,
                                         array_agg(primary_sealed ORDER BY position) AS primary_sealed,
                                         array_agg(secondary_sealed ORDER BY position) AS secondary_sealed
                                    FROM idscope.hub_policy WHERE hub_key = wanted) p
             WHERE h.hub_key = wanted;
    END
    $$;
COMMENT ON FUNCTION idscope.gate_hub(text) IS 'What a check needs about a hub, by its name in lower case, whatever its tenant';
REVOKE ALL ON FUNCTION idscope.gate_hub(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.gate_hub(text) TO idscope_api;

-- The worker has no grant on the registry; it may only ask for dead devices to be cleared away.
CREATE FUNCTION idscope.purge_retired_hubs(at_most int) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    DECLARE
        target bigint;
        gone bigint;
    BEGIN
        SELECT hub_id INTO target FROM idscope.hub_registry r
         WHERE retired_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM idscope.hub h WHERE h.hub_id = r.hub_id)
         ORDER BY hub_id LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF target IS NULL THEN
            RETURN 0;
        END IF;
        WITH dead AS (SELECT device_id FROM idscope.hub_device WHERE hub_id = target LIMIT least(at_most, 10000)),
             twins AS (DELETE FROM idscope.hub_twin t USING dead WHERE t.hub_id = target AND t.device_id = dead.device_id)
        DELETE FROM idscope.hub_device d USING dead WHERE d.hub_id = target AND d.device_id = dead.device_id;
        GET DIAGNOSTICS gone = ROW_COUNT;
        IF gone = 0 THEN
            PERFORM 1 FROM idscope.hub_device_count WHERE hub_id = target FOR UPDATE; -- a sweep that folds them is over now
            DELETE FROM idscope.hub_device_count WHERE hub_id = target;
            DELETE FROM idscope.hub_registry WHERE hub_id = target;
            RETURN 1;
        END IF;
        RETURN gone;
    END
    $$;
COMMENT ON FUNCTION idscope.purge_retired_hubs(int) IS 'Deletes up to so many devices (10,000 at most) of one deleted hub, or its tombstone when none is left; 0 when there is nothing to do';
REVOKE ALL ON FUNCTION idscope.purge_retired_hubs(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.purge_retired_hubs(int) TO idscope_worker;

COMMIT;
