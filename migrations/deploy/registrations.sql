-- Deploy idscope:registrations to pg
-- requires: instances
-- The enrollment list, the registrations and the jobs: the data plane, keyed and distributed by id_scope. No foreign keys on
-- hot tables; every write joins the live scope row instead.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.enrollment (
    id_scope             text COLLATE "C" NOT NULL,
    of_group             boolean NOT NULL DEFAULT false,
    registration_key     text COLLATE "C" NOT NULL CHECK (length(registration_key) BETWEEN 1 AND 128),
    registration_id      text NOT NULL CONSTRAINT enrollment_key_of_id CHECK (lower(registration_id COLLATE "C") = registration_key),
    device_id            text COLLATE "C" CHECK (length(device_id) BETWEEN 1 AND 128),
    attestation_type     text COLLATE "C" NOT NULL CHECK (attestation_type IN ('symmetricKey', 'x509', 'tpm')),
    attestation_sealed   bytea NOT NULL,
    ca_primary           text COLLATE "C",
    ca_secondary         text COLLATE "C",
    enabled              boolean NOT NULL DEFAULT true,
    allocation_policy    text COLLATE "C" CHECK (allocation_policy IN ('hashed', 'geoLatency', 'static', 'custom')),
    iot_hubs             text[] CHECK (cardinality(iot_hubs) <= 50),
    iot_hub_host_name    text,
    update_hub_assignment boolean NOT NULL DEFAULT true,
    migrate_device_data  boolean NOT NULL DEFAULT true,
    iot_edge             boolean NOT NULL DEFAULT false,
    by_block             boolean NOT NULL DEFAULT false,
    etag                 uuid NOT NULL,
    version              bigint NOT NULL DEFAULT 1,
    inputs_version       bigint NOT NULL DEFAULT 1,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id_scope, of_group, registration_key),
    CONSTRAINT enrollment_group_names_no_device CHECK (NOT (of_group AND device_id IS NOT NULL)),
    CONSTRAINT enrollment_by_block_is_disabled CHECK (NOT (by_block AND (enabled OR of_group)))
);
COMMENT ON TABLE idscope.enrollment IS 'The enrollment list, of single devices and of groups: how devices prove who they are and what they get. Narrow: twins stand in enrollment_detail';
COMMENT ON COLUMN idscope.enrollment.of_group IS 'An enrollment group, admitting every device whose key derives from its own; false: an individual enrollment';
COMMENT ON COLUMN idscope.enrollment.registration_key IS 'Registration id in lower case, or the enrollment group''s id: these ids ignore case';
COMMENT ON COLUMN idscope.enrollment.registration_id IS 'The same as the client spelled it';
COMMENT ON COLUMN idscope.enrollment.device_id IS 'Wanted device id on the hub; NULL: the registration id';
COMMENT ON COLUMN idscope.enrollment.attestation_type IS 'How the device proves who it is; says how attestation_sealed is to be read';
COMMENT ON COLUMN idscope.enrollment.attestation_sealed IS 'Keys or certificates as one value, sealed under the key ring for this row and this type (core/attest)';
COMMENT ON COLUMN idscope.enrollment.by_block IS 'Added to block a group''s device, and nobody changed it since: goes when the device is blocked no more';
COMMENT ON COLUMN idscope.enrollment.ca_primary IS 'The CA certificate that attestation_sealed names (certificate.name_key): none that is named is deleted';
COMMENT ON COLUMN idscope.enrollment.version IS 'Rises with each change; a register names the version its credential was checked against';
COMMENT ON COLUMN idscope.enrollment.inputs_version IS 'Rises when allocation policy or named hubs change';

