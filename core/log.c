/* log.c: one JSON object per line on standard error, each with one write(2) so that lines of threads never mix. It must
 * never block on a lock or fail the caller: a line that cannot be written is lost. The one file of core that looks at
 * the clock. */
#include "log.h"

#include <time.h>
#include <unistd.h>

#include "enc.h"
#include "json.h"

enum { LOG_VALUE_MAX = 2000 };

static const char *const level_words[] = {"debug", "info", "warn", "error"};
static struct {
    const char *program;
    enum log_level least;
} settings = {"idscope", LOG_INFO};

void log_init(const char *program, enum log_level least)
{
    settings.program = program;
    settings.least = least;
}

bool log_level_of(struct str word, enum log_level *ret)
{
    for (int i = LOG_DEBUG; i <= LOG_ERROR; i++)
        if (str_same_nocase(word, str_of(level_words[i]))) {
            *ret = (enum log_level)i;
            return true;
        }
    return false;
}

static int64_t wall_clock_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void add_field(struct text *line, const struct log_field *f)
{
    struct str value = f->text;
    if (value.n > LOG_VALUE_MAX)
        value.n = LOG_VALUE_MAX;
    if (f->kind == LOG_NUMBER)
        json_member_i64(line, f->name, f->number);
    else
        json_member_text(line, f->name, value);
}

void log_fields(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    if (level < settings.least)
        return;
    ARENA_CLEANUP struct arena *a = arena_new();
    struct text line;
    text_init(&line, a, 512);
    text_add_char(&line, '{');
    json_member_time(&line, "time", wall_clock_us());
    json_member_text(&line, "level", str_of(level_words[level]));
    json_member_text(&line, "program", str_of(settings.program));
    json_member_text(&line, "event", str_of(event));
    for (size_t i = 0; i < count; i++)
        add_field(&line, &fields[i]);
    text_add(&line, STR("}\n"));
    ssize_t written = write(STDERR_FILENO, line.p, line.n);
    (void)written;
}
