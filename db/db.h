/* db.h: one PostgreSQL connection with every statement of db/sql prepared on it.
 *
 * A `struct db` belongs to one thread. Values travel in binary. SQLSTATE is read in db.c only, and becomes an err_t:
 *   unique violation → UNIQUE_VIOLATION, serialization failure and deadlock → DATABASE_RETRY, a time-out of the
 * database's own (statement, lock, idle transaction) → DATABASE_TIMEOUT, lost connection and shutdown →
 * DATABASE_UNAVAILABLE, anything else → DATABASE_STATEMENT (its message in db_message, for the log). A lost connection
 * is opened again by the next call (with back-off: until the back-off ends, calls fail at once with
 * DATABASE_UNAVAILABLE), statements prepared anew. What is tried again is said in one place, run.c. A statement that
 * does not fit the schema, or the row that reads it (spec.h), makes db_open fail: the program stops at start, not at
 * three in the morning. */
#ifndef IDSCOPE_DB_H
#define IDSCOPE_DB_H

#include "core/arena.h"
#include "core/enc.h"
#include "core/err.h"
#include "sql_gen.h"

struct db;

enum { DB_SCHEMA_MIN = 1, DB_SCHEMA_MAX = 1 };

enum db_use {
    DB_USE_LANE, /* batches: force_generic_plan, enable_seqscan=off */
    DB_USE_GENERAL,
};

/* Opens, checks the schema's version and prepares. `application_name` is seen in pg_stat_activity. On failure the
 * sentence is in `d` and *ret is untouched. Session settings: timezone UTC, statement_timeout,
 * idle_in_transaction_session_timeout, synchronous_commit is left alone. */
err_t db_open(const char *url, const char *application_name, enum db_use use, struct err_detail *d, struct db **ret);
void db_close(struct db *db); /* NULL is allowed */
/* The database answered the last call, be it with an error. */
bool db_is_up(const struct db *db);
/* On connections that are opened from now on the server ends a statement after so long; 30 s unless told otherwise. A
 * server that is frozen is given up a little later. */
void db_statements_end(int64_t after_ms);
/* Does the database say anything? False when it has owed answers to this process for DB_SILENT_MS, has given none to
 * any connection, and takes no new one either. Thread-safe; a database that is silent is waited for, two seconds at
 * most. */
enum { DB_SILENT_MS = 3000 };
bool db_answers(const char *url);
/* The program ends: no call of any connection waits for longer than this, and none opens a connection again.
 * Thread-safe. */
void db_hurry(int64_t most_ms);
const char *db_message(const struct db *db); /* the server's words about the last failure; never holds values of rows */

/* From this moment on (monotonic) nothing is sent but the end of what was begun: calls fail with DATABASE_TIMEOUT, and
 * a transaction is undone. Until the next one is set; 0: there is none. */
void db_until(struct db *db, int64_t until_ms);

/* --- parameters --------------------------------------------------------------------------------------------------- */

enum { DB_PARAMS_MAX = 32 };

/* The parameters $1, $2, … of one call, in order of the add calls. */
struct db_args {
    struct arena *arena;
    int count;
    unsigned oids[DB_PARAMS_MAX];
    const char *values[DB_PARAMS_MAX];
    int lengths[DB_PARAMS_MAX];
};

void db_args_init(struct db_args *in, struct arena *a);
void db_text(struct db_args *in, struct str s);         /* absent is NULL */
void db_bytea(struct db_args *in, struct bytes b);      /* p NULL is NULL */
void db_uuid(struct db_args *in, const struct uuid *u); /* NULL allowed */
void db_i64(struct db_args *in, int64_t n);             /* int8 */
void db_i32(struct db_args *in, int32_t n);             /* int4 */
void db_bool(struct db_args *in, bool b);
void db_text_array(struct db_args *in, const struct str *at, size_t n); /* absent elements are NULL */
void db_i64_array(struct db_args *in, const int64_t *at, size_t n);
/* One parameter for each column of the row, out of one struct; and one array for each, out of many. */
void db_row_args(struct db_args *in, const struct db_row *row, const void *from);
void db_array_args(struct db_args *in, const struct db_row *row, const void *first, size_t count);

