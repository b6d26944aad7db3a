-- Deploy idscope:imports to pg
-- requires: audit
-- Lists on their way in: rows of an import wait here, checked and sealed by the api, until a worker has written them, bite by bite.

BEGIN;
SET LOCAL ROLE idscope_owner;

CREATE TABLE idscope.import (
    id_scope    text COLLATE "C" NOT NULL,
    import_id   uuid NOT NULL,
    kind        text COLLATE "C" NOT NULL CHECK (kind IN ('enrollment', 'enrollmentGroup', 'registration')),
    whole       boolean NOT NULL,
    dry         boolean NOT NULL,
    state       text COLLATE "C" NOT NULL DEFAULT 'receiving' CHECK (state IN ('receiving', 'running', 'writing', 'succeeded', 'failed', 'cancelled')),
    received    bigint NOT NULL DEFAULT 0,
    looked      bigint NOT NULL DEFAULT 0,
    written     bigint NOT NULL DEFAULT 0,
    refused     bigint NOT NULL DEFAULT 0,
    at_key      text COLLATE "C" NOT NULL DEFAULT '',
    at_line     bigint NOT NULL DEFAULT 0,
    room        bigint,
    message     text,
    actor_kind  text NOT NULL,
    actor_id    text NOT NULL,
    operation   text NOT NULL,
    client_address text,
    digest      bytea NOT NULL DEFAULT '',
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (id_scope, import_id)
);
COMMENT ON TABLE idscope.import IS 'Lists that are or were imported, and how far they have come; the job of kind import, of which each has one, takes them further and at last away';
COMMENT ON COLUMN idscope.import.import_id IS 'The tracking id of the request that sent the list';
COMMENT ON COLUMN idscope.import.whole IS 'All rows are written, in one transaction, or none; false: each by itself';
COMMENT ON COLUMN idscope.import.state IS 'receiving: its body comes in; running: rows are looked at and, if each is for itself, written; writing: all were looked at and found good, and are written in one transaction';
COMMENT ON COLUMN idscope.import.dry IS 'Rows are checked, and none is written';
COMMENT ON COLUMN idscope.import.received IS 'Lines that held a row, good or not';
COMMENT ON COLUMN idscope.import.looked IS 'Staged rows that were looked at, in the order of their keys; the last of them is at_key and at_line';
COMMENT ON COLUMN idscope.import.written IS 'Rows that were written; while it is writing, those that will be there when its transaction ends';
COMMENT ON COLUMN idscope.import.room IS 'So many rows may be written until a limit of the list is reached, counted when the import began; NULL: there is no limit';
COMMENT ON COLUMN idscope.import.actor_id IS 'Who sent it, with actor_kind and operation: on whose behalf its rows are written (idscope.note)';
COMMENT ON COLUMN idscope.import.digest IS 'SHA-256 over the rows that were written, each with the digest of those before it, in the order of their keys; empty: none was';
-- Is a list of the instance just being written as a whole? Asked by single writes and by devices that register for the first time.
CREATE INDEX import_writing ON idscope.import (id_scope) WHERE state = 'writing';

CREATE TABLE idscope.import_error (
    id_scope    text COLLATE "C" NOT NULL,
    import_id   uuid NOT NULL,
    line        bigint NOT NULL CHECK (line > 0),
    id          text,
    code        int NOT NULL,
    message     text NOT NULL,
    PRIMARY KEY (id_scope, import_id, line)
);
COMMENT ON TABLE idscope.import_error IS 'The first rows of an import that were refused, by their lines, each with the field and the rule; bounded (IMPORT_ERRORS in core/limits.def)';

