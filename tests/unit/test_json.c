/* test_json.c: what JSON is refused, with what words, and how JSON is written. */
#include "core/json.h"

#include "unit.h"

static struct text text_of(struct arena *a)
{
    struct text t;
    text_init(&t, a, 0);
    return t;
}

static void bodies_are_read(void **state)
{
    (void)state;
    static const char *const good[] = {"{}",    "[1]",  " {\"a\":[{\"b\":null}]} ", "\"x\"",
                                       "1.5e3", "null", "{\"a\":\"[[[[\"}"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        json_auto_t *v = NULL;
        assert_ok(json_read(str_of(good[i]), NULL, &v));
        assert_non_null(v);
    }
}

static void bad_bodies_are_refused_with_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *body, *says;
    } rows[] = {
        {"", "line 1"},
        {"{", "line 1"},
        {"{\"a\":1,}", "line 1, column 8"},
        {"{\n\"a\" 1}", "line 2"},
        {"{\"a\":1,\"a\":2}", "duplicate"},
        {"{\"a\":{\"b\":1,\"b\":2}}", "duplicate"},
        {"{\"a\":\"x\\u0000y\"}", "\\u0000"},
        {"{}x", "end of file"},
        {"{\"a\":\"\xff\"}", "unable to decode"},
        {"{\"a\":1e999}", "real number"},
        {"{'a':1}", "line 1"},
        {"{\"a\":01}", "line 1"},
        {"{\"a\":NaN}", "line 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err_detail d = {""};
        json_t *v = NULL;
        assert_err(json_read(str_of(rows[i].body), &d, &v), BAD_JSON);
        assert_says(d, rows[i].says);
        assert_null(v);
    }
    struct err_detail d;
    json_t *v = NULL;
    assert_err(json_read((struct str){NULL, 0}, &d, &v), BAD_JSON);
    assert_err(json_read((struct str){"{}\0", 3}, &d, &v), BAD_JSON);
}

static void whole_numbers_beyond_64_bits_are_read_as_clients_read_them(void **state)
{
    struct text t = text_of(*state);
    json_auto_t *v = NULL;
    assert_ok(
        json_read(STR("{\"a\":[100000000000000000000,5,-3,0.5,9007199254740992],\"b\":{\"c\":-18446744073709551616}}"),
                  NULL, &v));
    json_value(&t, v);
    assert_text(text_str(&t), "{\"a\":[1e20,5,-3,0.5,9007199254740992],\"b\":{\"c\":-1.8446744073709552e19}}");
    assert_true(json_is_integer(json_array_get(json_object_get(v, "a"), 1)));
}

static void a_refusal_does_not_quote_the_body(void **state)
{
    (void)state;
    struct err_detail d;
    json_t *v = NULL;
    assert_err(json_read(STR("{\"primaryKey\": c2VjcmV0}"), &d, &v), BAD_JSON);
    assert_null(strstr(d.text, "c2Vj"));
    assert_err(json_read(STR("{\"primaryKey\": \"c2VjcmV0"), &d, &v), BAD_JSON);
    assert_null(strstr(d.text, "c2Vj"));
}

static struct str nested(struct arena *a, int levels)
{
    struct text t = text_of(a);
    for (int i = 0; i < levels; i++)
        text_add_char(&t, '[');
    for (int i = 0; i < levels; i++)
        text_add_char(&t, ']');
    return text_str(&t);
}

static void depth_has_a_bound(void **state)
{
    struct err_detail d;
    json_t *v = NULL;
    assert_ok(json_read(nested(*state, JSON_DEPTH_MAX), &d, &v));
    json_decref(v);
    assert_err(json_read(nested(*state, JSON_DEPTH_MAX + 1), &d, &v), BAD_JSON);
    assert_says(d, "deeper than 32 levels (line 1, column 33)");
    assert_err(json_read(nested(*state, 100000), &d, &v), BAD_JSON);
}

static void brackets_in_strings_are_no_levels(void **state)
{
    struct text t = text_of(*state);
    text_add(&t, STR("{\"a\\\"\\\\\":\""));
    for (int i = 0; i < 100; i++)
        text_add_char(&t, '[');
    text_add(&t, STR("\"}"));
    json_auto_t *v = NULL;
    assert_ok(json_read(text_str(&t), NULL, &v));
}

static void strings_are_escaped(void **state)
{
    struct text t = text_of(*state);
    json_text(&t, (struct str){"a\"b\\c\n\t\x01\x7f\0/\xc3\xa9", 13});
    assert_text(text_str(&t), "\"a\\\"b\\\\c\\n\\u0009\\u0001\\u007f\\u0000/\xc3\xa9\"");
    t = text_of(*state);
    json_text(&t, str_of(NULL));
    assert_text(text_str(&t), "null");
}

static void no_string_makes_bad_utf8(void **state)
{
    static const char *const bad[] = {"\xff",
                                      "\x80",
                                      "\xc3",
                                      "\xc0\xaf",
                                      "\xe0\x80\xaf",
                                      "\xed\xa0\x80",
                                      "\xf0\x80\x80\xaf",
                                      "\xf4\x90\x80\x80",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xe2\x82"};
    static const char *const good[] = {"\xc2\x80",         "\xe2\x82\xac",     "\xef\xbf\xbd",
                                       "\xf0\x9f\x98\x80", "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct text t = text_of(*state);
        json_auto_t *v = NULL;
        json_text(&t, str_of(bad[i]));
        assert_ok(json_read(text_str(&t), NULL, &v));
        assert_non_null(strstr(t.p, "\\ufffd"));
    }
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct text t = text_of(*state);
        json_text(&t, str_of(good[i]));
        assert_text(text_str(&t), arena_printf(*state, "\"%s\"", good[i]).p);
    }
}

static void members_are_joined_by_commas(void **state)
{
    struct text t = text_of(*state);
    text_add_char(&t, '{');
    json_member_text(&t, "a", STR("x"));
    json_member_text(&t, "absent", str_of(NULL));
    json_member_i64(&t, "n", INT64_MIN);
    json_member_bool(&t, "yes", true);
    json_member_bool(&t, "no", false);
    json_member_time(&t, "at", 1772439330123456);
    json_member_time(&t, "never", 0);
    json_member(&t, "in");
    text_add_char(&t, '{');
    json_member_text(&t, "e", STR(""));
    text_add(&t, STR("}}"));
    assert_text(text_str(&t), "{\"a\":\"x\",\"n\":-9223372036854775808,\"yes\":true,\"no\":false,"
                              "\"at\":\"2026-03-02T08:15:30.1234560Z\",\"in\":{\"e\":\"\"}}");
}

static void values_keep_their_order(void **state)
{
    static const char body[] = "{\"z\":[1,2.5,\"\xc3\xa9\",null,true],\"a\":{\"b\":{}}}";
    struct text t = text_of(*state);
    json_auto_t *v = NULL;
    assert_ok(json_read(str_of(body), NULL, &v));
    json_value(&t, v);
    assert_text(text_str(&t), body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(bodies_are_read),
        UNIT(bad_bodies_are_refused_with_a_place),
        UNIT(whole_numbers_beyond_64_bits_are_read_as_clients_read_them),
        UNIT(a_refusal_does_not_quote_the_body),
        UNIT(depth_has_a_bound),
        UNIT(brackets_in_strings_are_no_levels),
        UNIT(strings_are_escaped),
        UNIT(no_string_makes_bad_utf8),
        UNIT(members_are_joined_by_commas),
        UNIT(values_keep_their_order),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
