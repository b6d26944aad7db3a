/* db.c: one PostgreSQL connection with every statement of db/sql prepared on it: opening, re-opening, sending, and what
 * SQLSTATEs mean. The only file (with row.c) that calls libpq. It must never know what a statement is for, retry
 * anything that is not repeatable, or put values of rows into a message. */
#include "db/db.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/crypt.h"
#include "db/row.h"

enum {
    MESSAGE_MAX = 400,
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 2000,
    TX_TRIES = 3,
    TX_PAUSE_MS = 8,
    STATEMENT_MS = 30000,
    ANSWER_MARGIN_MS = 5000, /* beyond the server's own time-out: it is frozen, or the way to it is */
    WAIT_SLICE_MS = 100,     /* how often a waiting call looks whether the program wants to end */
};

/* What the server says that a prepared statement takes, so that a wrong parameter is found before it is sent. */
struct prepared {
    int count;
    unsigned oids[DB_PARAMS_MAX];
};

struct db {
    struct arena *arena;
    const char *url, *application_name;
    enum db_use use;
    PGconn *conn;                      /* NULL while down */
    int64_t failed_at_ms, retry_at_ms; /* monotonic: last failure to connect; no attempt before */
    int64_t backoff_ms;
    bool in_tx;
    char message[MESSAGE_MAX];
    struct prepared prepared[SQL_COUNT + 1];
};

/* When any connection of the process was opened last: the others need not sit out their back-off then. */
static _Atomic int64_t opened_ms;

/* A statement of this file's own, prepared beside those of db/sql. */
static const char tenant_name[] = "db_set_tenant";
static const char tenant_text[] = "SELECT set_config('idscope.tenant', $1, true)";

static int64_t monotonic_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* When the program ends, nobody waits beyond this. */
static _Atomic int64_t last_ms = INT64_MAX;

void db_hurry(int64_t most_ms)
{
    atomic_store(&last_ms, monotonic_ms() + most_ms);
}

static _Atomic int64_t statement_ms = STATEMENT_MS;

void db_statements_end(int64_t after_ms)
{
    atomic_store(&statement_ms, after_ms);
}

/* --- messages and errors ------------------------------------------------------------------------------------------ */

static void say(struct db *db, const char *where, const char *what)
{
    int n = (int)strcspn(what, "\n");
    snprintf(db->message, sizeof db->message, "%s: %.*s", where, n, what);
}

struct sqlstate_meaning {
    const char *prefix;
    err_t error;
    bool drop; /* the session is of no use any more */
};

static struct sqlstate_meaning meaning_of(const char *state)
{
    const struct sqlstate_meaning table[] = {
        {"23505", E(UNIQUE_VIOLATION), false},     {"40001", E(DATABASE_RETRY), false},
        {"40P01", E(DATABASE_RETRY), false},       {"08", E(DATABASE_UNAVAILABLE), true},
        {"57014", E(DATABASE_UNAVAILABLE), false}, /* statement time-out */
        {"57P", E(DATABASE_UNAVAILABLE), true},    /* shutdown, crash, starting up */
        {"25P03", E(DATABASE_UNAVAILABLE), true},  /* idle in transaction too long */
        {"25006", E(DATABASE_UNAVAILABLE), true},  /* read only: we talk to a standby since a failover */
        {"53", E(DATABASE_UNAVAILABLE), false},    /* out of disk, memory or connections */
        {"26000", E(DATABASE_UNAVAILABLE), true},  /* the prepared statements are gone */
        {"0A000", E(DATABASE_STATEMENT), true},    /* a migration changed a result type: prepare again */
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strncmp(state, table[i].prefix, strlen(table[i].prefix)) == 0)
            return table[i];
    return (struct sqlstate_meaning){"", E(DATABASE_STATEMENT), false};
}

static void drop(struct db *db)
{
    PQfinish(db->conn);
    db->conn = NULL;
    db->in_tx = false;
}

