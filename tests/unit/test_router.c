/* test_router.c: which plane and operation a request belongs to, and what is said to those that belong to none; then
 * the shapes in which each plane says no. */
#include "api/router.h"

#include "api/reply.h"
#include "unit.h"

static const char *const method_names[] = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH", "OTHER"};

static struct call *request(struct arena *a, enum method method, const char *host)
{
    struct cfg *cfg = ARENA_NEW(a, struct cfg);
    struct call *r = ARENA_NEW(a, struct call);
    cfg->domain = STR("idscope.test");
    cfg->region = STR("here");
    r->arena = a;
    r->cfg = cfg;
    r->method = method;
    r->host_port = str_of(host);
    r->now_us = INT64_C(1772439330123456);
    r->tracking_id = STR("11111111-2222-4333-8444-555555555555");
    return r;
}

static err_t resolve(struct call *r, struct str target)
{
    return router_resolve(r, str_of(method_names[r->method]), r->host_port, target);
}

static const struct {
    enum method method;
    const char *host, *target, *operation; /* operation NULL: an error */
    const char *error;
} cases[] = {
    /* device paths on every host but hubs' */
    {METHOD_PUT, "global.dps.idscope.test", "/0neAA/registrations/d1/register?api-version=2019-03-31", "register", 0},
    {METHOD_PUT, "plant.dps.idscope.test", "/0neAA/registrations/d1/register?api-version=2019-03-31", "register", 0},
    {METHOD_PUT, "localhost:8443", "/0neAA/registrations/d1/register?api-version=2019-03-31", "register", 0},
    {METHOD_PUT, "10.1.2.3", "/0neAA/registrations/d1/register?api-version=2019-03-31", "register", 0},
    {METHOD_PUT, "h.hub.idscope.test", "/0ne00000AA/registrations/d1/register?api-version=2019-03-31", 0, "NOT_FOUND"},
    {METHOD_GET, "localhost", "/0neAA/registrations/d1/operations/5.a.b?api-version=2019-03-31", "operation_get", 0},
    /* the host decides the plane */
    {METHOD_GET, "plant.dps.idscope.test", "/enrollments/d1?api-version=2021-10-01", "enrollment_get", 0},
    {METHOD_GET, "PLANT.DPS.IDSCOPE.TEST:443", "/enrollments/d1?api-version=2021-10-01", "enrollment_get", 0},
    {METHOD_GET, "management.idscope.test", "/enrollments/d1?api-version=2021-10-01", 0, "NOT_FOUND"},
    {METHOD_GET, "h.hub.idscope.test", "/devices/d1?api-version=2021-04-12", "hub_device_get", 0},
    {METHOD_GET, "plant.dps.idscope.test", "/devices/d1?api-version=2021-04-12", 0, "NOT_FOUND"},
    {METHOD_GET, "plant.dps.idscope.test", "/subscriptions?api-version=2021-04-12", 0, "NOT_FOUND"},
    {METHOD_GET, "", "/subscriptions?api-version=2021-04-12", "subscription_list", 0},
    {METHOD_GET, "[::1]:8443", "/subscriptions?api-version=2021-04-12", "subscription_list", 0},
    {METHOD_GET, "my_host.local", "/subscriptions?api-version=2021-04-12", "subscription_list", 0},
    /* what is no host at all */
    {METHOD_GET, "\xff\xfe.dps.idscope.test", "/enrollments/d1?api-version=2021-10-01", 0, "BAD_REQUEST"},
    {METHOD_GET, "a b.hub.idscope.test", "/devices/d1?api-version=2021-04-12", 0, "BAD_REQUEST"},
    {METHOD_GET, "localhost/x", "/subscriptions?api-version=2021-04-12", 0, "BAD_REQUEST"},
    {METHOD_GET, "me@localhost", "/subscriptions?api-version=2021-04-12", 0, "BAD_REQUEST"},
    /* a scope that is encoded whole, before locks alone */
    {METHOD_GET, "localhost", "/%2Fsubscriptions%2fs/providers/Microsoft.Authorization/locks/l?api-version=2016-09-01",
     "subscription_lock_get", 0},
    {METHOD_GET, "localhost",
     "/%2Fsubscriptions%2Fs%2FresourceGroups%2Fg/providers/microsoft.authorization/locks?api-version=2016-09-01",
     "group_lock_list", 0},
    {METHOD_GET, "localhost",
     "/%252Fsubscriptions%252Fs/providers/Microsoft.Authorization/locks/l?api-version=2016-09-01", 0, "NOT_FOUND"},
    {METHOD_GET, "localhost", "/%2Fsubscriptions%2Fs/resourcegroups?api-version=2021-04-01", 0, "NOT_FOUND"},
    {METHOD_GET, "localhost", "/subscriptions%2Fs/providers/Microsoft.Authorization/locks?api-version=2016-09-01", 0,
     "NOT_FOUND"},
    {METHOD_GET, "plant.dps.idscope.test",
     "/%2Fenrollments%2Fd1/providers/Microsoft.Authorization/locks?api-version=2021-10-01", 0, "NOT_FOUND"},
    /* slashes, case, forms of the target */
    {METHOD_GET, "localhost", "//metadata/endpoints?api-version=2015-01-01", "metadata_endpoints", 0},
    {METHOD_GET, "h.hub.idscope.test", "/devices/?api-version=2021-04-12", "hub_device_list", 0},
    {METHOD_GET, "localhost", "/subscriptions//s///resourcegroups/?api-version=2021-04-01", "group_list", 0},
    {METHOD_PUT, "localhost", "/0ne000000AA/registrations//register?api-version=2019-03-31", 0, "NOT_FOUND"},
    {METHOD_GET, "h.hub.idscope.test", "/devices//d1?api-version=2021-04-12", 0, "NOT_FOUND"},
    {METHOD_GET, "localhost", "/SUBSCRIPTIONS/s/RESOURCEgroups?api-version=2021-04-01", "group_list", 0},
    {METHOD_GET, "localhost", "http://localhost/subscriptions?api-version=2021-04-01", "subscription_list", 0},
    {METHOD_GET, "localhost", "/subscriptions//resourcegroups?api-version=2021-04-01", "subscription_get", 0},
    {METHOD_GET, "localhost", "/", 0, "NOT_FOUND"},
    {METHOD_GET, "localhost", "*", 0, "NOT_FOUND"},
    {METHOD_GET, "localhost", "/1/2/3/4/5/6/7/8/9/10/11/12/13/14", 0, "NOT_FOUND"},
    {METHOD_GET, "localhost", "/subscriptions/%zz?api-version=2021-04-01", 0, "BAD_REQUEST"},
    {METHOD_GET, "localhost", "/subscriptions/%ff?api-version=2021-04-01", 0, "BAD_REQUEST"},
    {METHOD_GET, "localhost", "/subscriptions/\xff?api-version=2021-04-01", 0, "BAD_REQUEST"},
    {METHOD_GET, "localhost", "/subscriptions/%ed%a0%80?api-version=2021-04-01", 0, "BAD_REQUEST"},
    {METHOD_GET, "localhost", "/subscriptions/%00?api-version=2021-04-01", 0, "BAD_REQUEST"},
    /* methods */
    {METHOD_HEAD, "localhost", "/subscriptions/s/resourcegroups/g?api-version=2021-04-01", "group_head", 0},
    {METHOD_HEAD, "localhost", "/subscriptions?api-version=2021-04-01", 0, "METHOD_NOT_ALLOWED"},
    {METHOD_OTHER, "localhost", "/subscriptions?api-version=2021-04-01", 0, "METHOD_NOT_ALLOWED"},
    /* api-version */
    {METHOD_GET, "localhost", "/subscriptions", 0, "MISSING_API_VERSION"},
    {METHOD_GET, "localhost", "/subscriptions?api-version=", 0, "MISSING_API_VERSION"},
    {METHOD_GET, "localhost", "/subscriptions?API-Version=2022-04-30-preview", "subscription_list", 0},
    {METHOD_GET, "localhost", "/subscriptions?x=1&api-version=2023-03-01-preview.2", "subscription_list", 0},
    {METHOD_GET, "localhost", "/subscriptions?api-version=2023-13-01", 0, "BAD_API_VERSION"},
    {METHOD_GET, "localhost", "/subscriptions?api-version=2023-1-01", 0, "BAD_API_VERSION"},
    {METHOD_GET, "localhost", "/subscriptions?api-version=2023-01-01-beta", 0, "BAD_API_VERSION"},
    {METHOD_GET, "localhost", "/subscriptions?api-version=latest", 0, "BAD_API_VERSION"},
    {METHOD_GET, "localhost", "/adfs/discovery/keys", "jwks", 0},
};

