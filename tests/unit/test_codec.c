/* test_codec.c: tables read and write JSON: limits, paths of failures, absence; and the tables of the model. */
#include "core/codec.h"

#include "core/model.h"
#include "unit.h"

struct leaf {
    struct str name;
    struct opt_i64 n;
};
struct thing {
    struct str text, secret, free, object;
    enum tri flag;
    struct opt_i64 number;
    int64_t at_us;
    int word;
    struct str_list list;
    struct leaf *leaf;
    struct obj_list leaves;
};

static const char *const words[] = {"first", "secondWord", NULL};
static const struct codec leaf_codec[] = {
    CODEC_TEXT(struct leaf, name, "name", 8, CODEC_MUST),
    CODEC_I64(struct leaf, n, "n", -5, 5, 0),
    CODEC_END,
};
static const struct codec thing_codec[] = {
    CODEC_TEXT(struct thing, text, "text", 4, 0),
    CODEC_TEXT(struct thing, secret, "secret", 8, CODEC_IN),
    CODEC_BOOL(struct thing, flag, "flag", CODEC_NULL),
    CODEC_I64(struct thing, number, "number", 0, INT64_MAX, 0),
    CODEC_TIME(struct thing, at_us, "at"),
    CODEC_WORD(struct thing, word, "word", words, 0),
    CODEC_TEXTS(struct thing, list, "list", 2, 0),
    CODEC_JSON(struct thing, free, "free", 16, 0),
    CODEC_JSON(struct thing, object, "object", 16, CODEC_OBJECT_ONLY),
    CODEC_OBJECT(struct thing, leaf, "leaf", leaf_codec, struct leaf, 0),
    CODEC_OBJECTS(struct thing, leaves, "leaves", leaf_codec, struct leaf, 2, 0),
    CODEC_END,
};

static struct str written(struct arena *a, const struct codec *table, const void *from)
{
    struct text t;
    text_init(&t, a, 0);
    codec_encode(&t, table, from);
    return text_str(&t);
}

static void all_kinds_come_in_and_go_out(void **state)
{
    static const char body[] =
        "{\"text\":\"abcd\",\"flag\":false,\"number\":7,\"word\":\"secondWord\",\"list\":[\"x\",\"\"],"
        "\"free\":[1,null],\"object\":{\"a\":1},\"leaf\":{\"name\":\"l\",\"n\":-5},"
        "\"leaves\":[{\"name\":\"a\"},{\"name\":\"b\",\"n\":5}]}";
    struct thing t = {0};
    assert_ok(codec_read(*state, thing_codec, 0, str_of(body), &t, NULL));
    assert_text(t.text, "abcd");
    assert_int_equal(t.flag, TRI_FALSE);
    assert_int_equal(t.word, 2);
    assert_int_equal(t.list.n, 2);
    assert_text(t.leaf->name, "l");
    assert_text(((struct leaf *)t.leaves.at)[1].name, "b");
    assert_text(written(*state, thing_codec, &t), body);
}

static void absent_and_null_are_alike(void **state)
{
    struct thing t = {0};
    assert_ok(codec_read(*state, thing_codec, 0,
                         STR("{\"text\":null,\"flag\":null,\"number\":null,\"word\":null,\"list\":null,\"free\":null,"
                             "\"leaf\":null,\"leaves\":null,\"unknown\":{\"x\":[1]}}"),
                         &t, NULL));
    assert_text(written(*state, thing_codec, &t), "{\"flag\":null}"); /* the one row with CODEC_NULL */
    assert_null(t.text.p);
    assert_false(t.list.set);
}

static void empty_is_not_absent(void **state)
{
    struct thing t = {0};
    assert_ok(codec_read(*state, thing_codec, 0,
                         STR("{\"text\":\"\",\"flag\":true,\"number\":0,\"list\":[],\"object\":{},\"leaves\":[]}"), &t,
                         NULL));
    assert_text(written(*state, thing_codec, &t),
                "{\"text\":\"\",\"flag\":true,\"number\":0,\"list\":[],\"object\":{},\"leaves\":[]}");
}