/* Data exceptions (class 22) quote the value that they refuse, so of those only the code is kept. */
static void keep_message(struct db *db, const char *where, const char *state, const PGresult *r)
{
    const char *primary = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const char *constraint = PQresultErrorField(r, PG_DIAG_CONSTRAINT_NAME);
    bool quotes_values = strncmp(state, "22", 2) == 0;
    snprintf(db->message, sizeof db->message, "%s: %s %.250s%s%s", where, state,
             quotes_values || !primary ? "" : primary, constraint ? " constraint " : "", constraint ? constraint : "");
}

/* Reads a failed result; closes a session that is of no use any more. `r` may be NULL. */
static err_t failure(struct db *db, const char *where, const PGresult *r)
{
    const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    if (!state) {
        const char *words = PQerrorMessage(db->conn);
        say(db, where, *words ? words : "no answer in time");
        drop(db);
        return E(DATABASE_UNAVAILABLE);
    }
    struct sqlstate_meaning m = meaning_of(state);
    keep_message(db, where, state, r);
    if (m.drop || PQstatus(db->conn) == CONNECTION_BAD)
        drop(db);
    return m.error;
}

/* Until the next result can be taken without waiting. False when there is none in time: then only the connection's end
 * is left. */
static bool answered(PGconn *conn)
{
    int64_t end_ms = monotonic_ms() + atomic_load(&statement_ms) + ANSWER_MARGIN_MS;
    while (PQisBusy(conn)) {
        int unsent = PQflush(conn);
        int64_t now_ms = monotonic_ms();
        if (now_ms >= end_ms || now_ms >= atomic_load(&last_ms))
            return false;
        struct pollfd fd = {.fd = PQsocket(conn), .events = (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN)};
        (void)poll(&fd, 1, WAIT_SLICE_MS);
        if (unsent < 0 || !PQconsumeInput(conn))
            return true; /* the result tells what is broken */
    }
    return true;
}

/* As PQexec, but it does not wait for ever: NULL when there is no answer. */
static PGresult *execute(struct db *db, const char *sql)
{
    PGresult *last = NULL;
    bool alive = PQsendQuery(db->conn, sql) == 1;
    while (alive && (alive = answered(db->conn))) {
        PGresult *r = PQgetResult(db->conn);
        if (!r)
            return last;
        PQclear(last);
        last = r;
    }
    PQclear(last);
    return NULL;
}

