/* model.c: the words of the contract and the tables that name each member on the wire. It must hold no behaviour:
 * defaults and rules between members belong to the operations. */
#include "model.h"

#include "limits.h"

#include <string.h>

#define LIMIT(name, least, most, constraints)
#define WORDS(name, constraints, ...) const char *const name##_words[] = {__VA_ARGS__, NULL};
#include "limits.def"
#undef LIMIT
#undef WORDS

const char *const provisioning_status_words[] = {"enabled", "disabled", NULL};
const char *const import_mode_words[] = {"create", "update", "updateIfMatchETag", "delete", "deleteIfMatchETag", NULL};

struct right_word {
    const char *word;
    int bit;
};

/* In the service's order, which is the order of the text. */
static const struct right_word service_right_words[] = {
    {"ServiceConfig", RIGHT_SERVICE_CONFIG},
    {"DeviceConnect", RIGHT_DEVICE_CONNECT},
    {"EnrollmentRead", RIGHT_ENROLLMENT_READ},
    {"EnrollmentWrite", RIGHT_ENROLLMENT_WRITE},
    {"RegistrationStatusRead", RIGHT_REGISTRATION_READ},
    {"RegistrationStatusWrite", RIGHT_REGISTRATION_WRITE},
    {NULL, 0},
};
static const struct right_word hub_right_words[] = {
    {"RegistryRead", HUB_RIGHT_REGISTRY_READ},
    {"RegistryWrite", HUB_RIGHT_REGISTRY_WRITE},
    {"ServiceConnect", HUB_RIGHT_SERVICE_CONNECT},
    {"DeviceConnect", HUB_RIGHT_DEVICE_CONNECT},
    {NULL, 0},
};

static int right_of(const struct right_word *words, struct str word)
{
    while (words->word && !str_same_nocase(word, str_of(words->word)))
        words++;
    return words->bit;
}

static bool rights_parse(const struct right_word *words, struct str text, int *ret_bits)
{
    int bits = 0;
    while (text.p) {
        struct str word;
        text = str_split(text, ',', &word);
        int bit = right_of(words, str_trim(word));
        if (!bit)
            return false;
        bits |= bit;
    }
    if (!bits)
        return false;
    *ret_bits = bits;
    return true;
}

static struct str rights_text(struct arena *a, const struct right_word *words, int bits)
{
    struct text t;
    text_init(&t, a, 128);
    for (; words->word; words++) {
        if (!(bits & words->bit))
            continue;
        text_printf(&t, "%s%s", t.n ? ", " : "", words->word);
    }
    return text_str(&t);
}

bool service_rights_parse(struct str text, int *ret_bits)
{
    return rights_parse(service_right_words, text, ret_bits);
}

struct str service_rights_text(struct arena *a, int bits)
{
    return rights_text(a, service_right_words, bits);
}

bool hub_rights_parse(struct str text, int *ret_bits)
{
    return rights_parse(hub_right_words, text, ret_bits);
}

struct str hub_rights_text(struct arena *a, int bits)
{
    return rights_text(a, hub_right_words, bits);
}

int service_rights_implied(int bits)
{
    if (bits & RIGHT_ENROLLMENT_WRITE)
        bits |= RIGHT_ENROLLMENT_READ | RIGHT_REGISTRATION_WRITE;
    if (bits & RIGHT_REGISTRATION_WRITE)
        bits |= RIGHT_REGISTRATION_READ;
    return bits;
}

int hub_rights_implied(int bits)
{
    return bits & HUB_RIGHT_REGISTRY_WRITE ? bits | HUB_RIGHT_REGISTRY_READ : bits;
}

/* Bytes that a member may have; a body as a whole is limited by its route. */
enum {
    ID_MAX = 128,
    KEY_MAX = 128,
    ETAG_MAX = 256,
    TWIN_MAX = 65536,
    SENTENCE_MAX = 1024,
    CERTIFICATE_MAX = 32768,
    TPM_KEY_MAX = 1024,
    TPM_BLOB_MAX = 4096,
    URL_MAX = 4096
};