static void in_stays_in_and_out_stays_out(void **state)
{
    struct thing t = {0};
    assert_ok(codec_read(*state, thing_codec, 0, STR("{\"secret\":\"s\",\"at\":{\"what\":\"ever\"}}"), &t, NULL));
    assert_text(t.secret, "s");
    assert_int_equal(t.at_us, 0);
    t.at_us = 1772439330123456;
    t.flag = TRI_TRUE;
    assert_text(written(*state, thing_codec, &t), "{\"flag\":true,\"at\":\"2026-03-02T08:15:30.1234560Z\"}");
}

static void refusals_name_path_and_rule(void **state)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"[]", "The body must be an object."},
        {"\"x\"", "The body must be an object."},
        {"{\"text\":1}", "text must be a string."},
        {"{\"text\":\"abcde\"}", "text must have at most 4 bytes."},
        {"{\"text\":\"\xc3\xa9\xc3\xa9x\"}", "text must have at most 4 bytes."},
        {"{\"flag\":1}", "flag must be true or false."},
        {"{\"flag\":\"true\"}", "flag must be true or false."},
        {"{\"number\":1.0}", "number must be a whole number from 0 to 9223372036854775807."},
        {"{\"number\":\"1\"}", "number must be a whole number"},
        {"{\"number\":-1}", "number must be a whole number"},
        {"{\"word\":\"third\"}", "word must be one of first, secondWord."},
        {"{\"word\":\"\"}", "word must be one of"},
        {"{\"word\":2}", "word must be one of"},
        {"{\"list\":\"x\"}", "list must be an array."},
        {"{\"list\":[\"a\",\"b\",\"c\"]}", "list must have at most 2 elements."},
        {"{\"list\":[\"a\",1]}", "list[1] must be a string."},
        {"{\"list\":[null]}", "list[0] must be a string."},
        {"{\"free\":\"0123456789abcdef\"}", "free must have at most 16 bytes."},
        {"{\"object\":[]}", "object must be an object."},
        {"{\"leaf\":1}", "leaf must be an object."},
        {"{\"leaf\":{}}", "leaf.name is required."},
        {"{\"leaf\":{\"name\":null}}", "leaf.name is required."},
        {"{\"leaf\":{\"name\":\"x\",\"n\":6}}", "leaf.n must be a whole number from -5 to 5."},
        {"{\"leaves\":[{\"name\":\"x\"},{}]}", "leaves[1].name is required."},
        {"{\"leaves\":[1]}", "leaves[0] must be an object."},
        {"{\"leaves\":{}}", "leaves must be an array."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct thing t = {0};
        struct err_detail d = {""};
        assert_err(codec_read(*state, thing_codec, 0, str_of(rows[i].body), &t, &d), BAD_FIELD);
        assert_says(d, rows[i].says);
    }
    struct thing t = {0};
    assert_err(codec_read(*state, thing_codec, 0, STR("{\"text\":"), &t, NULL), BAD_JSON);
}

static void a_text_with_nul_is_refused(void **state)
{
    struct thing t = {0};
    struct err_detail d;
    json_auto_t *v = json_pack("{s:o}", "text", json_stringn("a\0b", 3));
    assert_err(codec_decode(*state, thing_codec, 0, (struct json_in){v, STR("")}, &t, &d), BAD_FIELD);
    assert_says(d, "text must not hold a NUL character.");
    assert_err(codec_read(*state, thing_codec, 0, STR("{\"text\":\"a\\u0000b\"}"), &t, &d), BAD_JSON);
}

static void names_ignore_case_only_where_asked(void **state)
{
    struct thing t = {0};
    struct err_detail d;
    assert_ok(
        codec_read(*state, thing_codec, CODEC_NO_CASE, STR("{\"TEXT\":\"a\",\"Leaf\":{\"NAME\":\"n\"}}"), &t, NULL));
    assert_text(t.text, "a");
    assert_text(t.leaf->name, "n");
    assert_err(codec_read(*state, thing_codec, CODEC_NO_CASE, STR("{\"TEXT\":\"a\",\"text\":\"b\"}"), &t, &d),
               BAD_FIELD);
    assert_says(d, "text stands twice.");
    t = (struct thing){0};
    assert_ok(codec_read(*state, thing_codec, CODEC_KEEP_UNKNOWN, STR("{\"TEXT\":\"a\"}"), &t, NULL));
    assert_null(t.text.p);
}

