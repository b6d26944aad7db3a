/* test_query.c: the texts of queries: what is understood, where another is pointed at, which entries fit, and which
 * spans of which index hold them. */
#include "core/query/query.h"

#include "core/model.h"
#include "unit.h"

static const struct query_index indexes[] = {
    {"registrationId", true, NULL},      {"deviceId", false, NULL},         {"createdDateTimeUtc", true, NULL},
    {"provisioningStatus", false, NULL}, {"allocationPolicy", false, NULL}, {"attestation.type", false, NULL},
};
enum { BY_ID, BY_DEVICE, BY_CREATED, BY_STATUS, BY_POLICY, BY_TYPE };
static const struct query_list enrollments = {"enrollments", enrollment_codec, "attestation.symmetricKey", indexes,
                                              sizeof indexes / sizeof *indexes};

static struct query parsed(struct arena *a, const char *text)
{
    struct query q;
    struct err_detail d = {""};
    err_t e = query_parse(a, &enrollments, str_of(text), &d, &q);
    if (e)
        fail_msg("%s: %s", text, d.text);
    return q;
}

static struct query where(struct arena *a, const char *condition)
{
    return parsed(a, arena_printf(a, "SELECT * WHERE %s", condition).p);
}

/* --- what is understood ------------------------------------------------------------------------------------------- */

static void texts_that_clients_send(void **state)
{
    static const char *const all[] = {"*",
                                      "SELECT *",
                                      "select * from enrollments",
                                      "SELECT * FROM ENROLLMENTS",
                                      " * ",
                                      "SELECT\t*\r\nFROM enrollments"};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        struct query q = parsed(*state, all[i]);
        assert_null(q.where);
        assert_ptr_equal(q.shown, enrollment_codec);
    }
}

static void members_are_selected_in_the_order_of_the_text(void **state)
{
    struct query q = parsed(*state, "SELECT provisioningStatus, registrationId FROM enrollments");
    assert_string_equal(q.shown[0].name, "provisioningStatus");
    assert_string_equal(q.shown[1].name, "registrationId");
    assert_int_equal(q.shown[2].kind, CODEC_KIND_END);
}

