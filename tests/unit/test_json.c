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
        {"{\"a\":1,\"a\":2}", ": a stands twice (line 1, column 10)"},
        {"{\"a\":{\"b\":1,\"b\":2}}", ": b stands twice (line 1"},
        {"{\"a\\\"b\":1,\n\"a\\\"b\":2}", ": a\\\"b stands twice (line 2"},
        {"{\"\":1,\"\":2}", ":  stands twice"},
        {"{\"a\":\"x\\u0000y\"}", "\\u0000"},
        {"{}x", "end of file"},
        {"{\"a\":\"\xff\"}", "unable to decode"},
        {"{'a':1}", "line 1"},
        {"{\"a\":01}", "line 1"},
        {"{\"a\":NaN}", "line 1"},
        {"{\"a\":1e5e5}", "line 1, column 9"},
        {"{\"a\":--15e3}", "line 1"},
        {"[1.5.25]", "line 1"},
        {"[-]", "line 1"},
        {"[1.]", "line 1"},
        {"[1e+]", "line 1"},
        {"[.5]", "line 1"},
        {"[0000001.5]", "line 1"},
        {"[true15.0]", "line 1"},
        {"[100000000000000000000,\n1e999,x]", "line 2, column 7"},
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
    assert_err(json_read((struct str){"1\0", 2}, &d, &v), BAD_JSON);
    assert_says(d, "NUL byte (line 1, column 2)");
}

static struct str through(struct arena *a, struct str body)
{
    struct text t = text_of(a);
    json_auto_t *v = NULL;
    assert_ok(json_read(body, NULL, &v));
    json_value(&t, (struct json_in){v, body});
    return text_str(&t);
}

static void numbers_keep_their_text(void **state)
{
    static const char *const rows[] = {
        "{\"a\":[100000000000000000000,5,-3,0.5,9007199254740992],\"b\":{\"c\":-18446744073709551616}}",
        "[1.0,1e400,-0,9007199254740993,99999999999999999999,-9223372036854775808,9223372036854775808]",
        "[0,-0.0,0e0,1E5,1e+5,1.50,0.1e-999,3.141592653589793238462643383279]",
        "{\"1e5\":\"1e400\",\"b\":[\"-0\",-0,[[2.0]],{\"c\":1.00}],\"\\\"9.0\":7.70}",
        "-0",
        "12.50",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_text(through(*state, str_of(rows[i])), rows[i]);
    assert_text(through(*state, STR(" [ 1.0 ,\n\t2 , { \"a\" : -0 } ] ")), "[1.0,2,{\"a\":-0}]");
    assert_text(through(*state, (struct str){"1.050", 3}), "1.0");
}

static void whole_numbers_of_64_bits_are_integers(void **state)
{
    (void)state;
    json_auto_t *v = NULL;
    assert_ok(json_read(STR("[5,-9223372036854775808,1e999,9223372036854775807,5.0]"), NULL, &v));
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(json_is_integer(json_array_get(v, i)), i != 2 && i != 4);
    assert_int_equal(json_integer_value(json_array_get(v, 1)), INT64_MIN);
    assert_int_equal(json_integer_value(json_array_get(v, 3)), INT64_MAX);
}

/* The parser gets the body in pieces of its own size. */
static void numbers_may_stand_anywhere_in_a_long_body(void **state)
{
    struct text t = text_of(*state);
    text_add_char(&t, '[');
    for (int i = 0; i < 3000; i++)
        text_printf(&t, "%s%d.%0*d", i ? "," : "", i, i % 7 + 1, 0);
    text_add_char(&t, ']');
    struct str body = text_str(&t);
    assert_text(through(*state, body), body.p);
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
    assert_text(through(*state, str_of(body)), body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(bodies_are_read),
        UNIT(bad_bodies_are_refused_with_a_place),
        UNIT(numbers_keep_their_text),
        UNIT(whole_numbers_of_64_bits_are_integers),
        UNIT(numbers_may_stand_anywhere_in_a_long_body),
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