CREATE TABLE idscope.import_enrollment (
    id_scope             text COLLATE "C" NOT NULL,
    import_id            uuid NOT NULL,
    line                 bigint NOT NULL,
    of_group             boolean NOT NULL,
    registration_key     text COLLATE "C" NOT NULL,
    registration_id      text NOT NULL,
    device_id            text COLLATE "C",
    attestation_type     text COLLATE "C" NOT NULL,
    attestation_sealed   bytea NOT NULL,
    ca_primary           text COLLATE "C",
    ca_secondary         text COLLATE "C",
    provisioning_status  text NOT NULL,
    allocation_policy    text COLLATE "C",
    iot_hubs             text[],
    iot_hub_host_name    text,
    update_hub_assignment boolean NOT NULL,
    migrate_device_data  boolean NOT NULL,
    iot_edge             boolean NOT NULL,
    initial_twin         json,
    optional_device_information json,
    webhook_sealed       bytea,
    PRIMARY KEY (id_scope, import_id, registration_key, line)
);
COMMENT ON TABLE idscope.import_enrollment IS 'Rows of imports of enrollments and of groups that wait to be written: what enrollment_insert is given, keys sealed for the entry that they will be';
-- Which other line wants the device id?
CREATE INDEX import_enrollment_by_name ON idscope.import_enrollment (id_scope, import_id, (lower(device_id COLLATE "C"))) WHERE device_id IS NOT NULL;

CREATE TABLE idscope.import_registration (
    id_scope             text COLLATE "C" NOT NULL,
    import_id            uuid NOT NULL,
    line                 bigint NOT NULL,
    registration_key     text COLLATE "C" NOT NULL,
    registration_id      text NOT NULL,
    assigned_hub         text NOT NULL,
    device_id            text NOT NULL,
    enrollment_group     text COLLATE "C",
    substatus            text NOT NULL,
    created_at           timestamptz,
    updated_at           timestamptz,
    PRIMARY KEY (id_scope, import_id, registration_key, line)
);
COMMENT ON TABLE idscope.import_registration IS 'Rows of imports of registrations that wait to be written';

-- What a write may name, single or not. As sets, since the planner puts those in the place of their call.
CREATE FUNCTION idscope.hub_unlinked(scope text, names text[]) RETURNS SETOF text
    LANGUAGE sql STABLE
    BEGIN ATOMIC
    SELECT lower(w.name COLLATE "C")
      FROM unnest(names) WITH ORDINALITY AS w (name, position)
     WHERE w.name IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM idscope.linked_hub l WHERE l.id_scope = scope AND l.host = lower(w.name COLLATE "C"))
     ORDER BY position
     LIMIT 1;
    END;