static void each_request_finds_its_operation(void **state)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct call *r = request(*state, cases[i].method, cases[i].host);
        err_t e = resolve(r, str_of(cases[i].target));
        bool good = cases[i].operation ? !e && strcmp(r->route->name, cases[i].operation) == 0
                                       : e && strcmp(e->name, cases[i].error) == 0;
        if (!good)
            fail_msg("%s %s on %s: %s, %s", method_names[cases[i].method], cases[i].target, cases[i].host,
                     e ? e->name : "no error", r->route ? r->route->name : "no route");
    }
}

static void values_are_decoded_once_after_splitting(void **state)
{
    struct call *r = request(*state, METHOD_GET, "plant.dps.idscope.test");
    assert_ok(resolve(r, STR("/enrollments/a%2Fb%2541?api-version=2021-10-01")));
    assert_text(r->segments[SEGMENT_ID], "a/b%41");
    assert_text(r->raw_segments[SEGMENT_ID], "a%2Fb%2541");
    assert_text(r->name, "plant");
    assert_text(r->api_version, "2021-10-01");
}

/* The routes of a path of words and values, one value each: all of them arrive under the name that the table gives. */
static void every_value_has_a_name(void **state)
{
    static const char *const paths[] = {
        "/subscriptions/S/resourcegroups/G/providers/Microsoft.Devices/provisioningServices/N/keys/K/listkeys",
        "/subscriptions/S/resourcegroups/G/providers/Microsoft.Devices/provisioningServices/N/linkedHubs/H",
        "/subscriptions/S/resourcegroups/G/providers/Microsoft.Devices/provisioningServices/N/certificates/C"};
    struct call *r = request(*state, METHOD_POST, "localhost");
    assert_ok(resolve(r, arena_printf(*state, "%s?api-version=2021-10-01", paths[0])));
    assert_text(r->segments[SEGMENT_SUBSCRIPTION], "S");
    assert_text(r->segments[SEGMENT_GROUP], "G");
    assert_text(r->segments[SEGMENT_NAME], "N");
    assert_text(r->segments[SEGMENT_KEY], "K");
    r = request(*state, METHOD_GET, "localhost");
    assert_ok(resolve(r, arena_printf(*state, "%s?api-version=2021-10-01", paths[1])));
    assert_text(r->segments[SEGMENT_HOST], "H");
    assert_null(r->segments[SEGMENT_KEY].p);
    assert_null(r->segments[SEGMENT_SCOPE].p);
    r = request(*state, METHOD_GET, "localhost");
    assert_ok(resolve(r, arena_printf(*state, "%s?api-version=2021-10-01", paths[2])));
    assert_text(r->segments[SEGMENT_CERTIFICATE], "C");
    r = request(*state, METHOD_GET, "localhost");
    assert_ok(resolve(r, STR("/0neAA/registrations/d1/operations/5.a.b?api-version=2019-03-31")));
    assert_text(r->segments[SEGMENT_SCOPE], "0neAA");
    assert_text(r->segments[SEGMENT_ID], "d1");
    assert_text(r->segments[SEGMENT_OPERATION], "5.a.b");
}