static const struct {
    const char *text, *says;
} faults[] = {
    {"", "character 1, at the end: SELECT is expected here"},
    {"SELECT", "character 7, at the end: the name of a member is expected"},
    {"* *", "character 3, at *: the end of the query"},
    {"SELECT * FROM devices", "character 15, at devices: enrollments, which is what this address lists"},
    {"SELECT * enrollments", "character 10, at enrollments: the end of the query"},
    {"SELECT color", "character 8, at color: it is no member of this list"},
    {"SELECT registrationState.status", "character 8, at registrationState.status: SELECT takes whole members"},
    {"SELECT etag, etag", "character 14, at etag: it is selected twice"},
    {"SELECT * WHERE", "character 15, at the end: the name of a member"},
    {"SELECT * WHERE colour = 1", "character 16, at colour: it is no member of this list"},
    {"SELECT * WHERE deviceId.x = 1", "at deviceId.x: it is no member"},
    {"SELECT * WHERE registrationState.stauts = 'failed'", "at registrationState.stauts: it is no member"},
    {"SELECT * WHERE attestation.symmetricKey.primaryKey = 'x'", "shown in no list"},
    {"SELECT * WHERE attestation . symmetricKey IS DEFINED", "shown in no list"},
    {"SELECT * WHERE deviceId", "character 24, at the end: =, !=, <, <=, >, >=, IN, STARTSWITH or IS DEFINED"},
    {"SELECT * WHERE deviceId =", "character 26, at the end: a value"},
    {"SELECT * WHERE deviceId = x", "character 27, at x: a value"},
    {"SELECT * WHERE deviceId = 7", "character 27, at 7: deviceId is compared with a text"},
    {"SELECT * WHERE deviceId = null", "at null: null is no value"},
    {"SELECT * WHERE deviceId = 'x", "character 27, at 'x: a text that begins here has no end"},
    {"SELECT * WHERE deviceId = 'ä' AND 1", "character 35, at 1: the name of a member"},
    {"SELECT * WHERE deviceId = 'a\\x'", "behind \\ stands"},
    {"SELECT * WHERE deviceId == 'a'", "character 26, at =: a value"},
    {"SELECT * WHERE deviceId NOT = 'a'", "at =: IN or STARTSWITH is expected"},
    {"SELECT * WHERE deviceId LIKE 'a%'", "at LIKE: =, !="},
    {"SELECT * WHERE deviceId IN ()", "at ): a value"},
    {"SELECT * WHERE deviceId IN ('a']", "at ]: ) is expected"},
    {"SELECT * WHERE deviceId IN 'a'", "( or [ is expected"},
    {"SELECT * WHERE deviceId IS NULL", "at NULL: DEFINED is expected"},
    {"SELECT * WHERE STARTSWITH(deviceId)", "at ): , is expected"},
    {"SELECT * WHERE STARTSWITH(createdDateTimeUtc, '2026')", "at createdDateTimeUtc: it is no text"},
    {"SELECT * WHERE initialTwin.tags.a STARTSWITH 1", "at 1: STARTSWITH takes a text"},
    {"SELECT * WHERE provisioningStatus = 'on'", "provisioningStatus is compared with one of enabled, disabled"},
    {"SELECT * WHERE provisioningStatus < 'enabled'", "at <: words, true and false"},
    {"SELECT * WHERE capabilities.iotEdge = 'true'", "capabilities.iotEdge is compared with true or false"},
    {"SELECT * WHERE capabilities.iotEdge > true", "words, true and false"},
    {"SELECT * WHERE registrationState.errorCode = '1'", "is compared with a number"},
    {"SELECT * WHERE createdDateTimeUtc > 'yesterday'", "is compared with a time such as"},
    {"SELECT * WHERE createdDateTimeUtc > '2026-02-30'", "is compared with a time such as"},
    {"SELECT * WHERE iotHubs = 'a'", "at iotHubs: it is no plain value"},
    {"SELECT * WHERE initialTwin = 'a'", "at initialTwin: it is no plain value"},
    {"SELECT * WHERE initialTwin.tags.a = 1e999", "at 1e999: this is no number"},
    {"SELECT * WHERE initialTwin.tags.a = 1.", NULL},
    {"SELECT * WHERE (deviceId = 'a'", "character 31, at the end: ) is expected"},
    {"SELECT * WHERE deviceId = 'a')", "character 30, at ): the end of the query"},
    {"SELECT * WHERE deviceId = 'a' OR", "the name of a member"},
    {"SELECT * WHERE initialTwin.[[a = 1", "at [[a = 1: a name that begins here has no end"},
    {"SELECT * ORDER registrationId", "at registrationId: BY is expected"},
    {"SELECT * ORDER BY deviceId", "at deviceId: a list is ordered by one of registrationId, createdDateTimeUtc"},
    {"SELECT * ORDER BY registrationId DESC, etag", "at ,: the end of the query"},
    {"SELECT * WHERE deviceId = 'a';", "character 30, at ;: this is no part of a query"},
};

static void others_are_pointed_at(void **state)
{
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        struct query q;
        struct err_detail d = {""};
        err_t e = query_parse(*state, &enrollments, str_of(faults[i].text), &d, &q);
        print_message("%s -> %s\n", faults[i].text, d.text);
        assert_true((e == E(BAD_FIELD)) == (faults[i].says != NULL));
        if (faults[i].says)
            assert_says(d, faults[i].says);
    }
}

/* `count` times `part`, with `between` between them. */
static struct str repeated(struct arena *a, const char *begin, const char *part, const char *between, size_t count)
{
    struct text t;
    text_init(&t, a, 1024);
    text_add(&t, str_of(begin));
    for (size_t i = 0; i < count; i++)
        text_printf(&t, "%s%s", i ? between : "", part);
    return text_str(&t);
}

static void bounded(struct arena *a, struct str good, struct str bad, const char *says)
{
    struct query q;
    struct err_detail d = {""};
    assert_ok(query_parse(a, &enrollments, good, NULL, &q));
    assert_err(query_parse(a, &enrollments, bad, &d, &q), BAD_FIELD);
    assert_says(d, says);
}