static const char enrollment_body[] =
    "{\"registrationId\":\"line7-unit042\",\"deviceId\":\"press-42\",\"optionalDeviceInformation\":{\"model\":\"P9\"},"
    "\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":\"AAEC\",\"secondaryKey\":\"QEFC\"}},"
    "\"capabilities\":{\"iotEdge\":false},\"initialTwin\":{\"tags\":{\"hall\":\"B\"},\"properties\":{\"desired\":{"
    "\"rate\":5}}},"
    "\"etag\":\"\\\"2a00\\\"\",\"provisioningStatus\":\"enabled\","
    "\"reprovisionPolicy\":{\"updateHubAssignment\":true,\"migrateDeviceData\":true},"
    "\"allocationPolicy\":\"geoLatency\",\"iotHubs\":[\"plant1.hub.d\"],"
    "\"customAllocationDefinition\":{\"webhookUrl\":\"https://x\",\"apiVersion\":\"2021-10-01\"}}";

static void an_enrollment_goes_round(void **state)
{
    struct enrollment e = {0};
    assert_ok(codec_read(*state, enrollment_codec, 0, str_of(enrollment_body), &e, NULL));
    assert_int_equal(e.attestation->type, ATTEST_SYMMETRIC_KEY);
    assert_text(e.attestation->symmetric_key->primary, "AAEC");
    assert_int_equal(e.allocation_policy, POLICY_GEO_LATENCY);
    assert_int_equal(e.provisioning_status, PROVISIONING_ENABLED);
    assert_int_equal(e.reprovision_policy.migrate_device_data, TRI_TRUE);
    assert_text(e.etag, "\"2a00\"");
    assert_text(written(*state, enrollment_codec, &e), enrollment_body);
}

static void an_enrollment_gets_no_defaults_here(void **state)
{
    struct enrollment e = {0};
    assert_ok(
        codec_read(*state, enrollment_codec, 0,
                   STR("{\"attestation\":{\"type\":\"TPM\",\"tpm\":{\"endorsementKey\":\"x\"}},"
                       "\"registrationState\":7,\"createdDateTimeUtc\":\"2026\",\"allocationPolicy\":\"GEOLATENCY\"}"),
                   &e, NULL));
    assert_int_equal(e.attestation->type, ATTEST_TPM);
    assert_text(e.attestation->tpm->endorsement, "x");
    assert_null(e.attestation->tpm->root.p);
    assert_int_equal(e.provisioning_status, PROVISIONING_ABSENT);
    assert_int_equal(e.capabilities.iot_edge, TRI_ABSENT);
    assert_null(e.registration_state);
    assert_int_equal(e.created_us, 0);
    assert_int_equal(e.allocation_policy, POLICY_GEO_LATENCY);
}

static void an_enrollment_names_its_bad_member(void **state)
{
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"{}", "attestation is required"},
        {"{\"attestation\":{}}", "attestation.type is required"},
        {"{\"attestation\":{\"type\":\"magic\"}}", "attestation.type must be one of symmetricKey, x509, tpm, none"},
        {"{\"attestation\":{\"type\":\"symmetricKey\",\"symmetricKey\":{\"primaryKey\":5}}}",
         "attestation.symmetricKey.primaryKey must be a string"},
        {"{\"attestation\":{\"type\":\"none\"},\"capabilities\":{}}", "capabilities.iotEdge is required"},
        {"{\"attestation\":{\"type\":\"none\"},\"reprovisionPolicy\":{\"updateHubAssignment\":true}}",
         "reprovisionPolicy.migrateDeviceData is required"},
        {"{\"attestation\":{\"type\":\"none\"},\"initialTwin\":[]}", "initialTwin must be an object"},
        {"{\"attestation\":{\"type\":\"none\"},\"allocationPolicy\":\"best\"}",
         "allocationPolicy must be one of hashed, geoLatency, static, custom"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct enrollment e = {0};
        struct err_detail d = {""};
        assert_err(codec_read(*state, enrollment_codec, 0, str_of(rows[i].body), &e, &d), BAD_FIELD);
        assert_says(d, rows[i].says);
    }
}

