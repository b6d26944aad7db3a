/* run.c: calls, who acts, what is tried again, transactions. Every statement of the programs goes through db_run: one
 * pipeline, one round trip, and outside of db_tx one commit. It must never know what a statement is for. */
#include <assert.h>
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/crypt.h"
#include "core/model.h"
#include "core/process/clock.h"
#include "core/word.h"
#include "db/conn.h"
#include "db/oid.h"

enum { BINARY = 1 };

/* The only policy for what is run again: that which was undone as a whole (lost against another transaction, refused
 * because the statements have to be prepared anew), and what may be repeated though nobody knows whether it was done.
 */
static const struct {
    int tries;
    int64_t pause_ms; /* after the first one; grows by as much each time */
} policy = {.tries = 3, .pause_ms = 8};

/* --- who acts ----------------------------------------------------------------------------------------------------- */

void db_act(struct db *db, const struct db_actor *actor)
{
    db->acts = actor != NULL;
    db->is_told = false;
    arena_reset(db->who);
    if (!actor)
        return;
    const struct db_call act =
        DB_CALL(SQL_ACT, db_uuid(&actor->tenant), db_text(word_text(actor_kind_words, actor->kind)),
                db_text(arena_str(db->who, actor->id)), db_text(arena_str(db->who, actor->tracking_id)),
                db_text(arena_str(db->who, actor->operation)), db_text(arena_str(db->who, actor->address)),
                db_text(arena_str(db->who, actor->resource_id)));
    args_make(&db->actor, &act, db->who);
}

/* The statements of a pipeline that are run as their actor want to be told who that is, once per transaction. */
static bool wants_actor(const struct db *db, const struct db_args *calls, size_t count)
{
    bool wanted = false;
    for (size_t i = 0; i < count; i++)
        wanted |= sql_texts[calls[i].statement].as_actor;
    return wanted && !(db->in_tx && db->is_told);
}

/* --- until when --------------------------------------------------------------------------------------------------- */

void db_until(struct db *db, int64_t until_ms)
{
    db->until_ms = until_ms;
}

static err_t check_time(struct db *db, const char *what)
{
    if (!db->until_ms || clock_ms() < db->until_ms)
        return NULL;
    conn_say(db, what, "not sent: the time of the call is over");
    return E(DATABASE_TIMEOUT);
}

static bool only_reads(const struct db_args *calls, size_t count)
{
    bool reads = true;
    for (size_t i = 0; i < count; i++)
        reads &= sql_texts[calls[i].statement].reads;
    return reads;
}

/* A server that stood still goes on with what it had been sent, so it is told as well until when that is wanted. */
static void tell_limit(struct db *db)
{
    uint64_t wire = htobe64((uint64_t)(db->until_ms * 1000 + db->ahead_us));
    memcpy(db->limit_wire, &wire, sizeof wire);
    db->limit = (struct db_args){.statement = SQL_IN_TIME,
                                 .count = 1,
                                 .oids = {OID_INT8},
                                 .values = {(const char *)db->limit_wire},
                                 .lengths = {sizeof wire}};
}

/* --- one pipeline ------------------------------------------------------------------------------------------------- */

/* Types are compared here, because a binary int4 that arrives at an int8 parameter is garbage or an obscure error. */
static err_t check_call(struct db *db, const struct db_args *call)
{
    const struct prepared *p = &db->prepared[call->statement];
    const char *name = sql_texts[call->statement].name;
    if (p->count != call->count) {
        snprintf(db->message, sizeof db->message, "%s: takes %d parameters, was given %d", name, p->count, call->count);
        return E(DATABASE_STATEMENT);
    }
    for (int i = 0; i < p->count; i++) {
        if (call->oids[i] == p->oids[i])
            continue;
        snprintf(db->message, sizeof db->message, "%s: parameter $%d is of type %u, was given %u", name, i + 1,
                 p->oids[i], call->oids[i]);
        return E(DATABASE_STATEMENT);
    }
    return NULL;
}

static err_t check_calls(struct db *db, bool told, const struct db_args *calls, size_t count)
{
    if (told && !db->acts) {
        conn_say(db, sql_texts[calls[0].statement].name, "is run as its actor, and nobody acts");
        return E(DATABASE_STATEMENT);
    }
    for (size_t i = 0; i < count; i++)
        TRY(check_call(db, &calls[i]));
    return NULL;
}

static bool send_call(struct db *db, const struct db_args *call)
{
    int formats[DB_PARAMS_MAX];
    for (int i = 0; i < call->count; i++)
        formats[i] = BINARY;
    return PQsendQueryPrepared(db->conn, sql_texts[call->statement].name, call->count, call->values, call->lengths,
                               formats, BINARY);
}

