-- Helpers of the database tests, in schema t of a throw-away database: a small world of two tenants, good rows to bend, and ways to
-- act as one of the programs. Never part of a deployment. All run inside the transaction of a test, which rolls back.

CREATE SCHEMA t;
GRANT USAGE ON SCHEMA t TO PUBLIC;

CREATE FUNCTION t.tenant(who text) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN (rpad('', 8, who) || '-0000-4000-8000-000000000001')::uuid;
CREATE FUNCTION t.subscription(who text) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN (rpad('', 8, who) || '-0000-4000-8000-000000000002')::uuid;
CREATE FUNCTION t.client(who text) RETURNS uuid LANGUAGE sql IMMUTABLE
    RETURN (rpad('', 8, who) || '-0000-4000-8000-000000000003')::uuid;
CREATE FUNCTION t.scope(who text) RETURNS text LANGUAGE sql IMMUTABLE
    RETURN '0ne0000000' || who;
CREATE FUNCTION t.sha() RETURNS text LANGUAGE sql IMMUTABLE
    RETURN '\x' || repeat('5a', 32);

-- A row that every constraint of its table lets in, in the world of tenant `who` (a letter a-f), under names of `own`.
CREATE FUNCTION t.good(tab text, who text DEFAULT 'a', own text DEFAULT 'x') RETURNS jsonb
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    etag CONSTANT text := '11111111-0000-4000-8000-000000000000';
    moment CONSTANT text := '2026-01-02T03:04:05Z';