static void size_is_bounded(void **state)
{
    struct arena *a = *state;
    const char *where_ = "SELECT * WHERE ";
    bounded(a, repeated(a, where_, "deviceId IS DEFINED", " OR ", QUERY_TERMS_MAX),
            repeated(a, where_, "deviceId IS DEFINED", " OR ", QUERY_TERMS_MAX + 1), "more comparisons");
    bounded(a, arena_printf(a, "%s)", repeated(a, "SELECT * WHERE etag IN (", "'a'", ",", QUERY_VALUES_MAX).p),
            arena_printf(a, "%s)", repeated(a, "SELECT * WHERE etag IN (", "'a'", ",", QUERY_VALUES_MAX + 1).p),
            "more values");
    bounded(a, arena_printf(a, "%s etag IS DEFINED", repeated(a, where_, "NOT", " ", QUERY_DEPTH_MAX - 1).p),
            arena_printf(a, "%s etag IS DEFINED", repeated(a, where_, "NOT", " ", QUERY_DEPTH_MAX).p), "too deep");
    bounded(a, repeated(a, "*", " ", "", QUERY_BYTES_MAX - 1), repeated(a, "*", " ", "", QUERY_BYTES_MAX),
            "at most 8192 bytes");
    bounded(a, arena_printf(a, "%s = 1", repeated(a, "SELECT * WHERE initialTwin.", "a", ".", 15).p),
            arena_printf(a, "%s = 1", repeated(a, "SELECT * WHERE initialTwin.", "a", ".", 16).p), "too long");
}

/* --- which entries fit -------------------------------------------------------------------------------------------- */

static struct registration_state failed = {.status = REG_FAILED, .error_code = {true, 400208}};
static struct attestation keys = {.type = ATTEST_SYMMETRIC_KEY};

static struct enrollment entry(void)
{
    return (struct enrollment){
        .id = STR("Line7-Unit042"),
        .device_id = STR("Press-42"),
        .attestation = &keys,
        .provisioning_status = PROVISIONING_ENABLED,
        .capabilities = {TRI_FALSE},
        .created_us = 1772439330123456, /* 2026-03-02T08:15:30.123456Z */
        .initial_twin = STR("{\"tags\":{\"hall\":\"B\",\"rate\":5,\"big\":9007199254740993,\"deep\":{\"a-b\":true},"
                            "\"none\":null,\"odd name\":0.5,\"list\":[1]}}"),
        .registration_state = &failed,
    };
}

static const struct {
    const char *where;
    bool fits, not_fits; /* it, and its NOT */
} cases[] = {
    {"registrationId = 'line7-unit042'", true, false},
    {"registrationId = 'LINE7-UNIT042'", true, false},
    {"registrationId = 'line7'", false, true},
    {"deviceId = 'Press-42'", true, false},
    {"deviceId = 'press-42'", false, true},
    {"deviceId <> \"Press-42\"", false, true},
    {"deviceId != 'x'", true, false},
    {"deviceId IN ('a', 'Press-42')", true, false},
    {"deviceId NOT IN ['a', 'b']", true, false},
    {"STARTSWITH(deviceId, 'Press')", true, false},
    {"starts_with(deviceId, 'press')", false, true},
    {"registrationId STARTSWITH 'LINE7-'", true, false},
    {"deviceId NOT STARTSWITH 'Pr'", false, true},
    {"deviceId < 'Q'", true, false},
    {"deviceId <= 'Press-42'", true, false},
    {"deviceId < 'Press-42'", false, true},
    {"deviceId > 'Press-41'", true, false},
    {"deviceId >= 'Press-42'", true, false},
    {"provisioningStatus = 'ENABLED'", true, false},
    {"provisioningStatus IN ('disabled')", false, true},
    {"attestation.type = 'symmetricKey'", true, false},
    {"attestation.type != 'x509'", true, false},
    {"capabilities.iotEdge = false", true, false},
    {"createdDateTimeUtc > '2026-03-02'", true, false},
    {"createdDateTimeUtc = '2026-03-02T08:15:30.1234560Z'", true, false},
    {"createdDateTimeUtc < '2026-03-02T08:15:30.123456Z'", false, true},
    {"registrationState.status = 'failed'", true, false},
    {"registrationState.errorCode >= 400208", true, false},
    {"registrationState.errorCode = 400208.0", true, false},
    {"registrationState.assignedHub = 'a'", false, false},
    {"registrationState IS DEFINED", true, false},
    {"registrationState.assignedHub IS NOT DEFINED", true, false},
    {"IS_DEFINED(iotHubs)", false, true},
    {"allocationPolicy = 'hashed'", false, false},
    {"allocationPolicy != 'hashed'", false, false},
    {"allocationPolicy IS NOT DEFINED", true, false},
    {"initialTwin.tags.hall = 'B'", true, false},
    {"initialTwin.tags.hall = 5", false, false},
    {"initialTwin.tags.hall STARTSWITH ''", true, false},
    {"initialTwin.tags.rate > 4.5", true, false},
    {"initialTwin.tags.rate = 5", true, false},
    {"initialTwin.tags.rate = 'B'", false, false},
    {"initialTwin.tags.rate STARTSWITH '5'", false, false},
    {"initialTwin.tags.big = 9007199254740992", false, true},
    {"initialTwin.tags.big = 9007199254740993", true, false},
    {"initialTwin.tags.[[odd name]] = 5e-1", true, false},
    {"initialTwin.tags.[[odd name]] < -1", false, true},
    {"initialTwin.tags.deep.a-b = true", true, false},
    {"initialTwin.tags.deep = true", false, false},
    {"initialTwin.tags.deep IS DEFINED", true, false},
    {"initialTwin.tags.list IS DEFINED", true, false},
    {"initialTwin.tags.none IS DEFINED", false, true},
    {"initialTwin.tags.hall.x IS DEFINED", false, true},
    {"optionalDeviceInformation.a = 1", false, false},
    {"deviceId = 'x' OR deviceId = 'Press-42'", true, false},
    {"deviceId = 'x' OR deviceId = 'y' AND etag IS NOT DEFINED", false, true},
    {"(deviceId = 'x' OR deviceId = 'Press-42') AND provisioningStatus = 'disabled'", false, true},
    {"allocationPolicy = 'hashed' OR deviceId = 'Press-42'", true, false},
    {"allocationPolicy = 'hashed' OR deviceId = 'x'", false, false},
    {"allocationPolicy = 'hashed' AND deviceId = 'x'", false, true},
    {"allocationPolicy = 'hashed' AND deviceId = 'Press-42'", false, false},
    {"NOT deviceId = 'x' AND provisioningStatus = 'enabled'", true, false},
    {"initialTwin.tags.hall = 'it''s' OR initialTwin.tags.hall = 'a\\'b' OR initialTwin.tags.hall = '\\\\'", false,
     true},
};