static void keys_may_be_left_out(void **state)
{
    struct symmetric_key none = {0};
    struct attestation a = {.type = ATTEST_SYMMETRIC_KEY, .symmetric_key = &none};
    assert_text(written(*state, attestation_codec, &a), "{\"type\":\"symmetricKey\",\"symmetricKey\":{}}");
}

static void answers_to_devices(void **state)
{
    struct operation_status running = {.operation_id = STR("5.x.y"), .status = REG_ASSIGNING};
    assert_text(written(*state, operation_status_codec, &running),
                "{\"operationId\":\"5.x.y\",\"status\":\"assigning\"}");
    struct registration_state r = {.registration_id = STR("d"),
                                   .status = REG_FAILED,
                                   .error_code = {true, 400208},
                                   .error_message = STR("No hub."),
                                   .created_us = 1,
                                   .updated_us = 1000000,
                                   .etag = STR("e")};
    struct operation_status failed = {STR("5.x.y"), REG_FAILED, &r};
    assert_text(
        written(*state, operation_status_codec, &failed),
        "{\"operationId\":\"5.x.y\",\"status\":\"failed\",\"registrationState\":{\"registrationId\":\"d\","
        "\"createdDateTimeUtc\":\"1970-01-01T00:00:00.0000010Z\",\"status\":\"failed\",\"errorCode\":400208,"
        "\"errorMessage\":\"No hub.\",\"lastUpdatedDateTimeUtc\":\"1970-01-01T00:00:01.0000000Z\",\"etag\":\"e\"}}");
    r = (struct registration_state){
        .assigned_hub = STR("h"), .device_id = STR("d"), .status = REG_ASSIGNED, .substatus = SUB_INITIAL};
    assert_text(
        written(*state, registration_state_codec, &r),
        "{\"assignedHub\":\"h\",\"deviceId\":\"d\",\"status\":\"assigned\",\"substatus\":\"initialAssignment\"}");
}

static void a_device_may_send_any_payload(void **state)
{
    struct device_registration r = {0};
    assert_ok(codec_read(*state, device_registration_codec, 0,
                         STR("{\"registrationId\":\"d\",\"payload\":\"text\",\"tpm\":{\"endorsementKey\":\"k\"}}"), &r,
                         NULL));
    assert_text(r.payload, "\"text\"");
    assert_text(r.tpm->endorsement, "k");
    r = (struct device_registration){0};
    assert_ok(codec_read(*state, device_registration_codec, 0, STR("{\"payload\":null}"), &r, NULL));
    assert_null(r.payload.p);
}

static void a_hub_import_is_flat(void **state)
{
    static const char body[] =
        "{\"id\":\"d\",\"importMode\":\"updateIfMatchETag\",\"eTag\":\"t\",\"status\":\"disabled\","
        "\"statusReason\":null,\"authentication\":{\"x509Thumbprint\":{\"primaryThumbprint\":\"AB\","
        "\"secondaryThumbprint\":null},\"type\":\"selfSigned\"},\"capabilities\":{\"iotEdge\":true},"
        "\"deviceScope\":\"s\"}";
    struct hub_import i = {0};
    assert_ok(codec_read(*state, hub_import_codec, 0, str_of(body), &i, NULL));
    assert_int_equal(i.import_mode, IMPORT_UPDATE_IF_MATCH);
    assert_int_equal(i.device.status, HUB_DEVICE_DISABLED);
    assert_int_equal(i.device.authentication->type, HUB_AUTH_SELF_SIGNED);
    assert_text(i.device.etag, "t");
    assert_null(i.device.device_id.p);
    assert_text(written(*state, hub_import_codec, &i), body);
    struct err_detail d;
    assert_err(codec_read(*state, hub_import_codec, 0, STR("{\"importMode\":\"create\"}"), &i, &d), BAD_FIELD);
    assert_says(d, "id is required");
}

