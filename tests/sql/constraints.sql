-- Every constraint, from both sides: good rows come in, bad rows are refused by the constraint that is named.
-- The list of bad rows is held against the catalogue, so a new constraint without a test fails here.
\set ON_ERROR_STOP 1
\set QUIET 1
BEGIN;
SELECT no_plan();
SELECT t.world();
-- Parents that the good rows of the tests refer to.
SELECT t.put('hub_registry');
SELECT t.put('scope');
SELECT t.put('enrollment', '{"registration_key": "device-y", "registration_id": "device-y"}');

CREATE TEMP TABLE good_row (tab text, change jsonb, what text);
INSERT INTO good_row
SELECT c.relname, '{}', 'a plain row' FROM pg_class c
 WHERE c.relnamespace = 'idscope'::regnamespace AND c.relkind = 'r' AND c.relname NOT IN ('hub_registry', 'scope', 'enrollment_detail', 'schema_version');
INSERT INTO good_row VALUES
    ('hub_registry',      '{"hub_key": "hub-y"}', 'a plain row'),
    ('hub_registry',      '{"hub_key": "hub-y", "retired_at": "2026-01-01"}', 'a tombstone'),
    ('hub_registry',      '{"hub_key": "hub-a", "retired_at": "2026-01-01"}', 'a tombstone beside a namesake that lives'),
    ('scope',             '{"id_scope": "0ne2222222f"}', 'a plain row'),
    ('scope',             '{"id_scope": "0ne2222222f", "retired_at": "2026-01-01"}', 'a retired scope'),
    ('scope',             '{"id_scope": "0ne2222222f", "retired_at": "2026-01-01", "undelete_until": "2026-01-08"}', 'a scope that can come back'),
    ('scope',             '{"id_scope": "0ne2222222f", "retired_at": "2026-01-01", "purged_at": "2026-01-02"}', 'a purged scope'),
    ('service_principal', '{"role": "contributor"}', 'a contributor'),
    ('service_principal', '{"role": "reader"}', 'a reader'),
    ('tenant',            jsonb_build_object('name', repeat('n', 200)), 'the longest name'),
    ('resource_group',    jsonb_build_object('name', 'Ärzte-GROUP', 'name_key', 'Ärzte-group'), 'only ASCII letters have a lower case here'),
    ('hub',               jsonb_build_object('tags', '{"a": "b"}'::jsonb, 'sku_name', 'F1', 'sku_capacity', 200), 'other sku, tags'),
    ('hub_policy',        '{"rights": 15}', 'all rights'),
    ('hub_device',        '{"auth_type": "none", "primary_sealed": null, "secondary_sealed": null}', 'a device without keys'),
    ('hub_device',        '{"auth_type": "selfSigned", "primary_sealed": null, "secondary_sealed": null, "primary_thumbprint": "aa"}', 'a self-signed device'),
    ('hub_device',        '{"device_id": "DEVICE-a", "hub_id": 1}', 'device ids differ by case'),
    ('instance',          '{"allocation_policy": "geoLatency"}', 'geoLatency'),
    ('instance',          '{"name_key": "inst-a", "name": "Inst-a", "resource_group_key": null, "deleted_from": "group-z"}', 'a deleted one, whose name and group are others'' by now'),
    ('instance',          '{"allocation_policy": "static", "sku_capacity": 1000}', 'static'),
    ('certificate',       '{"is_verified": true, "code": "C0DE", "code_until": "2026-01-01"}', 'verified, and proved once more'),
    ('linked_hub',        '{"hub_key": null, "primary_sealed": "\\x01"}', 'a link by connection string'),
    ('linked_hub',        '{"hub_key": null, "primary_sealed": "\\x01", "secondary_key_name": "k", "secondary_sealed": "\\x02"}', 'a second credential'),
    ('linked_hub',        '{"allocation_weight": 1000, "apply_allocation_policy": false, "state": "unreachable"}', 'weighted, drained, unreachable'),
    ('link_move',         '{}', 'a plain row'),
    ('enrollment_detail', '{"registration_key": "device-y"}', 'a plain row'),
    ('enrollment',        jsonb_build_object('registration_key', repeat('k', 128), 'registration_id', repeat('K', 128)), 'the longest registration id'),
    ('enrollment',        '{"of_group": true, "registration_key": "device-a", "registration_id": "device-a"}', 'a group named as a device is'),
    ('enrollment_detail', '{"registration_key": "device-y", "initial_twin": null, "webhook_sealed": "\\x01"}', 'a webhook alone'),
    ('enrollment',        '{"by_block": true, "enabled": false}', 'one that blocks a group''s device'),
    ('enrollment',        '{"allocation_policy": "static", "iot_hubs": ["h"]}', 'a policy of its own'),
    ('registration',      '{"status": "assigned", "substatus": "initialAssignment", "assigned_hub": "h", "device_id": "d"}', 'assigned'),
    ('registration',      '{"status": "failed", "error_code": 400208}', 'failed'),
    ('registration',      '{"status": "disabled"}', 'disabled'),
    ('registration',      '{"waiting_for": "a hub"}', 'waiting for a hub'),
    ('registration',      '{"enrollment_group": "Hall", "derived_from": "DEVICE-X"}', 'admitted by a group'),
    ('registration',      '{"status": "assigning", "target_hub": "h", "target_device_id": "d", "assigned_hub": "g", "device_id": "d"}', 'moving to another hub'),
    ('job',               '{"kind": "hub_remove", "subject": "d", "hub": "h", "payload": ["device-a"], "due_at": "infinity"}', 'a dead job'),
    ('job',               '{"subject": "device-a", "hub": "h"}', 'the same subject on a hub'),
    ('job',               '{"kind": "a_kind_of_tomorrow"}', 'a kind that nobody knows yet'),
    ('tenant_job',        '{"tenant_id": "ffffffff-ffff-ffff-ffff-ffffffffffff", "payload": {"scope": "x"}}', 'a job of the deployment'),
    ('audit_event',       '{"tenant_id": "00000000-0000-0000-0000-000000000000", "actor_kind": "operator"}', 'an operator''s change of the deployment'),
    ('audit_block',       '{}', 'a block'),
    ('audit_chain',       '{}', 'the end of a chain');

