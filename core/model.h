/* model.h: the nouns of the service as C structs, and the codec tables that name their members on the wire.
 * Words are those of the contract (most stand in limits.def); enumerations start at 1 so that 0 is "absent" (see
 * codec.h). */
#ifndef IDSCOPE_MODEL_H
#define IDSCOPE_MODEL_H

#include "codec.h"
#include "crypt.h"

enum allocation_policy { POLICY_ABSENT, POLICY_HASHED, POLICY_GEO_LATENCY, POLICY_STATIC, POLICY_CUSTOM };
extern const char *const policy_words[]; /* hashed geoLatency static custom: enrollment spelling */
/* Hashed GeoLatency Static: instance spelling; Custom is no word of it. */
extern const char *const instance_policy_words[];

/* What a client can be let do: on the management plane, where each of the first three may what the one before it may;
 * or on the service plane. See core/role.h. */
enum role { ROLE_NONE, ROLE_READER, ROLE_CONTRIBUTOR, ROLE_OWNER, ROLE_DATA_READER, ROLE_DATA_CONTRIBUTOR };
extern const char *const role_words[]; /* reader contributor owner dataReader dataContributor */

/* What a hub costs. */
extern const char *const hub_sku_words[]; /* F1 S1 S2 S3 B1 B2 B3 */

/* Who changed something: what audit_event.actor_id names. */
enum actor_kind { ACTOR_ABSENT, ACTOR_CLIENT, ACTOR_INSTANCE_POLICY, ACTOR_HUB_POLICY, ACTOR_OPERATOR, ACTOR_SERVICE };
extern const char *const actor_kind_words[]; /* client instancePolicy hubPolicy operator service */

/* What a key of an outside issuer checks (enum jwt_algorithm), and where its keys are found. */
extern const char *const key_algorithm_words[]; /* RS256 ES256 */
enum keys_from { KEYS_ABSENT, KEYS_BY_DISCOVERY, KEYS_AT_URL, KEYS_IN_FILE };
extern const char *const keys_from_words[]; /* discovery url file */

/* What becomes of a device without a record here whose identity stands on the hub that it is to get. */
enum existing_device { EXISTING_ABSENT, EXISTING_ADOPT, EXISTING_REFUSE };
extern const char *const existing_device_words[]; /* adopt refuse */
extern const char *const lock_level_words[];      /* CanNotDelete ReadOnly */

enum provisioning_status { PROVISIONING_ABSENT, PROVISIONING_ENABLED, PROVISIONING_DISABLED };
extern const char *const provisioning_status_words[]; /* enabled disabled */

enum attestation_type { ATTEST_ABSENT, ATTEST_SYMMETRIC_KEY, ATTEST_X509, ATTEST_TPM, ATTEST_NONE };
extern const char *const attestation_type_words[]; /* symmetricKey x509 tpm none */

/* Registration status and substatus; the allowed moves stand in regstate.def. */
enum registration_status { REG_ABSENT, REG_UNASSIGNED, REG_ASSIGNING, REG_ASSIGNED, REG_FAILED, REG_DISABLED };
extern const char *const registration_status_words[]; /* unassigned assigning assigned failed disabled */
enum registration_substatus {
    SUB_ABSENT,
    SUB_INITIAL,
    SUB_DATA_MIGRATED,
    SUB_DATA_RESET,
    SUB_REPROVISIONED_TO_INITIAL
};
/* initialAssignment deviceDataMigrated deviceDataReset reprovisionedToInitialAssignment */
extern const char *const registration_substatus_words[];

enum link_state { LINK_ABSENT, LINK_PENDING, LINK_VALID, LINK_DEGRADED, LINK_INVALID, LINK_UNREACHABLE };
extern const char *const link_state_words[]; /* pending valid degraded invalid unreachable */

