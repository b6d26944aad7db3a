/* cfg.c: reads the settings of a program from its arguments and environment, by the table cfg.def. It must never open a
 * file or print: main does. */
#include "cfg.h"

#include <inttypes.h>
#include <string.h>

#include "enc.h"
#include "limits.h"

enum cfg_kind { CFG_KIND_TEXT, CFG_KIND_NUMBER };

/* The letters of the column "programs" in cfg.def. */
enum { A = CFG_API, W = CFG_WORKER, M = CFG_ADMIN };

struct setting {
    const char *member;
    enum cfg_kind kind;
    int programs;
    const char *def;
    int64_t min, max;
    const char *sentence;
    size_t offset;
};

/* Defaults that stand with the other schedules. */
#define EVERY(name, seconds, sentence) static const char every_##name[] = #seconds;
#include "jobs.def"

static const struct setting settings[] = {
#define CFG(member, kind, programs, def, min, max, sentence)                                                           \
    {#member, CFG_KIND_##kind, programs, def, min, max, sentence, offsetof(struct cfg, member)},
#include "cfg.def"
#undef CFG
};
enum { SETTINGS = sizeof settings / sizeof *settings };

/* `database-url` and `DATABASE_URL` both name the member `database_url`. */
static bool names_member(struct str name, const char *member)
{
    if (name.n != strlen(member))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i] == '-' ? '_' : name.p[i];
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        if (c != member[i])
            return false;
    }
    return true;
}

static const struct setting *find(struct str name)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (names_member(name, settings[i].member))
            return &settings[i];
    return NULL;
}

static struct str option_name(struct arena *a, const struct setting *s)
{
    struct text t;
    text_init(&t, a, 40);
    text_add(&t, STR("--"));
    for (const char *p = s->member; *p; p++)
        text_add_char(&t, *p == '_' ? '-' : *p);
    return text_str(&t);
}

static struct str environment_name(struct arena *a, const struct setting *s)
{
    struct text t;
    text_init(&t, a, 40);
    text_add(&t, STR("IDSCOPE_"));
    for (const char *p = s->member; *p; p++)
        text_add_char(&t, *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
    return text_str(&t);
}

static err_t set_text(const struct setting *s, struct str value, struct str name, void *to, struct err_detail *d)
{
    if ((int64_t)value.n < s->min || (int64_t)value.n > s->max)
        return err_say(d, E(BAD_CONFIG), "%s must have %" PRId64 " to %" PRId64 " characters.", name.p, s->min, s->max);
    *(struct str *)to = value;
    return NULL;
}

static err_t set_number(const struct setting *s, struct str value, struct str name, void *to, struct err_detail *d)
{
    if (!dec_i64(value, s->min, s->max, to))
        return err_say(d, E(BAD_CONFIG), "%s must be a whole number from %" PRId64 " to %" PRId64 ".", name.p, s->min,
                       s->max);
    return NULL;
}

static err_t set(const struct setting *s, struct str value, struct str name, struct cfg *to, struct err_detail *d)
{
    void *member = (char *)to + s->offset;
    return s->kind == CFG_KIND_TEXT ? set_text(s, value, name, member, d) : set_number(s, value, name, member, d);
}

/* An empty default of a text that must not be empty means "to be given": it stays empty here. */
static err_t read_defaults(struct cfg *to, struct err_detail *d)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (*settings[i].def)
            TRY(set(&settings[i], str_of(settings[i].def), str_of(settings[i].member), to, d));
    return NULL;
}

/* Names of no setting are left alone: the environment belongs to others too. An empty value is as good as none. */
static err_t read_environment(struct arena *a, enum cfg_program program, char **env, struct cfg *to,
                              struct err_detail *d)
{
    for (; *env; env++) {
        struct str name, value = str_split(str_of(*env), '=', &name);
        value = str_trim(value);
        if (!str_starts(name, STR("IDSCOPE_")) || !value.n)
            continue;
        const struct setting *s = find((struct str){name.p + 8, name.n - 8});
        if (s && s->programs & (int)program && str_same(name, environment_name(a, s)))
            TRY(set(s, arena_str(a, value), arena_str(a, name), to, d));
    }
    return NULL;
}

