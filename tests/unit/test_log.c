/* test_log.c: a log line is one JSON object, written at once, whatever is in it. */
#include "core/log.h"

#include <unistd.h>

#include "core/json.h"
#include "unit.h"

/* What `write_lines` puts on standard error, with its length. */
static struct str captured(struct arena *a, void (*write_lines)(void))
{
    FILE *file = tmpfile();
    assert_non_null(file);
    fflush(stderr);
    int before = dup(STDERR_FILENO);
    dup2(fileno(file), STDERR_FILENO);
    write_lines();
    dup2(before, STDERR_FILENO);
    close(before);
    off_t n = lseek(fileno(file), 0, SEEK_END);
    char *p = arena_alloc(a, (size_t)n + 1);
    assert_int_equal(pread(fileno(file), p, (size_t)n, 0), n);
    fclose(file);
    return (struct str){p, (size_t)n};
}

static const char *member(const json_t *line, const char *name)
{
    return json_string_value(json_object_get(line, name));
}

static void log_one(void)
{
    log_init("idscope-test", LOG_INFO);
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
    assert_int_equal(strlen(member(v, "time")), 28);
    assert_int_equal(member(v, "time")[27], 'Z');
}

static void log_levels(void)
{
    log_init("t", LOG_WARN);
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
    log_init("t", LOG_DEBUG);
    log_event(LOG_DEBUG, "much", L_TEXT("value", ((struct str){much, sizeof much})), L_NUM("after", 1));
}

static void a_huge_value_is_cut(void **state)
{
    struct str text = captured(*state, log_much);
    assert_in_range(text.n, 2000, 2300);
    assert_non_null(strstr(text.p, "\"after\":1}"));
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
        UNIT(levels_have_words),
    };
    return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