-- For lists alone (idscope.enrollment_shown): each is the order of one member, and within it of the key. Registering reads the table by its key.
CREATE INDEX enrollment_by_device ON idscope.enrollment (id_scope, of_group, device_id, registration_key) WHERE device_id IS NOT NULL;
CREATE INDEX enrollment_by_created ON idscope.enrollment (id_scope, of_group, created_at, registration_key);
CREATE INDEX enrollment_by_updated ON idscope.enrollment (id_scope, of_group, updated_at, registration_key);
CREATE INDEX enrollment_by_status ON idscope.enrollment (id_scope, of_group, (CASE WHEN enabled THEN 'enabled' ELSE 'disabled' END COLLATE "C"), registration_key);
CREATE INDEX enrollment_by_policy ON idscope.enrollment (id_scope, of_group, allocation_policy, registration_key) WHERE allocation_policy IS NOT NULL;
CREATE INDEX enrollment_by_attestation ON idscope.enrollment (id_scope, of_group, attestation_type, registration_key);
-- For writes: whose device id is it (idscope.device_id_taken), who names a CA certificate?
CREATE INDEX enrollment_by_name ON idscope.enrollment (id_scope, (lower(device_id COLLATE "C"))) WHERE device_id IS NOT NULL;
CREATE INDEX enrollment_by_ca_primary ON idscope.enrollment (id_scope, ca_primary) WHERE ca_primary IS NOT NULL;
CREATE INDEX enrollment_by_ca_secondary ON idscope.enrollment (id_scope, ca_secondary) WHERE ca_secondary IS NOT NULL;

-- For a hub that is unlinked: who names it? What names no hub is not in the index. An ID scope has no slash, so what it and a host make is of that
-- scope alone.
CREATE FUNCTION idscope.hubs_named(scope text, names text[], name text) RETURNS text[]
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    BEGIN ATOMIC
    SELECT array_agg(scope || '/' || lower(n COLLATE "C")) FROM unnest(array_append(names, name)) AS n WHERE n IS NOT NULL;
    END;
