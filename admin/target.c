/* target.c: writes into an instance, through its own service plane: as imports, row by row, which change nothing that
 * is there. A dry run is the target's: nothing is written, and it tells what it would refuse. It must never write what
 * the source was not asked for. */
#include "admin/pull.h"

#include "admin/ids.h"
#include "core/json.h"
#include "core/limits.h"
#include "core/process/clock.h"

/* Batches double, so that a mistake shows at once and a long list is few imports, of which an instance remembers a
 * bounded number; but what waits is not kept for long, since a run that is broken off loses it. */
enum { FIRST_ROWS = 10, MOST_ROWS = 10000, MOST_BYTES = 8 << 20, MOST_MS = 200000 };
enum { LOOK_LEAST_MS = 50, LOOK_MOST_MS = 2000, TEXT_ROOM = 1024 };
enum { EXISTS = 409001, NOT_ENROLLED = 404201 };

/* One that waits to be written, in the line of its place. */
struct entry {
    struct str id, group; /* group: of a registration, where it is a group's */
};

struct batch {
    struct arena *arena;
    struct text rows;
    struct entry *at; /* room for MOST_ROWS */
    size_t count, most;
    int64_t since_ms;
};

struct target {
    struct ids has[NOUNS];
    struct batch batch[NOUNS];
};

/* --- what is there ------------------------------------------------------------------------------------------------ */

bool target_has(struct pull *p, enum noun noun, struct str id)
{
    return ids_have(&p->target->has[noun], id);
}

static err_t note_id(struct pull *p, struct arena *a, struct json_in entry, void *context)
{
    enum noun noun = *(const enum noun *)context;
    struct str id = pull_text(entry.v, nouns[noun].id);
    (void)a;
    ids_add(p->run->arena, &p->target->has[noun], id);
    if (noun == ENROLLMENTS && json_object_get(entry.v, "registrationState"))
        ids_add(p->run->arena, &p->target->has[REGISTRATIONS], id);
    return NULL;
}

static err_t look_at(struct pull *p, enum noun noun, const char *members)
{
    struct arena *a = p->run->arena;
    struct pull_list list = {.service = p->into, .right = "EnrollmentRead", .take = note_id, .context = &noun};
    list.path = arena_printf(a, "%s/query", nouns[noun].path);
    list.query = arena_printf(a, "{\"query\":\"SELECT %s FROM %s\"}", members, nouns[noun].many);
    return pull_each(p, &list);
}

static void open_target(struct pull *p)
{
    p->target = ARENA_NEW(p->run->arena, struct target);
    for (enum noun n = GROUPS; n < NOUNS; n++) {
        struct batch *b = &p->target->batch[n];
        b->arena = arena_new();
        b->at = ARENA_NEW_ARRAY(p->run->arena, MOST_ROWS, struct entry);
        b->most = FIRST_ROWS;
        text_init(&b->rows, b->arena, TEXT_ROOM);
    }
}

err_t target_look(struct pull *p)
{
    open_target(p);
    TRY(look_at(p, GROUPS, "enrollmentGroupId"));
    return look_at(p, ENROLLMENTS, "registrationId, registrationState");
}

void target_close(struct pull *p)
{
    if (!p->target)
        return;
    for (enum noun n = GROUPS; n < NOUNS; n++)
        arena_free(p->target->batch[n].arena);
}

err_t target_look_group(struct pull *p, struct str group)
{
    enum noun noun = REGISTRATIONS;
    struct arena *a = p->run->arena;
    struct pull_list list = {.service = p->into,
                             .query = STR("{\"query\":\"*\"}"),
                             .right = "RegistrationStatusRead",
                             .or_gone = true,
                             .take = note_id,
                             .context = &noun};
    list.path = arena_printf(a, "/registrations/%s/query", enc_percent(a, group).p);
    return pull_each(p, &list);
}

/* --- one import --------------------------------------------------------------------------------------------------- */

/* In a dry run what a registration is of is not there yet, but may come in the same run. */
static bool only_too_early(struct pull *p, enum noun noun, const struct entry *e, int64_t code)
{
    bool of_group = e->group.n;
    return p->dry && noun == REGISTRATIONS && code == NOT_ENROLLED &&
           !ids_have(&p->left[of_group ? GROUPS : ENROLLMENTS], of_group ? e->group : e->id);
}

/* That it is there by now is no fault: somebody was faster, or the answer to the same call was lost. */
static void refused(struct pull *p, enum noun noun, const struct entry *e, const json_t *error)
{
    int64_t code = json_integer_value(json_object_get(error, "errorCode"));
    struct str why = pull_text(error, "message");
    if (only_too_early(p, noun, e, code))
        return;
    p->tally[noun].brought--;
    if (code == EXISTS)
        p->tally[noun].there++;
    else
        pull_left(p, noun, e->id, why.n ? why.p : "refused");
}

