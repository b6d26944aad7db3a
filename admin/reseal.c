/* reseal.c: seals every value anew under the first key of the key ring, while everybody works, so that an older key can
 * be taken out of the ring. It goes through the columns in batches, each a transaction of its own, and a value that
 * somebody has changed meanwhile is left as it is: so it can be ended at any moment and begun again, and looks only
 * at what is left. What cannot be opened is told and left. It must never change what a value says, nor print one. */
#include <time.h>

#include "admin/run.h"
#include "core/codec.h"
#include "core/process/clock.h"
#include "db/sealed.h"

enum { BATCH = 500, BATCH_MAX = 5000, PASSES_MAX = 10, LEFT_MAX = 200, SETTLE_MS = 50, TELL_MS = 1000 };

/* Values of a column that a pass found and left under one key. */
struct left {
    struct str table, column;
    struct opt_i64 key_id, count;
    enum tri in_ring;
};

struct reseal {
    struct run *run;
    int64_t batch;
    int64_t moved; /* in all */
    bool busy;     /* somebody was writing what this pass came to */
    struct left left[LEFT_MAX];
    size_t left_count;
    int64_t told_ms; /* when it was last said how far this has come */
};

static void say(struct reseal *s, const struct db_sealed_column *of)
{
    if (clock_ms() - s->told_ms < TELL_MS)
        return;
    s->told_ms = clock_ms();
    s->run->say->take(
        arena_printf(s->run->arena, "%lld sealed anew, at %s.%s\n", (long long)s->moved, of->tab.p, of->col.p));
}

/* --- a pass ------------------------------------------------------------------------------------------------------- */

static struct left *left_of(struct reseal *s, const struct db_sealed_column *of, int64_t key_id)
{
    for (size_t i = 0; i < s->left_count; i++)
        if (str_same(s->left[i].table, of->tab) && str_same(s->left[i].column, of->col) &&
            s->left[i].key_id.n == key_id)
            return &s->left[i];
    if (s->left_count == LEFT_MAX)
        return &s->left[LEFT_MAX - 1];
    s->left[s->left_count] = (struct left){
        of->tab, of->col, {true, key_id}, {true, 0}, key_ring_has(s->run->ring, key_id) ? TRI_TRUE : TRI_FALSE};
    return &s->left[s->left_count++];
}

static void leave(struct reseal *s, const struct db_sealed_column *of, const struct db_sealed *v)
{
    left_of(s, of, seal_key_id(v->sealed))->count.n++;
}

static bool seal_anew(struct arena *a, const struct key_ring *ring, struct db_sealed *v)
{
    struct bytes row = seal_row(a, v->kind.p, v->owner, v->name, v->part.p), secret;
    if (unseal(a, ring, row, v->sealed, &secret))
        return false;
    v->fresh = seal(a, ring, row, secret);
    return true;
}

/* Seals those of a page that open, which come to its front; the others are left. */
static size_t open_page(struct reseal *s, struct arena *a, const struct db_sealed_column *of, struct db_sealed *at,
                        size_t count)
{
    size_t opened = 0;
    for (size_t i = 0; i < count; i++)
        if (at[i].sealed.p && seal_anew(a, s->run->ring, &at[i]))
            at[opened++] = at[i];
        else if (at[i].sealed.p)
            leave(s, of, &at[i]);
    return opened;
}

/* One batch; *after moves behind it. */
static err_t batch(struct reseal *s, const struct db_sealed_column *of, struct str *after, size_t *ret_found)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct db_sealed *at;
    int64_t written = 0;
    TRY(db_sealed_page(s->run->db, a, of, *after, s->batch, &at, ret_found));
    if (*ret_found)
        *after = arena_str(s->run->arena, at[*ret_found - 1].place);
    size_t opened = open_page(s, a, of, at, *ret_found);
    if (opened)
        TRY(db_sealed_write(s->run->db, a, of, at, opened, &written));
    for (size_t i = (size_t)written; i < opened; i++) /* somebody writes them just now: as many, whichever they are */
        leave(s, of, &at[i]);
    s->busy |= written < (int64_t)opened;
    s->moved += written;
    say(s, of);
    return NULL;
}

static err_t column(struct reseal *s, const struct db_sealed_column *of)
{
    struct str after = {NULL, 0};
    size_t found;
    do
        TRY(batch(s, of, &after, &found));
    while (found);
    return NULL;
}