/* What goes before the calls of a pipeline. */
struct preamble {
    const struct db_args *at[2];
    size_t count;
};

static struct preamble preamble_of(struct db *db, bool tell, const struct db_args *calls, size_t count)
{
    struct preamble p = {.count = 0};
    if (db->until_ms && !only_reads(calls, count)) {
        tell_limit(db);
        p.at[p.count++] = &db->limit;
    }
    if (tell)
        p.at[p.count++] = &db->actor;
    return p;
}

static bool send_calls(struct db *db, const struct preamble *p, const struct db_args *calls, size_t count)
{
    bool sent = PQenterPipelineMode(db->conn);
    for (size_t i = 0; sent && i < p->count; i++)
        sent = send_call(db, p->at[i]);
    for (size_t i = 0; sent && i < count; i++)
        sent = send_call(db, &calls[i]);
    return sent && PQpipelineSync(db->conn);
}

/* Lives and dies with its result. */
static struct rows *rows_new(const struct db *db, enum sql_id statement, PGresult *r)
{
    struct rows *rows = PQresultAlloc(r, sizeof *rows);
    if (!rows)
        crypt_give_up("memory for rows");
    *rows = (struct rows){r, &db->prepared[statement]};
    return rows;
}

/* Takes one result of a pipeline; only the first failure counts, the ones behind it are its echo. */
static void take_result(struct db *db, enum sql_id statement, err_t *first, struct rows **ret)
{
    if (!db->conn)
        return;
    PGresult *r = conn_next_result(db->conn);
    if (!r || (*first == NULL && !conn_is_good(r))) {
        err_t e = conn_failure(db, sql_texts[statement].name, r);
        *first = *first ? *first : e;
    }
    if (*first == NULL && ret)
        *ret = rows_new(db, statement, r);
    else
        PQclear(r);
}

static err_t end_pipeline(struct db *db, err_t e)
{
    if (!db->conn)
        return e;
    PGresult *sync = conn_sync_result(db->conn);
    bool synced = sync && PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    if (!synced && !e)
        e = conn_failure(db, "pipeline", sync); /* the implicit commit failed */
    PQclear(sync);
    if (db->conn && !(synced && PQexitPipelineMode(db->conn)))
        conn_drop(db);
    return db->conn || e ? e : E(DATABASE_UNAVAILABLE);
}

static err_t take_results(struct db *db, const struct preamble *p, const struct db_args *calls, size_t count,
                          struct rows **ret_rows)
{
    err_t e = NULL;
    for (size_t i = 0; i < p->count; i++)
        take_result(db, p->at[i]->statement, &e, NULL);
    if (e && db->refused && db->again == AGAIN_IF_REPEATABLE)
        db->again = AGAIN_YES; /* refused before the first call: none was begun */
    for (size_t i = 0; i < count; i++)
        take_result(db, calls[i].statement, &e, ret_rows ? &ret_rows[i] : NULL);
    return end_pipeline(db, e);
}