/* A path that the pattern is for: "x" for each word in braces. */
static struct str path_for(struct arena *a, const struct route *route)
{
    struct text out;
    struct str word, rest = str_of(route->path + 1);
    text_init(&out, a, 200);
    while (rest.p) {
        rest = str_split(rest, '/', &word);
        text_printf(&out, "/%.*s", STR_ARG(word.p[0] == '{' ? STR("x") : word));
    }
    return text_str(&out);
}

static const char *host_for(const struct route *route)
{
    return plane_on(route->plane, ID_PLANE_HUB)          ? "h.hub.idscope.test"
           : plane_on(route->plane, ID_PLANE_MANAGEMENT) ? "localhost"
                                                         : "i.dps.idscope.test";
}

static size_t words_in_braces(const struct route *route)
{
    size_t n = 0;
    for (const char *p = route->path; *p; p++)
        n += *p == '{';
    return n;
}

static size_t values_in(const struct call *r)
{
    size_t n = 0;
    for (enum segment i = 0; i < SEGMENT_COUNT; i++)
        n += r->segments[i].p != NULL;
    return n;
}

static void every_route_can_be_found(void **state)
{
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        const struct route *route = router_at(i);
        assert_int_equal(router_index(route), i);
        assert_true((route->op != NULL) != (route->batch != NULL));
        assert_int_equal(route->batch != NULL, route->kind == ROUTE_BATCH);
        assert_true(route->kind != ROUTE_INLINE || route->credential == CREDENTIAL_NONE);
        struct call *r = request(*state, route->method, host_for(route));
        assert_ok(resolve(r, arena_printf(*state, "%s?api-version=2021-10-01", path_for(*state, route).p)));
        assert_ptr_equal(r->route, route);
        assert_int_equal(values_in(r), words_in_braces(route));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(route->name, router_at(j)->name);
    }
}