static const struct codec symmetric_key_codec[] = {
    CODEC_TEXT(struct symmetric_key, primary, "primaryKey", KEY_MAX, 0),
    CODEC_TEXT(struct symmetric_key, secondary, "secondaryKey", KEY_MAX, 0),
    CODEC_END,
};

/* What a client sends back of it tells only which certificate it means. */
#define I_ struct x509_info
static const struct codec x509_info_codec[] = {
    CODEC_TEXT(I_, subject, "subjectName", 0, CODEC_OUT),
    CODEC_TEXT(I_, sha1, "sha1Thumbprint", 0, CODEC_OUT),
    CODEC_TEXT(I_, sha256, "sha256Thumbprint", KEY_MAX, CODEC_ANY_CASE),
    CODEC_TEXT(I_, issuer, "issuerName", 0, CODEC_OUT),
    CODEC_TEXT(I_, not_before, "notBeforeUtc", 0, CODEC_OUT),
    CODEC_TEXT(I_, not_after, "notAfterUtc", 0, CODEC_OUT),
    CODEC_TEXT(I_, serial, "serialNumber", 0, CODEC_OUT),
    CODEC_I64(I_, version, "version", 0, 0, CODEC_OUT),
    CODEC_END,
};
#undef I_

static const struct codec x509_entry_codec[] = {
    CODEC_TEXT(struct x509_entry, certificate, "certificate", CERTIFICATE_MAX, 0),
    CODEC_OBJECT(struct x509_entry, info, "info", x509_info_codec, struct x509_info, 0),
    CODEC_END,
};

static const struct codec x509_pair_codec[] = {
    CODEC_OBJECT(struct x509_pair, primary, "primary", x509_entry_codec, struct x509_entry, 0),
    CODEC_OBJECT(struct x509_pair, secondary, "secondary", x509_entry_codec, struct x509_entry, 0),
    CODEC_END,
};

static const struct codec x509_references_codec[] = {
    CODEC_TEXT(struct x509_references, primary, "primary", ETAG_MAX, 0),
    CODEC_TEXT(struct x509_references, secondary, "secondary", ETAG_MAX, 0),
    CODEC_END,
};

#define X_ struct x509_attestation
static const struct codec x509_codec[] = {
    CODEC_OBJECT(X_, client, "clientCertificates", x509_pair_codec, struct x509_pair, 0),
    CODEC_OBJECT(X_, signing, "signingCertificates", x509_pair_codec, struct x509_pair, 0),
    CODEC_OBJECT(X_, ca, "caReferences", x509_references_codec, struct x509_references, 0),
    CODEC_END,
};
#undef X_

static const struct codec tpm_keys_codec[] = {
    CODEC_TEXT(struct tpm_keys, endorsement, "endorsementKey", TPM_KEY_MAX, 0),
    CODEC_TEXT(struct tpm_keys, root, "storageRootKey", TPM_KEY_MAX, 0),
    CODEC_END,
};

const struct codec check_words_codec[] = {
    CODEC_TEXT(struct check_words, primary, "primaryKey", 0, CODEC_OUT),
    CODEC_TEXT(struct check_words, secondary, "secondaryKey", 0, CODEC_OUT),
    CODEC_END,
};

static const struct codec attestation_ours_codec[] = {
    CODEC_INNER(struct attestation_ours, check_words, "checkWords", check_words_codec, CODEC_OUT),
    CODEC_END,
};

const struct codec attestation_codec[] = {
    CODEC_WORD(struct attestation, type, "type", attestation_type_words, CODEC_MUST),
    CODEC_OBJECT(struct attestation, symmetric_key, "symmetricKey", symmetric_key_codec, struct symmetric_key, 0),
    CODEC_OBJECT(struct attestation, tpm, "tpm", tpm_keys_codec, struct tpm_keys, 0),
    CODEC_OBJECT(struct attestation, x509, "x509", x509_codec, struct x509_attestation, 0),
    CODEC_OBJECT(struct attestation, ours, "idscope", attestation_ours_codec, struct attestation_ours, CODEC_OUT),
    CODEC_END,
};