static err_t run_once(struct db *db, const struct db_args *calls, size_t count, struct rows **ret_rows)
{
    bool tell = wants_actor(db, calls, count);
    TRY(conn_ensure(db));
    TRY(check_time(db, sql_texts[calls[0].statement].name));
    TRY(check_calls(db, tell, calls, count));
    const struct preamble p = preamble_of(db, tell, calls, count);
    err_t e = send_calls(db, &p, calls, count) ? take_results(db, &p, calls, count, ret_rows)
                                               : conn_failure(db, "pipeline", NULL);
    if (!e) {
        db->answers = true;
        db->is_told |= tell;
        return NULL;
    }
    for (size_t i = 0; ret_rows && i < count; i++) {
        rows_free(ret_rows[i]);
        ret_rows[i] = NULL;
    }
    return e;
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

static bool goes_again(const struct db *db, enum db_flag flag)
{
    bool undone = db->again == AGAIN_YES || (db->again == AGAIN_IF_REPEATABLE && flag == DB_REPEATABLE);
    return undone && (db->conn || conn_may_open(db));
}

static void pause_after(int try)
{
    struct timespec pause = {0, policy.pause_ms * 1000000 * (try + 1)};
    nanosleep(&pause, NULL);
}

static err_t run(struct db *db, const struct db_args *calls, size_t count, enum db_flag flag, struct rows **ret_rows)
{
    if (db->in_tx)
        return run_once(db, calls, count, ret_rows);
    for (int try = 0;; try++) {
        db->again = AGAIN_NO;
        db->refused = false;
        err_t e = run_once(db, calls, count, ret_rows);
        if (!e || try + 1 == policy.tries || !goes_again(db, flag))
            return e;
        pause_after(try);
    }
}

err_t db_run(struct db *db, struct arena *a, const struct db_call *calls, size_t count, enum db_flag flag,
             struct rows **ret_rows)
{
    struct db_args args[DB_CALLS_MAX];
    assert(count <= DB_CALLS_MAX);
    for (size_t i = 0; i < count; i++) {
        args_make(&args[i], &calls[i], a);
        if (ret_rows)
            ret_rows[i] = NULL;
    }
    return run(db, args, count, flag, ret_rows);
}

struct pipeline pipeline_new(struct arena *a, size_t calls_max)
{
    return (struct pipeline){
        .a = a,
        .calls = ARENA_NEW_ARRAY(a, calls_max, struct db_args),
        .rows = ARENA_NEW_ARRAY(a, calls_max, struct rows *),
    };
}

void pipeline_add(struct pipeline *p, struct db_call call)
{
    args_make(&p->calls[p->count++], &call, p->a);
}

err_t pipeline_run(struct db *db, struct pipeline *p, enum db_flag flag)
{
    return p->count ? run(db, p->calls, p->count, flag, p->rows) : NULL;
}

void pipeline_cleanup(struct pipeline *p)
{
    for (size_t i = 0; i < p->count; i++)
        rows_free(p->rows[i]);
}

err_t db_rows(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, struct rows **ret_rows)
{
    return db_run(db, a, &call, 1, flag, ret_rows);
}

err_t db_do(struct db *db, struct arena *a, struct db_call call, enum db_flag flag)
{
    return db_rows(db, a, call, flag, NULL);
}

err_t db_count(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, int64_t *ret_count)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    TRY(db_rows(db, a, call, flag, &rows));
    *ret_count = strtoll(PQcmdTuples(rows->result), NULL, 10);
    return NULL;
}

err_t db_first(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, bool *ret_found, void *ret,
               size_t size)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    TRY(db_rows(db, a, call, flag, &rows));
    bool found = rows_first(rows, a, ret, size);
    if (ret_found)
        *ret_found = found;
    return NULL;
}

err_t db_one(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, void *ret, size_t size)
{
    bool found;
    TRY(db_first(db, a, call, flag, &found, ret, size));
    return found ? NULL : E(NO_ROW);
}

err_t db_all(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, void *ret_array, size_t size,
             size_t *ret_count)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    TRY(db_rows(db, a, call, flag, &rows));
    rows_all(rows, a, ret_array, size, ret_count);
    return NULL;
}

err_t db_each(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, void *ret, size_t size,
              size_t count)
{
    struct rows *rows ROWS_CLEANUP = NULL;
    TRY(db_rows(db, a, call, flag, &rows));
    rows_each(rows, a, ret, size, count);
    return NULL;
}

/* --- transactions ------------------------------------------------------------------------------------------------- */

static err_t begin(struct db *db)
{
    TRY(conn_ensure(db));
    TRY(check_time(db, "begin"));
    TRY(conn_run_plain(db, "begin", "BEGIN"));
    db->in_tx = true;
    db->is_told = false;
    return NULL;
}

static void roll_back(struct db *db)
{
    char words[MESSAGE_MAX];
    memcpy(words, db->message, sizeof words);
    if (db->conn && conn_run_plain(db, "rollback", "ROLLBACK") && db->conn)
        conn_drop(db);
    memcpy(db->message, words, sizeof words);
}

/* As any other call, so that it is not done late. That of a failed transaction is answered with the word ROLLBACK and
 * no error. */
static err_t commit(struct db *db)
{
    const struct db_args call = {.statement = SQL_COMMIT};
    struct rows *rows ROWS_CLEANUP = NULL;
    TRY(run_once(db, &call, 1, &rows));
    bool done = rows && strcmp(PQcmdStatus(rows->result), "COMMIT") == 0;
    return done ? NULL : E(DATABASE_STATEMENT);
}

static err_t tx_once(struct db *db, err_t (*work)(struct db *db, void *context), void *context)
{
    db->again = AGAIN_NO;
    db->refused = false;
    TRY(begin(db));
    err_t e = work(db, context);
    if (!e)
        e = commit(db);
    if (e)
        roll_back(db);
    db->in_tx = false;
    return e;
}

err_t db_tx(struct db *db, err_t (*work)(struct db *db, void *context), void *context)
{
    for (int try = 0;; try++) {
        err_t e = tx_once(db, work, context);
        if (!e || try + 1 == policy.tries || !goes_again(db, DB_ONCE))
            return e;
        pause_after(try);
    }
}