COMMENT ON FUNCTION idscope.hubs_named(text, text[], text) IS 'The hubs that an enrollment names, each behind its ID scope, in lower case';
REVOKE ALL ON FUNCTION idscope.hubs_named(text, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.hubs_named(text, text[], text) TO idscope_api, idscope_worker;
CREATE INDEX enrollment_by_hub ON idscope.enrollment USING gin (idscope.hubs_named(id_scope, iot_hubs, iot_hub_host_name))
 WHERE iot_hubs IS NOT NULL OR iot_hub_host_name IS NOT NULL;

CREATE TABLE idscope.enrollment_detail (
    id_scope             text COLLATE "C" NOT NULL,
    of_group             boolean NOT NULL DEFAULT false,
    registration_key     text COLLATE "C" NOT NULL,
    initial_twin         json,
    optional_device_information json,
    webhook_sealed       bytea,
    PRIMARY KEY (id_scope, of_group, registration_key),
    FOREIGN KEY (id_scope, of_group, registration_key) REFERENCES idscope.enrollment ON DELETE CASCADE
);
COMMENT ON TABLE idscope.enrollment_detail IS 'The wide and rarely read members of an enrollment; no row when there are none';
COMMENT ON COLUMN idscope.enrollment_detail.webhook_sealed IS 'Whom custom allocation asks (customAllocationDefinition), sealed under the key ring for this row: addresses of webhooks hold keys (core/webhook)';

-- What a column of a hot table may hold is said by a domain and not by a CHECK of the table: the server reads a table's CHECKs from the catalogue
-- anew in each statement that writes, and looks at all of them whatever is written; a domain's it keeps, and looks at where the column is written.
-- Reading those of registration and job was a twentieth of what a register cost PostgreSQL.
CREATE DOMAIN idscope.sha256 AS bytea CONSTRAINT sha256_check CHECK (length(VALUE) = 32);
CREATE DOMAIN idscope.registration_status AS text
    CONSTRAINT registration_status_check CHECK (VALUE IN ('unassigned', 'assigning', 'assigned', 'failed', 'disabled'));
CREATE DOMAIN idscope.registration_substatus AS text
    CONSTRAINT registration_substatus_check CHECK (VALUE IN ('initialAssignment', 'deviceDataMigrated', 'deviceDataReset', 'reprovisionedToInitialAssignment'));
CREATE DOMAIN idscope.enrollment_group_id AS text COLLATE "C" CONSTRAINT enrollment_group_id_check CHECK (length(VALUE) BETWEEN 1 AND 128);

CREATE TABLE idscope.registration (
    id_scope             text COLLATE "C" NOT NULL,
    registration_key     text COLLATE "C" NOT NULL,
    registration_id      text NOT NULL CONSTRAINT registration_key_of_id CHECK (lower(registration_id COLLATE "C") = registration_key),
    operation_id         uuid NOT NULL,
    revision             bigint NOT NULL DEFAULT 1,
    status               idscope.registration_status NOT NULL,
    substatus            idscope.registration_substatus,
    assigned_hub         text,
    device_id            text,
    target_hub           text,
    target_device_id     text,
    error_code           int,
    error_message        text,
    waiting_for          text,
    region               text,
    enrollment_group     idscope.enrollment_group_id,
    derived_from         text COLLATE "C",
    enrollment_version   bigint,
    enrollment_inputs    bigint,
    scope_inputs         bigint,
    alloc_input          idscope.sha256,
    checked_at           timestamptz,
    evidence             idscope.sha256,
    operation_at         timestamptz NOT NULL,
    created_at           timestamptz NOT NULL,
    updated_at           timestamptz NOT NULL,
    PRIMARY KEY (id_scope, registration_key),
    CONSTRAINT registration_assigned_has_hub
        CHECK (status <> 'assigned' OR (assigned_hub IS NOT NULL AND device_id IS NOT NULL AND substatus IS NOT NULL)),
    CONSTRAINT registration_failed_has_error CHECK ((status = 'failed') = (error_code IS NOT NULL)),
    CONSTRAINT registration_derived_of_group CHECK ((enrollment_group IS NULL) = (derived_from IS NULL)),
    CONSTRAINT registration_derived_from_id CHECK (lower(derived_from) = registration_key),
    CONSTRAINT registration_hub_with_device CHECK ((assigned_hub IS NULL) = (device_id IS NULL)),
    CONSTRAINT registration_target_with_device CHECK ((target_hub IS NULL) = (target_device_id IS NULL)),
    CONSTRAINT registration_target_while_assigning CHECK (target_hub IS NULL OR status = 'assigning'),
    CONSTRAINT registration_waits_while_assigning CHECK (waiting_for IS NULL OR status = 'assigning')
) WITH (fillfactor = 90);
COMMENT ON TABLE idscope.registration IS 'What became of each device that registered: one row per registration id, updated in place (no index on what registering changes, so its updates stay heap-only)';
COMMENT ON COLUMN idscope.registration.registration_id IS 'As spelled at the first success';
COMMENT ON COLUMN idscope.registration.operation_id IS 'The latest operation: with the revision it fences writes; ids that devices poll are made without it (decisions.md 26)';
COMMENT ON COLUMN idscope.registration.revision IS 'Rises with each change; the etag is made from it and the operation';
COMMENT ON COLUMN idscope.registration.assigned_hub IS 'Host name of the hub that holds the identity; kept while a new assignment runs';
COMMENT ON COLUMN idscope.registration.target_hub IS 'Hub chosen by the running assignment, durable before any call to it. No identity is ever made on a hub that the row does not name';
COMMENT ON COLUMN idscope.registration.waiting_for IS 'While assigning: what the assignment waits for, for people';
COMMENT ON COLUMN idscope.registration.region IS 'Where the device registered last: of the api that took it; NULL: nobody knows, it was imported';
COMMENT ON COLUMN idscope.registration.enrollment_group IS 'Id of the enrollment group that admitted the device, as the group spells it; NULL: the device has an enrollment of its own. The group may be gone';
COMMENT ON COLUMN idscope.registration.derived_from IS 'The spelling of its registration id that the key of a group''s device is derived from';
COMMENT ON COLUMN idscope.registration.enrollment_version IS 'Version of the enrollment whose credentials the hub holds';
COMMENT ON COLUMN idscope.registration.enrollment_inputs IS 'enrollment.inputs_version of the last choice';
COMMENT ON COLUMN idscope.registration.scope_inputs IS 'scope.inputs_version of the last choice';
COMMENT ON COLUMN idscope.registration.alloc_input IS 'SHA-256 of the inputs of the last choice (alloc_input.hash)';
COMMENT ON COLUMN idscope.registration.checked_at IS 'When the hub last confirmed the identity';
COMMENT ON COLUMN idscope.registration.evidence IS 'SHA-256 of the certificate with which the device last registered, which its hub is told; NULL: the enrollment says all';
COMMENT ON COLUMN idscope.registration.operation_at IS 'When the running or last operation began';

-- A group's devices, listed. Changes only when a device comes to another group, or gets an enrollment of its own.
CREATE INDEX registration_by_group ON idscope.registration (id_scope, lower(enrollment_group), registration_key) WHERE enrollment_group IS NOT NULL;

-- Those that failed, listed. By error_code, which they alone have and which registering leaves as it is (NULL): an index that named the status would be written
-- by each register, and end the heap-only updates.
CREATE INDEX registration_failed ON idscope.registration (id_scope, registration_key) WHERE error_code IS NOT NULL;

CREATE TABLE idscope.challenge (
    id_scope             text COLLATE "C" NOT NULL,
    registration_key     text COLLATE "C" NOT NULL CHECK (length(registration_key) BETWEEN 1 AND 128),
    device               bytea NOT NULL CHECK (length(device) = 32),
    open_sealed          bytea,
    open_until           timestamptz,
    met_sealed           bytea,
    met_root             bytea CHECK (length(met_root) <= 1024),
    met_until            timestamptz,
    ends_at              timestamptz NOT NULL,
    PRIMARY KEY (id_scope, registration_key),
    CONSTRAINT challenge_open_ends CHECK ((open_sealed IS NULL) = (open_until IS NULL)),
    CONSTRAINT challenge_met_ends CHECK ((met_sealed IS NULL) = (met_until IS NULL)),
    CONSTRAINT challenge_root_of_met CHECK (met_root IS NULL OR met_sealed IS NOT NULL)
);
COMMENT ON TABLE idscope.challenge IS 'Nonces that TPMs were handed: one open and one met for each device, however many ask; any api finishes what another began';
COMMENT ON COLUMN idscope.challenge.device IS 'SHA-256 of the endorsement key that both were made for: an enrollment that gets another TPM has none of them';
COMMENT ON COLUMN idscope.challenge.open_sealed IS 'Nonce that a register may be signed with, once; sealed for the row and the device (core/attest)';
COMMENT ON COLUMN idscope.challenge.met_sealed IS 'Nonce that the last register was signed with: polls are, too';
COMMENT ON COLUMN idscope.challenge.met_root IS 'Public area of the storage root key that the device showed with it';
COMMENT ON COLUMN idscope.challenge.ends_at IS 'When neither is good any more: then a sweep takes the row';
CREATE INDEX challenge_end ON idscope.challenge (ends_at);

-- The two beside it are looked up by their keys for each enrollment (LIMIT 1), however few or many rows the planner takes a list for.
CREATE VIEW idscope.enrollment_shown WITH (security_invoker = true) AS
SELECT e.id_scope, e.of_group, e.registration_key AS key, e.registration_id, e.device_id, e.attestation_type, e.attestation_sealed,
       CASE WHEN e.enabled THEN 'enabled' ELSE 'disabled' END COLLATE "C" AS provisioning_status, e.allocation_policy, e.iot_hubs,
       e.iot_hub_host_name, e.update_hub_assignment, e.migrate_device_data, e.iot_edge, e.etag, e.created_at, e.updated_at,
       d.initial_twin, d.optional_device_information, d.webhook_sealed,
       r.registration_id AS state_registration_id, r.operation_id AS state_operation_id, r.revision AS state_revision,
       r.status AS state_status, r.substatus AS state_substatus, r.assigned_hub AS state_assigned_hub, r.device_id AS state_device_id,
       r.enrollment_group AS state_enrollment_group_id, r.error_code AS state_error_code, CASE r.status WHEN 'assigning' THEN r.waiting_for ELSE r.error_message END AS state_error_message,
       r.created_at AS state_created_at, r.updated_at AS state_updated_at
  FROM idscope.enrollment e
  LEFT JOIN LATERAL (SELECT initial_twin, optional_device_information, webhook_sealed FROM idscope.enrollment_detail WHERE id_scope = e.id_scope AND of_group = e.of_group AND registration_key = e.registration_key LIMIT 1) d ON true
  LEFT JOIN LATERAL (
        SELECT registration_id, operation_id, revision, status, substatus, assigned_hub, device_id, enrollment_group, error_code, error_message, waiting_for,
               created_at, updated_at
          FROM idscope.registration
         WHERE id_scope = e.id_scope AND registration_key = CASE WHEN NOT e.of_group THEN e.registration_key END
         LIMIT 1) r ON true;
COMMENT ON VIEW idscope.enrollment_shown IS 'Enrollments as the service plane shows them, individual ones with what became of their devices (state_…); while assigning, the message is what it waits for';

CREATE TABLE idscope.alloc_input (
    id_scope    text COLLATE "C" NOT NULL,
    hash        bytea NOT NULL CHECK (length(hash) = 32),
    input       text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    named_at    timestamptz,
    PRIMARY KEY (id_scope, hash)
);
COMMENT ON TABLE idscope.alloc_input IS 'Inputs of allocation choices as canonical JSON under their SHA-256; shared by all registrations that were chosen by the same inputs';
COMMENT ON COLUMN idscope.alloc_input.named_at IS 'Begin of the last round of the sweep that met a registration with this input';
CREATE INDEX alloc_input_age ON idscope.alloc_input (id_scope, created_at);

CREATE DOMAIN idscope.job_kind AS text COLLATE "C" CONSTRAINT job_kind_check CHECK (length(VALUE) BETWEEN 1 AND 32);
CREATE DOMAIN idscope.job_subject AS text COLLATE "C" CONSTRAINT job_subject_check CHECK (length(VALUE) BETWEEN 1 AND 253);
CREATE DOMAIN idscope.job_hub AS text COLLATE "C" CONSTRAINT job_hub_check CHECK (VALUE = lower(VALUE));
CREATE DOMAIN idscope.job_fence AS bigint CONSTRAINT job_fence_check CHECK (VALUE >= 0);
CREATE DOMAIN idscope.job_attempt AS int CONSTRAINT job_attempt_check CHECK (VALUE >= 0);
CREATE DOMAIN idscope.job_last_error AS text CONSTRAINT job_last_error_check CHECK (length(VALUE) <= 300);
CREATE DOMAIN idscope.job_waits_for AS text[] COLLATE "C" CONSTRAINT job_waits_for_check CHECK (cardinality(VALUE) BETWEEN 1 AND 50);

CREATE TABLE idscope.job (
    id_scope    text COLLATE "C" NOT NULL,
    kind        idscope.job_kind NOT NULL,
    subject     idscope.job_subject NOT NULL,
    hub         idscope.job_hub NOT NULL DEFAULT '',
    payload     jsonb,
    due_at      timestamptz NOT NULL,
    fence       idscope.job_fence NOT NULL DEFAULT 0,
    attempt     idscope.job_attempt NOT NULL DEFAULT 0,
    last_error  idscope.job_last_error,
    waits_for   idscope.job_waits_for,
    created_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id_scope, kind, subject, hub)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 500, autovacuum_vacuum_cost_delay = 0);