static void entries_fit(void **state)
{
    struct enrollment e = entry();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct query q = where(*state, cases[i].where);
        struct query negated = where(*state, arena_printf(*state, "NOT (%s)", cases[i].where).p);
        bool right =
            query_fits(*state, &q, &e) == cases[i].fits && query_fits(*state, &negated, &e) == cases[i].not_fits;
        if (!right)
            fail_msg("%s", cases[i].where);
    }
}

static void members_of_what_is_not_there_are_absent(void **state)
{
    struct enrollment e = {.id = STR("a")};
    struct query q = where(*state, "registrationState.status = 'failed' OR attestation.type = 'x509'");
    assert_false(query_fits(*state, &q, &e));
    q = where(*state, "registrationState.status IS NOT DEFINED AND attestation.type IS NOT DEFINED");
    assert_true(query_fits(*state, &q, &e));
}

/* --- where they are found ----------------------------------------------------------------------------------------- */

static struct str span_text(struct arena *a, const struct query_span *s)
{
    if (s->least.type == QUERY_TIME)
        return arena_printf(a, "%lld..%lld ", (long long)(s->least.n / 1000000), (long long)(s->most.n / 1000000));
    return arena_printf(a, "%.*s..%.*s ", STR_ARG(s->least.text), STR_ARG(s->most.text));
}

static struct str plan_text(struct arena *a, const char *text)
{
    struct query q = parsed(a, text);
    struct query_plan plan;
    struct text t;
    query_find(a, &q, &plan);
    text_init(&t, a, 128);
    text_printf(&t, "%s%s: ", indexes[plan.index].member, plan.down ? " down" : "");
    for (size_t i = 0; i < plan.count; i++)
        text_add(&t, span_text(a, &plan.spans[i]));
    return text_str(&t);
}

