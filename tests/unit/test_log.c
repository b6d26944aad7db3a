/* test_log.c: a log line is one JSON object, handed over at once and whole, whatever is in it. */
#include "core/log.h"

#include "core/json.h"
#include "unit.h"

static struct text said;

static int64_t fixed_us(void)
{
    return INT64_C(1700000000123456);
}

static void take(struct str line)
{
    text_add(&said, line);
}

static const struct log_sink sink = {fixed_us, take};

/* What `log_lines` hands to the sink. */
static struct str captured(struct arena *a, void (*log_lines)(void))
{
    text_init(&said, a, 512);
    log_lines();
    return text_str(&said);
}

static const char *member(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

static void log_one(void)
{
    log_init("idscope-test", LOG_INFO, &sink);
    log_event(LOG_WARN, "request", L_TEXT("id", STR("a\"b\n{\xff")), L_CSTR("plane", "hub"), L_NUM("status", -401),
              L_CSTR("absent", NULL));
}

static void a_line_holds_the_event_and_its_fields(void **state)
{
    struct str text = captured(*state, log_one), rest, line;
    rest = str_split(text, '\n', &line);
    assert_text(rest, ""); /* one line */
    json_auto_t *v = NULL;
    assert_ok(json_read(line, NULL, &v));
    assert_string_equal(member(v, "level"), "warn");
    assert_string_equal(member(v, "program"), "idscope-test");
    assert_string_equal(member(v, "event"), "request");
    assert_string_equal(member(v, "id"), "a\"b\n{\xef\xbf\xbd");
    assert_string_equal(member(v, "plane"), "hub");
    assert_int_equal(json_integer_value(json_object_get(v, "status")), -401);
    assert_null(json_object_get(v, "absent"));
    assert_string_equal(member(v, "time"), "2023-11-14T22:13:20.1234560Z");
}

static void log_levels(void)
{
    log_init("t", LOG_WARN, &sink);
    log_event(LOG_INFO, "quiet");
    log_event(LOG_WARN, "loud");
    log_event(LOG_ERROR, "loud");
}

static void lines_below_the_level_are_left_out(void **state)
{
    struct str text = captured(*state, log_levels);
    assert_null(strstr(text.p, "quiet"));
    assert_non_null(strstr(strstr(text.p, "loud") + 1, "loud"));
}

static void log_much(void)
{
    static char much[100000];
    memset(much, 'x', sizeof much);
    log_init("t", LOG_DEBUG, &sink);
    log_event(LOG_DEBUG, "much", L_TEXT("value", ((struct str){much, sizeof much})), L_NUM("after", 1));
}

static void a_huge_value_is_cut(void **state)
{
    struct str text = captured(*state, log_much);
    assert_in_range(text.n, 2000, 2300);
    assert_non_null(strstr(text.p, "\"after\":1}"));
}

static void log_nowhere(void)
{
    log_init("t", LOG_DEBUG, NULL);
    log_event(LOG_ERROR, "nobody hears it");
}

static void without_a_sink_nothing_is_said(void **state)
{
    assert_text(captured(*state, log_nowhere), "");
}

static void levels_have_words(void **state)
{
    (void)state;
    enum log_level level = LOG_INFO;
    assert_true(log_level_of(STR("debug"), &level));
    assert_int_equal(level, LOG_DEBUG);
    assert_true(log_level_of(STR("ERROR"), &level));
    assert_int_equal(level, LOG_ERROR);
    assert_false(log_level_of(STR("loud"), &level));
    assert_false(log_level_of(STR(""), &level));
    assert_int_equal(level, LOG_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_line_holds_the_event_and_its_fields),
        UNIT(lines_below_the_level_are_left_out),
        UNIT(a_huge_value_is_cut),
        UNIT(without_a_sink_nothing_is_said),
        UNIT(levels_have_words),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
