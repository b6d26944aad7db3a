/* target.c: writes into an instance, through its own service plane: groups and enrollments ten at a time, in the mode
 * that changes nothing which is there, registrations as imports. It must never write what the source was not asked for,
 * nor anything in a dry run. */
#include "admin/pull.h"

#include <stdlib.h>

#include "core/json.h"

enum { BULK_ROWS = 10, IMPORT_ROWS = 1000, IDS_ROOM = 1024, EXISTS = 409001, LOOK_LEAST_MS = 50, LOOK_MOST_MS = 2000 };
enum { BULK_BYTES = 80 << 10, IMPORT_BYTES = 8 << 20 };

/* Ids in lower case, in order once they are all there. */
struct ids {
    struct str *at;
    size_t count, room;
};

/* Rows that wait to be written together. */
struct batch {
    struct arena *arena;
    struct text rows;
    struct str ids[IMPORT_ROWS];
    size_t count;
};

struct target {
    struct ids has[NOUNS];
    struct batch batch[NOUNS];
};

/* --- what is there ------------------------------------------------------------------------------------------------ */

static void add_id(struct arena *a, struct ids *ids, struct str id)
{
    if (ids->count == ids->room) {
        size_t room = ids->room ? ids->room * 2 : IDS_ROOM;
        struct str *more = ARENA_NEW_ARRAY(a, room, struct str);
        for (size_t i = 0; i < ids->count; i++)
            more[i] = ids->at[i];
        ids->at = more;
        ids->room = room;
    }
    ids->at[ids->count++] = arena_lower(a, id);
}

static int compare_ids(const void *a, const void *b)
{
    return str_compare(*(const struct str *)a, *(const struct str *)b);
}

static void sort_ids(struct ids *ids)
{
    if (ids->count)
        qsort(ids->at, ids->count, sizeof *ids->at, compare_ids);
}

bool target_has(const struct pull *p, enum noun noun, struct str id)
{
    const struct ids *ids = &p->target->has[noun];
    struct arena *a ARENA_CLEANUP = arena_new();
    struct str key = arena_lower(a, id);
    return ids->count && bsearch(&key, ids->at, ids->count, sizeof *ids->at, compare_ids);
}

static err_t note_id(struct pull *p, struct arena *a, struct json_in entry, void *context)
{
    enum noun noun = *(const enum noun *)context;
    struct str id = pull_text(entry.v, nouns[noun].id);
    (void)a;
    add_id(p->run->arena, &p->target->has[noun], id);
    if (noun == ENROLLMENTS && json_object_get(entry.v, "registrationState"))
        add_id(p->run->arena, &p->target->has[REGISTRATIONS], id);
    return NULL;
}

static err_t look_at(struct pull *p, enum noun noun, const char *members)
{
    struct arena *a = p->run->arena;
    struct pull_list list = {.service = p->into, .right = "EnrollmentRead", .take = note_id, .context = &noun};
    list.path = arena_printf(a, "%s/query", nouns[noun].path);
    list.query = arena_printf(a, "{\"query\":\"SELECT %s FROM %s\"}", members, nouns[noun].many);
    TRY(pull_each(p, &list));
    sort_ids(&p->target->has[noun]);
    sort_ids(&p->target->has[REGISTRATIONS]);
    return NULL;
}

