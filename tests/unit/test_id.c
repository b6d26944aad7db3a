/* test_id.c: ids, names, hosts, etags and connection strings. */
#include "core/id.h"

#include "unit.h"

static struct str repeat(struct arena *a, char c, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    memset(p, c, n);
    return (struct str){p, n};
}

static void check(bool (*valid)(struct str), bool wanted, const char *const *texts)
{
    for (; *texts; texts++)
        if (valid(str_of(*texts)) != wanted)
            fail_msg("%s: %s", wanted ? "refused" : "accepted", *texts);
}
#define TEXTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void registration_ids(void **state)
{
    check(id_registration_valid, true, TEXTS("a", "Z9", "line7-unit042", "00:1b:44:11:3a:b7", "a.b_c:d-", "a-"));
    check(id_registration_valid, false, TEXTS("", "-a", ".a", "a.", "a_", "a:", "a b", "a/b", "\xc3\xa9", "a*", "_"));
    assert_true(id_registration_valid(repeat(*state, 'x', 128)));
    assert_false(id_registration_valid(repeat(*state, 'x', 129)));
    assert_false(id_registration_valid((struct str){"a\0b", 3}));
}

static void device_ids(void **state)
{
    check(id_device_valid, true, TEXTS("-.%_*?!(),:=@$'", "a", "A9"));
    check(id_device_valid, false, TEXTS("", "a b", "a/b", "a#", "a+", "\xc3\xa9", "a\"", "a\\"));
    assert_true(id_device_valid(repeat(*state, '*', 128)));
    assert_false(id_device_valid(repeat(*state, '*', 129)));
    assert_false(id_device_valid((struct str){"a\0", 2}));
}

static void service_names(void **state)
{
    check(id_service_name_valid, true, TEXTS("abc", "a-b", "1a2", "PLANT-9"));
    check(id_service_name_valid, false, TEXTS("", "ab", "123", "-ab", "ab-", "a.b", "a_b", "a b"));
    assert_true(id_service_name_valid(repeat(*state, 'a', 50)));
    assert_false(id_service_name_valid(repeat(*state, 'a', 51)));
    check(id_service_name_reserved, true, TEXTS("global", "Management", "LOCALHOST", "dps", "hub"));
    check(id_service_name_reserved, false, TEXTS("", "globals", "hubs", "plant"));
}

static void other_names(void **state)
{
    check(id_resource_group_valid, true, TEXTS("rg1", "a.b", "(x)_-"));
    check(id_resource_group_valid, false, TEXTS("", "rg.", "a b", "a/b"));
    assert_false(id_resource_group_valid(repeat(*state, 'a', 91)));
    check(id_key_name_valid, true, TEXTS("iothubowner", "a@b.c-d_e"));
    check(id_key_name_valid, false, TEXTS("", "a b", "a=b", "a;b"));
    assert_false(id_key_name_valid(repeat(*state, 'a', 257)));
    check(id_host_valid, true, TEXTS("localhost", "plant1.hub.idscope.test", "127.0.0.1", "A-b.c"));
    check(id_host_valid, false, TEXTS("", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "a_b", "a:443", "a b", "a/b"));
    assert_false(id_host_valid(repeat(*state, 'a', 64)));
    struct text t;
    text_init(&t, *state, 0);
    for (int i = 0; i < 127; i++)
        text_add(&t, STR("a."));
    text_add(&t, STR("a"));
    assert_false(id_host_valid(text_str(&t)));
}

static void scopes(void **state)
{
    check(id_scope_valid, true, TEXTS("0ne0000BEEF", "0NE0000beef"));
    check(id_scope_valid, false, TEXTS("", "0ne0000BEE", "0ne0000BEEFF", "1ne0000BEEF", "0ne0000BEEG"));
    struct str one = id_scope_new(*state), two = id_scope_new(*state);
    assert_true(id_scope_valid(one));
    assert_false(str_same(one, two));
    for (size_t i = 3; i < one.n; i++)
        assert_false(one.p[i] >= 'a' && one.p[i] <= 'f');
}

static void locations(void **state)
{
    struct str s = STR("kept");
    assert_true(id_location(*state, STR("West Europe 2"), &s));
    assert_text(s, "westeurope2");
    assert_false(id_location(*state, STR(""), &s));
    assert_false(id_location(*state, STR("   "), &s));
    assert_false(id_location(*state, STR("west/europe"), &s));
    assert_false(id_location(*state, repeat(*state, 'a', 65), &s));
    assert_text(s, "westeurope2");
}