BEGIN
    RETURN CASE tab
        WHEN 'tenant' THEN jsonb_build_object('tenant_id', gen_random_uuid(), 'name', 'Tenant ' || own)
        WHEN 'subscription' THEN jsonb_build_object('tenant_id', t.tenant(who), 'subscription_id', gen_random_uuid(), 'display_name', own)
        WHEN 'service_principal' THEN jsonb_build_object('tenant_id', t.tenant(who), 'client_id', gen_random_uuid(), 'display_name', own,
             'secret_sha256', t.sha())
        WHEN 'role_assignment' THEN jsonb_build_object('tenant_id', t.tenant(who), 'assignment_id', md5(own), 'client_id', t.client(who),
             'role', 'owner', 'scope_key', '/subscriptions/' || t.subscription(who) || '/resourcegroups/' || own, 'created_by', own,
             'scope', '/subscriptions/' || t.subscription(who) || '/resourceGroups/' || own)
        WHEN 'token_key' THEN jsonb_build_object('kid', 'kid-' || own, 'private_sealed', '\x01')
        WHEN 'trusted_issuer' THEN jsonb_build_object('issuer', 'https://' || own || '.example', 'audience', 'api', 'subject_claim', 'sub', 'tenant_id', t.tenant(who),
             'keys_from', 'discovery', 'next_fetch_at', moment)
        WHEN 'issuer_key' THEN jsonb_build_object('issuer', 'https://' || who || '.example', 'kid', 'kid-' || own, 'algorithm', 'ES256', 'public_key', '\x30')
        WHEN 'federated_subject' THEN jsonb_build_object('issuer', 'https://' || who || '.example', 'subject', 'app-' || own, 'tenant_id', t.tenant(who),
             'client_id', t.client(who))
        WHEN 'resource_group' THEN jsonb_build_object('tenant_id', t.tenant(who), 'subscription_id', t.subscription(who),
             'name_key', 'group-' || own, 'name', 'Group-' || own, 'location', 'westeurope')
        WHEN 'name_rest' THEN jsonb_build_object('kind', 'hub', 'name_key', 'name-' || own, 'tenant_id', t.tenant(who))
        WHEN 'audit_event' THEN jsonb_build_object('tenant_id', t.tenant(who), 'actor_kind', 'client', 'actor_id', own, 'operation', 'HubPut',
             'kind', 'hub', 'key', 'hub-' || own, 'detail', jsonb_build_object('change', 'created'))
        WHEN 'audit_block' THEN jsonb_build_object('tenant_id', t.tenant(who), 'block', ascii(own), 'ids', jsonb_build_array(1), 'digests', t.sha(),
             'previous', t.sha(), 'hash', t.sha())
        WHEN 'audit_chain' THEN jsonb_build_object('tenant_id', t.tenant(CASE own WHEN 'x' THEN 'c' ELSE own END), 'blocks', 1, 'last_id', 0, 'hash', t.sha())
        WHEN 'hub_registry' THEN jsonb_build_object('hub_key', 'hub-' || own)
        WHEN 'hub' THEN jsonb_build_object('hub_key', 'hub-' || own, 'name', 'Hub-' || own, 'tenant_id', t.tenant(who),
             'subscription_id', t.subscription(who), 'resource_group_key', 'group-' || who, 'location', 'westeurope',
             'sku_name', 'S1', 'sku_capacity', 1, 'etag', etag,
             'hub_id', (SELECT hub_id FROM idscope.hub_registry WHERE hub_key = 'hub-' || own))
        WHEN 'hub_policy' THEN jsonb_build_object('tenant_id', t.tenant(who), 'hub_key', 'hub-' || who, 'key_name_key', 'policy-' || own,
             'key_name', 'Policy-' || own, 'rights', 3, 'primary_sealed', '\x01', 'secondary_sealed', '\x02', 'position', 1)
        WHEN 'hub_twin' THEN jsonb_build_object('hub_id', 1, 'device_id', 'Device-' || own)
        WHEN 'hub_device' THEN jsonb_build_object('hub_id', 1, 'device_id', 'Device-' || own, 'generation', 1, 'auth_type', 'sas',
             'primary_sealed', '\x01', 'secondary_sealed', '\x02')
        WHEN 'hub_device_count' THEN jsonb_build_object('hub_id', (SELECT hub_id FROM idscope.hub_registry WHERE hub_key = 'hub-' || who),
             'n', ascii(own), 'devices', 1, 'enabled', 1)
        WHEN 'scope' THEN jsonb_build_object('id_scope', '0ne1111111' || right(md5(own), 1), 'issued_to', t.tenant(who))
        WHEN 'instance' THEN jsonb_build_object('name_key', 'inst-' || own, 'name', 'Inst-' || own, 'id_scope', '0ne1111111' || right(md5(own), 1),
             'id_scope_text', '0ne1111111' || upper(right(md5(own), 1)), 'tenant_id', t.tenant(who), 'subscription_id', t.subscription(who),
             'resource_group_key', 'group-' || who, 'location', 'westeurope', 'allocation_policy', 'hashed', 'etag', etag)
        WHEN 'resource_lock' THEN jsonb_build_object('tenant_id', t.tenant(who), 'subscription_id', t.subscription(who), 'path', '/subscriptions/' || t.subscription(who), 'place', '/subscriptions/' || t.subscription(who),
             'name_key', 'lock-' || own, 'name', 'Lock-' || own, 'level', 'CanNotDelete')
        WHEN 'instance_policy' THEN jsonb_build_object('tenant_id', t.tenant(who), 'id_scope', t.scope(who), 'key_name_key', 'policy-' || own,
             'key_name', 'Policy-' || own, 'rights', 63, 'primary_sealed', '\x01', 'secondary_sealed', '\x02', 'position', 1)
        WHEN 'hub_certificate' THEN jsonb_build_object('tenant_id', t.tenant(who), 'hub_key', 'hub-' || who, 'name_key', 'ca-' || own, 'name', 'CA-' || own,
             'certificate', 'MII', 'der', '\x30', 'etag', etag)
        WHEN 'certificate' THEN jsonb_build_object('tenant_id', t.tenant(who), 'id_scope', t.scope(who), 'name_key', 'ca-' || own, 'name', 'CA-' || own,
             'certificate', 'MII', 'der', '\x30', 'etag', etag)
        WHEN 'linked_hub' THEN jsonb_build_object('tenant_id', t.tenant(who), 'id_scope', t.scope(who), 'host', own || '.hub.example',
             'host_name', upper(own) || '.hub.example', 'location', 'westeurope', 'position', 1, 'hub_key', 'hub-' || who, 'key_name', 'iothubowner',
             'state', 'pending')
        WHEN 'link_move' THEN jsonb_build_object('state', own, 'event', 'EVENT', 'next', 'valid')
        WHEN 'link_latency' THEN jsonb_build_object('region', 'region-' || own, 'host', own || '.hub.example', 'samples_us', jsonb_build_array(5, 7),
             'tcp_p50_us', 5, 'tcp_p95_us', 7, 'count', 2, 'measured_at', moment)
        WHEN 'enrollment' THEN jsonb_build_object('id_scope', t.scope(who), 'registration_key', 'device-' || own, 'registration_id', 'Device-' || own,
             'attestation_type', 'symmetricKey', 'attestation_sealed', '\x01', 'etag', etag)
        WHEN 'enrollment_detail' THEN jsonb_build_object('id_scope', t.scope(who), 'registration_key', 'device-' || who, 'initial_twin', '{}'::jsonb)
        WHEN 'registration' THEN jsonb_build_object('id_scope', t.scope(who), 'registration_key', 'device-' || own, 'registration_id', 'Device-' || own,
             'operation_id', etag, 'status', 'assigning', 'region', 'local', 'operation_at', moment, 'created_at', moment, 'updated_at', moment)
        WHEN 'challenge' THEN jsonb_build_object('id_scope', t.scope(who), 'registration_key', 'device-' || own, 'device', '\x' || repeat(md5(own), 2),
             'open_sealed', '\x01', 'open_until', moment, 'ends_at', moment)
        WHEN 'alloc_input' THEN jsonb_build_object('id_scope', t.scope(who), 'hash', '\x' || repeat(md5(own), 2), 'input', '{}')
        WHEN 'attempt_ring' THEN jsonb_build_object('id_scope', t.scope(who), 'enrolled', own = 'a' OR own = 'b', 'written', 1)
        WHEN 'attempt' THEN jsonb_build_object('id_scope', t.scope(who), 'enrolled', true, 'slot', ascii(own), 'at', moment, 'tracking_id', etag,
             'registration_key', 'device-' || own, 'registration_id', 'Device-' || own, 'error_code', 401002, 'reason', 'another key', 'address', '192.0.2.1')
        WHEN 'job' THEN jsonb_build_object('id_scope', t.scope(who), 'kind', 'assign', 'subject', 'device-' || own, 'due_at', moment)
        WHEN 'tenant_job' THEN jsonb_build_object('tenant_id', t.tenant(who), 'kind', 'seal', 'subject', own, 'due_at', moment)
        WHEN 'list_count' THEN jsonb_build_object('id_scope', t.scope(who), 'list', 'registrations', 'member', 'status', 'value', own)
        WHEN 'count_round' THEN jsonb_build_object('name', own)
        WHEN 'inventory' THEN jsonb_build_object('id_scope', t.scope(who), 'host', own || '.hub.example', 'next_at', moment)
        WHEN 'found_identity' THEN jsonb_build_object('id_scope', t.scope(who), 'device_id', 'Device-' || own, 'host', own || '.hub.example', 'seen_at', moment)
        WHEN 'import' THEN jsonb_build_object('id_scope', t.scope(who), 'import_id', md5(own)::uuid, 'kind', 'enrollment', 'whole', false, 'dry', false,
             'actor_kind', 'client', 'actor_id', own, 'operation', 'enrollment_import')
        WHEN 'import_error' THEN jsonb_build_object('id_scope', t.scope(who), 'import_id', etag, 'line', ascii(own), 'code', 400004, 'message', 'deviceId: no')
        WHEN 'import_enrollment' THEN jsonb_build_object('id_scope', t.scope(who), 'import_id', etag, 'line', ascii(own), 'of_group', false,
             'registration_key', 'device-' || own, 'registration_id', 'Device-' || own, 'attestation_type', 'symmetricKey', 'attestation_sealed', '\x01',
             'provisioning_status', 'enabled', 'update_hub_assignment', true, 'migrate_device_data', true, 'iot_edge', false)
        WHEN 'import_registration' THEN jsonb_build_object('id_scope', t.scope(who), 'import_id', etag, 'line', ascii(own), 'registration_key', 'device-' || own,
             'registration_id', 'Device-' || own, 'assigned_hub', who || '.hub.example', 'device_id', 'Device-' || own, 'substatus', 'initialAssignment')
        WHEN 'schema_version' THEN jsonb_build_object('version', 1)
    END;
