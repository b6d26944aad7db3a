/* db.c: one PostgreSQL connection with every statement of db/sql prepared on it: opening, re-opening, the check of
 * every statement against its row, and what SQLSTATEs mean (here and nowhere else). It must never know what a statement
 * is for, or put values of rows into a message. */
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/crypt.h"
#include "core/process/clock.h"
#include "db/conn.h"
#include "db/opening.h"

enum {
    BACKOFF_FIRST_MS = 50,
    BACKOFF_MAX_MS = 2000,
    STATEMENT_MS = 30000,
    ANSWER_MARGIN_MS = 5000, /* beyond the server's own time-out: it is frozen, or the way to it is */
    OPEN_MS = 5500,          /* a little longer than libpq waits for one host, so that its words are heard */
    PING_MS = 1500,
    WAIT_SLICE_MS = 100, /* how often a waiting call looks whether the program wants to end */
};

/* When any connection of the process was opened last: the others need not sit out their back-off then. */
static _Atomic int64_t opened_ms;

/* When the program ends, nobody waits beyond this. */
static _Atomic int64_t last_ms = INT64_MAX;

void db_hurry(int64_t most_ms)
{
    atomic_store(&last_ms, clock_ms() + most_ms);
}

static _Atomic int64_t statement_ms = STATEMENT_MS;

void db_statements_end(int64_t after_ms)
{
    atomic_store(&statement_ms, after_ms);
}

/* --- messages and errors ------------------------------------------------------------------------------------------ */

void conn_say(struct db *db, const char *where, const char *what)
{
    int n = (int)strcspn(what, "\n");
    snprintf(db->message, sizeof db->message, "%s: %.*s", where, n, what);
}

struct sqlstate_meaning {
    const char *prefix;
    err_t error;
    bool drop; /* the session is of no use any more */
    enum again again;
};

static struct sqlstate_meaning meaning_of(const char *state)
{
    const struct sqlstate_meaning table[] = {
        {"23505", E(UNIQUE_VIOLATION), false, AGAIN_NO},
        {"40001", E(DATABASE_RETRY), false, AGAIN_YES},              /* lost against another transaction */
        {"40P01", E(DATABASE_RETRY), false, AGAIN_YES},              /* deadlock */
        {"0A000", E(DATABASE_STATEMENT), true, AGAIN_YES},           /* a migration changed a result: prepare again */
        {"26000", E(DATABASE_STATEMENT), true, AGAIN_YES},           /* the prepared statements are gone */
        {"57014", E(DATABASE_TIMEOUT), false, AGAIN_NO},             /* statement_timeout, or cancelled by a person */
        {"55P03", E(DATABASE_TIMEOUT), false, AGAIN_NO},             /* lock_timeout */
        {"25P03", E(DATABASE_TIMEOUT), true, AGAIN_NO},              /* idle in a transaction for too long */
        {"25P04", E(DATABASE_TIMEOUT), true, AGAIN_NO},              /* transaction_timeout */
        {"57L01", E(DATABASE_TIMEOUT), true, AGAIN_YES},             /* idscope.in_time: too late, or clocks parted */
        {"57P", E(DATABASE_UNAVAILABLE), true, AGAIN_IF_REPEATABLE}, /* shutdown, crash, starting up */
        {"08", E(DATABASE_UNAVAILABLE), true, AGAIN_IF_REPEATABLE},
        {"25006", E(DATABASE_UNAVAILABLE), true, AGAIN_IF_REPEATABLE}, /* we talk to a standby since a failover */
        {"53", E(DATABASE_UNAVAILABLE), false, AGAIN_NO},              /* out of disk, memory or connections */
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strncmp(state, table[i].prefix, strlen(table[i].prefix)) == 0)
            return table[i];
    return (struct sqlstate_meaning){"", E(DATABASE_STATEMENT), false, AGAIN_NO};
}