SELECT is(t.says(tab, change), 'accepted', format('%s takes %s', tab, what)) FROM good_row ORDER BY tab, what;
SELECT set_eq('SELECT DISTINCT tab FROM good_row',
              $$SELECT relname::text FROM pg_class WHERE relnamespace = 'idscope'::regnamespace AND relkind = 'r' AND relname <> 'schema_version'$$,
              'every table has a good row');

CREATE TEMP TABLE bad_row (constraint_name text, tab text, change jsonb);
INSERT INTO bad_row VALUES
    -- tenancy
    ('tenant_pkey', 'tenant', jsonb_build_object('tenant_id', t.tenant('a'))),
    ('tenant_name_key', 'tenant', '{"name": "Tenant a"}'),
    ('tenant_name_check', 'tenant', '{"name": ""}'),
    ('tenant_name_check', 'tenant', jsonb_build_object('name', repeat('n', 201))),
    ('subscription_subscription_id_key', 'subscription', jsonb_build_object('subscription_id', t.subscription('b'))),
    ('subscription_pkey', 'subscription', jsonb_build_object('subscription_id', t.subscription('a'))),
    ('subscription_tenant_id_fkey', 'subscription', jsonb_build_object('tenant_id', gen_random_uuid())),
    ('subscription_display_name_check', 'subscription', '{"display_name": ""}'),
    ('subscription_display_name_check', 'subscription', jsonb_build_object('display_name', repeat('n', 201))),
    ('service_principal_client_id_key', 'service_principal', jsonb_build_object('client_id', t.client('b'))),
    ('service_principal_pkey', 'service_principal', jsonb_build_object('client_id', t.client('a'))),
    ('service_principal_tenant_id_fkey', 'service_principal', jsonb_build_object('tenant_id', gen_random_uuid())),
    ('service_principal_display_name_check', 'service_principal', '{"display_name": ""}'),
    ('service_principal_role_check', 'service_principal', '{"role": "Owner"}'),
    ('service_principal_secret_sha256_check', 'service_principal', '{"secret_sha256": "\\x5a"}'),
    ('service_principal_secret_before_sha256_check', 'service_principal', '{"secret_before_sha256": "\\x5a"}'),
    ('token_key_pkey', 'token_key', '{"kid": "kid-a"}'),
    ('audit_event_actor_kind_check', 'audit_event', '{"actor_kind": "nobody"}'),
    ('audit_event_actor_id_check', 'audit_event', '{"actor_id": ""}'),
    ('audit_event_tracking_id_check', 'audit_event', jsonb_build_object('tracking_id', repeat('t', 101))),
    ('audit_event_client_address_check', 'audit_event', '{"client_address": ""}'),
    ('audit_event_resource_id_check', 'audit_event', '{"resource_id": ""}'),
    ('audit_block_pkey', 'audit_block', jsonb_build_object('block', ascii('a'))),
    ('audit_block_block_check', 'audit_block', '{"block": 0}'),
    ('audit_block_ids_check', 'audit_block', '{"ids": [], "digests": "\\x"}'),
    ('audit_block_digests_check', 'audit_block', '{"ids": [1, 2]}'),
    ('audit_block_previous_check', 'audit_block', '{"previous": "\\x5a"}'),
    ('audit_block_hash_check', 'audit_block', '{"hash": "\\x5a"}'),
    ('audit_chain_pkey', 'audit_chain', jsonb_build_object('tenant_id', t.tenant('a'))),
    ('audit_chain_blocks_check', 'audit_chain', '{"blocks": 0}'),
    ('audit_chain_hash_check', 'audit_chain', '{"hash": "\\x5a"}'),
    ('audit_event_operation_check', 'audit_event', '{"operation": ""}'),
    ('audit_event_kind_check', 'audit_event', '{"kind": ""}'),
    ('audit_event_key_check', 'audit_event', '{"key": ""}'),
    ('audit_event_detail_check', 'audit_event', '{"detail": []}'),
    ('token_key_kid_check', 'token_key', '{"kid": ""}'),
    ('token_key_kid_check', 'token_key', jsonb_build_object('kid', repeat('k', 65))),
    ('name_rest_pkey', 'name_rest', '{"name_key": "name-a"}'),
    ('name_rest_kind_check', 'name_rest', '{"kind": "group"}'),
    ('name_rest_name_key_check', 'name_rest', '{"name_key": "ab"}'),
    ('resource_group_pkey', 'resource_group', '{"name": "GROUP-A", "name_key": "group-a"}'),
    ('resource_group_tenant_id_subscription_id_fkey', 'resource_group', jsonb_build_object('subscription_id', t.subscription('b'))),
    ('resource_group_name_check', 'resource_group', '{"name": "", "name_key": ""}'),
    ('resource_group_name_check', 'resource_group', jsonb_build_object('name', repeat('n', 91), 'name_key', repeat('n', 91))),
    ('resource_group_key_of_name', 'resource_group', '{"name_key": "other"}'),
    ('resource_group_key_of_name', 'resource_group', '{"name": "Group-X", "name_key": "Group-X"}'),
    ('resource_group_tags_check', 'resource_group', '{"tags": []}'),
    -- hubs
    ('hub_registry_hub_key_check', 'hub_registry', '{"hub_key": "Hub-y"}'),
    ('hub_pkey', 'hub', '{"hub_key": "hub-a", "name": "HUB-A"}'),
    ('hub_hub_id_key', 'hub', jsonb_build_object('hub_id', (SELECT hub_id FROM idscope.hub WHERE hub_key = 'hub-a'))),
    ('hub_tenant_id_subscription_id_resource_group_key_fkey', 'hub', '{"resource_group_key": "group-b"}'),
    ('hub_hub_key_check', 'hub', '{"hub_key": "ab", "name": "ab"}'),
    ('hub_hub_key_check', 'hub', jsonb_build_object('hub_key', repeat('h', 51), 'name', repeat('h', 51))),
    ('hub_key_of_name', 'hub', '{"name": "other"}'),
    ('hub_key_of_name', 'hub', '{"hub_key": "HUB-X"}'),
    ('hub_properties_check', 'hub', '{"properties": "text"}'),
    ('hub_tags_check', 'hub', '{"tags": [1]}'),
    ('hub_sku_name_check', 'hub', '{"sku_name": "s1"}'),
    ('hub_sku_capacity_check', 'hub', '{"sku_capacity": 0}'),
    ('hub_sku_capacity_check', 'hub', '{"sku_capacity": 201}'),
    ('hub_policy_pkey', 'hub_policy', '{"key_name_key": "policy-a", "key_name": "POLICY-A"}'),
    ('hub_policy_tenant_id_hub_key_fkey', 'hub_policy', '{"hub_key": "hub-none"}'),
    ('hub_policy_tenant_id_hub_key_fkey', 'hub_policy', '{"hub_key": "hub-b"}'),
    ('hub_policy_key_name_check', 'hub_policy', '{"key_name": "", "key_name_key": ""}'),
    ('hub_policy_key_name_check', 'hub_policy', jsonb_build_object('key_name', repeat('k', 257), 'key_name_key', repeat('k', 257))),
    ('hub_policy_key_of_name', 'hub_policy', '{"key_name_key": "other"}'),
    ('hub_policy_rights_check', 'hub_policy', '{"rights": 0}'),
    ('hub_policy_rights_check', 'hub_policy', '{"rights": 16}'),
    ('hub_device_pkey', 'hub_device', jsonb_build_object('hub_id', (SELECT hub_id FROM idscope.hub WHERE hub_key = 'hub-a'), 'device_id', 'Device-a')),
    ('hub_twin_pkey', 'hub_twin', jsonb_build_object('hub_id', (SELECT hub_id FROM idscope.hub WHERE hub_key = 'hub-a'), 'device_id', 'Device-a')),
    ('hub_device_count_pkey', 'hub_device_count', jsonb_build_object('n', ascii('a'))),
    ('hub_device_count_n_check', 'hub_device_count', '{"n": -1}'),
    ('hub_device_device_id_check', 'hub_device', '{"device_id": ""}'),
    ('hub_device_device_id_check', 'hub_device', jsonb_build_object('device_id', repeat('d', 129))),
    ('hub_device_status_check', 'hub_device', '{"status": "Enabled"}'),
    ('hub_device_status_reason_check', 'hub_device', jsonb_build_object('status_reason', repeat('r', 129))),
    ('hub_device_auth_type_check', 'hub_device', '{"auth_type": "tpm", "primary_sealed": null, "secondary_sealed": null}'),
    ('hub_device_primary_thumbprint_check', 'hub_device', jsonb_build_object('primary_thumbprint', repeat('a', 65))),
    ('hub_device_secondary_thumbprint_check', 'hub_device', jsonb_build_object('secondary_thumbprint', repeat('a', 65))),
    ('hub_twin_tags_check', 'hub_twin', '{"tags": []}'),
    ('hub_twin_desired_check', 'hub_twin', '{"desired": 1}'),
    ('hub_device_owner_check', 'hub_device', '{"owner": "0neABCDEF01"}'),
    ('hub_device_sas_has_keys', 'hub_device', '{"primary_sealed": null}'),
    ('hub_device_sas_has_keys', 'hub_device', '{"secondary_sealed": null}'),
    ('hub_device_sas_has_keys', 'hub_device', '{"auth_type": "none"}'),
    -- instances
    ('scope_pkey', 'scope', jsonb_build_object('id_scope', t.scope('a'))),
    ('scope_id_scope_check', 'scope', '{"id_scope": "0ne1111111F"}'),
    ('scope_id_scope_check', 'scope', '{"id_scope": "0ne111111"}'),
    ('scope_id_scope_check', 'scope', jsonb_build_object('id_scope', E'0ne11111111\n')),
    ('scope_undelete_when_retired', 'scope', '{"id_scope": "0ne2222222f", "undelete_until": "2026-01-01"}'),
    ('scope_purged_when_retired', 'scope', '{"id_scope": "0ne2222222f", "purged_at": "2026-01-01"}'),
    ('instance_stands_or_deleted', 'instance', '{"deleted_from": "group-a"}'),
    ('instance_stands_or_deleted', 'instance', '{"resource_group_key": null}'),
    ('instance_pkey', 'instance', jsonb_build_object('id_scope', t.scope('b'), 'id_scope_text', '0NE0000000B')),
    ('instance_tenant_id_subscription_id_resource_group_key_fkey', 'instance', '{"resource_group_key": "group-b"}'),
    ('instance_name_key_check', 'instance', '{"name_key": "ab", "name": "AB"}'),
    ('instance_name_key_check', 'instance', jsonb_build_object('name_key', repeat('n', 51), 'name', repeat('n', 51))),
    ('instance_key_of_name', 'instance', '{"name": "other"}'),
    ('instance_key_of_name', 'instance', '{"name_key": "INST-X"}'),
    ('instance_scope_of_text', 'instance', '{"id_scope_text": "0neFFFFFFFF"}'),
    ('instance_tags_check', 'instance', '{"tags": 1}'),
    ('instance_properties_check', 'instance', '{"properties": []}'),
    ('instance_sku_capacity_check', 'instance', '{"sku_capacity": 0}'),
    ('instance_sku_capacity_check', 'instance', '{"sku_capacity": 1001}'),
    ('instance_allocation_policy_check', 'instance', '{"allocation_policy": "custom"}'),
    ('instance_existing_device_check', 'instance', '{"existing_device": "take"}'),
    ('instance_policy_pkey', 'instance_policy', '{"key_name_key": "policy-a", "key_name": "POLICY-A"}'),
    ('instance_policy_tenant_id_id_scope_fkey', 'instance_policy', '{"id_scope": "0neffffffff"}'),
    ('instance_policy_tenant_id_id_scope_fkey', 'instance_policy', jsonb_build_object('id_scope', t.scope('b'))),
    ('instance_policy_key_name_check', 'instance_policy', '{"key_name": "", "key_name_key": ""}'),
    ('instance_policy_key_name_check', 'instance_policy', jsonb_build_object('key_name', repeat('k', 257), 'key_name_key', repeat('k', 257))),
    ('instance_policy_key_of_name', 'instance_policy', '{"key_name_key": "other"}'),
    ('instance_policy_rights_check', 'instance_policy', '{"rights": 0}'),
    ('instance_policy_rights_check', 'instance_policy', '{"rights": 64}'),
    ('certificate_pkey', 'certificate', '{"name_key": "ca-a", "name": "CA-A"}'),
    ('certificate_tenant_id_id_scope_fkey', 'certificate', '{"id_scope": "0neffffffff"}'),
    ('certificate_tenant_id_id_scope_fkey', 'certificate', jsonb_build_object('id_scope', t.scope('b'))),
    ('certificate_name_check', 'certificate', '{"name": "", "name_key": ""}'),
    ('certificate_name_check', 'certificate', jsonb_build_object('name', repeat('c', 257), 'name_key', repeat('c', 257))),
    ('certificate_key_of_name', 'certificate', '{"name_key": "other"}'),
    ('certificate_certificate_check', 'certificate', '{"certificate": ""}'),
    ('certificate_certificate_check', 'certificate', jsonb_build_object('certificate', repeat('c', 32769))),
    ('certificate_crl_check', 'certificate', '{"crl": "\\x"}'),
    ('certificate_crl_check', 'certificate', jsonb_build_object('crl', '\x' || repeat('00', 65537))),
    ('certificate_code_ends', 'certificate', '{"code": "C0DE"}'),
    ('certificate_code_ends', 'certificate', '{"code_until": "2026-01-01"}'),
    ('linked_hub_pkey', 'linked_hub', '{"host": "a.hub.example", "host_name": "a.hub.example"}'),
    ('linked_hub_tenant_id_id_scope_fkey', 'linked_hub', '{"id_scope": "0neffffffff"}'),
    ('linked_hub_tenant_id_id_scope_fkey', 'linked_hub', jsonb_build_object('id_scope', t.scope('b'))),
    ('linked_hub_host_check', 'linked_hub', '{"host": "", "host_name": ""}'),
    ('linked_hub_host_check', 'linked_hub', jsonb_build_object('host', repeat('h', 254), 'host_name', repeat('h', 254))),
    ('linked_hub_host_of_name', 'linked_hub', '{"host_name": "other.example"}'),
    ('linked_hub_host_of_name', 'linked_hub', '{"host": "X.hub.example"}'),
    ('linked_hub_by_resource_or_key', 'linked_hub', '{"hub_key": null}'),
    ('linked_hub_by_resource_or_key', 'linked_hub', '{"primary_sealed": "\\x01"}'),
    ('linked_hub_second_credential_whole', 'linked_hub', '{"secondary_key_name": "k"}'),
    ('linked_hub_second_credential_whole', 'linked_hub', '{"secondary_sealed": "\\x01"}'),
    ('linked_hub_allocation_weight_check', 'linked_hub', '{"allocation_weight": 0}'),
    ('linked_hub_allocation_weight_check', 'linked_hub', '{"allocation_weight": 1001}'),
    ('linked_hub_state_check', 'linked_hub', '{"state": "Valid"}'),
    ('link_latency_pkey', 'link_latency', '{"region": "region-a", "host": "a.hub.example"}'),
    ('link_latency_region_check', 'link_latency', '{"region": ""}'),
    ('link_latency_region_check', 'link_latency', jsonb_build_object('region', repeat('r', 65))),
    ('link_latency_host_check', 'link_latency', '{"host": "X.hub.example"}'),
    ('link_latency_samples_us_check', 'link_latency', '{"samples_us": []}'),
    ('link_latency_samples_us_check', 'link_latency', jsonb_build_object('samples_us', (SELECT jsonb_agg(n) FROM generate_series(1, 101) n))),
    ('link_latency_tcp_p50_us_check', 'link_latency', '{"tcp_p50_us": 0}'),
    ('link_latency_percentiles', 'link_latency', '{"tcp_p95_us": 4}'),
    ('link_latency_count_check', 'link_latency', '{"count": 0}'),
    -- registrations
    ('enrollment_pkey', 'enrollment', '{"registration_key": "device-a", "registration_id": "DEVICE-A"}'),
    ('enrollment_registration_key_check', 'enrollment', '{"registration_key": "", "registration_id": ""}'),
    ('enrollment_registration_key_check', 'enrollment', jsonb_build_object('registration_key', repeat('k', 129), 'registration_id', repeat('k', 129))),
    ('enrollment_group_names_no_device', 'enrollment', '{"of_group": true, "device_id": "d"}'),
    ('enrollment_by_block_is_disabled', 'enrollment', '{"by_block": true}'),
    ('enrollment_by_block_is_disabled', 'enrollment', '{"by_block": true, "enabled": false, "of_group": true}'),
    ('enrollment_key_of_id', 'enrollment', '{"registration_id": "other"}'),
    ('enrollment_key_of_id', 'enrollment', '{"registration_key": "DEVICE-X"}'),
    ('enrollment_device_id_check', 'enrollment', '{"device_id": ""}'),
    ('enrollment_device_id_check', 'enrollment', jsonb_build_object('device_id', repeat('d', 129))),
    ('enrollment_attestation_type_check', 'enrollment', '{"attestation_type": "none"}'),
    ('enrollment_allocation_policy_check', 'enrollment', '{"allocation_policy": "Hashed"}'),
    ('enrollment_iot_hubs_check', 'enrollment', jsonb_build_object('iot_hubs', (SELECT jsonb_agg('h' || n) FROM generate_series(1, 51) n))),
    ('enrollment_detail_pkey', 'enrollment_detail', jsonb_build_object('id_scope', t.scope('b'), 'registration_key', 'device-b')),
    ('enrollment_detail_id_scope_of_group_registration_key_fkey', 'enrollment_detail', '{"registration_key": "none"}'),
    ('enrollment_group_id_check', 'registration', '{"enrollment_group": "", "derived_from": "device-x"}'),
    ('enrollment_group_id_check', 'registration', jsonb_build_object('enrollment_group', repeat('g', 129), 'derived_from', 'device-x')),
    ('registration_derived_of_group', 'registration', '{"enrollment_group": "hall"}'),
    ('registration_derived_of_group', 'registration', '{"derived_from": "device-x"}'),
    ('registration_derived_from_id', 'registration', '{"enrollment_group": "hall", "derived_from": "device-y"}'),
    ('registration_pkey', 'registration', '{"registration_key": "device-a", "registration_id": "DEVICE-a"}'),
    ('registration_status_check', 'registration', '{"status": "Assigning"}'),
    ('registration_substatus_check', 'registration', '{"substatus": "other"}'),
    ('sha256_check', 'registration', '{"alloc_input": "\\x00"}'),
    ('sha256_check', 'registration', '{"evidence": "\\x00"}'),
    ('registration_assigned_has_hub', 'registration', '{"status": "assigned", "substatus": "initialAssignment"}'),
    ('registration_assigned_has_hub', 'registration', '{"status": "assigned", "assigned_hub": "h", "device_id": "d"}'),
    ('registration_failed_has_error', 'registration', '{"status": "failed"}'),
    ('registration_failed_has_error', 'registration', '{"status": "assigning", "error_code": 400208}'),
    ('registration_hub_with_device', 'registration', '{"assigned_hub": "h"}'),
    ('registration_hub_with_device', 'registration', '{"device_id": "d"}'),
    ('registration_target_with_device', 'registration', '{"target_hub": "h"}'),
    ('registration_target_with_device', 'registration', '{"target_device_id": "d"}'),
    ('registration_key_of_id', 'registration', '{"registration_id": "other"}'),
    ('registration_waits_while_assigning', 'registration', '{"status": "disabled", "waiting_for": "a hub"}'),
    ('registration_target_while_assigning', 'registration', '{"status": "disabled", "target_hub": "h", "target_device_id": "d"}'),
    ('challenge_pkey', 'challenge', '{"registration_key": "device-a"}'),
    ('challenge_registration_key_check', 'challenge', '{"registration_key": ""}'),
    ('challenge_device_check', 'challenge', '{"device": "\\x00"}'),
    ('challenge_met_root_check', 'challenge', jsonb_build_object('met_sealed', '\x01', 'met_until', 'infinity', 'met_root', '\x' || repeat('00', 1025))),
    ('challenge_open_ends', 'challenge', '{"open_until": null}'),
    ('challenge_met_ends', 'challenge', '{"met_sealed": "\\x01"}'),
    ('challenge_root_of_met', 'challenge', '{"met_root": "\\x00"}'),
    ('alloc_input_pkey', 'alloc_input', jsonb_build_object('hash', '\x' || repeat(md5('a'), 2))),
    ('alloc_input_hash_check', 'alloc_input', '{"hash": "\\x00"}'),
    ('attempt_ring_pkey', 'attempt_ring', '{"enrolled": true}'),
    ('attempt_ring_written_check', 'attempt_ring', '{"written": 0}'),
    ('attempt_pkey', 'attempt', jsonb_build_object('slot', ascii('a'))),
    ('attempt_slot_check', 'attempt', '{"slot": -1}'),
    ('attempt_slot_check', 'attempt', '{"slot": 1000}'),
    ('attempt_registration_key_check', 'attempt', '{"registration_key": "", "registration_id": ""}'),
    ('attempt_registration_key_check', 'attempt', jsonb_build_object('registration_key', repeat('k', 129), 'registration_id', repeat('k', 129))),
    ('attempt_key_of_id', 'attempt', '{"registration_id": "other"}'),
    ('attempt_reason_check', 'attempt', jsonb_build_object('reason', repeat('r', 481))),
    ('attempt_address_check', 'attempt', jsonb_build_object('address', repeat('9', 101))),
    ('link_move_pkey', 'link_move', '{"state": "valid", "event": "HUB_DELETED"}'),
    ('job_pkey', 'job', '{"subject": "device-a"}'),
    ('job_kind_check', 'job', '{"kind": ""}'),
    ('job_kind_check', 'job', jsonb_build_object('kind', repeat('k', 33))),
    ('job_subject_check', 'job', '{"subject": ""}'),
    ('job_subject_check', 'job', jsonb_build_object('subject', repeat('s', 254))),
    ('job_hub_check', 'job', '{"hub": "H.example"}'),
    ('job_last_error_check', 'job', jsonb_build_object('last_error', repeat('e', 301))),
    ('job_fence_check', 'job', '{"fence": -1}'),
    ('job_attempt_check', 'job', '{"attempt": -1}'),
    ('job_waits_for_check', 'job', '{"waits_for": []}'),
    ('job_waits_for_check', 'job', jsonb_build_object('waits_for', array_fill('h'::text, ARRAY[51]))),
    ('tenant_job_pkey', 'tenant_job', '{"subject": "a"}'),
    ('job_kind_check', 'tenant_job', '{"kind": ""}'),
    ('job_subject_check', 'tenant_job', '{"subject": ""}'),
    ('job_hub_check', 'tenant_job', '{"hub": "H"}'),
    ('job_last_error_check', 'tenant_job', jsonb_build_object('last_error', repeat('e', 301))),
    ('job_fence_check', 'tenant_job', '{"fence": -1}'),
    ('job_attempt_check', 'tenant_job', '{"attempt": -1}'),
    ('job_waits_for_check', 'tenant_job', '{"waits_for": []}'),
    -- counts
    ('list_count_pkey', 'list_count', '{"value": "a"}'),
    ('count_round_pkey', 'count_round', '{"name": "a"}'),
    -- inventories
    ('inventory_pkey', 'inventory', '{"host": "a.hub.example"}'),
    ('inventory_host_check', 'inventory', '{"host": "X.hub.example"}'),
    ('inventory_devices_check', 'inventory', '{"devices": -1, "taken_at": "2026-01-02T03:04:05Z"}'),
    ('inventory_taken_whole', 'inventory', '{"devices": 0}'),
    ('inventory_taken_whole', 'inventory', '{"taken_at": "2026-01-02T03:04:05Z"}'),
    ('found_identity_pkey', 'found_identity', '{"device_id": "Device-a", "host": "a.hub.example"}'),
    ('found_identity_host_check', 'found_identity', '{"host": "X.hub.example"}'),
    ('found_identity_device_id_check', 'found_identity', '{"device_id": ""}'),
    ('found_identity_device_id_check', 'found_identity', jsonb_build_object('device_id', repeat('d', 129))),
    -- imports
    ('import_pkey', 'import', jsonb_build_object('import_id', md5('a')::uuid)),
    ('import_kind_check', 'import', '{"kind": "twin"}'),
    ('import_state_check', 'import', '{"state": "paused"}'),
    ('import_error_pkey', 'import_error', jsonb_build_object('line', ascii('a'))),
    ('import_error_line_check', 'import_error', '{"line": 0}'),
    ('import_enrollment_pkey', 'import_enrollment', jsonb_build_object('line', ascii('a'), 'registration_key', 'device-a')),
    ('import_registration_pkey', 'import_registration', jsonb_build_object('line', ascii('a'), 'registration_key', 'device-a')),
    -- schema version
    ('schema_version_pkey', 'schema_version', '{}'),
    ('schema_version_only_row_check', 'schema_version', '{"only_row": false}'),
    ('schema_version_version_check', 'schema_version', '{"version": 0}');