static bool is_good(const PGresult *r)
{
    ExecStatusType s = PQresultStatus(r);
    return s == PGRES_TUPLES_OK || s == PGRES_COMMAND_OK;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

static void ignore_notice(void *context, const PGresult *r)
{
    (void)context;
    (void)r;
}

/* Settings before `dbname` may be changed by the URL; those behind it may not. A peer that vanished is noticed within a
 * minute. */
static PGconn *connect_to(const char *url, const char *application_name)
{
    const char *names[] = {"connect_timeout",  "keepalives_idle",  "keepalives_interval",
                           "keepalives_count", "tcp_user_timeout", "dbname",
                           "application_name", "client_encoding",  NULL};
    const char *values[] = {"5", "20", "10", "3", "45000", url, application_name, "UTF8", NULL};
    return PQconnectdbParams(names, values, 1);
}

static err_t run_plain(struct db *db, const char *where, const char *sql)
{
    PGresult *r = execute(db, sql);
    err_t e = is_good(r) ? NULL : failure(db, where, r);
    PQclear(r);
    return e;
}

/* A lane plans each statement once, maybe for empty tables; all it ever does is look up rows by their key. So only the
 * join that does that is left to it: the others read a whole index as soon as the statistics make that look cheap. */
static err_t set_session(struct db *db)
{
    TRY(run_plain(db, "session settings",
                  "SET timezone = 'UTC'; SET idle_in_transaction_session_timeout = '30s';"
                  "SET search_path = idscope, pg_catalog, pg_temp; SET jit = off"));
    struct err_detail limit;
    err_say(&limit, NULL, "SET statement_timeout = %lld", (long long)atomic_load(&statement_ms));
    TRY(run_plain(db, "session settings", limit.text));
    if (db->use != DB_USE_LANE)
        return NULL;
    return run_plain(db, "session settings",
                     "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_mergejoin = off;"
                     "SET enable_hashjoin = off");
}

static err_t check_schema(struct db *db, struct err_detail *d)
{
    PGresult *r = execute(db, "SELECT version FROM idscope.schema_version");
    err_t e = NULL;
    if (!is_good(r)) {
        e = failure(db, "schema version", r);
        err_say(d, e, "the schema's version cannot be read; are the migrations deployed? %s", db->message);
    } else {
        long version = PQntuples(r) == 1 ? strtol(PQgetvalue(r, 0, 0), NULL, 10) : -1;
        if (version < DB_SCHEMA_MIN || version > DB_SCHEMA_MAX)
            e = err_say(d, E(BAD_CONFIG), "the schema's version is %ld; this program knows %d to %d", version,
                        DB_SCHEMA_MIN, DB_SCHEMA_MAX);
    }
    PQclear(r);
    return e;
}

static bool send_prepares(struct db *db)
{
    bool sent = PQenterPipelineMode(db->conn) && PQsendPrepare(db->conn, tenant_name, tenant_text, 0, NULL);
    for (int i = 0; sent && i < SQL_COUNT; i++)
        sent = PQsendPrepare(db->conn, sql_texts[i].name, sql_texts[i].text, 0, NULL) &&
               PQsendDescribePrepared(db->conn, sql_texts[i].name);
    return sent && PQpipelineSync(db->conn);
}

/* The next result of a pipeline and the NULL behind it. */
static PGresult *next_result(PGconn *conn)
{
    PGresult *r = answered(conn) ? PQgetResult(conn) : NULL;
    if (r && PQresultStatus(r) != PGRES_PIPELINE_SYNC)
        PQclear(PQgetResult(conn));
    return r;
}

/* What ends a pipeline. */
static PGresult *sync_result(PGconn *conn)
{
    return answered(conn) ? PQgetResult(conn) : NULL;
}

static err_t note_parameters(struct db *db, int statement, const PGresult *described)
{
    struct prepared *p = &db->prepared[statement];
    p->count = PQnparams(described);
    if (p->count > DB_PARAMS_MAX) {
        say(db, sql_texts[statement].name, "too many parameters");
        return E(DATABASE_STATEMENT);
    }
    for (int i = 0; i < p->count; i++)
        p->oids[i] = PQparamtype(described, i);
    return NULL;
}

/* The answer to one Parse or Describe. After the first failure the rest of the pipeline is skipped by the server. */
static err_t take_prepared(struct db *db, const char *name, int statement, bool described, struct err_detail *d)
{
    PGresult *r = next_result(db->conn);
    err_t e = NULL;
    if (!r || !is_good(r)) {
        const char *at = r ? PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION) : NULL;
        int cut = at ? 1 : 0;
        struct err_detail place = {""};
        err_say(&place, NULL, "%s%s", cut ? " at character " : "", at ? at : "");
        e = failure(db, name, r);
        err_say(d, e, "statement %s%s", db->message, place.text);
    } else if (described) {
        e = note_parameters(db, statement, r);
        if (e)
            err_say(d, e, "statement %s", db->message);
    }
    PQclear(r);
    return e;
}

static err_t take_all_prepared(struct db *db, struct err_detail *d)
{
    TRY(take_prepared(db, tenant_name, 0, false, d));
    for (int i = 0; i < SQL_COUNT; i++) {
        TRY(take_prepared(db, sql_texts[i].name, i, false, d));
        TRY(take_prepared(db, sql_texts[i].name, i, true, d));
    }
    PGresult *sync = sync_result(db->conn);
    err_t e = PQresultStatus(sync) == PGRES_PIPELINE_SYNC ? NULL : failure(db, "prepare", sync);
    PQclear(sync);
    return e;
}