static bool read_ask(struct str arg, enum cfg_ask *to)
{
    if (str_same(arg, STR("--help")))
        *to = CFG_HELP;
    else if (str_same(arg, STR("--version")))
        *to = CFG_VERSION;
    else if (str_same(arg, STR("--check-config")))
        *to = CFG_CHECK;
    else
        return false;
    return true;
}

/* One argument `--name=value`. *ret_word: it is for somebody else (options of admin's commands). */
static err_t read_option(struct arena *a, enum cfg_program program, struct str arg, struct cfg *to, bool *ret_word,
                         struct err_detail *d)
{
    struct str name, value = str_split((struct str){arg.p + 2, arg.n - 2}, '=', &name);
    const struct setting *s = find(name);
    if (!s && program == CFG_ADMIN) {
        *ret_word = true;
        return NULL;
    }
    if (!s)
        return err_say(d, E(BAD_CONFIG), "There is no setting --%.*s.", STR_ARG(name));
    if (!(s->programs & (int)program))
        return err_say(d, E(BAD_CONFIG), "--%.*s is no setting of this program.", STR_ARG(name));
    if (!value.p)
        return err_say(d, E(BAD_CONFIG), "--%.*s needs a value: --%.*s=VALUE.", STR_ARG(name), STR_ARG(name));
    *ret_word = false;
    return set(s, arena_str(a, str_trim(value)), option_name(a, s), to, d);
}

static err_t read_arguments(struct arena *a, enum cfg_program program, char **argv, struct cfg *to, enum cfg_ask *ask,
                            char **words, struct err_detail *d)
{
    for (; *argv; argv++) {
        struct str arg = str_of(*argv);
        bool word = true;
        if (read_ask(arg, ask))
            continue;
        if (str_starts(arg, STR("--")))
            TRY(read_option(a, program, arg, to, &word, d));
        if (word)
            *words++ = *argv;
    }
    return NULL;
}

static err_t check_given(struct arena *a, enum cfg_program program, const struct cfg *c, struct err_detail *d)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        if (s->kind != CFG_KIND_TEXT || s->min == 0 || !(s->programs & (int)program))
            continue;
        const struct str *value = (const struct str *)(const void *)((const char *)c + s->offset);
        if (!value->n)
            return err_say(d, E(BAD_CONFIG), "%s (environment: %s) must be given.", option_name(a, s).p,
                           environment_name(a, s).p);
    }
    return NULL;
}

err_t cfg_read(struct arena *a, enum cfg_program program, char **argv, char **env, struct cfg *ret,
               enum cfg_ask *ret_ask, char ***ret_words, struct err_detail *d)
{
    struct cfg c = {0};
    enum cfg_ask ask = CFG_RUN;
    size_t count = 0;
    while (argv[count])
        count++;
    char **words = ARENA_NEW_ARRAY(a, count + 1, char *);
    TRY(read_defaults(&c, d));
    TRY(read_environment(a, program, env, &c, d));
    TRY(read_arguments(a, program, count ? argv + 1 : argv, &c, &ask, words, d));
    if (program != CFG_ADMIN && ask != CFG_HELP && ask != CFG_VERSION)
        TRY(check_given(a, program, &c, d));
    *ret = c;
    *ret_ask = ask;
    *ret_words = words;
    return NULL;
}

static const char *const value_words[] = {"TEXT", "NUMBER"};

struct str cfg_help(struct arena *a, enum cfg_program program)
{
    struct text t;
    text_init(&t, a, 4096);
    text_add(&t, STR("Settings (the environment variable of --some-name is IDSCOPE_SOME_NAME):\n"));
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        if (!(s->programs & (int)program))
            continue;
        text_printf(&t, "  %s=%s\n        %s", option_name(a, s).p, value_words[s->kind], s->sentence);
        if (*s->def)
            text_printf(&t, " [%s]", s->def);
        text_add_char(&t, '\n');
    }
    text_add(&t, STR("  --check-config\n        read the settings, say what is wrong, and end\n"
                     "  --version, --help\n"));
    return text_str(&t);
}