-- A table is held by its own constraints and by those of the domains of its columns.
CREATE TEMP VIEW held_by AS
SELECT DISTINCT c.relname::text AS tab, k.conname::text, k.contype
  FROM pg_class c
  JOIN pg_constraint k ON k.conrelid = c.oid OR k.contypid IN (SELECT atttypid FROM pg_attribute WHERE attrelid = c.oid AND attnum > 0)
 WHERE c.relnamespace = 'idscope'::regnamespace AND c.relkind = 'r';

SELECT is(t.says(tab, change),
          CASE (SELECT contype FROM held_by WHERE held_by.tab = bad_row.tab AND conname = constraint_name)
               WHEN 'c' THEN '23514' WHEN 'f' THEN '23503' ELSE '23505' END || ' ' || constraint_name,
          format('%s refuses %s by %s', tab, left(change::text, 60), constraint_name))
  FROM bad_row ORDER BY tab, constraint_name, change::text;

-- Primary keys of rows that take their identity from the database cannot be hit by an insert.
SELECT set_eq('SELECT DISTINCT tab, constraint_name FROM bad_row',
              $$SELECT tab, conname FROM held_by
                 WHERE conname NOT IN ('hub_registry_pkey', 'audit_event_pkey', 'hub_tenant_id_hub_key_key', 'instance_tenant_id_id_scope_key')$$,
              'every constraint has a bad row');