/* Rights of instance policies and hub policies, as bits. */
enum service_right {
    RIGHT_SERVICE_CONFIG = 1,
    RIGHT_ENROLLMENT_READ = 2,
    RIGHT_ENROLLMENT_WRITE = 4,
    RIGHT_DEVICE_CONNECT = 8,
    RIGHT_REGISTRATION_READ = 16,
    RIGHT_REGISTRATION_WRITE = 32
};
enum hub_right {
    HUB_RIGHT_REGISTRY_READ = 1,
    HUB_RIGHT_REGISTRY_WRITE = 2,
    HUB_RIGHT_SERVICE_CONNECT = 4,
    HUB_RIGHT_DEVICE_CONNECT = 8
};
/* Text ↔ bits. Input: words joined by commas with or without blanks, any order and case; output joined by ", " in the
 * service's order ("ServiceConfig, DeviceConnect, EnrollmentWrite"; "RegistryWrite, ServiceConnect, DeviceConnect").
 * False when a word is unknown or the list is empty. */
bool service_rights_parse(struct str text, int *ret_bits);
struct str service_rights_text(struct arena *a, int bits);
bool hub_rights_parse(struct str text, int *ret_bits);
struct str hub_rights_text(struct arena *a, int bits);
/* What a policy may do, implications included: EnrollmentWrite ⇒ EnrollmentRead, RegistrationStatusRead
 * and …Write; RegistrationStatusWrite ⇒ …Read; RegistryWrite ⇒ RegistryRead. */
int service_rights_implied(int bits);
int hub_rights_implied(int bits);

/* The policy that an instance is made with, and what it may do. */
#define FIRST_POLICY_NAME "provisioningserviceowner"
#define FIRST_POLICY_RIGHTS "ServiceConfig, DeviceConnect, EnrollmentWrite"

struct symmetric_key {
    struct str primary, secondary; /* base64 */
};
/* A certificate as clients write it (`certificate`: text in any of the forms of wire.md 3.5) and are shown it (`info`).
 * An entry without the text stands for the stored certificate. */
struct x509_info {
    struct str subject, sha1, sha256, issuer, not_before, not_after, serial; /* thumbprints, serial: upper hex */
    struct opt_i64 version;
};
struct x509_entry {
    struct str certificate;
    struct x509_info *info;
};
struct x509_pair {
    struct x509_entry *primary, *secondary;
};
struct x509_references {
    struct str primary, secondary;
};
struct x509_attestation {
    struct x509_pair *client, *signing;
    struct x509_references *ca;
};
struct tpm_keys {
    struct str endorsement, root; /* base64 of TPM2B_PUBLIC */
};
/* Of two keys, what tells each without showing it (core/keypair.h). */
struct check_words {
    struct str primary, secondary;
};
/* Members of our own (decisions.md 31), never read. */
struct attestation_ours {
    struct check_words check_words;
};
struct attestation {
    int type; /* enum attestation_type */
    struct symmetric_key *symmetric_key;
    struct x509_attestation *x509;
    struct tpm_keys *tpm;
    struct attestation_ours *ours;
};
/* Has it the member that goes with the type? */
bool attestation_has(const struct attestation *in, int type);
struct reprovision_policy {
    enum tri update_hub_assignment, migrate_device_data;
};
struct capabilities {
    enum tri iot_edge;
};
extern const struct codec capabilities_codec[];

/* customAllocationDefinition: who is asked for the hub, and the api-version of what is asked (core/webhook.h). */
struct custom_allocation {
    struct str webhook_url, api_version;
};
extern const struct codec custom_allocation_codec[];

struct registration_state;

/* An entry of the enrollment list as the service plane reads and writes it: an individual enrollment, or an enrollment
 * group, which has no device id, no device information and no registration of its own. */
struct enrollment {
    struct str id; /* registrationId or enrollmentGroupId */
    struct str device_id;
    struct attestation *attestation;
    struct capabilities capabilities;
    struct str iot_hub_host_name;
    struct str initial_twin, optional_device_information; /* JSON objects */
    struct str etag;
    int provisioning_status;
    struct reprovision_policy reprovision_policy;
    int64_t created_us, updated_us;
    int allocation_policy;
    struct str_list iot_hubs;
    struct custom_allocation *custom_allocation;
    struct registration_state *registration_state; /* out only: once the device has registered */
};
extern const struct codec enrollment_codec[];
extern const struct codec enrollment_group_codec[];
extern const struct codec check_words_codec[];
extern const struct codec attestation_codec[]; /* {"type","symmetricKey":{…}}: attestationmechanism */