END
$$;

-- Inserts a good row, bent by `change`; a member that is null is inserted as NULL.
CREATE FUNCTION t.put(tab text, change jsonb DEFAULT '{}', who text DEFAULT 'a', own text DEFAULT 'x') RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    line jsonb := t.good(tab, who, own) || change;
    cols text := (SELECT string_agg(quote_ident(k), ', ') FROM jsonb_object_keys(line) k);
BEGIN
    EXECUTE format('INSERT INTO idscope.%I (%s) SELECT %s FROM jsonb_populate_record(NULL::idscope.%I, $1)', tab, cols, cols, tab) USING line;
END
$$;

-- What the database says to a good row bent by `change`: 'accepted', or the SQLSTATE and the constraint or column that refused it.
-- Leaves nothing behind.
CREATE FUNCTION t.says(tab text, change jsonb DEFAULT '{}', who text DEFAULT 'a', own text DEFAULT 'x') RETURNS text
    LANGUAGE plpgsql AS $$
DECLARE
    named text;
    col text;
BEGIN
    PERFORM t.put(tab, change, who, own);
    SET CONSTRAINTS ALL IMMEDIATE;
    RAISE EXCEPTION USING ERRCODE = 'T0000';
EXCEPTION
    WHEN SQLSTATE 'T0000' THEN
        RETURN 'accepted';
    WHEN integrity_constraint_violation THEN
        GET STACKED DIAGNOSTICS named = CONSTRAINT_NAME, col = COLUMN_NAME;
        RETURN SQLSTATE || ' ' || coalesce(nullif(named, ''), col);