-- The four that no insert can hit alone: another key, checked above, is narrower.
SELECT col_is_pk('idscope', 'hub_registry', 'hub_id', 'a hub is known by its id');
SELECT throws_ok($$INSERT INTO idscope.hub_registry (hub_id, hub_key) VALUES (1, 'hub-z')$$, '428C9', NULL, 'hub ids are never chosen by hand');
SELECT col_is_pk('idscope', 'audit_event', ARRAY['tenant_id', 'id'], 'an audit event is known by its tenant and number');
SELECT col_is_unique('idscope', 'hub', ARRAY['tenant_id', 'hub_key'], 'policies refer to a hub with its tenant');
SELECT is(t.says('instance', '{"name_key": "inst-a", "name": "INST-A"}'), '23505 instance_name', 'no two instances that stand have one name');
SELECT col_is_unique('idscope', 'instance', ARRAY['tenant_id', 'id_scope'], 'policies and links refer to an instance with its tenant');

-- NULL is taken exactly where it means something.
SELECT is(t.says(c.relname::text, jsonb_build_object(a.attname, NULL)), '23502 ' || a.attname, format('%s.%s is never NULL', c.relname, a.attname))
  FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
 WHERE c.relnamespace = 'idscope'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped
   AND a.attnotnull AND a.attidentity = ''
 ORDER BY c.relname, a.attnum;
