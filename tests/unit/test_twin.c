/* test_twin.c: what a change makes of a twin's collection. */
#include "core/twin.h"
#include "unit.h"

static void a_change_is_merged_and_numbers_stay(void **state)
{
    static const struct {
        const char *base, *patch, *result;
    } cases[] = {
        {NULL, NULL, "{}"},
        {"{\"a\":1}", NULL, "{\"a\":1}"},
        {NULL, "{\"a\":0.10,\"b\":null}", "{\"a\":0.10}"},
        {"{\"a\":1,\"b\":2}", "{\"b\":3,\"c\":4}", "{\"a\":1,\"b\":3,\"c\":4}"},
        {"{\"a\":1,\"b\":2}", "{\"a\":null}", "{\"b\":2}"},
        {"{\"a\":{\"x\":1,\"y\":2}}", "{\"a\":{\"y\":null,\"z\":1e400}}", "{\"a\":{\"x\":1,\"z\":1e400}}"},
        {"{\"a\":{\"x\":1}}", "{\"a\":7}", "{\"a\":7}"},
        {"{\"a\":7}", "{\"a\":{\"x\":{\"n\":null}}}", "{\"a\":{\"x\":{}}}"},
        {"{\"a\":12345678901234567890123}", "{\"b\":[1.50,{\"n\":null}]}",
         "{\"a\":12345678901234567890123,\"b\":[1.50,{\"n\":null}]}"},
        {"{}", "{\"$metadata\":{\"a\":1},\"$version\":4,\"b\":1}", "{\"b\":1}"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct str ret;
        assert_ok(twin_merge(*state, "tags", str_of(cases[i].base), str_of(cases[i].patch), NULL, &ret));
        assert_text(ret, cases[i].result);
    }
}

static void what_is_no_collection_is_refused_by_name(void **state)
{
    static const char *const bad[] = {
        "1", "[]", "{\"\":1}", "{\"a.b\":1}", "{\"a\":{\"b c\":1}}", "{\"$a\":1}", "{\"a\":{\"$version\":1}}"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct err_detail d = {{0}};
        struct str ret;
        assert_err(twin_merge(*state, "tags", STR("{}"), str_of(bad[i]), &d, &ret), BAD_FIELD);
        assert_says(d, "tags");
    }
}

static void a_collection_has_a_size(void **state)
{
    struct text t;
    struct str ret;
    text_init(&t, *state, TWIN_BYTES_MAX + 16);
    text_add(&t, STR("{\"a\":\""));
    while (t.n < TWIN_BYTES_MAX - 2)
        text_add_char(&t, 'x');
    text_add(&t, STR("\"}"));
    assert_ok(twin_merge(*state, "tags", str_of(NULL), text_str(&t), NULL, &ret));
    assert_int_equal(ret.n, TWIN_BYTES_MAX);
    assert_err(twin_merge(*state, "tags", ret, STR("{\"b\":1}"), NULL, &ret), BAD_FIELD);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_change_is_merged_and_numbers_stay),
        UNIT(what_is_no_collection_is_refused_by_name),
        UNIT(a_collection_has_a_size),
    };
    return cmocka_run_group_tests_name("twin", tests, NULL, NULL);
}