END
$$;

-- Two tenants, a and b, each with one row in every table that may belong to a tenant.
CREATE FUNCTION t.world() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    who text;
    shared CONSTANT text[] := ARRAY['hub_registry', 'hub', 'hub_policy', 'hub_certificate', 'hub_device_count'];
    tab text;
BEGIN
    FOREACH who IN ARRAY ARRAY['a', 'b'] LOOP
        PERFORM t.put('tenant', jsonb_build_object('tenant_id', t.tenant(who)), who, who);
        PERFORM t.put('subscription', jsonb_build_object('subscription_id', t.subscription(who)), who, who);
        PERFORM t.put('service_principal', jsonb_build_object('client_id', t.client(who)), who, who);
        PERFORM t.put('role_assignment', '{}', who, who);
        PERFORM t.put('resource_group', '{}', who, who);
        FOREACH tab IN ARRAY ARRAY['trusted_issuer', 'issuer_key', 'federated_subject'] LOOP
            PERFORM t.put(tab, '{}', who, who);
        END LOOP;
        PERFORM t.put('name_rest', '{}', who, who);
        FOREACH tab IN ARRAY shared LOOP
            PERFORM t.put(tab, '{}', who, who);
        END LOOP;
        FOREACH tab IN ARRAY ARRAY['hub_device', 'hub_twin'] LOOP
            PERFORM t.put(tab, jsonb_build_object('hub_id', (SELECT hub_id FROM idscope.hub WHERE hub_key = 'hub-' || who)), who, who);
        END LOOP;
        PERFORM t.put('scope', jsonb_build_object('id_scope', t.scope(who)), who, who);
        PERFORM t.put('instance', jsonb_build_object('id_scope', t.scope(who), 'id_scope_text', '0ne0000000' || upper(who)), who, who);
        FOREACH tab IN ARRAY ARRAY['instance_policy', 'certificate', 'linked_hub', 'resource_lock', 'link_latency', 'enrollment', 'enrollment_detail', 'registration',
                                   'challenge', 'alloc_input', 'attempt_ring', 'attempt', 'list_count', 'count_round', 'inventory', 'found_identity', 'import', 'import_error', 'import_enrollment', 'import_registration', 'job', 'tenant_job', 'token_key', 'audit_event', 'audit_block', 'audit_chain'] LOOP
            PERFORM t.put(tab, '{}', who, who);
        END LOOP;
    END LOOP;
END
$$;