static err_t prepare_all(struct db *db, struct err_detail *d)
{
    if (!send_prepares(db)) {
        err_t e = failure(db, "prepare", NULL);
        return err_say(d, e, "%s", db->message);
    }
    TRY(take_all_prepared(db, d));
    if (!PQexitPipelineMode(db->conn))
        return failure(db, "prepare", NULL);
    return NULL;
}

static err_t set_up(struct db *db, struct err_detail *d)
{
    if (PQstatus(db->conn) != CONNECTION_OK) {
        say(db, "connect", PQerrorMessage(db->conn));
        return err_say(d, E(DATABASE_UNAVAILABLE), "%s", db->message);
    }
    PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
    (void)PQsetnonblocking(db->conn, 1); /* answered() does the waiting, for sending as well */
    err_t e = set_session(db);
    if (e)
        return err_say(d, e, "%s", db->message);
    TRY(check_schema(db, d));
    return prepare_all(db, d);
}

static void back_off(struct db *db)
{
    uint8_t random;
    crypt_random(&random, sizeof random);
    db->backoff_ms = db->backoff_ms ? db->backoff_ms * 2 : BACKOFF_FIRST_MS;
    if (db->backoff_ms > BACKOFF_MAX_MS)
        db->backoff_ms = BACKOFF_MAX_MS;
    db->failed_at_ms = monotonic_ms();
    db->retry_at_ms = db->failed_at_ms + db->backoff_ms / 2 + db->backoff_ms * random / 512;
}

static err_t reopen(struct db *db, struct err_detail *d)
{
    db->in_tx = false;
    db->conn = connect_to(db->url, db->application_name);
    err_t e = set_up(db, d);
    if (e) {
        drop(db);
        back_off(db);
        return e;
    }
    db->backoff_ms = 0;
    atomic_store(&opened_ms, monotonic_ms());
    return NULL;
}

err_t db_open(const char *url, const char *application_name, enum db_use use, struct err_detail *d, struct db **ret)
{
    struct arena *a = arena_new();
    struct db *db = ARENA_NEW(a, struct db);
    db->arena = a;
    db->url = arena_str(a, str_of(url)).p;
    db->application_name = arena_str(a, str_of(application_name)).p;
    db->use = use;
    err_t e = reopen(db, d);
    if (e) {
        db_close(db);
        return e;
    }
    *ret = db;
    return NULL;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    drop(db);
    arena_free(db->arena);
}

bool db_is_up(const struct db *db)
{
    return db->conn != NULL;
}

const char *db_message(const struct db *db)
{
    return db->message;
}

/* A server that went away while the connection idled has said so by now: better to hear it before a statement is sent
 * than after. */
static bool went_away(struct db *db)
{
    struct pollfd fd = {.fd = PQsocket(db->conn), .events = POLLIN, .revents = 0};
    if (poll(&fd, 1, 0) <= 0)
        return false;
    return !PQconsumeInput(db->conn) || PQstatus(db->conn) == CONNECTION_BAD;
}

/* Not yet: its back-off runs and no other connection was opened since it failed; or not any more: the program stops
 * (db_hurry). */
static bool may_open(const struct db *db)
{
    bool backs_off = monotonic_ms() < db->retry_at_ms && atomic_load(&opened_ms) <= db->failed_at_ms;
    return !backs_off && atomic_load(&last_ms) == INT64_MAX;
}

static err_t ensure_open(struct db *db)
{
    if (db->conn && !db->in_tx && went_away(db))
        drop(db);
    if (db->conn)
        return NULL;
    return may_open(db) ? reopen(db, NULL) : E(DATABASE_UNAVAILABLE);
}

/* --- calls -------------------------------------------------------------------------------------------------------- */

enum { BINARY = 1 };

