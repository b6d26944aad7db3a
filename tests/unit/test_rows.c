/* test_rows.c: lines of lists as pieces of them come in, and rows of registrations. */
#include "core/rows.h"

#include "unit.h"

/* All lines of `text` that comes in pieces of `size` bytes, joined by "|"; "~" stands for one that is too long. */
static struct str read_all(struct arena *a, struct str text, size_t size, int64_t *ret_last)
{
    struct rows r = {.line = 0};
    struct text out;
    struct str line, held = {"", 0};
    text_init(&out, a, 64);
    for (size_t at = 0; at <= text.n; at += size) {
        size_t n = text.n - at < size ? text.n - at : size;
        r.rest = arena_printf(a, "%.*s%.*s", STR_ARG(held), (int)n, text.p + at);
        r.last = at + size > text.n;
        while (rows_next(&r, &line)) {
            text_add(&out, out.n ? STR("|") : STR(""));
            text_add(&out, line.p ? line : STR("~"));
        }
        held = r.rest;
    }
    *ret_last = r.line;
    return text_str(&out);
}

static void lines_do_not_depend_on_pieces(void **state)
{
    struct arena *a = *state;
    int64_t last;
    for (size_t size = 1; size < 24; size++) {
        assert_string_equal(read_all(a, STR("one\n\n \t two\r\nthree"), size, &last).p, "one|two|three");
        assert_int_equal(last, 4);
        assert_string_equal(read_all(a, STR("one\ntwo\n"), size, &last).p, "one|two");
        assert_int_equal(last, 2);
        assert_string_equal(read_all(a, STR(""), size, &last).p, "");
        assert_string_equal(read_all(a, STR("\n \n"), size, &last).p, "");
    }
}

static void lines_that_are_too_long_are_told(void **state)
{
    struct arena *a = *state;
    struct text t;
    int64_t last;
    text_init(&t, a, 4 * ROW_BYTES_MAX);
    text_add(&t, STR("a\n"));
    for (int i = 0; i < 3 * ROW_BYTES_MAX; i++)
        text_add_char(&t, 'x');
    text_add(&t, STR("\nb\n"));
    const size_t sizes[] = {1 << 12, ROW_BYTES_MAX, ROW_BYTES_MAX + 1, 1 << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_string_equal(read_all(a, text_str(&t), sizes[i], &last).p, "a|~|b");
        assert_int_equal(last, 3);
    }
}

static err_t read_row(struct arena *a, const char *text, struct err_detail *d, struct registration_state *ret)
{
    json_auto_t *v = NULL;
    d->text[0] = '\0';
    *ret = (struct registration_state){.status = 0};
    assert_null(json_read(str_of(text), d, &v));
    return rows_read_registration(a, (struct json_in){v, str_of(text)}, d, ret);
}

static void registrations_are_those_that_have_a_hub(void **state)
{
    struct arena *a = *state;
    struct err_detail d;
    struct registration_state s;
    assert_null(read_row(a,
                         "{\"registrationId\":\"Pump\",\"status\":\"assigned\",\"assignedHub\":\"h.example\","
                         "\"createdDateTimeUtc\":\"2026-03-02T08:15:30.1234560Z\",\"etag\":\"x\",\"payload\":{}}",
                         &d, &s));
    assert_string_equal(s.device_id.p, "Pump");
    assert_int_equal(s.substatus, SUB_INITIAL);
    assert_string_equal(enc_time_iso(a, s.created_us).p, "2026-03-02T08:15:30.1234560Z");
    assert_int_equal(s.updated_us, 0);
    const struct {
        const char *row, *says;
    } bad[] = {
        {"{}", "registrationId is required."},
        {"{\"registrationId\":\"a b\"}", NULL},
        {"{\"registrationId\":\"a\"}", "status must be assigned"},
        {"{\"registrationId\":\"a\",\"status\":\"failed\",\"errorCode\":400208}", "status must be assigned"},
        {"{\"registrationId\":\"a\",\"status\":\"assigned\"}", "assignedHub must be"},
        {"{\"registrationId\":\"a\",\"status\":\"assigned\",\"assignedHub\":\"h.example:443\"}", "assignedHub must be"},
        {"{\"registrationId\":\"a\",\"status\":\"assigned\",\"assignedHub\":\"h.example\",\"deviceId\":\"a b\"}", NULL},
        {"{\"registrationId\":\"a\",\"status\":\"assigned\",\"assignedHub\":\"h\",\"createdDateTimeUtc\":1}",
         "createdDateTimeUtc must be a time"},
        {"{\"registrationId\":\"a\",\"status\":\"assigned\",\"assignedHub\":\"h\",\"lastUpdatedDateTimeUtc\":\"now\"}",
         "lastUpdatedDateTimeUtc must be a time"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        err_t e = read_row(a, bad[i].row, &d, &s);
        assert_int_equal(e->http_status, 400);
        assert_true(!bad[i].says || strstr(d.text, bad[i].says));
    }
}

static void a_row_is_named_whatever_else_is_wrong(void **state)
{
    struct arena *a = *state;
    json_auto_t *named = json_pack("{s:s}", "registrationId", "a b"), *other = json_pack("{s:i}", "registrationId", 1);
    assert_string_equal(rows_id(a, named, "registrationId").p, "a b");
    assert_null(rows_id(a, other, "registrationId").p);
    assert_null(rows_id(a, named, "enrollmentGroupId").p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(lines_do_not_depend_on_pieces),
        UNIT(lines_that_are_too_long_are_told),
        UNIT(registrations_are_those_that_have_a_hub),
        UNIT(a_row_is_named_whatever_else_is_wrong),
    };
    return cmocka_run_group_tests_name("rows", tests, NULL, NULL);
}