static const char *header_of(const struct call *r, const char *name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (strcmp(r->headers[i].name, name) == 0)
            return r->headers[i].value.p;
    return "(none)";
}

static void a_wrong_method_hears_the_right_ones(void **state)
{
    struct call *r = request(*state, METHOD_POST, "plant.dps.idscope.test");
    r->error = resolve(r, STR("/enrollments/d1?api-version=2021-10-01"));
    reply_finish(r);
    assert_int_equal(r->status, 405);
    assert_string_equal(header_of(r, "Allow"), "GET, PUT, DELETE");
}

/* --- shapes ------------------------------------------------------------------------------------------------------- */

static struct call *refused(struct arena *a, enum plane plane, err_t e)
{
    struct call *r = request(a, METHOD_GET, "localhost");
    r->plane = plane;
    r->error = e;
    err_say(&r->log_detail, e, "for the log");
    return r;
}

static void each_plane_says_no_in_its_own_shape(void **state)
{
    struct call *r = refused(*state, PLANE_DEVICE, E(UNAUTHORIZED));
    reply_finish(r);
    assert_int_equal(r->status, 401);
    assert_text(r->reply, "{\"errorCode\":401002,\"trackingId\":\"11111111-2222-4333-8444-555555555555\","
                          "\"message\":\"Unauthorized\",\"timestampUtc\":\"2026-03-02T08:15:30.1234560Z\"}");
    assert_string_equal(header_of(r, "x-ms-error-code"), "401002");
    r = refused(*state, PLANE_MANAGEMENT, E(RESOURCE_NOT_FOUND));
    reply_finish(r);
    assert_text(r->reply, "{\"error\":{\"code\":\"ResourceNotFound\",\"message\":\"There is no such resource.\"}}");
    r = refused(*state, PLANE_HUB, E(DEVICE_NOT_FOUND));
    reply_finish(r);
    assert_text(r->reply, "{\"Message\":\"ErrorCode:DeviceNotFound;There is no device of this id.\","
                          "\"ExceptionMessage\":\"Tracking ID:11111111-2222-4333-8444-555555555555-TimeStamp:"
                          "2026-03-02T08:15:30.1234560Z\"}");
    assert_string_equal(header_of(r, "iothub-errorcode"), "DeviceNotFound");
    r = refused(*state, PLANE_SIGN_IN, E(INVALID_CLIENT));
    r->method = METHOD_POST;
    reply_finish(r);
    assert_int_equal(r->status, 401);
    assert_non_null(strstr(r->reply.p, "{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000215"));
}