bool attestation_has(const struct attestation *in, int type)
{
    switch (type) {
    case ATTEST_SYMMETRIC_KEY:
        return in->symmetric_key;
    case ATTEST_X509:
        return in->x509;
    case ATTEST_TPM:
        return in->tpm;
    default:
        return false;
    }
}

const struct codec capabilities_codec[] = {
    CODEC_BOOL(struct capabilities, iot_edge, "iotEdge", CODEC_MUST),
    CODEC_END,
};

static const struct codec reprovision_policy_codec[] = {
    CODEC_BOOL(struct reprovision_policy, update_hub_assignment, "updateHubAssignment", CODEC_MUST),
    CODEC_BOOL(struct reprovision_policy, migrate_device_data, "migrateDeviceData", CODEC_MUST),
    CODEC_END,
};

const struct codec custom_allocation_codec[] = {
    CODEC_TEXT(struct custom_allocation, webhook_url, "webhookUrl", URL_MAX, 0),
    CODEC_TEXT(struct custom_allocation, api_version, "apiVersion", ID_MAX, 0),
    CODEC_END,
};

static const struct codec tpm_handed_codec[] = {
    CODEC_TEXT(struct tpm_handed, authentication_key, "authenticationKey", TPM_BLOB_MAX, 0),
    CODEC_END,
};

static const struct codec admitted_by_codec[] = {
    CODEC_TEXT(struct admitted_by, enrollment_group_id, "enrollmentGroupId", REGISTRATION_ID_MOST, CODEC_ANY_CASE),
    CODEC_END,
};

#define R_ struct registration_state
const struct codec registration_state_codec[] = {
    CODEC_OBJECT(R_, tpm, "tpm", tpm_handed_codec, struct tpm_handed, 0),
    CODEC_OBJECT(R_, x509, "x509", admitted_by_codec, struct admitted_by, 0),
    CODEC_OBJECT(R_, symmetric_key, "symmetricKey", admitted_by_codec, struct admitted_by, 0),
    CODEC_TEXT(R_, registration_id, "registrationId", REGISTRATION_ID_MOST, CODEC_ANY_CASE),
    CODEC_TIME(R_, created_us, "createdDateTimeUtc"),
    CODEC_TEXT(R_, assigned_hub, "assignedHub", HOST_MOST, CODEC_ANY_CASE),
    CODEC_TEXT(R_, device_id, "deviceId", DEVICE_ID_MOST, 0),
    CODEC_TEXT(R_, enrollment_group_id, "enrollmentGroupId", REGISTRATION_ID_MOST, CODEC_ANY_CASE),
    CODEC_WORD(R_, status, "status", registration_status_words, 0),
    CODEC_WORD(R_, substatus, "substatus", registration_substatus_words, 0),
    CODEC_I64(R_, error_code, "errorCode", 0, INT32_MAX, 0),
    CODEC_TEXT(R_, error_message, "errorMessage", SENTENCE_MAX, 0),
    CODEC_TIME(R_, updated_us, "lastUpdatedDateTimeUtc"),
    CODEC_TEXT(R_, etag, "etag", ETAG_MAX, 0),
    CODEC_END,
};
#undef R_