/* Types are compared here, because a binary int4 that arrives at an int8 parameter is garbage or an obscure error. */
static err_t check_args(struct db *db, enum sql_id statement, const struct db_args *in)
{
    const struct prepared *p = &db->prepared[statement];
    int given = in ? in->count : 0;
    if (p->count != given) {
        snprintf(db->message, sizeof db->message, "%s: takes %d parameters, was given %d", sql_texts[statement].name,
                 p->count, given);
        return E(DATABASE_STATEMENT);
    }
    for (int i = 0; i < given; i++) {
        if (in->oids[i] == p->oids[i])
            continue;
        snprintf(db->message, sizeof db->message, "%s: parameter $%d is of type %u, was given %u",
                 sql_texts[statement].name, i + 1, p->oids[i], in->oids[i]);
        return E(DATABASE_STATEMENT);
    }
    return NULL;
}

static bool send_statement(struct db *db, enum sql_id statement, const struct db_args *in)
{
    int formats[DB_PARAMS_MAX];
    int count = in ? in->count : 0;
    for (int i = 0; i < count; i++)
        formats[i] = BINARY;
    return PQsendQueryPrepared(db->conn, sql_texts[statement].name, count, in ? in->values : NULL,
                               in ? in->lengths : NULL, formats, BINARY);
}