static void a_client_reads_its_own_fault_and_never_ours(void **state)
{
    struct call *r = refused(*state, PLANE_SERVICE, E(BAD_FIELD));
    err_say(&r->detail, NULL, "registrationId: must be a text.");
    reply_finish(r);
    assert_non_null(strstr(r->reply.p, "registrationId: must be a text."));
    assert_null(strstr(r->reply.p, "for the log"));
    r = refused(*state, PLANE_SERVICE, E(DATABASE_STATEMENT));
    err_say(&r->detail, NULL, "relation does not exist");
    reply_finish(r);
    assert_int_equal(r->status, 500);
    assert_null(strstr(r->reply.p, "relation"));
}

static void whoever_is_turned_away_hears_when_to_come_back(void **state)
{
    for (enum plane plane = 0; plane < PLANE_COUNT; plane++) {
        struct call *r = refused(*state, plane, plane % 2 ? E(OVERLOADED) : E(DATABASE_RETRY));
        reply_finish(r);
        assert_int_equal(r->status, 503);
        assert_in_range(header_of(r, "Retry-After")[0], '1', '9');
    }
}

static void each_host_has_a_plane_that_answers(void **state)
{
    (void)state;
    assert_int_equal(plane_of_host(ID_PLANE_MANAGEMENT), PLANE_MANAGEMENT);
    assert_int_equal(plane_of_host(ID_PLANE_SERVICE), PLANE_SERVICE);
    assert_int_equal(plane_of_host(ID_PLANE_HUB), PLANE_HUB);
}