#define E_ struct enrollment
/* What entries for a device and for a group share. */
#define ENROLLMENT_ROWS                                                                                                \
    CODEC_OBJECT(E_, attestation, "attestation", attestation_codec, struct attestation, CODEC_MUST),                   \
        CODEC_INNER(E_, capabilities, "capabilities", capabilities_codec, 0),                                          \
        CODEC_TEXT(E_, iot_hub_host_name, "iotHubHostName", HOST_MOST, CODEC_ANY_CASE),                                \
        CODEC_JSON(E_, initial_twin, "initialTwin", TWIN_MAX, CODEC_OBJECT_ONLY),                                      \
        CODEC_TEXT(E_, etag, "etag", ETAG_MAX, 0),                                                                     \
        CODEC_WORD(E_, provisioning_status, "provisioningStatus", provisioning_status_words, 0),                       \
        CODEC_INNER(E_, reprovision_policy, "reprovisionPolicy", reprovision_policy_codec, 0),                         \
        CODEC_TIME(E_, created_us, "createdDateTimeUtc"), CODEC_TIME(E_, updated_us, "lastUpdatedDateTimeUtc"),        \
        CODEC_WORD(E_, allocation_policy, "allocationPolicy", policy_words, 0),                                        \
        CODEC_TEXTS(E_, iot_hubs, "iotHubs", LINKS_MOST, 0),                                                           \
        CODEC_OBJECT(E_, custom_allocation, "customAllocationDefinition", custom_allocation_codec,                     \
                     struct custom_allocation, 0)

const struct codec enrollment_codec[] = {
    CODEC_TEXT(E_, id, "registrationId", REGISTRATION_ID_MOST, CODEC_ANY_CASE),
    CODEC_TEXT(E_, device_id, "deviceId", DEVICE_ID_MOST, 0),
    CODEC_OBJECT(E_, registration_state, "registrationState", registration_state_codec, struct registration_state,
                 CODEC_OUT),
    CODEC_JSON(E_, optional_device_information, "optionalDeviceInformation", TWIN_MAX, CODEC_OBJECT_ONLY),
    ENROLLMENT_ROWS,
    CODEC_END,
};

const struct codec enrollment_group_codec[] = {
    CODEC_TEXT(E_, id, "enrollmentGroupId", REGISTRATION_ID_MOST, CODEC_ANY_CASE),
    ENROLLMENT_ROWS,
    CODEC_END,
};
#undef E_

const struct codec operation_status_codec[] = {
    CODEC_TEXT(struct operation_status, operation_id, "operationId", ID_MAX, 0),
    CODEC_WORD(struct operation_status, status, "status", registration_status_words, 0),
    CODEC_OBJECT(struct operation_status, state, "registrationState", registration_state_codec,
                 struct registration_state, 0),
    CODEC_END,
};

const struct codec device_registration_codec[] = {
    CODEC_TEXT(struct device_registration, registration_id, "registrationId", REGISTRATION_ID_MOST, 0),
    CODEC_JSON(struct device_registration, payload, "payload", TWIN_MAX, 0),
    CODEC_OBJECT(struct device_registration, tpm, "tpm", tpm_keys_codec, struct tpm_keys, 0),
    CODEC_JSON(struct device_registration, csr, "csr", INT32_MAX, 0),
    CODEC_END,
};

static const struct codec thumbprints_codec[] = {
    CODEC_TEXT(struct thumbprints, primary, "primaryThumbprint", KEY_MAX, CODEC_NULL),
    CODEC_TEXT(struct thumbprints, secondary, "secondaryThumbprint", KEY_MAX, CODEC_NULL),
    CODEC_END,
};

#define A_ struct hub_authentication
const struct codec hub_authentication_codec[] = {
    CODEC_OBJECT(A_, symmetric_key, "symmetricKey", symmetric_key_codec, struct symmetric_key, 0),
    CODEC_OBJECT(A_, x509_thumbprint, "x509Thumbprint", thumbprints_codec, struct thumbprints, 0),
    CODEC_WORD(A_, type, "type", hub_auth_type_words, 0),
    CODEC_END,
};
#undef A_

