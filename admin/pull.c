/* pull.c: the command that brings what one provisioning service keeps into another one: enrollment groups, enrollments,
 * and which hub each device has. Both are asked through the public calls of wire.md 3 alone, so that whatever speaks
 * them can be read, and every rule of a write holds. What is there already is left as it is, which is also how a run
 * goes on that was broken off. It must never change the source, nor show or store a key. */
#include "admin/pull.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/json.h"
#include "core/process/clock.h"
#include "core/process/keyfile.h"

enum { CA_FILE_MAX = 1 << 20, STRING_FILE_MAX = 8192, TELL_MS = 5000 };

const struct noun_words nouns[NOUNS] = {
    [GROUPS] = {"enrollmentGroups", "enrollment group", "/enrollmentGroups", "enrollmentGroupId", "EnrollmentWrite"},
    [ENROLLMENTS] = {"enrollments", "enrollment", "/enrollments", "registrationId", "EnrollmentWrite"},
    [REGISTRATIONS] = {"registrations", "registration", "/registrations", "registrationId", "RegistrationStatusWrite"},
};

/* --- telling ------------------------------------------------------------------------------------------------------ */

void pull_left(struct pull *p, enum noun noun, struct str id, const char *why)
{
    p->tally[noun].left++;
    ids_add(p->run->arena, &p->left[noun], id);
    printf("left: %s %.*s: %s\n", nouns[noun].one, STR_ARG(id), why);
}

void pull_left_many(struct pull *p, enum noun noun, int64_t count, const char *why)
{
    p->tally[noun].left += count;
    p->tally[noun].brought -= count;
    printf("left: %" PRId64 " more of %s: %s\n", count, nouns[noun].many, why);
}

void pull_note(enum noun noun, struct str id, const char *what)
{
    printf("note: %s %.*s: %s\n", nouns[noun].one, STR_ARG(id), what);
}

void pull_progress(struct pull *p)
{
    const struct tally *t = p->tally;
    if (p->told_ms && clock_ms() - p->told_ms < TELL_MS)
        return;
    p->told_ms = clock_ms();
    struct str line =
        arena_printf(p->run->arena, "read %" PRId64 " groups, %" PRId64 " enrollments, %" PRId64 " registrations\n",
                     t[GROUPS].read, t[ENROLLMENTS].read, t[REGISTRATIONS].read);
    p->run->say->take(line);
}

static void summary(const struct pull *p)
{
    for (enum noun n = GROUPS; n < NOUNS; n++) {
        const struct tally *t = &p->tally[n];
        printf("%s: %" PRId64 " read, %" PRId64 " %s, %" PRId64 " there already, %" PRId64 " left\n", nouns[n].many,
               t->read, t->brought, p->dry ? "would be brought" : "brought", t->there, t->left);
    }
    printf("calls: %" PRId64 " to the source, put off %" PRId64 "; %" PRId64 " to the target\n", service_calls(p->from),
           service_put_off(p->from), service_calls(p->into));
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

struct str pull_text(const json_t *of, const char *name)
{
    const json_t *v = json_object_get(of, name);
    return json_is_string(v) ? (struct str){json_string_value(v), json_string_length(v)} : (struct str){NULL, 0};
}

static err_t take_page(struct pull *p, struct arena *a, const struct pull_list *list, struct str body)
{
    json_auto_t *page = NULL;
    json_t *entry;
    size_t i;
    TRY(json_read(body, &p->run->detail, &page));
    if (!json_is_array(page))
        return err_say(&p->run->detail, E(BAD_REQUEST), "%.*s: the answer is no list.", STR_ARG(list->path));
    json_array_foreach(page, i, entry)
    {
        TRY(list->take(p, a, (struct json_in){entry, body}, list->context));
    }
    return NULL;
}

err_t pull_each(struct pull *p, const struct pull_list *list)
{
    struct arena *a ARENA_CLEANUP = arena_new();
    struct str next = {NULL, 0};
    do {
        struct service_call call = {.method = "POST", .path = list->path, .body = list->query, .right = list->right};
        struct service_answer answer;
        call.continuation = arena_str(a, next);
        TRY(service_ask(list->service, a, &call, &p->run->detail, &answer));
        if (answer.status == 404 && list->or_gone)
            return NULL;
        if (answer.status != 200)
            return service_unfit(list->service, a, &call, &answer, &p->run->detail);
        TRY(take_page(p, a, list, answer.body));
        next = answer.continuation.p ? arena_str(p->run->arena, answer.continuation) : (struct str){NULL, 0};
        arena_reset(a);
        if (list->service == p->from)
            pull_progress(p);
    } while (next.p);
    return NULL;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

/* The connection string of a side: out of a file, the environment, or the option itself, which is wiped from the list
 * of arguments that others can see. */
static err_t connection_string(struct run *run, const char *side, const char *in_env, struct str *ret)
{
    struct str given = run_option(run, side), file = run_option(run, arena_printf(run->arena, "%s-file", side).p);
    const char *env = getenv(in_env);
    if (file.n)
        return file_read(run->arena, arena_printf(run->arena, "--%s-file", side).p, file, STRING_FILE_MAX, &run->detail,
                         ret);
    *ret = arena_str(run->arena, given.n ? given : str_of(env));
    if (given.n)
        crypt_wipe((void *)(uintptr_t)given.p, given.n);
    if (!ret->n)
        return err_say(&run->detail, E(BAD_CONFIG), "--%s-file=FILE, %s or --%s=… must give a connection string.", side,
                       in_env, side);
    return NULL;
}

static err_t open_side(struct run *run, const char *side, const char *in_env, struct str ca_pem, struct service **ret)
{
    struct service_settings s = {.side = arena_printf(run->arena, "--%s", side).p, .ca_pem = ca_pem, .say = run->say};
    TRY(connection_string(run, side, in_env, &s.connection_string));
    return service_open(run->arena, &s, &run->detail, ret);
}

static err_t open_both(struct pull *p)
{
    struct run *run = p->run;
    struct str ca_pem = {NULL, 0};
    if (run->cfg.ca_file.n)
        TRY(file_read(run->arena, "ca_file", run->cfg.ca_file, CA_FILE_MAX, &run->detail, &ca_pem));
    TRY(open_side(run, "from", "IDSCOPE_PULL_FROM", ca_pem, &p->from));
    TRY(open_side(run, "into", "IDSCOPE_PULL_INTO", ca_pem, &p->into));
    if (service_same(p->from, p->into))
        return err_say(&run->detail, E(BAD_CONFIG), "--from and --into name the same service.");
    return NULL;
}

static err_t work(struct pull *p)
{
    TRY(target_look(p));
    return source_read(p);
}

err_t run_pull(struct run *run)
{
    struct str dry = run_option(run, "dry-run");
    struct pull p = {.run = run, .dry = str_same(dry, STR("yes"))};
    if (dry.p && !p.dry && !str_same(dry, STR("no")))
        return err_say(&run->detail, E(BAD_CONFIG), "--dry-run is yes or no.");
    err_t e = open_both(&p);
    if (!e) {
        e = work(&p);
        summary(&p);
    }
    target_close(&p);
    service_close(p.from);
    service_close(p.into);
    return e;
}