COMMENT ON FUNCTION idscope.hub_unlinked(text, text[]) IS 'The first of the names that is no linked hub of the instance, in lower case; no row: all are';
REVOKE ALL ON FUNCTION idscope.hub_unlinked(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.hub_unlinked(text, text[]) TO idscope_api;

CREATE FUNCTION idscope.certificate_unproved(scope text, names text[]) RETURNS SETOF text
    LANGUAGE sql STABLE
    BEGIN ATOMIC
    SELECT name
      FROM unnest(names) AS w (name)
     WHERE name IS NOT NULL AND NOT EXISTS (SELECT 1 FROM idscope.certificate c WHERE c.id_scope = scope AND c.name_key = w.name AND c.is_verified)
     LIMIT 1;
    END;
COMMENT ON FUNCTION idscope.certificate_unproved(text, text[]) IS 'One of the names, in lower case, that is no verified certificate of the instance; no row: all are';
REVOKE ALL ON FUNCTION idscope.certificate_unproved(text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.certificate_unproved(text, text[]) TO idscope_api;

-- In the form of idscope.device_id_taken, among the lines before one of its own import.
CREATE FUNCTION idscope.import_device_id_taken(i idscope.import, device text, wanted text, before bigint) RETURNS bigint
    LANGUAGE sql STABLE
    BEGIN ATOMIC
    (SELECT line
       FROM idscope.import_enrollment
      WHERE id_scope = (i).id_scope AND import_id = (i).import_id AND lower(device_id COLLATE "C") = lower(coalesce(wanted, device) COLLATE "C")
        AND device_id IS NOT NULL AND registration_key <> device AND (wanted IS NULL OR device_id = wanted) AND line < before
      LIMIT 1)
     UNION ALL
    (SELECT line
       FROM idscope.import_enrollment
      WHERE id_scope = (i).id_scope AND import_id = (i).import_id AND registration_key = lower(wanted COLLATE "C")
        AND registration_key <> device AND device_id IS NULL AND line < before
      LIMIT 1)
     LIMIT 1;
    END;
COMMENT ON FUNCTION idscope.import_device_id_taken(idscope.import, text, text, bigint) IS 'The earlier line of an import whose device has the device id that a row of it wants (NULL: its registration id); NULL: none';
REVOKE ALL ON FUNCTION idscope.import_device_id_taken(idscope.import, text, text, bigint) FROM PUBLIC;

-- How many rows may still be written, before those that are looked at now; NULL: as many as come. One that is all or nothing has found room for all when
-- it is written.
CREATE FUNCTION idscope.import_room(i idscope.import) RETURNS bigint
    LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC
    SELECT CASE WHEN (i).state = 'running' THEN (i).room - CASE WHEN (i).whole OR (i).dry THEN (i).looked - (i).refused ELSE (i).written END END;
    END;
COMMENT ON FUNCTION idscope.import_room(idscope.import) IS 'So many more rows of an import may be written until a limit of its list is reached; NULL: there is none';
REVOKE ALL ON FUNCTION idscope.import_room(idscope.import) FROM PUBLIC;

-- What was written of an import is told by one event at its end, however many steps and workers it took: how many rows, and a digest over them that
-- whoever has the list can compute. Each step takes the digest on in its own transaction.
CREATE FUNCTION idscope.import_shown(staged jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE
    RETURN (staged - '{id_scope,import_id,line,attestation_sealed,webhook_sealed}'::text[])::text;
COMMENT ON FUNCTION idscope.import_shown(jsonb) IS 'A row of an import as its digest takes it: without secrets, and without whose it was';
CREATE FUNCTION idscope.import_digest(before bytea, rows text[]) RETURNS bytea
    LANGUAGE plpgsql IMMUTABLE
    AS $$
    DECLARE
        one text;
        digest bytea := before;
    BEGIN
        FOREACH one IN ARRAY coalesce(rows, '{}') LOOP
            digest := sha256(digest || convert_to(one, 'UTF8'));
        END LOOP;
        RETURN digest;
    END
    $$;
COMMENT ON FUNCTION idscope.import_digest(bytea, text[]) IS 'The digest over some more rows: of each the SHA-256 of the digest before it and of its text';
CREATE FUNCTION idscope.import_told(i idscope.import, change text) RETURNS jsonb
    LANGUAGE sql IMMUTABLE
    BEGIN ATOMIC
    SELECT jsonb_build_object('change', change, 'kind', (i).kind, 'state', (i).state, 'dry', (i).dry, 'received', (i).received, 'count', (i).written,
                              'refused', (i).refused, 'sha256', encode((i).digest, 'hex'));
    END;
COMMENT ON FUNCTION idscope.import_told(idscope.import, text) IS 'What the event of an import says: how it ended, how many rows were written, the digest over them';
CREATE FUNCTION idscope.import_note(i idscope.import) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    AS $$
    BEGIN
        PERFORM set_config('idscope.tenant', s.issued_to::text, true), set_config('idscope.actor_kind', i.actor_kind, true),
                set_config('idscope.actor_id', i.actor_id, true), set_config('idscope.tracking_id', i.import_id::text, true),
                set_config('idscope.operation', i.operation, true), set_config('idscope.client_address', coalesce(i.client_address, ''), true)
           FROM idscope.scope s WHERE s.id_scope = i.id_scope;
        RETURN idscope.note('import', i.id_scope || '/' || i.import_id::text, idscope.import_told(i, 'imported'));
    END
    $$;
COMMENT ON FUNCTION idscope.import_note(idscope.import) IS 'Notes that an import has ended, on behalf of who sent the list';
REVOKE ALL ON FUNCTION idscope.import_shown(jsonb), idscope.import_digest(bytea, text[]), idscope.import_told(idscope.import, text), idscope.import_note(idscope.import) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.import_told(idscope.import, text) TO idscope_api;

-- The rules of enrollment_insert, for many rows, each found by one look in an index (LIMIT 1: never by a hash of all that there is). Whose a device
-- id is the functions say; most ids are nobody's, which costs no call. Behind the lock that single writes share, so that none of them passes by.
CREATE FUNCTION idscope.import_enrollments(i idscope.import, at_most int, writes boolean, groups_most bigint)
    RETURNS TABLE (registration_key text, line bigint, registration_id text, code int, message text, shown text)
    LANGUAGE sql VOLATILE
    AS $$
    WITH bite AS MATERIALIZED (
        SELECT *, lag(line, 1, i.at_line) OVER rows AS line_before, lag(registration_key, 1, i.at_key) OVER rows = registration_key AS is_again,
               idscope.import_shown(to_jsonb(staged)) AS shown
          FROM idscope.import_enrollment staged
         WHERE id_scope = i.id_scope AND import_id = i.import_id AND (registration_key, line) > (i.at_key, i.at_line)
        WINDOW rows AS (ORDER BY registration_key, line)
         ORDER BY registration_key, line
         LIMIT at_most),
         placed AS MATERIALIZED (
        SELECT b.*, CASE WHEN of_group THEN 'enrollmentGroupId' ELSE 'registrationId' END AS member,
               CASE WHEN NOT of_group AND (device_id IS NOT NULL OR named.here) THEN idscope.device_id_taken(id_scope, registration_key, device_id) END AS taken_by,
               CASE WHEN NOT of_group AND (device_id IS NOT NULL OR named.beside) THEN idscope.import_device_id_taken(i, registration_key, device_id, line) END AS taken_in,
               (SELECT true FROM idscope.enrollment e
                 WHERE e.id_scope = b.id_scope AND e.of_group = b.of_group AND e.registration_key = b.registration_key
                 LIMIT 1) AS is_there,
               CASE WHEN iot_hubs IS NOT NULL OR iot_hub_host_name IS NOT NULL THEN (SELECT h FROM idscope.hub_unlinked(id_scope, array_append(iot_hubs, iot_hub_host_name)) h) END AS unlinked,
               CASE WHEN ca_primary IS NOT NULL OR ca_secondary IS NOT NULL THEN (SELECT c FROM idscope.certificate_unproved(id_scope, ARRAY[ca_primary, ca_secondary]) c) END AS unproved,
               CASE WHEN of_group
                    THEN (SELECT count(*) FROM idscope.enrollment e WHERE e.id_scope = b.id_scope AND e.of_group AND e.attestation_type = b.attestation_type) END AS groups
          FROM bite b
         CROSS JOIN LATERAL (
                SELECT (SELECT true FROM idscope.enrollment e
                         WHERE e.id_scope = b.id_scope AND lower(e.device_id COLLATE "C") = b.registration_key AND e.device_id IS NOT NULL
                         LIMIT 1) AS here,
                       (SELECT true FROM idscope.import_enrollment e
                         WHERE e.id_scope = b.id_scope AND e.import_id = b.import_id AND lower(e.device_id COLLATE "C") = b.registration_key AND e.device_id IS NOT NULL
                         LIMIT 1) AS beside) named),
         ruled AS (
        SELECT p.*,
               CASE WHEN is_again THEN format('%s: line %s has it already.', member, line_before)
                    WHEN is_there THEN format('%s: there is one of this id.', member)
                    WHEN unlinked IS NOT NULL
                    THEN format('%s: %s is not a linked hub of this instance.', CASE WHEN iot_hubs IS NULL THEN 'iotHubHostName' ELSE 'iotHubs' END, unlinked)
                    WHEN taken_by IS NOT NULL THEN format('deviceId: %s is the device id of the enrollment %s.', coalesce(device_id, registration_id), taken_by)
                    WHEN taken_in IS NOT NULL THEN format('deviceId: %s is the device id of line %s.', coalesce(device_id, registration_id), taken_in)
                    WHEN unproved IS NOT NULL THEN format('attestation.x509.caReferences: "%s" is no verified certificate of this instance.', unproved)
                END AS broken
          FROM placed p),
         counted AS (
        SELECT r.*, groups + count(*) FILTER (WHERE broken IS NULL) OVER (PARTITION BY of_group, attestation_type ORDER BY registration_key, line) > groups_most
                    OR count(*) FILTER (WHERE broken IS NULL) OVER (ORDER BY registration_key, line) > idscope.import_room(i) AS is_crowded
          FROM ruled r),
         judged AS MATERIALIZED (
        SELECT c.*, gen_random_uuid() AS etag, clock.version,
               coalesce(broken, CASE WHEN is_crowded AND of_group THEN 'enrollmentGroupId: the instance has as many enrollment groups of this attestation type as it may have.'
                                     WHEN is_crowded THEN 'registrationId: the instance has as many enrollments as its limit allows.' END) AS message,
               CASE WHEN broken IS NULL THEN 403001 WHEN NOT is_again AND is_there THEN 409001 ELSE 400004 END AS code
          FROM counted c CROSS JOIN (SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint AS version OFFSET 0) clock),
         inserted AS (
        INSERT INTO idscope.enrollment (id_scope, of_group, registration_key, registration_id, device_id, attestation_type,
                                        attestation_sealed, enabled, allocation_policy, iot_hubs, iot_hub_host_name,
                                        update_hub_assignment, migrate_device_data, iot_edge, etag, version, inputs_version, ca_primary, ca_secondary)
        SELECT id_scope, of_group, registration_key, registration_id, device_id, attestation_type, attestation_sealed, provisioning_status = 'enabled',
               allocation_policy, iot_hubs, iot_hub_host_name, update_hub_assignment, migrate_device_data, iot_edge, etag, version, version, ca_primary, ca_secondary
          FROM judged
         WHERE writes AND message IS NULL
         ORDER BY registration_key),
         detailed AS (
        INSERT INTO idscope.enrollment_detail (id_scope, of_group, registration_key, initial_twin, optional_device_information, webhook_sealed)
        SELECT id_scope, of_group, registration_key, initial_twin, optional_device_information, webhook_sealed
          FROM judged
         WHERE writes AND message IS NULL AND num_nonnulls(initial_twin, optional_device_information, webhook_sealed) > 0)
    SELECT registration_key, line, registration_id, code, message, shown FROM judged
    $$;
COMMENT ON FUNCTION idscope.import_enrollments(idscope.import, int, boolean, bigint) IS 'Looks at the next rows of an import, and writes those that are good: the ones without a message';
REVOKE ALL ON FUNCTION idscope.import_enrollments(idscope.import, int, boolean, bigint) FROM PUBLIC;

-- A device that is told of here has its hub: it registers as one that was assigned by the present inputs, whose hub is to be asked (no version of
-- its credentials is known there), from a region that nobody knows yet.
CREATE FUNCTION idscope.import_registrations(i idscope.import, at_most int, writes boolean)
    RETURNS TABLE (registration_key text, line bigint, registration_id text, code int, message text, shown text)
    LANGUAGE sql VOLATILE
    AS $$
    WITH bite AS MATERIALIZED (
        SELECT *, lag(line, 1, i.at_line) OVER rows AS line_before, lag(registration_key, 1, i.at_key) OVER rows = registration_key AS is_again,
               idscope.import_shown(to_jsonb(staged)) AS shown
          FROM idscope.import_registration staged
         WHERE id_scope = i.id_scope AND import_id = i.import_id AND (registration_key, line) > (i.at_key, i.at_line)
        WINDOW rows AS (ORDER BY registration_key, line)
         ORDER BY registration_key, line
         LIMIT at_most),
         placed AS MATERIALIZED (
        SELECT b.*, e.of_group, e.enrollment_inputs, s.inputs_version, (SELECT h FROM idscope.hub_unlinked(b.id_scope, ARRAY[b.assigned_hub]) h) AS unlinked,
               (SELECT true FROM idscope.registration r WHERE r.id_scope = b.id_scope AND r.registration_key = b.registration_key LIMIT 1) AS is_there
          FROM bite b
         CROSS JOIN LATERAL (SELECT inputs_version FROM idscope.scope WHERE id_scope = b.id_scope LIMIT 1) s
          LEFT JOIN LATERAL idscope.enrolled(b.id_scope, b.registration_key, lower(b.enrollment_group)) e ON true),
         ruled AS (
        SELECT p.*,
               CASE WHEN is_again THEN format('registrationId: line %s has it already.', line_before)
                    WHEN is_there THEN 'registrationId: there is a registration of this id.'
                    WHEN unlinked IS NOT NULL THEN format('assignedHub: %s is not a linked hub of this instance.', unlinked)
                    WHEN of_group IS NULL AND enrollment_group IS NULL THEN 'registrationId: there is no enrollment of this id, and enrollmentGroupId names none.'
                    WHEN of_group IS NULL THEN format('enrollmentGroupId: there is no enrollment group %s.', enrollment_group)
                END AS broken
          FROM placed p),
         counted AS (
        SELECT r.*, count(*) FILTER (WHERE broken IS NULL) OVER (ORDER BY registration_key, line) > idscope.import_room(i) AS is_crowded
          FROM ruled r),
         judged AS MATERIALIZED (
        SELECT c.*, gen_random_uuid() AS operation_id, now() AS moment,
               coalesce(broken, CASE WHEN is_crowded THEN 'registrationId: the instance has as many registrations as its limit allows.' END) AS message,
               CASE WHEN broken IS NULL THEN 403001 WHEN is_again THEN 400004 WHEN is_there THEN 409001 WHEN unlinked IS NULL AND of_group IS NULL THEN 404201 ELSE 400004 END AS code
          FROM counted c),
         inserted AS (
        INSERT INTO idscope.registration (id_scope, registration_key, registration_id, operation_id, status, substatus, assigned_hub, device_id,
                                          region, enrollment_group, derived_from, enrollment_inputs, scope_inputs, operation_at, created_at, updated_at)
        SELECT id_scope, registration_key, registration_id, operation_id, 'assigned', substatus, assigned_hub, device_id, NULL,
               CASE WHEN of_group THEN enrollment_group END, CASE WHEN of_group THEN registration_id END, enrollment_inputs, inputs_version,
               moment, coalesce(created_at, moment), coalesce(updated_at, created_at, moment)
          FROM judged
         WHERE writes AND message IS NULL
         ORDER BY registration_key)
    SELECT registration_key, line, registration_id, code, message, shown FROM judged
    $$;
COMMENT ON FUNCTION idscope.import_registrations(idscope.import, int, boolean) IS 'The same of registrations: of devices that have a hub';
REVOKE ALL ON FUNCTION idscope.import_registrations(idscope.import, int, boolean) FROM PUBLIC;

-- The next bite, of whatever kind: its rows are judged, written if they are to be, and summed up.
CREATE FUNCTION idscope.import_bite(i idscope.import, at_most int, writes boolean, groups_most bigint, errors_most bigint)
    RETURNS TABLE (looked bigint, written bigint, refused bigint, to_key text, to_line bigint, digest bytea)
    LANGUAGE plpgsql VOLATILE
    AS $$
    BEGIN
        IF i.kind <> 'registration' THEN
            PERFORM pg_advisory_xact_lock(hashtextextended(i.id_scope || '/', 0));
        END IF;
        RETURN QUERY
        WITH judged AS MATERIALIZED (
            SELECT * FROM idscope.import_registrations(i, at_most, writes) WHERE i.kind = 'registration'
             UNION ALL
            SELECT * FROM idscope.import_enrollments(i, at_most, writes, groups_most) WHERE i.kind <> 'registration'),
             told AS (
            INSERT INTO idscope.import_error (id_scope, import_id, line, id, code, message)
            SELECT i.id_scope, i.import_id, line, registration_id, code, left(message, 400)
              FROM judged
             WHERE message IS NOT NULL
             LIMIT greatest(0, errors_most - i.refused))
        SELECT count(*), count(*) FILTER (WHERE writes AND message IS NULL), count(message), (array_agg(registration_key ORDER BY registration_key DESC, line DESC))[1],
               (array_agg(line ORDER BY registration_key DESC, line DESC))[1],
               idscope.import_digest(i.digest, array_agg(shown ORDER BY registration_key, line) FILTER (WHERE writes AND message IS NULL))
          FROM judged;
    END
    $$;
COMMENT ON FUNCTION idscope.import_bite(idscope.import, int, boolean, bigint, bigint) IS 'Looks at the next rows of an import and writes those that are good; single writes of enrollments wait meanwhile';
REVOKE ALL ON FUNCTION idscope.import_bite(idscope.import, int, boolean, bigint, bigint) FROM PUBLIC;

-- What an import that has ended left behind goes bite by bite; then it is kept for a while, for those who ask how it went.
CREATE FUNCTION idscope.import_clear(i idscope.import, at_most int, keep_ms bigint) RETURNS bigint
    LANGUAGE plpgsql VOLATILE
    AS $$
    DECLARE
        tab text;
        bite bigint;
        gone bigint := 0;
        late CONSTANT boolean := i.updated_at < now() - keep_ms * interval '1 millisecond';
    BEGIN
        FOREACH tab IN ARRAY ARRAY['import_enrollment', 'import_registration'] || CASE WHEN late THEN ARRAY['import_error'] ELSE '{}' END LOOP
            EXECUTE format('DELETE FROM idscope.%I WHERE ctid = ANY (ARRAY(SELECT ctid FROM idscope.%1$I WHERE id_scope = $1 AND import_id = $2 LIMIT $3))', tab)
              USING i.id_scope, i.import_id, at_most;
            GET DIAGNOSTICS bite = ROW_COUNT;
            gone := gone + bite;
        END LOOP;
        IF gone > 0 OR NOT late THEN
            RETURN CASE WHEN gone > 0 THEN 0 ELSE keep_ms END;
        END IF;
        DELETE FROM idscope.import WHERE id_scope = i.id_scope AND import_id = i.import_id;
        RETURN -1;
    END
    $$;
COMMENT ON FUNCTION idscope.import_clear(idscope.import, int, bigint) IS 'Deletes up to so many rows that an ended import left, at last the import; answers as import_step';
REVOKE ALL ON FUNCTION idscope.import_clear(idscope.import, int, bigint) FROM PUBLIC;

-- One step of an import. The worker may ask for it and has no right on what it writes. All or nothing is looked at to its end, and then, if none
-- was refused, to be written by import_write. No step but the last has to be on the disk when its transaction ends: what a crash of the server takes,
-- its rows and how far it came, is taken together and done again.
CREATE FUNCTION idscope.import_step(scope text, wanted uuid, at_most int, groups_most bigint, errors_most bigint, body_ms bigint, keep_ms bigint, settle_ms bigint)
    RETURNS bigint
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    DECLARE
        i idscope.import;
        b record;
        next_state text;
        moment CONSTANT timestamptz := now();
    BEGIN
        SELECT * INTO i FROM idscope.import WHERE id_scope = scope AND import_id = wanted FOR UPDATE;
        IF i.id_scope IS NULL OR NOT EXISTS (SELECT 1 FROM idscope.scope s WHERE s.id_scope = scope AND s.retired_at IS NULL) THEN
            RETURN -1;
        END IF;
        IF i.state = 'receiving' THEN
            IF i.updated_at > moment - body_ms * interval '1 millisecond' THEN
                RETURN body_ms;
            END IF;
            UPDATE idscope.import SET state = 'failed', message = 'The body did not arrive whole.', updated_at = moment WHERE id_scope = scope AND import_id = wanted RETURNING * INTO i;
            PERFORM idscope.import_note(i);
            RETURN 0;
        END IF;
        IF i.state = 'writing' THEN
            RETURN -2;
        END IF;
        IF i.state <> 'running' THEN
            RETURN idscope.import_clear(i, at_most, keep_ms);
        END IF;
        SELECT * INTO b FROM idscope.import_bite(i, at_most, NOT i.dry AND NOT i.whole, groups_most, errors_most);
        next_state := CASE WHEN b.looked > 0 THEN 'running' WHEN NOT i.whole THEN 'succeeded' WHEN i.refused > 0 THEN 'failed' WHEN i.dry THEN 'succeeded' ELSE 'writing' END;
        PERFORM set_config('synchronous_commit', CASE next_state WHEN 'running' THEN 'off' ELSE current_setting('synchronous_commit') END, true);
        UPDATE idscope.import
           SET looked = i.looked + b.looked, written = i.written + b.written, refused = i.refused + b.refused, digest = b.digest,
               at_key = coalesce(b.to_key, i.at_key), at_line = coalesce(b.to_line, i.at_line), updated_at = moment, state = next_state,
               message = CASE next_state WHEN 'failed' THEN 'Rows were refused, so none was written.' END
         WHERE id_scope = scope AND import_id = wanted
        RETURNING * INTO i;
        IF i.state IN ('succeeded', 'failed') THEN
            PERFORM idscope.import_note(i);
        END IF;
        RETURN CASE next_state WHEN 'writing' THEN settle_ms ELSE 0 END;
    END
    $$;
COMMENT ON FUNCTION idscope.import_step(text, uuid, int, bigint, bigint, bigint, bigint, bigint) IS 'Takes an import one bounded step further; answers in how many milliseconds the next one is due, -1: it is gone, -2: it is to be written as a whole (import_write)';
REVOKE ALL ON FUNCTION idscope.import_step(text, uuid, int, bigint, bigint, bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.import_step(text, uuid, int, bigint, bigint, bigint, bigint, bigint) TO idscope_worker;

-- The next rows of an import that is written as a whole, from behind a place on. The one transaction in which all are written asks for them bite by
-- bite, so that no statement takes long; that of the worker's connection, which ends when the worker does. Judged once more, since single writes passed
-- meanwhile: a bite in which a row is refused ends it.
CREATE FUNCTION idscope.import_write(scope text, wanted uuid, behind_key text, behind_line bigint, behind_digest bytea, at_most int, groups_most bigint)
    RETURNS TABLE (looked bigint, refused bigint, to_key text, to_line bigint, digest bytea)
    LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    DECLARE
        i idscope.import;
    BEGIN
        SELECT * INTO i FROM idscope.import WHERE id_scope = scope AND import_id = wanted AND state = 'writing';
        i.at_key := behind_key;
        i.at_line := behind_line;
        i.digest := behind_digest;
        RETURN QUERY SELECT b.looked, b.refused, b.to_key, b.to_line, b.digest FROM idscope.import_bite(i, at_most, true, groups_most, 0) b;
    END
    $$;
COMMENT ON FUNCTION idscope.import_write(text, uuid, text, bigint, bytea, int, bigint) IS 'Writes the next rows of an import whose state is writing, and answers how many they are, how many of them may not be written, and which is the last';
REVOKE ALL ON FUNCTION idscope.import_write(text, uuid, text, bigint, bytea, int, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.import_write(text, uuid, text, bigint, bytea, int, bigint) TO idscope_worker;

-- How far it is, told beside that transaction while it lasts, or at its end within it; and whose it is, for so long from now on. An import that is to be
-- looked at again begins anew.
CREATE FUNCTION idscope.import_move(scope text, wanted uuid, of_fence bigint, next_state text, rows bigint, of_rows bytea, next_ms bigint)
    RETURNS boolean
    LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$
    WITH clock AS (
        SELECT clock_timestamp() AS moment, clock_timestamp() + next_ms * interval '1 millisecond' AS due_at),
         held AS (
        UPDATE idscope.job j
           SET due_at = clock.due_at, attempt = 0, last_error = NULL
          FROM clock
         WHERE j.id_scope = scope AND j.kind = 'import' AND j.subject = wanted::text AND j.fence = of_fence
           AND EXISTS (SELECT 1 FROM idscope.scope s WHERE s.id_scope = scope AND s.retired_at IS NULL)
        RETURNING j.id_scope),
         moved AS (
        UPDATE idscope.import i
           SET state = next_state, written = rows, digest = of_rows, updated_at = clock.moment, at_key = '', at_line = 0, looked = CASE next_state WHEN 'running' THEN 0 ELSE looked END
          FROM clock, held h
         WHERE i.id_scope = h.id_scope AND i.import_id = wanted AND i.state = 'writing'
        RETURNING i),
         noted AS MATERIALIZED (
        SELECT idscope.import_note(i) FROM moved WHERE next_state = 'succeeded')
    SELECT count(*) = 1 AND (SELECT count(*) FROM noted) <= 1 FROM moved
    $$;
COMMENT ON FUNCTION idscope.import_move(text, uuid, bigint, text, bigint, bytea, bigint) IS 'Tells of an import whose state is writing how many rows are written, which state comes next and when its job is due; false: it, its instance or its lease is gone';
REVOKE ALL ON FUNCTION idscope.import_move(text, uuid, bigint, text, bigint, bytea, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION idscope.import_move(text, uuid, bigint, text, bigint, bytea, bigint) TO idscope_worker;

GRANT SELECT, INSERT, UPDATE ON idscope.import TO idscope_api;
GRANT SELECT, INSERT ON idscope.import_error TO idscope_api;
GRANT INSERT ON idscope.import_enrollment, idscope.import_registration TO idscope_api;
GRANT SELECT (id_scope, import_id, registration_key) ON idscope.import_registration TO idscope_api;

COMMIT;