#define EVERYTHING "registrationId: ..\x7f "
static const struct {
    const char *where, *plan;
} plans[] = {
    {"initialTwin.tags.a = 1", EVERYTHING},
    {"registrationId = 'B'", "registrationId: b..b "},
    {"registrationId IN ('b', 'A', 'B')", "registrationId: a..a b..b "},
    {"registrationId = 'a' AND registrationId = 'b'", "registrationId: "},
    {"registrationId STARTSWITH 'a' AND registrationId > 'ab'", "registrationId: ab..a\x7f "},
    {"registrationId < 'c' AND NOT registrationId < 'b'", "registrationId: b..c "},
    {"registrationId >= 'b' AND registrationId <= 'c' OR registrationId = 'x'", "registrationId: b..c x..x "},
    {"registrationId > 'b' OR registrationId < 'd'", EVERYTHING},
    {"registrationId != 'a'", EVERYTHING},
    {"registrationId = 'a' OR deviceId = 'b'", EVERYTHING},
    {"NOT (registrationId != 'a' OR deviceId = 'b')", "registrationId: a..a "},
    {"NOT (registrationId != 'a' AND deviceId = 'b')", EVERYTHING},
    {"registrationId > 'a' AND deviceId = 'b'", "deviceId: b..b "},
    {"registrationId STARTSWITH 'a' AND createdDateTimeUtc > '2026-01-01'", "registrationId: a..a\x7f "},
    {"deviceId = 'b' AND provisioningStatus = 'disabled'", "deviceId: b..b "},
    {"NOT deviceId STARTSWITH 'b'", EVERYTHING},
    {"provisioningStatus = 'Disabled'", "provisioningStatus: disabled..disabled "},
    {"provisioningStatus != 'enabled'", "provisioningStatus: disabled..disabled "},
    {"provisioningStatus = 'enabled' OR provisioningStatus = 'disabled'",
     "provisioningStatus: disabled..disabled enabled..enabled "},
    {"provisioningStatus = 'disabled' AND createdDateTimeUtc > '1970-01-02'",
     "createdDateTimeUtc: 86400..9223372036854 "},
    {"allocationPolicy NOT IN ('hashed', 'custom')", "allocationPolicy: geoLatency..geoLatency static..static "},
    {"attestation.type = 'x509'", "attestation.type: x509..x509 "},
    {"createdDateTimeUtc = '1970-01-01'", "createdDateTimeUtc: 0..0 "},
    {"deviceId IS NOT DEFINED", EVERYTHING},
    {"provisioningStatus = 'disabled' ORDER BY registrationId", "provisioningStatus: disabled..disabled "},
    {"provisioningStatus IN ('enabled', 'disabled') ORDER BY registrationId", EVERYTHING},
    {"provisioningStatus = 'disabled' ORDER BY registrationId DESC", "registrationId down: ..\x7f "},
    {"registrationId = 'a' ORDER BY createdDateTimeUtc", "createdDateTimeUtc: -9223372036854..9223372036854 "},
    {"deviceId = 'a' AND createdDateTimeUtc < '1970-01-02' ORDER BY createdDateTimeUtc DESC",
     "createdDateTimeUtc down: -9223372036854..86400 "},
};

static void the_best_index_is_chosen(void **state)
{
    assert_text(plan_text(*state, "*"), EVERYTHING);
    for (size_t i = 0; i < sizeof plans / sizeof *plans; i++) {
        print_message("%s\n", plans[i].where);
        assert_text(plan_text(*state, arena_printf(*state, "SELECT * WHERE %s", plans[i].where).p), plans[i].plan);
    }
}

/* An index that holds the failed ones alone serves whoever asks for no others. */
static void a_part_is_an_index_of_what_it_holds(void **state)
{
    static const struct query_index some[] = {{"registrationId", true, NULL}, {"status", false, "failed"}};
    static const struct query_list registrations = {"registrations", registration_state_codec, NULL, some, 2};
    static const struct {
        const char *text;
        size_t index;
    } asked[] = {
        {"SELECT * WHERE status = 'failed'", 1},
        {"SELECT * WHERE status = 'FAILED' AND errorCode = 400208", 1},
        {"SELECT * WHERE status IN ('failed', 'disabled') AND status != 'disabled'", 1},
        {"SELECT * WHERE status IN ('failed', 'disabled')", 0},
        {"SELECT * WHERE status = 'assigned'", 0},
        {"SELECT * WHERE NOT status = 'failed'", 0},
        {"SELECT * WHERE status = 'failed' OR errorCode > 0", 0},
        {"SELECT * WHERE status = 'failed' AND registrationId = 'a'", 0},
        {"SELECT * WHERE status = 'failed' ORDER BY registrationId", 1},
        {"SELECT * WHERE status = 'failed' ORDER BY registrationId DESC", 0},
        {"*", 0},
    };
    for (size_t i = 0; i < sizeof asked / sizeof *asked; i++) {
        struct query q;
        struct query_plan plan;
        assert_ok(query_parse(*state, &registrations, str_of(asked[i].text), NULL, &q));
        query_find(*state, &q, &plan);
        if (plan.index != asked[i].index)
            fail_msg("%s goes by index %zu", asked[i].text, plan.index);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(texts_that_clients_send),
        UNIT(members_are_selected_in_the_order_of_the_text),
        UNIT(others_are_pointed_at),
        UNIT(size_is_bounded),
        UNIT(entries_fit),
        UNIT(members_of_what_is_not_there_are_absent),
        UNIT(the_best_index_is_chosen),
        UNIT(a_part_is_an_index_of_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