static void ports_are_cut(void **state)
{
    (void)state;
    assert_text(id_host_without_port(STR("a.b:8443")), "a.b");
    assert_text(id_host_without_port(STR("a.b:")), "a.b");
    assert_text(id_host_without_port(STR("a.b")), "a.b");
    assert_text(id_host_without_port(STR("a1")), "a1");
    assert_text(id_host_without_port(STR("[::1]:443")), "[::1]");
    assert_text(id_host_without_port(STR("[::1]")), "[::1]");
    assert_text(id_host_without_port(STR("::1")), "::1");
    assert_text(id_host_without_port(STR("a:b")), "a:b");
    assert_text(id_host_without_port(STR("443")), "443");
    assert_text(id_host_without_port(STR("")), "");
}

static void an_authority_is_a_host_and_perhaps_a_port(void **state)
{
    struct str host;
    int port;
    (void)state;
    assert_true(id_authority(STR("a.b"), &host, &port));
    assert_text(host, "a.b");
    assert_int_equal(port, 443);
    assert_true(id_authority(STR("a.b:65535"), &host, &port));
    assert_text(host, "a.b");
    assert_int_equal(port, 65535);
    const char *const wrong[] = {"", ":1", "a.b:", "a.b:0", "a.b:65536", "a.b:x", "me@a.b", "me:1@a.b:1", "[::1]:443"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_false(id_authority(str_of(wrong[i]), &host, &port));
}

static void planes(void **state)
{
    static const struct {
        const char *host;
        enum id_plane plane;
        const char *name;
    } rows[] = {
        {"plant1.hub.d.test", ID_PLANE_HUB, "plant1"},
        {"PLANT1.Hub.D.Test:8443", ID_PLANE_HUB, "plant1"},
        {"plantdps.dps.d.test", ID_PLANE_SERVICE, "plantdps"},
        {"global.dps.d.test.", ID_PLANE_SERVICE, "global"},
        {"a.b.dps.d.test", ID_PLANE_SERVICE, "a.b"}, /* never the instance "a" or "b" */
        {"dps.d.test", ID_PLANE_MANAGEMENT, "dps"},
        {".hub.d.test", ID_PLANE_MANAGEMENT, ""},
        {"management.d.test", ID_PLANE_MANAGEMENT, "management"},
        {"localhost:443", ID_PLANE_MANAGEMENT, "localhost"},
        {"plant1.hub.d.test.evil", ID_PLANE_MANAGEMENT, "plant1"},
        {"plant1.hub.evild.test", ID_PLANE_MANAGEMENT, "plant1"},
        {"plant1hub.d.test", ID_PLANE_MANAGEMENT, "plant1hub"},
        {"d.test", ID_PLANE_MANAGEMENT, "d"},
        {"", ID_PLANE_MANAGEMENT, ""},
        {"127.0.0.1:8443", ID_PLANE_MANAGEMENT, "127"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str name;
        assert_int_equal(id_plane_of(*state, str_of(rows[i].host), STR("d.TEST"), &name), rows[i].plane);
        assert_int_equal(id_hub_built_in(*state, str_of(rows[i].host), STR("d.TEST")), rows[i].plane == ID_PLANE_HUB);
        assert_text(name, rows[i].name);
    }
}

static void etags(void **state)
{
    struct uuid u;
    assert_true(dec_uuid(STR("2a00c1d7-0000-0300-0000-65f1b2a30000"), &u));
    struct str etag = id_etag(*state, &u);
    assert_text(etag, "\"2a00c1d7-0000-0300-0000-65f1b2a30000\"");
    assert_text(id_registration_etag(*state, &u, 1), "IjJhMDBjMWQ3LTAwMDAtMDMwMC0wMDAwLTY1ZjFiMmEzMDAwMC0xIg==");
    assert_false(str_same(id_registration_etag(*state, &u, 1), id_registration_etag(*state, &u, 2)));
    static const char *const same[] = {"\"2a00c1d7-0000-0300-0000-65f1b2a30000\"",
                                       "2a00c1d7-0000-0300-0000-65f1b2a30000",
                                       "W/\"2a00c1d7-0000-0300-0000-65f1b2a30000\"",
                                       "*",
                                       "\"*\"",
                                       " * "};
    static const char *const other[] = {"",
                                        "\"\"",
                                        "\"",
                                        "2a00c1d7-0000-0300-0000-65f1b2a30001",
                                        "2A00C1D7-0000-0300-0000-65f1b2a30000",
                                        "\"\"2a00c1d7-0000-0300-0000-65f1b2a30000\"\"",
                                        "**"};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_true(id_etag_matches(str_of(same[i]), etag));
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        assert_false(id_etag_matches(str_of(other[i]), etag));
    assert_false(id_etag_matches(str_of(NULL), etag));
    assert_false(id_etag_matches(str_of(NULL), STR("")));
}

#define KEY "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="

static void connection_strings(void **state)
{
    static const char *const good[] = {
        "HostName=Plant1.hub.d;SharedAccessKeyName=owner;SharedAccessKey=" KEY,
        " sharedaccesskey = " KEY " ; HOSTNAME=Plant1.hub.d; SharedAccessKeyName=owner;GatewayHostName=x;;",
        "Unknown=;SharedAccessKeyName=owner;HostName=Plant1.hub.d;SharedAccessKey=" KEY ";",
        "\r\n\tHostName=Plant1.hub.d;\r\nSharedAccessKeyName=\towner\n; SharedAccessKey=" KEY "\r\n",
        "HostName=Plant1.hub.d;SharedAccessKeyName=owner;SharedAccessKey=" KEY " ;\n",
    };
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct connection_string c;
        assert_ok(id_connection_string(*state, str_of(good[i]), NULL, &c));
        assert_text(c.host, "Plant1.hub.d");
        assert_text(c.key_name, "owner");
        assert_text(c.key, KEY);
        assert_false(c.masked);
    }
    struct connection_string c;
    assert_ok(id_connection_string(*state, STR("HostName=h.d;SharedAccessKeyName=o;SharedAccessKey=****"), NULL, &c));
    assert_true(c.masked);
}

static void connection_strings_with_a_port(void **state)
{
    static const struct {
        const char *host;
        int port; /* 0: refused */
    } rows[] = {{"h.d", 443}, {"h.d:443", 443}, {"h.d:1", 1},     {" h.d:65535 ", 65535}, {"h.d:", 0},
                {"h.d:0", 0}, {"h.d:65536", 0}, {"h.d:8443x", 0}, {"h.d:84:43", 0},       {":8443", 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct connection_string c;
        struct err_detail d;
        int port = 0;
        struct str text = arena_printf(*state, "HostName=%s;SharedAccessKeyName=o;SharedAccessKey=" KEY, rows[i].host);
        err_t e = id_connection_string_at(*state, text, &d, &c, &port);
        assert_int_equal(port, rows[i].port);
        if (e)
            assert_err(e, BAD_CONNECTION_STRING);
        else
            assert_text(c.host, "h.d");
    }
}

static void bad_connection_strings_name_the_member(void **state)
{
    static const struct {
        const char *text, *says;
    } rows[] = {
        {"", "HostName is missing"},
        {"HostName=;SharedAccessKeyName=o;SharedAccessKey=" KEY, "HostName is missing"},
        {"HostName=h.d:443;SharedAccessKeyName=o;SharedAccessKey=" KEY,
         "HostName in the connection string must not have a port"},
        {"HostName=h/d;SharedAccessKeyName=o;SharedAccessKey=" KEY, "HostName in the connection string is not"},
        {"HostName=h.d;SharedAccessKey=" KEY, "SharedAccessKeyName is missing"},
        {"HostName=h.d;SharedAccessKeyName=a/b;SharedAccessKey=" KEY, "SharedAccessKeyName in"},
        {"HostName=h.d;SharedAccessKeyName=a b;SharedAccessKey=" KEY,
         "SharedAccessKeyName in the connection string must have no white space within"},
        {"HostName=h.\nd;SharedAccessKeyName=o;SharedAccessKey=" KEY,
         "HostName in the connection string must have no white space within"},
        {"HostName=h.d;SharedAccessKeyName=o;SharedAccessKey=ICEiIyQlJicoKSor\r\nLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=",
         "SharedAccessKey in the connection string must have no white space within"},
        {"HostName=h.d;SharedAccessKeyName=o", "SharedAccessKey is missing"},
        {"HostName=h.d;SharedAccessKeyName=o;SharedAccessKey=???", "SharedAccessKey in"},
        {"HostName=h.d;SharedAccessKeyName=o;SharedAccessKey=***x", "SharedAccessKey in"},
        {"HostName=h.d;SharedAccessKeyName=o;SharedAccessKey=Zm9v", "16 to 64 bytes"},
        {"HostName=h.d;hostname=g.d;SharedAccessKeyName=o;SharedAccessKey=" KEY, "HostName stands twice"},
        {"HostName", "Name=Value"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct connection_string c = {.masked = true};
        struct err_detail d = {""};
        assert_err(id_connection_string(*state, str_of(rows[i].text), &d, &c), BAD_CONNECTION_STRING);
        assert_says(d, rows[i].says);
        assert_true(c.masked); /* untouched */
    }
    struct connection_string c;
    assert_err(id_connection_string(*state, repeat(*state, ';', 5000), NULL, &c), BAD_CONNECTION_STRING);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(registration_ids),
        UNIT(device_ids),
        UNIT(service_names),
        UNIT(other_names),
        UNIT(scopes),
        UNIT(locations),
        UNIT(ports_are_cut),
        UNIT(an_authority_is_a_host_and_perhaps_a_port),
        UNIT(planes),
        UNIT(etags),
        UNIT(connection_strings),
        UNIT(connection_strings_with_a_port),
        UNIT(bad_connection_strings_name_the_member),
    };
    return cmocka_run_group_tests_name("id", tests, NULL, NULL);
}