/* What the registry's two shapes of a device share; `type`'s member `at` is the struct hub_device. */
#define HUB_DEVICE_ROWS(type, at)                                                                                      \
    CODEC_WORD(type, at status, "status", hub_device_status_words, 0),                                                 \
        CODEC_TEXT(type, at status_reason, "statusReason", STATUS_REASON_MOST, CODEC_NULL),                            \
        CODEC_OBJECT(type, at authentication, "authentication", hub_authentication_codec, struct hub_authentication,   \
                     0),                                                                                               \
        CODEC_INNER(type, at capabilities, "capabilities", capabilities_codec, 0),                                     \
        CODEC_TEXT(type, at device_scope, "deviceScope", ETAG_MAX, 0)

const struct codec hub_device_codec[] = {
    CODEC_TEXT(struct hub_device, device_id, "deviceId", DEVICE_ID_MOST, 0),
    CODEC_TEXT(struct hub_device, generation_id, "generationId", ID_MAX, CODEC_OUT),
    CODEC_TEXT(struct hub_device, etag, "etag", ETAG_MAX, 0),
    HUB_DEVICE_ROWS(struct hub_device, ),
    CODEC_END,
};

static const struct codec hub_twin_properties_codec[] = {
    CODEC_JSON(struct hub_twin_properties, desired, "desired", TWIN_MAX, CODEC_OBJECT_ONLY),
    CODEC_JSON(struct hub_twin_properties, reported, "reported", TWIN_MAX, CODEC_OUT),
    CODEC_END,
};

#define T_ struct hub_twin
const struct codec hub_twin_codec[] = {
    CODEC_TEXT(T_, device_id, "deviceId", DEVICE_ID_MOST, CODEC_OUT),
    CODEC_TEXT(T_, etag, "etag", ETAG_MAX, CODEC_OUT),
    CODEC_TEXT(T_, device_etag, "deviceEtag", ETAG_MAX, CODEC_OUT),
    CODEC_WORD(T_, status, "status", hub_device_status_words, CODEC_OUT),
    CODEC_TEXT(T_, status_reason, "statusReason", STATUS_REASON_MOST, CODEC_OUT),
    CODEC_TEXT(T_, status_updated, "statusUpdateTime", ID_MAX, CODEC_OUT),
    CODEC_TEXT(T_, connection_state, "connectionState", ID_MAX, CODEC_OUT),
    CODEC_TEXT(T_, last_activity, "lastActivityTime", ID_MAX, CODEC_OUT),
    CODEC_I64(T_, messages, "cloudToDeviceMessageCount", 0, 0, CODEC_OUT),
    CODEC_WORD(T_, auth_type, "authenticationType", hub_auth_type_words, CODEC_OUT),
    CODEC_OBJECT(T_, x509_thumbprint, "x509Thumbprint", thumbprints_codec, struct thumbprints, CODEC_OUT),
    CODEC_TEXT(T_, model_id, "modelId", ID_MAX, CODEC_OUT),
    CODEC_I64(T_, version, "version", 0, 0, CODEC_OUT),
    CODEC_JSON(T_, tags, "tags", TWIN_MAX, CODEC_OBJECT_ONLY),
    CODEC_INNER(T_, properties, "properties", hub_twin_properties_codec, 0),
    CODEC_INNER(T_, capabilities, "capabilities", capabilities_codec, CODEC_OUT),
    CODEC_END,
};
#undef T_

const struct codec hub_import_codec[] = {
    CODEC_TEXT(struct hub_import, id, "id", DEVICE_ID_MOST, CODEC_MUST),
    CODEC_WORD(struct hub_import, import_mode, "importMode", import_mode_words, CODEC_MUST),
    CODEC_TEXT(struct hub_import, device.etag, "eTag", ETAG_MAX, 0),
    HUB_DEVICE_ROWS(struct hub_import, device.),
    CODEC_JSON(struct hub_import, tags, "tags", TWIN_MAX, CODEC_OBJECT_ONLY),
    CODEC_INNER(struct hub_import, properties, "properties", hub_twin_properties_codec, 0),
    CODEC_END,
};