static void open_target(struct pull *p)
{
    p->target = ARENA_NEW(p->run->arena, struct target);
    for (enum noun n = GROUPS; n < NOUNS; n++) {
        struct batch *b = &p->target->batch[n];
        b->arena = arena_new();
        text_init(&b->rows, b->arena, IDS_ROOM);
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
    TRY(pull_each(p, &list));
    sort_ids(&p->target->has[REGISTRATIONS]);
    return NULL;
}

/* --- ten at a time ------------------------------------------------------------------------------------------------ */

/* One that the target does not take. That it is there by now is no fault: somebody was faster, or the answer to the
 * same call was lost. */
static void refused(struct pull *p, enum noun noun, struct str id, int64_t code, struct str why)
{
    p->tally[noun].brought--;
    if (code == EXISTS)
        p->tally[noun].there++;
    else
        pull_left(p, noun, id, why.n ? why.p : "refused");
}

static err_t read_bulk_answer(struct pull *p, enum noun noun, struct str body)
{
    json_auto_t *answer = NULL;
    json_t *error;
    size_t i;
    TRY(json_read(body, &p->run->detail, &answer));
    json_array_foreach(json_object_get(answer, "errors"), i, error)
    {
        struct str why = arena_str(p->target->batch[noun].arena, pull_text(error, "errorStatus"));
        refused(p, noun, pull_text(error, nouns[noun].id), json_integer_value(json_object_get(error, "errorCode")),
                why);
    }
    return NULL;
}

/* The whole call: an entry that is too large, for one. */
static void all_refused(struct pull *p, enum noun noun, const char *why)
{
    const struct batch *b = &p->target->batch[noun];
    for (size_t i = 0; i < b->count; i++) {
        p->tally[noun].brought--;
        pull_left(p, noun, b->ids[i], why);
    }
}

static err_t write_bulk(struct pull *p, enum noun noun)
{
    struct batch *b = &p->target->batch[noun];
    struct service_call call = {.method = "POST", .right = "EnrollmentWrite"};
    struct service_answer answer;
    call.path = str_of(nouns[noun].path);
    call.body = arena_printf(b->arena, "{\"mode\":\"create\",\"%s\":[%s]}", nouns[noun].many, text_str(&b->rows).p);
    TRY(service_ask(p->into, b->arena, &call, &p->run->detail, &answer));
    p->tally[noun].brought += (int64_t)b->count;
    if (answer.status == 200)
        return read_bulk_answer(p, noun, answer.body);
    all_refused(p, noun, service_words(b->arena, &answer).p);
    return NULL;
}

/* --- as an import ------------------------------------------------------------------------------------------------- */

static void read_import_errors(struct pull *p, enum noun noun, const json_t *import)
{
    int64_t told = 0, all = json_integer_value(json_object_get(import, "refused"));
    struct arena *a = p->target->batch[noun].arena;
    json_t *error;
    size_t i;
    json_array_foreach(json_object_get(import, "errors"), i, error)
    {
        struct str id = pull_text(error, "id"), message = pull_text(error, "message");
        refused(p, noun, id, json_integer_value(json_object_get(error, "errorCode")), arena_str(a, message));
        told++;
    }
    for (; told < all; told++)
        refused(p, noun, STR("…"), 0, STR("refused; the import tells of no more"));
}

/* False: it goes on. */
static err_t look_at_import(struct pull *p, struct arena *a, enum noun noun, struct str path, bool *ret_over)
{
    struct service_call call = {.method = "GET", .path = path, .right = "RegistrationStatusWrite"};
    struct service_answer answer;
    json_auto_t *import = NULL;
    TRY(service_ask(p->into, a, &call, &p->run->detail, &answer));
    if (answer.status != 200)
        return service_unfit(p->into, a, &call, &answer, &p->run->detail);
    TRY(json_read(answer.body, &p->run->detail, &import));
    struct str status = pull_text(import, "status");
    *ret_over = str_same(status, STR("succeeded"));
    if (*ret_over)
        read_import_errors(p, noun, import);
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
    struct service_call call = {
        .method = "POST", .right = "RegistrationStatusWrite", .media_type = "application/x-ndjson"};
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

/* --- what both ways share ----------------------------------------------------------------------------------------- */

/* How rows of a noun are written. */
static const struct way {
    err_t (*write)(struct pull *p, enum noun noun);
    const char *between; /* of two rows */
    size_t rows, bytes;
} ways[NOUNS] = {
    [GROUPS] = {write_bulk, ",", BULK_ROWS, BULK_BYTES},
    [ENROLLMENTS] = {write_bulk, ",", BULK_ROWS, BULK_BYTES},
    [REGISTRATIONS] = {write_import, "\n", IMPORT_ROWS, IMPORT_BYTES},
};

err_t target_flush(struct pull *p, enum noun noun)
{
    struct batch *b = &p->target->batch[noun];
    if (noun == REGISTRATIONS)
        TRY(target_flush(p, ENROLLMENTS));
    if (b->count)
        TRY(ways[noun].write(p, noun));
    arena_reset(b->arena);
    text_init(&b->rows, b->arena, IDS_ROOM);
    b->count = 0;
    return NULL;
}

err_t target_add(struct pull *p, enum noun noun, struct str id, struct str row)
{
    struct batch *b = &p->target->batch[noun];
    const struct way *way = &ways[noun];
    if (p->dry) {
        p->tally[noun].brought++;
        return NULL;
    }
    if (b->count == way->rows || (b->count && b->rows.n + row.n > way->bytes))
        TRY(target_flush(p, noun));
    b->ids[b->count++] = arena_str(b->arena, id);
    text_add(&b->rows, b->rows.n ? str_of(way->between) : STR(""));
    text_add(&b->rows, row);
    return NULL;
}
