/* db.h: one PostgreSQL connection with every statement of db/sql prepared on it.
 *
 * A `struct db` belongs to one thread. Values travel in binary. SQLSTATE is read in db.c only, and becomes an err_t:
 *   unique violation → UNIQUE_VIOLATION, serialization failure and deadlock → DATABASE_RETRY, a time-out of the
 * database's own (statement, lock, idle transaction) → DATABASE_TIMEOUT, lost connection and shutdown →
 * DATABASE_UNAVAILABLE, anything else → DATABASE_STATEMENT (its message in db_message, for the log). A lost connection
 * is opened again by the next call (with back-off: until the back-off ends, calls fail at once with
 * DATABASE_UNAVAILABLE), statements prepared anew. What is tried again is said in one place, run.c. A statement that
 * does not fit the schema, or the row that reads it (spec.h), makes db_open fail: the program stops at start, not at
 * three in the morning.
 *
 * What the typed functions of db/ have in common: `a` takes what they read (texts, bytes, arrays; it must live as long
 * as they are used) and what they send; results (ret_…) are untouched after an error; every one may give the errors
 * above, and says which others it gives. Names and keys to look up come in lower case (…_key, host, id_scope). Times
 * and lengths of time bear their unit: _us since 1970, _ms, _s. What a statement promises, and why, stands beside it in
 * db/sql. */
#ifndef IDSCOPE_DB_H
#define IDSCOPE_DB_H

#include "core/arena.h"
#include "core/enc.h"
#include "core/err.h"
#include "sql_gen.h"

struct db;

enum { DB_SCHEMA_MIN = 1, DB_SCHEMA_MAX = 1 };

enum db_use {
    DB_USE_LANE, /* batches: force_generic_plan, joins by look-ups alone */
    DB_USE_GENERAL,
};

/* Opens, checks the schema's version and prepares. `application_name` is seen in pg_stat_activity. On failure the
 * sentence is in `d` and *ret is untouched. Session settings: timezone UTC, no scans of tables, statement_timeout,
 * idle_in_transaction_session_timeout, synchronous_commit is left alone. */
err_t db_open(const char *url, const char *application_name, enum db_use use, struct err_detail *d, struct db **ret);
/* Ends the connection; what is under way in it is undone. NULL is allowed. */
void db_close(struct db *db);
/* The database answered the last call, be it with an error. */
bool db_is_up(const struct db *db);
/* On connections that are opened from now on the server ends a statement after so long; 30 s unless told otherwise. A
 * server that is frozen is given up a little later. */
void db_statements_end(int64_t after_ms);
/* Does the database say anything? False when it has owed answers to this process for DB_SILENT_MS, has given none to
 * any connection, and takes no new one either. Thread-safe; a database that is silent is waited for, a second and
 * a half at most. */
enum { DB_SILENT_MS = 2000 };
bool db_answers(const char *url);
/* The program ends: no call of any connection waits for longer than this, and none opens a connection again.
 * Thread-safe. */
void db_hurry(int64_t most_ms);
/* The server's words about the last failure, until the next one; they never hold values of rows. */
const char *db_message(const struct db *db);

/* From this moment on (monotonic) nothing is sent but the end of what was begun: calls fail with DATABASE_TIMEOUT, and
 * a transaction is undone. Until the next one is set; 0: there is none. */
void db_until(struct db *db, int64_t until_ms);

/* --- parameters --------------------------------------------------------------------------------------------------- */

enum { DB_PARAMS_MAX = 32 };

/* One parameter of a call, or those that the columns of a row make. It points at what it was made of, which must stay
 * until the call is over. */
struct db_in {
    enum db_kind kind;
    union {
        struct str text;
        const struct uuid *uuid;
        int64_t i64;
        int i32;
        bool yes;
    } value;                  /* of that kind; but of a row: */
    const struct db_row *row; /* NULL: it is of none */
    const void *first;
    size_t count; /* of `many` */
    bool many;
};

struct db_in db_text(struct str s);                    /* text; absent is NULL */
struct db_in db_uuid(const struct uuid *u);            /* uuid; NULL allowed */
struct db_in db_i64(int64_t n);                        /* int8 */
struct db_in db_i32(int32_t n);                        /* int4 */
struct db_in db_bool(bool b);                          /* boolean */
struct db_in db_texts(const struct str *at, size_t n); /* text[]; absent elements are NULL */
struct db_in db_i64s(const int64_t *at, size_t n);     /* int8[] */
/* One parameter for each column of a row (DB_ROW or DB_PARAMS), out of the struct at `from`; one array for each, out of
 * `count` structs. */
#define DB_MEMBERS(row, from) db_members(db_row_##row(), from, sizeof *(from))
#define DB_ARRAYS(row, first, count) db_arrays(db_row_##row(), first, sizeof *(first), count)
struct db_in db_members(const struct db_row *row, const void *from, size_t size);
struct db_in db_arrays(const struct db_row *row, const void *first, size_t size, size_t count);

enum { DB_CALLS_MAX = 20 };

/* A statement with its parameters $1, $2, … in their order. */
struct db_call {
    enum sql_id statement;
    const struct db_in *in;
    size_t count;
};
/* DB_CALL(SQL_HUB_LOCK, DB_MEMBERS(place, at), db_text(key)). Lives as long as the block in which it stands. */
#define DB_CALL(statement, ...)                                                                                        \
    ((struct db_call){statement, (const struct db_in[]){__VA_ARGS__},                                                  \
                      sizeof((const struct db_in[]){__VA_ARGS__}) / sizeof(struct db_in)})

/* --- who acts ----------------------------------------------------------------------------------------------------- */