COMMENT ON TABLE idscope.job IS 'Work that is due, running or backing off; written in the transaction of its cause; a finished job has no row. One job per subject';
COMMENT ON COLUMN idscope.job.kind IS 'A row of core/jobs.def; a worker leaves kinds that it does not know alone';
COMMENT ON COLUMN idscope.job.subject IS 'What the work is about, one job each; what it names, the kind''s function in workers/job says';
COMMENT ON COLUMN idscope.job.hub IS 'Host of the hub that the subject is on; empty for kinds whose subject says it all';
COMMENT ON COLUMN idscope.job.payload IS 'What the work needs beside its subject, as the kind''s function reads it; NULL: nothing';
COMMENT ON COLUMN idscope.job.due_at IS 'When it may be claimed. A claim moves it to the end of the lease, so a lost worker''s job comes back by itself; infinity: dead, a person may retry it';
COMMENT ON COLUMN idscope.job.fence IS 'Rises at each claim and each new cause; a finish names the fence it claimed, so a late worker changes nothing';
COMMENT ON COLUMN idscope.job.waits_for IS 'Hosts of the hubs whose return would end the wait, in lower case; a claim clears it, NULL: none';
COMMENT ON COLUMN idscope.job.attempt IS 'Failed attempts since the cause, for the back-off';
-- Partial, so that it serves claims alone: statements that name a job by its key have one index to go by, whatever the statistics say.
CREATE INDEX job_due ON idscope.job (kind, id_scope, due_at) WHERE due_at < 'infinity';