void conn_drop(struct db *db)
{
    PQfinish(db->conn);
    db->conn = NULL;
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

static void note_again(struct db *db, enum again again)
{
    if (db->again == AGAIN_NO)
        db->again = again;
}

static err_t no_answer(struct db *db, const char *where)
{
    const char *words = PQerrorMessage(db->conn);
    conn_say(db, where, *words ? words : "no answer in time");
    note_again(db, AGAIN_IF_REPEATABLE);
    db->answers = false;
    conn_drop(db);
    return E(DATABASE_UNAVAILABLE);
}

err_t conn_failure(struct db *db, const char *where, const PGresult *r)
{
    const char *state = r ? PQresultErrorField(r, PG_DIAG_SQLSTATE) : NULL;
    if (!state)
        return no_answer(db, where);
    struct sqlstate_meaning m = meaning_of(state);
    keep_message(db, where, state, r);
    db->refused = true;
    note_again(db, m.again);
    db->answers = m.error != E(DATABASE_UNAVAILABLE);
    if (m.drop || PQstatus(db->conn) == CONNECTION_BAD)
        conn_drop(db);
    return m.error;
}

/* How many connections wait for an answer, and when one of them last heard something (monotonic). */
static _Atomic int waiting;
static _Atomic int64_t heard_ms;

static void begin_to_wait(void)
{
    if (atomic_fetch_add(&waiting, 1) == 0)
        atomic_store(&heard_ms, clock_ms());
}

bool db_answers(const char *url)
{
    if (!atomic_load(&waiting) || clock_ms() - atomic_load(&heard_ms) < DB_SILENT_MS)
        return true;
    /* A lock may hold up all who wait while the server is well. */
    struct opening *o = opening_begin(url, NULL);
    bool found = o && opening_is_over(o, clock_ms() + PING_MS) && opening_found_server(o);
    opening_leave(o);
    return found;
}

static bool wait_for_result(PGconn *conn)
{
    int64_t end_ms = clock_ms() + atomic_load(&statement_ms) + ANSWER_MARGIN_MS;
    while (PQisBusy(conn)) {
        int unsent = PQflush(conn);
        int64_t now_ms = clock_ms();
        if (now_ms >= end_ms || now_ms >= atomic_load(&last_ms))
            return false;
        struct pollfd fd = {.fd = PQsocket(conn), .events = (short)(unsent > 0 ? POLLIN | POLLOUT : POLLIN)};
        (void)poll(&fd, 1, WAIT_SLICE_MS);
        if (unsent < 0 || !PQconsumeInput(conn))
            return true; /* the result tells what is broken */
        if (fd.revents & POLLIN)
            atomic_store(&heard_ms, clock_ms());
    }
    return true;
}

bool conn_answered(PGconn *conn)
{
    if (!PQisBusy(conn))
        return true;
    begin_to_wait();
    bool in_time = wait_for_result(conn);
    atomic_fetch_sub(&waiting, 1);
    return in_time;
}

PGresult *conn_execute(struct db *db, const char *sql)
{
    PGresult *last = NULL;
    bool alive = PQsendQuery(db->conn, sql) == 1;
    while (alive && (alive = conn_answered(db->conn))) {
        PGresult *r = PQgetResult(db->conn);
        if (!r)
            return last;
        PQclear(last);
        last = r;
    }
    PQclear(last);
    return NULL;
}

bool conn_is_good(const PGresult *r)
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

static bool opened_in_time(struct opening *o)
{
    int64_t end_ms = clock_ms() + OPEN_MS;
    bool over = false;
    begin_to_wait();
    for (int64_t now_ms; !over && (now_ms = clock_ms()) < end_ms && atomic_load(&last_ms) == INT64_MAX;)
        over = opening_is_over(o, now_ms + WAIT_SLICE_MS);
    atomic_fetch_sub(&waiting, 1);
    return over;
}

/* A try that takes too long goes on by itself; the next one is to wait for it again. */
static err_t connect_to_server(struct db *db)
{
    if (!db->opening)
        db->opening = opening_begin(db->url, db->application_name);
    if (!db->opening || !opened_in_time(db->opening)) {
        conn_say(db, "connect", db->opening ? "no answer in time" : "no thread can be started");
        return E(DATABASE_UNAVAILABLE);
    }
    db->conn = opening_take(db->opening);
    opening_leave(db->opening);
    db->opening = NULL;
    if (PQstatus(db->conn) == CONNECTION_OK)
        return NULL;
    conn_say(db, "connect", PQerrorMessage(db->conn));
    return E(DATABASE_UNAVAILABLE);
}

err_t conn_run_plain(struct db *db, const char *where, const char *sql)
{
    PGresult *r = conn_execute(db, sql);
    err_t e = conn_is_good(r) ? NULL : conn_failure(db, where, r);
    PQclear(r);
    return e;
}

/* No statement has use for a scan of a table: a plan that was made while the table was small would be kept while it
 * grows. A lane plans each statement once, maybe for empty tables; all it ever does is look up rows by their key. So
 * only the join that does that is left to it: the others read a whole index as soon as the statistics make that look
 * cheap. */
static err_t set_session(struct db *db)
{
    PQsetNoticeReceiver(db->conn, ignore_notice, NULL);
    (void)PQsetnonblocking(db->conn, 1); /* conn_answered() does the waiting, for sending as well */
    TRY(conn_run_plain(db, "session settings",
                       "SET timezone = 'UTC'; SET idle_in_transaction_session_timeout = '30s';"
                       "SET search_path = idscope, pg_catalog, pg_temp; SET jit = off; SET enable_seqscan = off"));
    struct err_detail limit;
    err_say(&limit, NULL, "SET statement_timeout = %lld", (long long)atomic_load(&statement_ms));
    TRY(conn_run_plain(db, "session settings", limit.text));
    if (db->use != DB_USE_LANE)
        return NULL;
    return conn_run_plain(
        db, "session settings",
        "SET plan_cache_mode = force_generic_plan; SET enable_mergejoin = off; SET enable_hashjoin = off");
}

/* And what time the server has. */
static err_t check_schema(struct db *db, struct err_detail *d)
{
    int64_t asked_ms = clock_ms();
    PGresult *r = conn_execute(db, "SELECT version, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"
                                   "  FROM idscope.schema_version");
    err_t e = NULL;
    if (!conn_is_good(r)) {
        e = conn_failure(db, "schema version", r);
        err_say(d, e, "the schema's version cannot be read; are the migrations deployed? %s", db->message);
    } else {
        long version = PQntuples(r) == 1 ? strtol(PQgetvalue(r, 0, 0), NULL, 10) : -1;
        if (version < DB_SCHEMA_MIN || version > DB_SCHEMA_MAX)
            e = err_say(d, E(START_FAILED), "the schema's version is %ld; this program knows %d to %d", version,
                        DB_SCHEMA_MIN, DB_SCHEMA_MAX);
        else
            db->ahead_us = strtoll(PQgetvalue(r, 0, 1), NULL, 10) - asked_ms * 1000;
    }
    PQclear(r);
    return e;
}

static bool send_prepares(struct db *db)
{
    bool sent = PQenterPipelineMode(db->conn);
    for (int i = 0; sent && i < SQL_COUNT; i++)
        sent = sql_texts[i].copies || (PQsendPrepare(db->conn, sql_texts[i].name, sql_texts[i].text, 0, NULL) &&
                                       PQsendDescribePrepared(db->conn, sql_texts[i].name));
    return sent && PQpipelineSync(db->conn);
}

PGresult *conn_next_result(PGconn *conn)
{
    PGresult *r = conn_answered(conn) ? PQgetResult(conn) : NULL;
    if (r && PQresultStatus(r) != PGRES_PIPELINE_SYNC)
        PQclear(PQgetResult(conn));
    return r;
}

PGresult *conn_sync_result(PGconn *conn)
{
    return conn_answered(conn) ? PQgetResult(conn) : NULL;
}

static err_t note_parameters(struct prepared *p, const PGresult *described, struct err_detail *d)
{
    p->count = PQnparams(described);
    if (p->count > DB_PARAMS_MAX)
        return err_say(d, E(DATABASE_STATEMENT), "it takes more than %d parameters", DB_PARAMS_MAX);
    for (int i = 0; i < p->count; i++) {
        p->oids[i] = db_param_type(PQparamtype(described, i));
        if (!p->oids[i])
            return err_say(d, E(DATABASE_STATEMENT),
                           "parameter $%d is of the type with oid %u, which it is never given", i + 1,
                           PQparamtype(described, i));
    }
    return NULL;
}

static err_t note_columns(struct prepared *p, const PGresult *described, struct err_detail *d)
{
    int count = PQnfields(described);
    struct db_described result = {.count = (size_t)count};
    if (count > DB_COLS_MAX)
        return err_say(d, E(DATABASE_STATEMENT), "it gives more than %d columns", DB_COLS_MAX);
    for (int i = 0; i < count; i++) {
        result.names[i] = PQfname(described, i);
        result.types[i] = PQftype(described, i);
    }
    return db_row_fits(p->row, &result, p->at, d) ? NULL : E(DATABASE_STATEMENT);
}

/* The server's words, and for a statement that it cannot read the place in it. */
static err_t refused(struct db *db, const char *name, const PGresult *r, struct err_detail *d)
{
    const char *at = r ? PQresultErrorField(r, PG_DIAG_STATEMENT_POSITION) : NULL;
    struct err_detail place = {""};
    err_say(&place, NULL, "%s%s", at ? " at character " : "", at ? at : "");
    err_t e = conn_failure(db, name, r);
    return err_say(d, e, "statement %s%s", db->message, place.text);
}

/* The answer to one Parse. After the first failure the rest of the pipeline is skipped by the server. */
static err_t take_parsed(struct db *db, int statement, struct err_detail *d)
{
    PGresult *r = conn_next_result(db->conn);
    err_t e = r && conn_is_good(r) ? NULL : refused(db, sql_texts[statement].name, r, d);
    PQclear(r);
    return e;
}

/* The answer to one Describe: does the statement fit its row? */
static err_t take_described(struct db *db, int statement, struct err_detail *d)
{
    const struct sql_text *s = &sql_texts[statement];
    struct prepared *p = &db->prepared[statement];
    struct err_detail why = {""};
    PGresult *r = conn_next_result(db->conn);
    if (!r || !conn_is_good(r)) {
        err_t e = refused(db, s->name, r, d);
        PQclear(r);
        return e;
    }
    err_t e = note_parameters(p, r, &why);
    p->row = s->row ? s->row() : NULL;
    if (!e && p->row)
        e = note_columns(p, r, &why);
    PQclear(r);
    if (e) {
        conn_say(db, s->name, why.text);
        err_say(d, e, "statement %s does not fit this program: %s", s->name, why.text);
    }
    return e;
}

static err_t take_all_prepared(struct db *db, struct err_detail *d)
{
    for (int i = 0; i < SQL_COUNT; i++) {
        if (sql_texts[i].copies)
            continue;
        TRY(take_parsed(db, i, d));
        TRY(take_described(db, i, d));
    }
    PGresult *sync = conn_sync_result(db->conn);
    err_t e = PQresultStatus(sync) == PGRES_PIPELINE_SYNC ? NULL : conn_failure(db, "prepare", sync);
    PQclear(sync);
    return e;
}

static err_t prepare_all(struct db *db, struct err_detail *d)
{
    if (!send_prepares(db)) {
        err_t e = conn_failure(db, "prepare", NULL);
        return err_say(d, e, "%s", db->message);
    }
    TRY(take_all_prepared(db, d));
    if (!PQexitPipelineMode(db->conn))
        return conn_failure(db, "prepare", NULL);
    return NULL;
}

static err_t set_up(struct db *db, struct err_detail *d)
{
    err_t e = connect_to_server(db);
    if (!e)
        e = set_session(db);
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
    db->failed_at_ms = clock_ms();
    db->retry_at_ms = db->failed_at_ms + db->backoff_ms / 2 + db->backoff_ms * random / 512;
}

static err_t reopen(struct db *db, struct err_detail *d)
{
    err_t e = set_up(db, d);
    if (e) {
        conn_drop(db);
        db->answers = false;
        back_off(db);
        return e;
    }
    db->backoff_ms = 0;
    db->answers = true;
    atomic_store(&opened_ms, clock_ms());
    return NULL;
}

/* Nothing of the text is repeated: it may hold a password. A text without "=" is the name of a database. */
static err_t check_url(const char *url, struct err_detail *d)
{
    char *why = NULL;
    bool is_name = !strchr(url, '=') && !strstr(url, "://");
    PQconninfoOption *parts = is_name ? NULL : PQconninfoParse(url, &why);
    bool good = is_name || parts;
    PQconninfoFree(parts);
    PQfreemem(why);
    return good ? NULL : err_say(d, E(BAD_CONFIG), "database_url is no connection string of libpq.");
}

err_t db_open(const char *url, const char *application_name, enum db_use use, struct err_detail *d, struct db **ret)
{
    TRY(check_url(url, d));
    struct arena *a = arena_new();
    struct db *db = ARENA_NEW(a, struct db);
    db->arena = a;
    db->url = arena_str(a, str_of(url)).p;
    db->application_name = arena_str(a, str_of(application_name)).p;
    db->use = use;
    db->who = arena_new();
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
    conn_drop(db);
    opening_leave(db->opening);
    arena_free(db->who);
    arena_free(db->arena);
}

bool db_is_up(const struct db *db)
{
    return db->answers;
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
bool conn_may_open(const struct db *db)
{
    bool backs_off = clock_ms() < db->retry_at_ms && atomic_load(&opened_ms) <= db->failed_at_ms;
    return !backs_off && atomic_load(&last_ms) == INT64_MAX;
}

err_t conn_ensure(struct db *db)
{
    if (db->conn && !db->in_tx && went_away(db))
        conn_drop(db);
    if (db->conn)
        return NULL;
    if (db->in_tx)
        return E(DATABASE_UNAVAILABLE); /* what was begun is gone with its connection */
    return conn_may_open(db) ? reopen(db, NULL) : E(DATABASE_UNAVAILABLE);
}