static void read_errors(struct pull *p, enum noun noun, const json_t *import)
{
    const struct batch *b = &p->target->batch[noun];
    const json_t *errors = json_object_get(import, "errors"), *error;
    int64_t untold = json_integer_value(json_object_get(import, "refused")) - (int64_t)json_array_size(errors);
    size_t i;
    json_array_foreach(errors, i, error)
    {
        size_t line = (size_t)json_integer_value(json_object_get(error, "line"));
        if (line >= 1 && line <= b->count)
            refused(p, noun, &b->at[line - 1], error);
    }
    if (untold > 0)
        pull_left_many(p, noun, untold, "the target tells no more of one import");
}

/* False: it goes on. */
static err_t look_at_import(struct pull *p, struct arena *a, enum noun noun, struct str path, bool *ret_over)
{
    struct service_call call = {.method = "GET", .path = path, .right = nouns[noun].write};
    struct service_answer answer;
    json_auto_t *import = NULL;
    TRY(service_ask(p->into, a, &call, &p->run->detail, &answer));
    if (answer.status != 200)
        return service_unfit(p->into, a, &call, &answer, &p->run->detail);
    TRY(json_read(answer.body, &p->run->detail, &import));
    struct str status = pull_text(import, "status");
    *ret_over = str_same(status, STR("succeeded"));
    if (*ret_over)
        read_errors(p, noun, import);
    else if (!str_same(status, STR("running")) && !str_same(status, STR("receiving")))
        return err_say(&p->run->detail, E(BAD_REQUEST), "--into: an import ended as \"%.*s\".", STR_ARG(status));
    return NULL;
}

static err_t wait_for_import(struct pull *p, enum noun noun, struct str path)
{
    struct arena *a ARENA_CLEANUP = arena_new();
    bool over = false;
    for (int64_t ms = LOOK_LEAST_MS; !over; ms = ms * 2 < LOOK_MOST_MS ? ms * 2 : LOOK_MOST_MS) {
        service_wait(ms);
        TRY(look_at_import(p, a, noun, path, &over));
        arena_reset(a);
    }
    return NULL;
}

static err_t write_import(struct pull *p, enum noun noun)
{
    struct batch *b = &p->target->batch[noun];
    struct service_call call = {.method = "POST",
                                .query = p->dry ? "&dryRun=true" : NULL,
                                .right = nouns[noun].write,
                                .media_type = "application/x-ndjson"};
    struct service_answer answer;
    json_auto_t *import = NULL;
    call.path = arena_printf(b->arena, "%s/import", nouns[noun].path);
    call.body = text_str(&b->rows);
    TRY(service_ask(p->into, b->arena, &call, &p->run->detail, &answer));
    if (answer.status != 202)
        return service_unfit(p->into, b->arena, &call, &answer, &p->run->detail);
    TRY(json_read(answer.body, &p->run->detail, &import));
    p->tally[noun].brought += (int64_t)b->count;
    struct str id = pull_text(import, "operationId");
    return wait_for_import(p, noun, arena_printf(b->arena, "%s/imports/%.*s", nouns[noun].path, STR_ARG(id)));
}

/* --- many of them ------------------------------------------------------------------------------------------------- */

/* A registration goes behind what it is of. */
/* In a dry run each row of a batch may be refused for what is not there yet, and an import tells of so many. */
static size_t most_rows(const struct pull *p)
{
    return p->dry ? IMPORT_ERRORS_MOST : MOST_ROWS;
}

err_t target_flush(struct pull *p, enum noun noun)
{
    struct batch *b = &p->target->batch[noun];
    if (noun == REGISTRATIONS)
        TRY(target_flush(p, ENROLLMENTS));
    if (!b->count)
        return NULL;
    TRY(write_import(p, noun));
    arena_reset(b->arena);
    text_init(&b->rows, b->arena, TEXT_ROOM);
    b->count = 0;
    b->most = b->most * 2 < most_rows(p) ? b->most * 2 : most_rows(p);
    return NULL;
}

static bool is_full(const struct batch *b, struct str row)
{
    return b->count == b->most || (b->count && (b->rows.n + row.n > MOST_BYTES || clock_ms() - b->since_ms > MOST_MS));
}

err_t target_add(struct pull *p, enum noun noun, struct str id, struct str group, struct str row)
{
    struct batch *b = &p->target->batch[noun];
    if (is_full(b, row))
        TRY(target_flush(p, noun));
    if (!b->count)
        b->since_ms = clock_ms();
    b->at[b->count++] = (struct entry){arena_str(b->arena, id), arena_str(b->arena, group)};
    text_add(&b->rows, row);
    text_add_char(&b->rows, '\n');
    return NULL;
}