-- The same for work that belongs to no ID scope: the columns and defaults of job but for whom it belongs to. One row per subject here too.
CREATE TABLE idscope.tenant_job (LIKE idscope.job INCLUDING DEFAULTS);
ALTER TABLE idscope.tenant_job RENAME id_scope TO tenant_id;
ALTER TABLE idscope.tenant_job ALTER tenant_id TYPE uuid USING tenant_id::uuid, ADD PRIMARY KEY (tenant_id, kind, subject, hub);
COMMENT ON TABLE idscope.tenant_job IS 'Jobs of a tenant, or of the deployment (the tenant of ones): the columns and rules of job';
COMMENT ON COLUMN idscope.tenant_job.payload IS 'Sweeps: how far they have come';
CREATE INDEX tenant_job_due ON idscope.tenant_job (kind, tenant_id, due_at) WHERE due_at < 'infinity';
ALTER TABLE idscope.tenant_job ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant_job_worker ON idscope.tenant_job TO idscope_worker USING (true);

-- Refused attempts of devices: two rings of slots for each scope, so that no flood makes more rows, and refusals of ids that are not enrolled push out
-- no others. Who writes takes the next numbers of the ring; a number and the count of slots give the slot.
CREATE TABLE idscope.attempt_ring (
    id_scope    text COLLATE "C" NOT NULL,
    enrolled    boolean NOT NULL,
    written     bigint NOT NULL CHECK (written > 0),
    PRIMARY KEY (id_scope, enrolled)
);
COMMENT ON TABLE idscope.attempt_ring IS 'How many refused attempts were ever written to each ring of attempt; whoever writes there holds its row';