/* On whose behalf work is done. Row-level security lets it see its tenant's rows, and idscope.note() writes it down. */
struct db_actor {
    struct uuid tenant;
    int kind;               /* enum actor_kind: what `id` names */
    struct str id;          /* client id, policy name, … */
    struct str tracking_id; /* of the request; absent: there is none */
    struct str operation;   /* as in routes.def and the log */
    struct str address;     /* of the client; absent: there is none */
    struct str resource_id; /* of the management resource that the request names; absent: none */
};
/* Set by whoever begins the work, for all calls until the next one; NULL: nobody acts. The actor is copied. It travels
 * with the statements that are marked `as actor` in db/sql (one set_config in the same round trip) and with no other.
 */
void db_act(struct db *db, const struct db_actor *actor);

/* --- calls -------------------------------------------------------------------------------------------------------- */

struct rows; /* one result */

/* DB_REPEATABLE: done twice is as good as done once, so it is run again when the connection was lost meanwhile. */
enum db_flag { DB_ONCE = 0, DB_REPEATABLE = 1 };

/* Runs calls (DB_CALLS_MAX at most) in one round trip; outside of db_tx as one transaction: all succeed or none. What
 * lost against another transaction is run again. ret_rows[i] belongs to calls[i] and is NULL after an error; ret_rows
 * NULL: no rows are wanted. `a` takes the parameters in binary; NULL is allowed when there are none. */
err_t db_run(struct db *db, struct arena *a, const struct db_call *calls, size_t count, enum db_flag flag,
             struct rows **ret_rows);

/* db_run of one call; how many rows it gave or wrote; its rows, to be freed by rows_free. */
err_t db_do(struct db *db, struct arena *a, struct db_call call, enum db_flag flag);
err_t db_count(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, int64_t *ret_count);
err_t db_rows(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, struct rows **ret_rows);

/* db_run of one call whose rows are read as the head of its statement says (`-> row`). `ret` is a struct, or an array
 * of them; `size` is that of one, and texts go to `a`. */
/* The first row; NO_ROW when there is none. */
err_t db_one(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, void *ret, size_t size);
/* The same, and *ret_found says whether there is one; if not, *ret is zeroed. ret_found may be NULL. */
err_t db_first(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, bool *ret_found, void *ret,
               size_t size);
/* All rows: `ret_array` is a pointer to a pointer to structs, which are made in `a`. */
err_t db_all(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, void *ret_array, size_t size,
             size_t *ret_count);
/* Rows that tell their place among the `count` that were asked for (rows_place), into the array `ret`; what has no row
 * is zeroed. */
err_t db_each(struct db *db, struct arena *a, struct db_call call, enum db_flag flag, void *ret, size_t size,
              size_t count);

/* Calls whose number is only known when the program runs: each is added as db_run would send it (what it names stays
 * where it is), then all go in one pipeline as with db_run. rows[i] belongs to the call that was added as number i, and
 * is freed with the pipeline; NULL after an error. `struct pipeline p PIPELINE_CLEANUP = pipeline_new(a, 32);` */
struct db_args;
struct pipeline {
    struct arena *a;
    struct db_args *calls;
    struct rows **rows;
    size_t count;
};
struct pipeline pipeline_new(struct arena *a, size_t calls_max);
void pipeline_add(struct pipeline *p, struct db_call call);
err_t pipeline_run(struct db *db, struct pipeline *p, enum db_flag flag);
void pipeline_cleanup(struct pipeline *p);
#define PIPELINE_CLEANUP __attribute__((cleanup(pipeline_cleanup)))

/* BEGIN, run `work`, COMMIT; ROLLBACK when `work` fails. What lost against another transaction is tried again as a
 * whole, so `work` must only change the database and its own arena. */
err_t db_tx(struct db *db, err_t (*work)(struct db *db, void *context), void *context);

/* Rows by the thousand, for a statement that copies (db/sql): `rows` are the columns of structs (DB_ARRAYS), in the
 * order of the statement's. Within db_tx alone. Values are held in `a` until they are sent. */
err_t db_copy(struct db *db, struct arena *a, enum sql_id statement, struct db_in rows);

/* --- rows --------------------------------------------------------------------------------------------------------- */

size_t rows_count(const struct rows *r); /* that the statement gave, be it by RETURNING */
/* Reads row `i`, the first one if there is one (false: there is none, and *ret is zeroed), or all (see db_all). `size`:
 * of the struct, which must be the one of the statement's row. What is read goes to `a` and outlives `r`. */
void rows_read(const struct rows *r, size_t i, struct arena *a, void *ret, size_t size);
bool rows_first(const struct rows *r, struct arena *a, void *ret, size_t size);
void rows_all(const struct rows *r, struct arena *a, void *ret_array, size_t size, size_t *ret_count);
/* See db_each. */
void rows_each(const struct rows *r, struct arena *a, void *ret, size_t size, size_t count);
/* The place that a row tells, from 1: the first column of its table, an integer. */
size_t rows_place(const struct rows *r, size_t i);

void rows_free(struct rows *r); /* NULL is allowed */
void rows_cleanup(struct rows **r);
#define ROWS_CLEANUP __attribute__((cleanup(rows_cleanup)))

/* The results of one db_run of several calls, freed together: `struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
 * TRY(db_run(db, a, calls, 3, DB_ONCE, r.of));`. */
struct rows_set {
    struct rows *of[DB_CALLS_MAX];
};
void rows_set_cleanup(struct rows_set *s);
#define ROWS_SET_CLEANUP __attribute__((cleanup(rows_set_cleanup)))

#endif