/* Who read a value before it was sealed anew may put it back: waited for, so that the next pass sees what they wrote.
 */
static err_t settle(struct reseal *s)
{
    int64_t mark;
    bool settled = false;
    TRY(db_sealed_mark(s->run->db, s->run->arena, &mark));
    while (!settled) {
        TRY(db_sealed_settled(s->run->db, s->run->arena, mark, &settled));
        if (!settled)
            nanosleep(&(struct timespec){.tv_nsec = SETTLE_MS * 1000000}, NULL);
    }
    return NULL;
}

/* Until a pass finds nothing that it could do; somebody who still seals under another key would keep it going for
 * ever. */
static err_t passes(struct reseal *s, const struct db_sealed_column *columns, size_t count)
{
    int64_t before = -1;
    for (int i = 0; i < PASSES_MAX && (s->moved > before || s->busy); i++) {
        before = s->moved;
        s->left_count = 0;
        s->busy = false;
        for (size_t c = 0; c < count; c++)
            TRY(column(s, &columns[c]));
        TRY(settle(s));
    }
    return NULL;
}

/* --- what is left ------------------------------------------------------------------------------------------------- */

static const struct codec left_codec[] = {
    CODEC_TEXT(struct left, table, "table", 0, CODEC_OUT),
    CODEC_TEXT(struct left, column, "column", 0, CODEC_OUT),
    CODEC_I64(struct left, key_id, "keyId", 0, INT64_MAX, CODEC_OUT),
    CODEC_I64(struct left, count, "count", 0, INT64_MAX, CODEC_OUT),
    CODEC_BOOL(struct left, in_ring, "inKeyRing", CODEC_OUT),
    CODEC_END,
};

static void write_left(struct run *run, const struct left *l, bool first)
{
    if (run_flag(run, "json")) {
        text_add(&run->out, first ? STR("") : STR(","));
        codec_encode(&run->out, left_codec, l);
        return;
    }
    text_printf(&run->out, "left\t%s.%s\tkey %lld%s\t%lld\n", l->table.p, l->column.p, (long long)l->key_id.n,
                l->in_ring == TRI_TRUE ? "" : " (not in the key ring)", (long long)l->count.n);
}

static err_t tell(struct reseal *s)
{
    struct run *run = s->run;
    const unsigned id = key_ring_sealing_id(run->ring);
    int64_t left = 0;
    bool gone = false, json = run_flag(run, "json");
    text_printf(&run->out, json ? "{\"keyId\":%u,\"resealed\":%lld,\"left\":[" : "resealed\tkey %u\t%lld\n", id,
                (long long)s->moved);
    for (size_t i = 0; i < s->left_count; i++) {
        write_left(run, &s->left[i], i == 0);
        left += s->left[i].count.n;
        gone |= s->left[i].in_ring == TRI_FALSE;
    }
    text_add(&run->out, json ? STR("]}\n") : STR(""));
    run->out_stands = true;
    if (left == 0)
        return NULL;
    return err_say(&run->detail, E(SEAL_BROKEN), "%lld values are not under key %u: %s", (long long)left, id,
                   gone ? "some are under a key that is not in the key ring."
                        : "they do not open, or somebody still seals under another key.");
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static err_t batch_of(struct run *run, int64_t *ret)
{
    struct str given = run_option(run, "batch");
    *ret = BATCH;
    if (given.p && !dec_i64(given, 1, BATCH_MAX, ret))
        return err_say(&run->detail, E(BAD_REQUEST), "--batch: a number from 1 to %d.", BATCH_MAX);
    return NULL;
}

err_t run_reseal(struct run *run)
{
    struct reseal s = {.run = run, .told_ms = clock_ms()};
    struct db_sealed_column *columns;
    size_t count;
    TRY(batch_of(run, &s.batch));
    TRY(db_sealed_columns(run->db, run->arena, &columns, &count));
    for (size_t i = 0; i < count; i++)
        columns[i].head = seal_head(run->arena, key_ring_sealing_id(run->ring));
    TRY(passes(&s, columns, count));
    run_act(run, NULL);
    if (s.moved)
        TRY(db_sealed_note(run->db, run->arena, key_ring_sealing_id(run->ring), s.moved));
    return tell(&s);
}