CREATE TABLE idscope.attempt (
    id_scope          text COLLATE "C" NOT NULL,
    enrolled          boolean NOT NULL,
    slot              int NOT NULL CHECK (slot BETWEEN 0 AND 999),
    at                timestamptz NOT NULL,
    tracking_id       uuid NOT NULL,
    registration_key  text COLLATE "C" NOT NULL CHECK (length(registration_key) BETWEEN 1 AND 128),
    registration_id   text NOT NULL CONSTRAINT attempt_key_of_id CHECK (lower(registration_id COLLATE "C") = registration_key),
    error_code        int NOT NULL,
    reason            text NOT NULL CHECK (length(reason) <= 480),
    address           text NOT NULL CHECK (length(address) <= 100),
    PRIMARY KEY (id_scope, enrolled, slot)
) WITH (fillfactor = 80);
COMMENT ON TABLE idscope.attempt IS 'The last attempts of devices that were refused, and why: at most so many rows of a scope and ring as there are slots, never one per device';
COMMENT ON COLUMN idscope.attempt.enrolled IS 'Which ring: was there an enrollment of the id?';
COMMENT ON COLUMN idscope.attempt.reason IS 'For the tenant alone: the device is told nothing of it, and it holds no secret';
COMMENT ON COLUMN idscope.attempt.address IS 'Where the device connected from';