SELECT set_eq($$SELECT c.relname || '.' || a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
                 WHERE c.relnamespace = 'idscope'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped AND NOT a.attnotnull$$,
    ARRAY['tenant.disabled_at', 'subscription.disabled_at', 'service_principal.disabled_at', 'service_principal.secret_before_sha256',
          'hub_registry.retired_at',
          'hub_device.status_reason', 'hub_device.status_at', 'hub_device.primary_sealed', 'hub_device.secondary_sealed',
          'hub_device.primary_thumbprint', 'hub_device.secondary_thumbprint', 'hub_device.owner',
          'scope.retired_at', 'scope.undelete_until', 'scope.purged_at', 'instance.resource_group_key', 'instance.deleted_from',
          'certificate.code', 'certificate.code_until', 'certificate.crl',
          'linked_hub.hub_key', 'linked_hub.primary_sealed', 'linked_hub.secondary_key_name', 'linked_hub.secondary_sealed',
          'linked_hub.allocation_weight', 'linked_hub.apply_allocation_policy', 'linked_hub.reason', 'linked_hub.last_good_at',
          'linked_hub.slow_until',
          'link_latency.tls_us', 'link_latency.http_us',
          'enrollment.ca_primary', 'enrollment.ca_secondary', 'enrollment.device_id', 'enrollment.allocation_policy', 'enrollment.iot_hubs', 'enrollment.iot_hub_host_name',
          'enrollment_detail.initial_twin', 'enrollment_detail.optional_device_information', 'enrollment_detail.webhook_sealed',
          'registration.substatus', 'registration.assigned_hub', 'registration.device_id', 'registration.target_hub',
          'registration.target_device_id', 'registration.error_code', 'registration.error_message', 'registration.waiting_for', 'registration.region',
          'registration.enrollment_group', 'registration.derived_from', 'registration.enrollment_version', 'registration.enrollment_inputs',
          'registration.scope_inputs', 'registration.alloc_input', 'registration.checked_at', 'registration.evidence',
          'challenge.open_sealed', 'challenge.open_until', 'challenge.met_sealed', 'challenge.met_root', 'challenge.met_until',
          'job.payload', 'job.last_error', 'job.waits_for',
          'tenant_job.payload', 'tenant_job.last_error', 'tenant_job.waits_for', 'alloc_input.named_at', 'audit_event.tracking_id', 'audit_event.client_address', 'audit_event.resource_id',
          'count_round.counted_at', 'inventory.taken_at', 'inventory.devices', 'import.message', 'import_error.id',
          'import_enrollment.device_id', 'import_enrollment.allocation_policy', 'import_enrollment.iot_hubs', 'import_enrollment.iot_hub_host_name',
          'import_enrollment.ca_primary', 'import_enrollment.ca_secondary', 'import_enrollment.initial_twin', 'import_enrollment.optional_device_information', 'import_enrollment.webhook_sealed',
          'import_registration.enrollment_group', 'import_registration.created_at', 'import_registration.updated_at'],
    'no other column may be NULL');

