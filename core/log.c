/* log.c: makes lines, one JSON object each. It must never write one or look at the clock: the sink does, and the sink
 * must never block or fail the caller. */
#include "log.h"

#include "enc.h"
#include "json.h"

enum { LOG_VALUE_MAX = 2000 };

static const char *const level_words[] = {"debug", "info", "warn", "error"};
static struct {
    const char *program;
    enum log_level least;
    const struct log_sink *sink;
} settings;

void log_init(const char *program, enum log_level least, const struct log_sink *sink)
{
    settings.program = program;
    settings.least = least;
    settings.sink = sink;
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
    if (!settings.sink || level < settings.least)
        return;
    ARENA_CLEANUP struct arena *a = arena_new();
    struct text line;
    text_init(&line, a, 512);
    text_add_char(&line, '{');
    json_member_time(&line, "time", settings.sink->now_us());
    json_member_text(&line, "level", str_of(level_words[level]));
    json_member_text(&line, "program", str_of(settings.program));
    json_member_text(&line, "event", str_of(event));
    for (size_t i = 0; i < count; i++)
        add_field(&line, &fields[i]);
    text_add(&line, STR("}\n"));
    settings.sink->take((struct str){line.p, line.n});
}