static void a_hub_device_keeps_its_generation_to_itself(void **state)
{
    struct hub_device h = {0};
    assert_ok(codec_read(*state, hub_device_codec, 0,
                         STR("{\"deviceId\":\"D\",\"generationId\":\"1\",\"status\":\"enabled\"}"), &h, NULL));
    assert_null(h.generation_id.p);
    h.generation_id = STR("9");
    assert_text(written(*state, hub_device_codec, &h),
                "{\"deviceId\":\"D\",\"generationId\":\"9\",\"status\":\"enabled\",\"statusReason\":null}");
}

static void rights_are_words_in_any_order(void **state)
{
    int bits = 0;
    assert_true(service_rights_parse(STR("enrollmentwrite,ServiceConfig , DeviceConnect"), &bits));
    assert_text(service_rights_text(*state, bits), "ServiceConfig, DeviceConnect, EnrollmentWrite");
    assert_true(hub_rights_parse(STR("DeviceConnect,ServiceConnect,RegistryWrite"), &bits));
    assert_text(hub_rights_text(*state, bits), "RegistryWrite, ServiceConnect, DeviceConnect");
    assert_text(hub_rights_text(*state, 0), "");
    static const char *const bad[] = {"", " ", ",", "ServiceConfig,", "ServiceConfig,Nonsense", "RegistryRead"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_false(service_rights_parse(str_of(bad[i]), &bits));
    assert_false(service_rights_parse(str_of(NULL), &bits));
    assert_false(hub_rights_parse(STR("EnrollmentRead"), &bits));
}

static void writing_implies_reading(void **state)
{
    (void)state;
    assert_int_equal(service_rights_implied(RIGHT_ENROLLMENT_WRITE), RIGHT_ENROLLMENT_WRITE | RIGHT_ENROLLMENT_READ |
                                                                         RIGHT_REGISTRATION_WRITE |
                                                                         RIGHT_REGISTRATION_READ);
    assert_int_equal(service_rights_implied(RIGHT_REGISTRATION_WRITE),
                     RIGHT_REGISTRATION_WRITE | RIGHT_REGISTRATION_READ);
    assert_int_equal(service_rights_implied(RIGHT_ENROLLMENT_READ), RIGHT_ENROLLMENT_READ);
    assert_int_equal(service_rights_implied(RIGHT_DEVICE_CONNECT | RIGHT_SERVICE_CONFIG),
                     RIGHT_DEVICE_CONNECT | RIGHT_SERVICE_CONFIG);
    assert_int_equal(hub_rights_implied(HUB_RIGHT_REGISTRY_WRITE), HUB_RIGHT_REGISTRY_WRITE | HUB_RIGHT_REGISTRY_READ);
    assert_int_equal(hub_rights_implied(HUB_RIGHT_SERVICE_CONNECT), HUB_RIGHT_SERVICE_CONNECT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(all_kinds_come_in_and_go_out),
        UNIT(absent_and_null_are_alike),
        UNIT(empty_is_not_absent),
        UNIT(in_stays_in_and_out_stays_out),
        UNIT(refusals_name_path_and_rule),
        UNIT(a_text_with_nul_is_refused),
        UNIT(names_ignore_case_only_where_asked),
        UNIT(an_enrollment_goes_round),
        UNIT(an_enrollment_gets_no_defaults_here),
        UNIT(an_enrollment_names_its_bad_member),
        UNIT(keys_may_be_left_out),
        UNIT(answers_to_devices),
        UNIT(a_device_may_send_any_payload),
        UNIT(a_hub_import_is_flat),
        UNIT(a_hub_device_keeps_its_generation_to_itself),
        UNIT(rights_are_words_in_any_order),
        UNIT(writing_implies_reading),
    };
    return cmocka_run_group_tests_name("codec, model", tests, NULL, NULL);
}
