/* conn.h: the inside of a `struct db`, shared by db.c (opening and what SQLSTATEs mean), args.c (parameters), run.c
 * (calls and transactions) and row.c (results). Nobody else includes it. */
#ifndef IDSCOPE_DB_CONN_H
#define IDSCOPE_DB_CONN_H

#include <libpq-fe.h>

#include "db/db.h"

enum { MESSAGE_MAX = 400 };

/* What the server says of a prepared statement: what it takes, so that a wrong parameter is found before it is sent,
 * and where in its result the columns of its row stand. */
struct prepared {
    int count;
    unsigned oids[DB_PARAMS_MAX];
    const struct db_row *row; /* NULL: nobody reads its result */
    int at[DB_COLS_MAX];
};

/* A call as it is sent: values in binary, each with the type that it is of. */
struct db_args {
    enum sql_id statement;
    int count;
    unsigned oids[DB_PARAMS_MAX];
    const char *values[DB_PARAMS_MAX]; /* NULL: NULL */
    int lengths[DB_PARAMS_MAX];
};
/* Values that have to be made up go to `a`; the others are pointed at. */
void args_make(struct db_args *ret, const struct db_call *call, struct arena *a);

/* May what failed be run again? Later ones cover more. */
enum again {
    AGAIN_NO,
    AGAIN_IF_REPEATABLE, /* nobody knows whether it was done */
    AGAIN_YES,           /* it was undone as a whole, or refused before it began */
};

struct db {
    struct arena *arena;
    const char *url, *application_name;
    enum db_use use;
    PGconn *conn;                      /* NULL while down */
    struct opening *opening;           /* a try to connect that goes on; NULL: none */
    int64_t failed_at_ms, retry_at_ms; /* monotonic: last failure to connect; no attempt before */
    int64_t backoff_ms;
    int64_t until_ms;  /* monotonic: nothing is sent any more; 0: as long as it takes */
    int64_t ahead_us;  /* of our monotonic clock is the server's, since 1970, by this */
    bool answers;      /* the database answered the last call, be it with an error */
    bool in_tx;        /* within db_tx; with conn NULL: it is lost, and nothing more is run in it */
    bool is_told;      /* the transaction knows who acts */
    enum again again;  /* of the first failure of this call or transaction */
    bool refused;      /* that failure is the server's own word, no silence */
    bool acts;         /* somebody does: */
    struct arena *who; /* holds: */
    struct db_args actor;
    struct db_args limit; /* until_ms, as the server counts */
    unsigned char limit_wire[8];
    char message[MESSAGE_MAX];
    struct prepared prepared[SQL_COUNT];
};

struct rows {
    PGresult *result;
    const struct prepared *prepared;
};

/* Opens the connection again where need be; fails at once while its back-off runs, and within a transaction. */
err_t conn_ensure(struct db *db);
/* True when conn_ensure may open a lost connection now. */
bool conn_may_open(const struct db *db);
/* Closes the connection: the session is of no use any more. */
void conn_drop(struct db *db);
/* Reads a failed result: its error, its words for db_message, whether it may be run again; drops a session that is of
 * no use any more. `r` may be NULL: no answer. */
err_t conn_failure(struct db *db, const char *where, const PGresult *r);
/* Sets db_message: where, and the first line of what. */
void conn_say(struct db *db, const char *where, const char *what);

bool conn_is_good(const PGresult *r); /* NULL is not */
/* Until the next result can be taken without waiting. False when there is none in time: then only the connection's end
 * is left. */
bool conn_answered(PGconn *conn);
/* As PQexec, but it does not wait for ever: NULL when there is no answer. */
PGresult *conn_execute(struct db *db, const char *sql);
/* The same for SQL whose result is of no interest. */
err_t conn_run_plain(struct db *db, const char *where, const char *sql);
/* The next result of a pipeline, behind which a NULL was taken too; what ends a pipeline. NULL: no answer. */
PGresult *conn_next_result(PGconn *conn);
PGresult *conn_sync_result(PGconn *conn);

#endif
