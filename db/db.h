/* db.h: one PostgreSQL connection with every statement of db/sql prepared on it.
 *
 * A `struct db` belongs to one thread. Values travel in binary. SQLSTATE is read in db.c only, and becomes an err_t:
 *   unique violation → UNIQUE_VIOLATION, serialization failure and deadlock → DATABASE_RETRY, lost connection,
 * shutdown, statement time-out → DATABASE_UNAVAILABLE, anything else → DATABASE_STATEMENT (its message in db_message,
 * for the log). A lost connection is opened again by the next call (with back-off: until the back-off ends, calls fail
 * at once with DATABASE_UNAVAILABLE), statements prepared anew. Nothing is retried here but statements called with
 * DB_REPEATABLE, once. A statement that does not fit the schema makes db_open fail: the program stops at start, not at
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
void db_close(struct db *db);       /* NULL is allowed */
bool db_is_up(const struct db *db); /* as of the last call */
/* On connections that are opened from now on the server ends a statement after so long; 30 s unless told otherwise. A
 * server that is frozen is given up a little later. */
void db_statements_end(int64_t after_ms);
/* The program ends: no call of any connection waits for longer than this, and none opens a connection again.
 * Thread-safe. */
void db_hurry(int64_t most_ms);
const char *db_message(const struct db *db); /* the server's words about the last failure; never holds values of rows */

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
void db_json(struct db_args *in, struct str json);      /* json; absent is NULL */
void db_bytea(struct db_args *in, struct bytes b);      /* p NULL is NULL */
void db_uuid(struct db_args *in, const struct uuid *u); /* NULL allowed */
void db_i64(struct db_args *in, int64_t n);             /* int8 */
void db_i32(struct db_args *in, int32_t n);             /* int4 */
void db_i64_opt(struct db_args *in, bool set, int64_t n);
void db_i32_opt(struct db_args *in, bool set, int32_t n);
void db_bool(struct db_args *in, bool b);
void db_bool_opt(struct db_args *in, bool set, bool b);
void db_time(struct db_args *in, int64_t us);                           /* timestamptz; 0 is NULL */
void db_text_array(struct db_args *in, const struct str *at, size_t n); /* absent elements are NULL */
void db_bytea_array(struct db_args *in, const struct bytes *at, size_t n);
void db_uuid_array(struct db_args *in, const struct uuid *at, size_t n);
void db_i64_array(struct db_args *in, const int64_t *at, size_t n);
void db_i32_array(struct db_args *in, const int32_t *at, size_t n);
void db_bool_array(struct db_args *in, const bool *at, size_t n);
void db_time_array(struct db_args *in, const int64_t *at_us, size_t n); /* 0 is NULL */

/* --- calls -------------------------------------------------------------------------------------------------------- */

struct rows; /* a result; read with row.h; freed with rows_free (or ROWS_CLEANUP) */

enum db_flag { DB_ONCE = 0, DB_REPEATABLE = 1 };

/* Runs one statement as its own transaction (one commit). *ret_rows may be asked for with NULL when no rows are wanted.
 */
err_t db_call(struct db *db, enum sql_id statement, const struct db_args *in, enum db_flag flag,
              struct rows **ret_rows);

/* The same in a transaction that knows the tenant: set_config('idscope.tenant', …, true) and the statement travel as
 * one pipeline, one round trip, one commit. For tables with row-level security. */
err_t db_tenant_call(struct db *db, const struct uuid *tenant, enum sql_id statement, const struct db_args *in,
                     enum db_flag flag, struct rows **ret_rows);

/* Runs several statements in one pipeline as one implicit transaction; all succeed or none. ret_rows[i] belongs to
 * calls[i]. */
struct db_batch_call {
    enum sql_id statement;
    const struct db_args *in;
};
err_t db_pipeline(struct db *db, const struct db_batch_call *calls, size_t count, struct rows **ret_rows);

/* BEGIN, set the tenant when given, run `work`, COMMIT; ROLLBACK when `work` fails. A DATABASE_RETRY is
 * tried again up to three times, so `work` must only change the database and its own arena. */
err_t db_tx(struct db *db, const struct uuid *tenant, err_t (*work)(struct db *db, void *context), void *context);

#endif