-- What a deleted instance left behind goes in bites. The tables are those that lead their key with id_scope: a new one is purged without
-- a word here. The worker may ask for the dead to be cleared away and has no DELETE on enrollments and registrations.
CREATE FUNCTION idscope.purge_retired_scopes(at_most int) RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    DECLARE
        target text;
        tab regclass;
        bite bigint;
        gone bigint := 0;
        moment CONSTANT timestamptz := now();
    BEGIN
        SELECT id_scope INTO target FROM idscope.scope
         WHERE retired_at IS NOT NULL AND purged_at IS NULL AND (undelete_until IS NULL OR undelete_until <= moment)
         ORDER BY id_scope LIMIT 1 FOR UPDATE SKIP LOCKED;
        IF target IS NULL THEN
            RETURN 0;
        END IF;
        FOR tab IN SELECT i.indrelid
                     FROM pg_index i
                     JOIN pg_class c ON c.oid = i.indrelid AND c.relnamespace = 'idscope'::regnamespace
                     JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0] AND a.attname = 'id_scope'
                    WHERE i.indisprimary AND i.indrelid <> 'idscope.scope'::regclass
                    ORDER BY c.relname LOOP
            EXECUTE format('DELETE FROM %s WHERE ctid = ANY (ARRAY(SELECT ctid FROM %1$s WHERE id_scope = $1 LIMIT $2))', tab)
              USING target, least(at_most, 10000);
            GET DIAGNOSTICS bite = ROW_COUNT;
            gone := gone + bite;
        END LOOP;
        IF gone = 0 THEN
            UPDATE idscope.scope SET purged_at = moment WHERE id_scope = target;
            RETURN 1;
        END IF;
        RETURN gone;
    END
    $$;
COMMENT ON FUNCTION idscope.purge_retired_scopes(int) IS 'Deletes up to so many rows (10,000 at most) of one deleted instance that cannot come back from each table, its own among them, or notes that none is left; 0 when there is nothing to do';
REVOKE ALL ON FUNCTION idscope.purge_retired_scopes(int) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.purge_retired_scopes(int) TO idscope_worker;