/* What a TPM is handed for its hub. */
struct tpm_handed {
    struct str authentication_key;
};

/* By what a device was admitted: the word for it is the member's. */
struct admitted_by {
    struct str enrollment_group_id; /* absent: by an enrollment of its own */
};

/* The device's view and the service's view of a registration. */
struct registration_state {
    /* Told to the device alone. */
    struct tpm_handed *tpm;
    struct admitted_by *x509, *symmetric_key;
    struct str registration_id;
    int64_t created_us;
    struct str assigned_hub, device_id;
    struct str enrollment_group_id; /* that admitted it, where the service tells */
    int status, substatus;
    struct opt_i64 error_code;
    struct str error_message;
    int64_t updated_us;
    struct str etag;
};
extern const struct codec registration_state_codec[];

struct operation_status { /* register's and the poll's answer */
    struct str operation_id;
    int status;
    struct registration_state *state;
};
extern const struct codec operation_status_codec[];

struct device_registration { /* what a device sends to register */
    struct str registration_id, payload;
    struct tpm_keys *tpm;
    struct str csr; /* JSON of any kind and length: what becomes of it, the api-version says */
};
extern const struct codec device_registration_codec[];

/* A device of a built-in hub. */
enum hub_device_status { HUB_DEVICE_ABSENT, HUB_DEVICE_ENABLED, HUB_DEVICE_DISABLED };
extern const char *const hub_device_status_words[]; /* enabled disabled */
enum hub_auth_type { HUB_AUTH_ABSENT, HUB_AUTH_SAS, HUB_AUTH_SELF_SIGNED, HUB_AUTH_CA, HUB_AUTH_NONE };
extern const char *const import_kind_words[];   /* enrollment enrollmentGroup registration */
extern const char *const import_state_words[];  /* receiving running writing succeeded failed cancelled */
extern const char *const hub_auth_type_words[]; /* sas selfSigned certificateAuthority none */
struct thumbprints {
    struct str primary, secondary;
};
struct hub_authentication {
    struct symmetric_key *symmetric_key;
    struct thumbprints *x509_thumbprint;
    int type;
};
struct hub_device {
    struct str device_id, generation_id, etag;
    int status;
    struct str status_reason;
    struct hub_authentication *authentication;
    struct capabilities capabilities;
    struct str device_scope;
};
extern const struct codec hub_authentication_codec[];
extern const struct codec hub_device_codec[]; /* PUT and GET /devices/{id} */
/* A device's twin: what the hub's operator wrote about it, beside members that a hub with telemetry would fill. */
struct hub_twin_properties {
    struct str desired, reported; /* JSON objects */
};
struct hub_twin {
    struct str device_id, etag, device_etag;
    int status;
    struct str status_reason, status_updated, connection_state, last_activity;
    struct opt_i64 messages;
    int auth_type;
    struct thumbprints *x509_thumbprint;
    struct str model_id;
    struct opt_i64 version;
    struct str tags; /* JSON object */
    struct hub_twin_properties properties;
    struct capabilities capabilities;
    bool is_anothers; /* in a list that a provisioning service asks for: of another one; never told */
};
extern const struct codec hub_twin_codec[]; /* /twins/{id}: tags and desired properties are read, all else is written */

/* One member of a bulk POST /devices: the same plus `id`, `importMode`, `eTag`, and with create what the twin begins
 * with. */
enum import_mode {
    IMPORT_ABSENT,
    IMPORT_CREATE,
    IMPORT_UPDATE,
    IMPORT_UPDATE_IF_MATCH,
    IMPORT_DELETE,
    IMPORT_DELETE_IF_MATCH
};
extern const char *const import_mode_words[]; /* create update updateIfMatchETag delete deleteIfMatchETag */
struct hub_import {
    struct str id;
    int import_mode;
    struct hub_device device;
    struct str tags;
    struct hub_twin_properties properties;
};
extern const struct codec hub_import_codec[];

#endif