static bool send_tenant(struct db *db, const struct uuid *tenant, char (*text)[37])
{
    const uint8_t *b = tenant->b;
    snprintf(*text, sizeof *text, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
    const char *values[] = {*text};
    return PQsendQueryPrepared(db->conn, tenant_name, 1, values, NULL, NULL, BINARY);
}

/* Takes one result of a pipeline; only the first failure counts, the ones behind it are its echo. */
static void take_result(struct db *db, const char *where, err_t *first, struct rows **ret)
{
    if (!db->conn)
        return;
    PGresult *r = next_result(db->conn);
    if (!r || (*first == NULL && !is_good(r))) {
        err_t e = failure(db, where, r);
        *first = *first ? *first : e;
    }
    if (*first == NULL && ret)
        *ret = (struct rows *)r;
    else
        PQclear(r);
}

static err_t end_pipeline(struct db *db, err_t e)
{
    if (!db->conn)
        return e;
    PGresult *sync = sync_result(db->conn);
    bool synced = sync && PQresultStatus(sync) == PGRES_PIPELINE_SYNC;
    if (!synced && !e)
        e = failure(db, "pipeline", sync); /* the implicit commit failed */
    PQclear(sync);
    if (db->conn && !(synced && PQexitPipelineMode(db->conn)))
        drop(db);
    return db->conn || e ? e : E(DATABASE_UNAVAILABLE);
}

static bool send_pipeline(struct db *db, const struct uuid *tenant, const struct db_batch_call *calls, size_t count)
{
    char text[37];
    bool sent = PQenterPipelineMode(db->conn) && (!tenant || send_tenant(db, tenant, &text));
    for (size_t i = 0; sent && i < count; i++)
        sent = send_statement(db, calls[i].statement, calls[i].in);
    return sent && PQpipelineSync(db->conn);
}

/* One attempt; ret_rows may be NULL, and is filled only when all went well. */
static err_t pipeline_once(struct db *db, const struct uuid *tenant, const struct db_batch_call *calls, size_t count,
                           struct rows **ret_rows)
{
    TRY(ensure_open(db));
    for (size_t i = 0; i < count; i++)
        TRY(check_args(db, calls[i].statement, calls[i].in));
    if (!send_pipeline(db, tenant, calls, count))
        return failure(db, "pipeline", NULL);
    err_t e = NULL;
    if (tenant)
        take_result(db, tenant_name, &e, NULL);
    size_t taken = 0;
    for (; taken < count && db->conn; taken++)
        take_result(db, sql_texts[calls[taken].statement].name, &e, ret_rows ? &ret_rows[taken] : NULL);
    e = end_pipeline(db, e);
    for (size_t i = 0; e && ret_rows && i < count; i++) {
        rows_free(ret_rows[i]);
        ret_rows[i] = NULL;
    }
    return e;
}

/* Only a lost connection makes a second try worth while, and only outside of a transaction, which is lost with it. */
static bool may_repeat(const struct db *db, err_t e, enum db_flag flag, bool was_in_tx)
{
    return e == E(DATABASE_UNAVAILABLE) && flag == DB_REPEATABLE && !was_in_tx && !db->conn && may_open(db);
}

static err_t one_call(struct db *db, const struct uuid *tenant, enum sql_id statement, const struct db_args *in,
                      enum db_flag flag, struct rows **ret_rows)
{
    bool was_in_tx = db->in_tx;
    struct db_batch_call call = {statement, in};
    struct rows *rows = NULL;
    err_t e = pipeline_once(db, tenant, &call, 1, ret_rows ? &rows : NULL);
    if (may_repeat(db, e, flag, was_in_tx))
        e = pipeline_once(db, tenant, &call, 1, ret_rows ? &rows : NULL);
    if (!e && ret_rows)
        *ret_rows = rows;
    return e;
}

err_t db_call(struct db *db, enum sql_id statement, const struct db_args *in, enum db_flag flag, struct rows **ret_rows)
{
    return one_call(db, NULL, statement, in, flag, ret_rows);
}

err_t db_tenant_call(struct db *db, const struct uuid *tenant, enum sql_id statement, const struct db_args *in,
                     enum db_flag flag, struct rows **ret_rows)
{
    return one_call(db, tenant, statement, in, flag, ret_rows);
}

err_t db_pipeline(struct db *db, const struct db_batch_call *calls, size_t count, struct rows **ret_rows)
{
    for (size_t i = 0; ret_rows && i < count; i++)
        ret_rows[i] = NULL;
    return pipeline_once(db, NULL, calls, count, ret_rows);
}

/* --- transactions ------------------------------------------------------------------------------------------------- */

static err_t begin(struct db *db, const struct uuid *tenant)
{
    TRY(ensure_open(db));
    TRY(run_plain(db, "begin", "BEGIN"));
    db->in_tx = true;
    return tenant ? pipeline_once(db, tenant, NULL, 0, NULL) : NULL;
}

static void roll_back(struct db *db)
{
    if (!db->conn)
        return;
    db->in_tx = false;
    if (run_plain(db, "rollback", "ROLLBACK") && db->conn)
        drop(db);
}

/* A COMMIT of a failed transaction is answered with the word ROLLBACK and no error. */
static err_t commit(struct db *db)
{
    PGresult *r = execute(db, "COMMIT");
    err_t e = is_good(r) ? NULL : failure(db, "commit", r);
    if (!e && strcmp(PQcmdStatus(r), "COMMIT") != 0)
        e = E(DATABASE_STATEMENT);
    PQclear(r);
    db->in_tx = false;
    return e;
}

static err_t tx_once(struct db *db, const struct uuid *tenant, err_t (*work)(struct db *db, void *context),
                     void *context)
{
    TRY(begin(db, tenant));
    err_t e = work(db, context);
    if (!e && !db->conn)
        return E(DATABASE_UNAVAILABLE);
    if (!e)
        e = commit(db);
    if (e) {
        char words[MESSAGE_MAX];
        memcpy(words, db->message, sizeof words);
        roll_back(db);
        memcpy(db->message, words, sizeof words);
    }
    return e;
}

err_t db_tx(struct db *db, const struct uuid *tenant, err_t (*work)(struct db *db, void *context), void *context)
{
    err_t e = NULL;
    for (int try = 0; try < TX_TRIES; try++) {
        e = tx_once(db, tenant, work, context);
        if (e != E(DATABASE_RETRY))
            return e;
        struct timespec pause = {0, (long)TX_PAUSE_MS * 1000000L * (try + 1)};
        nanosleep(&pause, NULL);
    }
    return e;
}