-- Runs a statement as a role, with the tenant set (NULL: none), and returns the number of rows it gave or touched. Role and tenant
-- are the old ones afterwards, also after an error.
CREATE FUNCTION t.act(who text, tenant uuid, statement text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM set_config('idscope.tenant', coalesce(tenant::text, ''), true);
    EXECUTE format('SET LOCAL ROLE %I', who);
    EXECUTE statement;
    GET DIAGNOSTICS n = ROW_COUNT;
    RESET ROLE;
    PERFORM set_config('idscope.tenant', '', true);
    RETURN n;
END
$$;

-- The transaction goes on as one of the programs, on behalf of somebody of a tenant.
CREATE FUNCTION t.become(who text, tenant text, operation text DEFAULT 'Test') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('idscope.tenant', t.tenant(tenant)::text, true), set_config('idscope.actor_kind', 'client', true),
            set_config('idscope.actor_id', 'somebody', true), set_config('idscope.tracking_id', 'track', true),
            set_config('idscope.operation', operation, true);
    EXECUTE format('SET LOCAL ROLE %I', who);
END
$$;

-- Whose connection runs the statements of a file of db/sql.
CREATE TABLE t.runs (file text PRIMARY KEY, who text NOT NULL);
INSERT INTO t.runs VALUES
    ('admin.sql', 'admin'), ('audit.sql', 'admin'), ('attempt.sql', 'api'), ('certificate.sql', 'api'), ('import.sql', 'api'), ('import_step.sql', 'worker'), ('challenge.sql', 'api'), ('device.sql', 'api'), ('enrollment.sql', 'api'), ('gate.sql', 'api'), ('hub.sql', 'api'),
    ('hub_device.sql', 'api'), ('hub_twin.sql', 'api'), ('instance.sql', 'api'), ('limit.sql', 'admin'), ('list_count.sql', 'api'), ('registration.sql', 'api'), ('resource.sql', 'api'), ('tenancy.sql', 'api'), ('activity.sql', 'api'), ('lock.sql', 'api'), ('sealed.sql', 'admin'), ('role.sql', 'api'),
    ('assign.sql', 'worker'), ('inventory.sql', 'worker'), ('job.sql', 'worker'), ('link.sql', 'worker'), ('issuer.sql', 'worker'), ('seal.sql', 'worker'), ('status.sql', 'worker'), ('sweep.sql', 'worker'), ('tenant_job.sql', 'worker');

-- Runs a statement of db/sql by its name, as a program runs it for somebody; parameters are SQL. What it answers is not asked.
CREATE FUNCTION t.run(called text, params text, who text DEFAULT 'idscope_api', tenant text DEFAULT 'a') RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_prepared_statements WHERE name = called) THEN
        EXECUTE (SELECT format('PREPARE %I AS %s', name, text) FROM t.statement WHERE name = called);
    END IF;
    PERFORM t.become(who, tenant, called);
    EXECUTE format('EXECUTE %I (%s)', called, params);
    RESET ROLE;
END
$$;

-- The start of most parameter lists: tenant and subscription, and its group.
CREATE FUNCTION t.place(who text) RETURNS text LANGUAGE sql STABLE AS $$ SELECT format('%L, %L, %L', t.tenant(who), t.subscription(who), 'group-' || who) $$;

-- Whether a role has the grant for a statement; tried for real and taken back. Only "permission denied" counts as no: what the
-- statement meets after that is no matter of grants.
CREATE FUNCTION t.may(who text, statement text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM t.act(who, NULL, statement);
    RAISE EXCEPTION USING ERRCODE = 'T0000';
EXCEPTION
    WHEN insufficient_privilege THEN
        RETURN SQLERRM NOT LIKE 'permission denied%';
    WHEN SQLSTATE 'T0000' THEN
        RETURN true;
END
$$;

-- The columns of a table that can be written by INSERT, in order.
CREATE FUNCTION t.columns(tab text) RETURNS TABLE (col text) LANGUAGE sql STABLE AS $$
    SELECT attname::text FROM pg_attribute
     WHERE attrelid = ('idscope.' || tab)::regclass AND attnum > 0 AND NOT attisdropped AND attidentity = ''
     ORDER BY attnum
$$;