static void a_path_below_an_id_scope_is_answered_as_devices_are(void **state)
{
    static const struct {
        const char *host, *target;
        enum plane plane;
    } rows[] = {
        {"localhost", "/0ne000000AA/registrations/d1/move?api-version=2019-03-31", PLANE_DEVICE},
        {"plant.dps.idscope.test", "/0ne000000AA/registrations/d1/move?api-version=2019-03-31", PLANE_DEVICE},
        {"h.hub.idscope.test", "/0ne000000AA/registrations/d1/move?api-version=2019-03-31", PLANE_HUB},
        {"localhost", "/subscriptions/registrations/d1/move?api-version=2019-03-31", PLANE_MANAGEMENT},
        {"localhost", "/0ne000000AA", PLANE_MANAGEMENT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call *r = request(*state, METHOD_GET, rows[i].host);
        assert_ptr_equal(resolve(r, str_of(rows[i].target)), E(NOT_FOUND));
        assert_int_equal(r->plane, rows[i].plane);
    }
}

static void tokens_are_for_names_of_ours_and_for_those_of_the_plane(void **state)
{
    struct call *r = request(*state, METHOD_GET, "10.0.0.7");
    for (enum plane p = 0; p < PLANE_COUNT; p++) {
        assert_true(plane_audience(r, p, STR("Management.idscope.test")));
        assert_true(plane_audience(r, p, STR("localhost")));
        assert_false(plane_audience(r, p, r->host));
        assert_false(plane_audience(r, p, (struct str){NULL, 0}));
        assert_int_equal(plane_audience(r, p, STR("management.azure.com")), p == PLANE_MANAGEMENT);
        assert_int_equal(plane_audience(r, p, STR("azure-devices-provisioning.net")), p == PLANE_SERVICE);
    }
}

static void a_place_in_the_queue_is_of_the_scope_the_name_or_the_address(void **state)
{
    struct call *r = request(*state, METHOD_PUT, "global.dps.idscope.test");
    r->presented.address = STR("10.0.0.1");
    assert_ok(resolve(r, STR("/0neAA/registrations/d1/register?api-version=2019-03-31")));
    assert_text(plane_holder(r), "0neaa");
    r = request(*state, METHOD_GET, "Plant.dps.idscope.test");
    assert_ok(resolve(r, STR("/enrollments/d1?api-version=2021-10-01")));
    assert_text(plane_holder(r), "plant");
    r = request(*state, METHOD_POST, "localhost");
    r->presented.address = STR("10.0.0.1");
    assert_ok(resolve(r, STR("/adfs/oauth2/token")));
    assert_text(plane_holder(r), "10.0.0.1");
    r = request(*state, METHOD_GET, "localhost");
    assert_ok(resolve(r, STR("/subscriptions/SUB?api-version=2021-10-01")));
    assert_text(plane_holder(r), "sub");
}

static void an_api_version_is_compared_as_a_date_with_its_row(void **state)
{
    static const struct {
        const char *version;
        unsigned wanted;
    } rows[] = {
        {"2015-01-01",
         VERSION_OLD_METADATA | VERSION_LISTED_METADATA | VERSION_ONE_INITIAL_SUBSTATUS | VERSION_BEFORE_CSR},
        {"2014-06-30-preview",
         VERSION_OLD_METADATA | VERSION_LISTED_METADATA | VERSION_ONE_INITIAL_SUBSTATUS | VERSION_BEFORE_CSR},
        {"2015-01-02", VERSION_LISTED_METADATA | VERSION_ONE_INITIAL_SUBSTATUS | VERSION_BEFORE_CSR},
        {"2018-11-01", VERSION_LISTED_METADATA | VERSION_ONE_INITIAL_SUBSTATUS | VERSION_BEFORE_CSR},
        {"2019-03-31", VERSION_LISTED_METADATA | VERSION_ONE_INITIAL_SUBSTATUS | VERSION_BEFORE_CSR},
        {"2019-03-31-preview.2", VERSION_LISTED_METADATA | VERSION_ONE_INITIAL_SUBSTATUS | VERSION_BEFORE_CSR},
        {"2019-04-14", VERSION_LISTED_METADATA | VERSION_ONE_INITIAL_SUBSTATUS | VERSION_BEFORE_CSR},
        {"2019-04-15", VERSION_LISTED_METADATA | VERSION_BEFORE_CSR},
        {"2022-08-31", VERSION_LISTED_METADATA | VERSION_BEFORE_CSR},
        {"2022-09-01", VERSION_BEFORE_CSR},
        {"2025-06-30-preview", VERSION_BEFORE_CSR},
        {"2025-07-01-preview", 0},
        {"2026-08-31", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct call *r = request(*state, METHOD_GET, "localhost");
        assert_ok(resolve(r, arena_printf(*state, "/metadata/endpoints?api-version=%s", rows[i].version)));
        assert_int_equal(r->versions, rows[i].wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(each_request_finds_its_operation),
        UNIT(values_are_decoded_once_after_splitting),
        UNIT(every_value_has_a_name),
        UNIT(every_route_can_be_found),
        UNIT(each_host_has_a_plane_that_answers),
        UNIT(a_path_below_an_id_scope_is_answered_as_devices_are),
        UNIT(tokens_are_for_names_of_ours_and_for_those_of_the_plane),
        UNIT(a_place_in_the_queue_is_of_the_scope_the_name_or_the_address),
        UNIT(an_api_version_is_compared_as_a_date_with_its_row),
        UNIT(a_wrong_method_hears_the_right_ones),
        UNIT(each_plane_says_no_in_its_own_shape),
        UNIT(a_client_reads_its_own_fault_and_never_ours),
        UNIT(whoever_is_turned_away_hears_when_to_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