/* --- who acts ----------------------------------------------------------------------------------------------------- */

/* On whose behalf work is done. Row-level security lets it see its tenant's rows, and idscope.note() writes it down. */
struct db_actor {
    struct uuid tenant;
    const char *kind;       /* what `id` names: audit_event.actor_kind */
    struct str id;          /* client id, policy name, … */
    struct str tracking_id; /* of the request; absent: there is none */
    struct str operation;   /* as in routes.def and the log */
};
/* Set by whoever begins the work, for all calls until the next one; NULL: nobody acts. The actor is copied. It travels
 * with the statements that are marked `as actor` in db/sql (one set_config in the same round trip) and with no other.
 */
void db_act(struct db *db, const struct db_actor *actor);

/* --- calls -------------------------------------------------------------------------------------------------------- */

struct rows; /* one result */

/* DB_REPEATABLE: done twice is as good as done once, so it is run again when the connection was lost meanwhile. */
enum db_flag { DB_ONCE = 0, DB_REPEATABLE = 1 };

struct db_call {
    enum sql_id statement;
    const struct db_args *in; /* NULL: it takes none */
};
/* Runs statements in one round trip; outside of db_tx as one transaction: all succeed or none. What lost against
 * another transaction is run again. ret_rows[i] belongs to calls[i] and is NULL after an error; ret_rows NULL: no rows
 * are wanted. */
err_t db_run(struct db *db, const struct db_call *calls, size_t count, enum db_flag flag, struct rows **ret_rows);

/* db_run of one statement. */
err_t db_call(struct db *db, enum sql_id statement, const struct db_args *in, enum db_flag flag,
              struct rows **ret_rows);
/* The same, and no rows are wanted; the first row, if there is one, read into *ret; all rows, read into an array:
 * `ret_array` is a pointer to a pointer to structs. `size` is that of the struct; texts go to the arena of `in`. */
err_t db_do(struct db *db, enum sql_id statement, const struct db_args *in, enum db_flag flag);
err_t db_first(struct db *db, enum sql_id statement, const struct db_args *in, enum db_flag flag, bool *ret_found,
               void *ret, size_t size);
err_t db_all(struct db *db, enum sql_id statement, const struct db_args *in, enum db_flag flag, void *ret_array,
             size_t size, size_t *ret_count);

/* BEGIN, run `work`, COMMIT; ROLLBACK when `work` fails. What lost against another transaction is tried again as a
 * whole, so `work` must only change the database and its own arena. */
err_t db_tx(struct db *db, err_t (*work)(struct db *db, void *context), void *context);

/* --- rows --------------------------------------------------------------------------------------------------------- */

size_t rows_count(const struct rows *r);
int64_t rows_affected(const struct rows *r); /* of INSERT, UPDATE, DELETE without RETURNING */
/* Reads a row as the head of its statement says (`-> row`). `size`: of the struct that is filled. */
void rows_read(const struct rows *r, size_t i, struct arena *a, void *ret, size_t size);
void rows_read_all(const struct rows *r, struct arena *a, void *ret_array, size_t size, size_t *ret_count);

/* The place of a row that tells it: its first column, an integer from 1. rows_read_placed reads such rows to ret[n -
 * 1]; what has no row is zeroed. */
int64_t rows_place(const struct rows *r, size_t i);
void rows_read_placed(const struct rows *r, struct arena *a, void *ret, size_t size, size_t count);

void rows_free(struct rows *r); /* NULL is allowed */
void rows_cleanup(struct rows **r);
#define ROWS_CLEANUP __attribute__((cleanup(rows_cleanup)))

/* The results of one db_run of several statements, freed together: `struct rows_set r ROWS_SET_CLEANUP = {{NULL}};
 * TRY(db_run(db, calls, 3, DB_ONCE, r.of));`. */
enum { DB_CALLS_MAX = 8 };
struct rows_set {
    struct rows *of[DB_CALLS_MAX];
};
void rows_set_cleanup(struct rows_set *s);
#define ROWS_SET_CLEANUP __attribute__((cleanup(rows_set_cleanup)))

#endif