-- An enrollment of its own comes first, whatever it says; a group's device has that of the group which its registration remembers.
-- Inlined, so that it costs a look-up by the key (of a group's device three) and no call.
CREATE FUNCTION idscope.enrolled(scope text, device text, remembered text)
    RETURNS TABLE (id_scope text, key text, of_group boolean, attestation_type text, attestation_sealed bytea,
                   enrollment_version bigint, enrollment_inputs bigint, enabled boolean,
                   wanted_device_id text, allocation_policy text, iot_hubs text[], iot_hub_host_name text,
                   update_hub_assignment boolean, migrate_device_data boolean, iot_edge boolean)
    LANGUAGE sql STABLE ROWS 1
    BEGIN ATOMIC
    SELECT e.id_scope, e.registration_key, e.of_group, e.attestation_type, e.attestation_sealed,
           e.version, e.inputs_version, e.enabled,
           e.device_id, e.allocation_policy, e.iot_hubs, e.iot_hub_host_name,
           e.update_hub_assignment, e.migrate_device_data, e.iot_edge
      FROM (SELECT * FROM idscope.enrollment WHERE id_scope = scope AND NOT of_group AND registration_key = device
             UNION ALL
            SELECT * FROM idscope.enrollment
             WHERE remembered IS NOT NULL AND id_scope = scope AND of_group AND registration_key = remembered
               AND NOT EXISTS (SELECT 1 FROM idscope.enrollment own WHERE own.id_scope = scope AND NOT own.of_group AND own.registration_key = device)) e
     LIMIT 1;
    END;
COMMENT ON FUNCTION idscope.enrolled(text, text, text) IS 'The enrollment of a device, by its ID scope, its registration key and the group that its registration remembers (both in lower case; NULL: none): id_scope, key and of_group are the row that attestation_sealed is sealed for; no row: there is none';
REVOKE ALL ON FUNCTION idscope.enrolled(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.enrolled(text, text, text) TO idscope_api, idscope_worker;

-- A device without a device id of its own gets its registration id, in the spelling that it will use: so all spellings are its.
CREATE FUNCTION idscope.device_id_taken(scope text, device text, wanted text) RETURNS text
    LANGUAGE sql STABLE
    BEGIN ATOMIC
    (SELECT registration_id
       FROM idscope.enrollment
      WHERE id_scope = scope AND lower(device_id COLLATE "C") = lower(coalesce(wanted, device) COLLATE "C") AND device_id IS NOT NULL
        AND registration_key <> device AND (wanted IS NULL OR device_id = wanted)
      LIMIT 1)
     UNION ALL
    (SELECT registration_id
       FROM idscope.enrollment
      WHERE id_scope = scope AND NOT of_group AND registration_key = lower(wanted COLLATE "C") AND registration_key <> device AND device_id IS NULL
      LIMIT 1)
     LIMIT 1;
    END;
COMMENT ON FUNCTION idscope.device_id_taken(text, text, text) IS 'The other enrollment whose device has the device id that an enrollment wants (NULL: its registration id); NULL: nobody''s. By ID scope and registration key';
REVOKE ALL ON FUNCTION idscope.device_id_taken(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.device_id_taken(text, text, text) TO idscope_api;

-- A device of a group has its registration id for a device id, which no enrollment list names: so what registrations stand on is asked as well, or are
-- about to. Such a registration has the device id for its key.
CREATE FUNCTION idscope.identity_taken(scope text, device text, identity text) RETURNS text
    LANGUAGE sql STABLE
    RETURN coalesce(idscope.device_id_taken(scope, device, identity),
                    (SELECT registration_id
                       FROM idscope.registration
                      WHERE id_scope = scope AND registration_key = lower(identity COLLATE "C") AND registration_key <> device
                        AND (device_id = identity OR target_device_id = identity)));
COMMENT ON FUNCTION idscope.identity_taken(text, text, text) IS 'The other enrollment or registration of the ID scope whose is the device id that a device is to have on its hub; NULL: nobody''s. By ID scope and registration key';
REVOKE ALL ON FUNCTION idscope.identity_taken(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.identity_taken(text, text, text), idscope.device_id_taken(text, text, text) TO idscope_worker;

-- Two causes of one removal make one job that knows the registrations of both.
CREATE FUNCTION idscope.keys_joined(standing jsonb, more jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    RETURN CASE WHEN standing @> more OR jsonb_array_length(standing) >= 32 THEN standing ELSE standing || more END;
COMMENT ON FUNCTION idscope.keys_joined(jsonb, jsonb) IS 'Two arrays of registration keys as one; bounded: no tenant may grow a payload without end by giving many devices one device id';
REVOKE ALL ON FUNCTION idscope.keys_joined(jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.keys_joined(jsonb, jsonb) TO idscope_api, idscope_worker;

GRANT SELECT, INSERT, UPDATE, DELETE ON idscope.enrollment, idscope.enrollment_detail, idscope.registration TO idscope_api;
GRANT SELECT, INSERT, UPDATE, DELETE ON idscope.job TO idscope_api;
GRANT SELECT, INSERT, UPDATE ON idscope.challenge TO idscope_api;
GRANT SELECT ON idscope.enrollment_shown, idscope.alloc_input TO idscope_api;
GRANT SELECT, INSERT, UPDATE ON idscope.attempt, idscope.attempt_ring TO idscope_api;
GRANT SELECT ON idscope.enrollment, idscope.enrollment_detail TO idscope_worker;
GRANT SELECT, UPDATE ON idscope.registration TO idscope_worker;
GRANT SELECT, INSERT, UPDATE (named_at), DELETE ON idscope.alloc_input TO idscope_worker;
GRANT SELECT, DELETE ON idscope.challenge TO idscope_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON idscope.job TO idscope_worker;
GRANT SELECT, INSERT, UPDATE, DELETE ON idscope.tenant_job TO idscope_worker;

COMMIT;