-- What hangs on what when it is deleted.
SELECT throws_ok($$DELETE FROM idscope.tenant$$, '23503', NULL, 'a tenant with subscriptions stays');
SELECT throws_ok($$DELETE FROM idscope.subscription$$, '23503', NULL, 'a subscription with resource groups stays');
SELECT throws_ok($$DELETE FROM idscope.resource_group WHERE name_key = 'group-a'$$, '23503', NULL, 'a resource group with resources stays');
DELETE FROM idscope.hub WHERE hub_key = 'hub-a';
SELECT results_eq('SELECT hub_key FROM idscope.hub_policy', $$VALUES ('hub-b' COLLATE "C")$$, 'a hub takes its policies along, no others');
DELETE FROM idscope.instance WHERE name_key = 'inst-a';
SELECT results_eq('SELECT id_scope FROM idscope.instance_policy', $$VALUES ('0ne0000000b' COLLATE "C")$$, 'an instance takes its policies along, no others');
SELECT results_eq('SELECT id_scope FROM idscope.linked_hub', $$VALUES ('0ne0000000b' COLLATE "C")$$, 'an instance takes its links along, no others');
SELECT is((SELECT count(*) FROM idscope.scope WHERE id_scope = '0ne0000000a'), 1::bigint, 'the ledger of ID scopes outlives the instance');
DELETE FROM idscope.enrollment WHERE registration_key = 'device-a';
SELECT results_eq('SELECT registration_key FROM idscope.enrollment_detail', $$VALUES ('device-b' COLLATE "C")$$, 'an enrollment takes its details along, no others');
SELECT is((SELECT count(*) FROM idscope.registration), 2::bigint, 'an enrollment leaves its registration: deleting that is a decision of its own');

SELECT * FROM finish();
ROLLBACK;
