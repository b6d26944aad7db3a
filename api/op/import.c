/* import.c: a list that is sent to be imported: its rows are read as they come, checked by the rules of single writes,
 * sealed and staged, piece by piece, so that no more than a piece is held; what is staged, a worker writes. How it
 * fares can be asked, and it can be cancelled (decisions.md 11). It must never write a row itself. */
#include "api/op/stale.h"
#include "api/op/transfer.h"

enum {
    RETRY_AFTER_S = 1,
#define KEEP(name, ms, sentence) KEEP_##name##_MS = (ms),
#include "core/jobs.def"
};

/* What is kept from piece to piece. */
struct importing {
    const struct transfer_kind *kind;
    struct import_wish wish;
    struct rows rows;
    int64_t received; /* rows that stand in the database, good or not */
};

/* --- what is asked ------------------------------------------------------------------------------------------------ */

static err_t read_choice(struct call *r, const char *name, const char *off, const char *on, bool *ret)
{
    struct str sent = call_query(r, name);
    *ret = str_same_nocase(sent, str_of(on));
    if (*ret || !sent.n || str_same_nocase(sent, str_of(off)))
        return NULL;
    return call_fail(r, E(BAD_REQUEST), "%s must be %s or %s.", name, off, on);
}

/* Groups have a bound of their own, which no limit moves. */
static int64_t most_of(const struct call *r, int kind)
{
    const int64_t *most = r->instance->quotas.most;
    return kind == IMPORT_ENROLLMENTS     ? most[QUOTA_OF_ENROLLMENTS]
           : kind == IMPORT_REGISTRATIONS ? most[QUOTA_OF_REGISTRATIONS]
                                          : 0;
}

static err_t begin_work(struct call *r, void *context)
{
    struct import_wish *wish = context;
    struct import_begun begun;
    wish->at = (struct import_key){arena_str(r->arena, r->instance->id_scope), r->tracking};
    wish->scope_version = r->instance->version;
    wish->most = most_of(r, wish->kind);
    TRY(db_import_begin(r->db, r->arena, wish, &begun));
    if (!begun.live)
        return E(STALE);
    return begun.begun
               ? NULL
               : call_fail(r, E(QUOTA_EXCEEDED),
                           "The instance has as many imports as it may; they are forgotten a day after their end.");
}

static err_t begin(struct call *r, const struct transfer_kind *kind, struct importing **ret)
{
    struct importing *x = ARENA_NEW(r->arena, struct importing);
    x->kind = kind;
    x->wish = (struct import_wish){.kind = kind->kind, .body_ms = KEEP_import_body_MS};
    TRY(read_choice(r, "mode", "perRow", "allOrNothing", &x->wish.whole));
    TRY(read_choice(r, "dryRun", "false", "true", &x->wish.dry));
    TRY(stale_retry(r, begin_work, &x->wish));
    r->pieces.state = *ret = x;
    return NULL;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

/* The database's troubles, and ours, are those of the whole call. */
static bool is_of_row(err_t e)
{
    return e->http_status && e->http_status < 500;
}

static err_t read_line(struct call *r, const struct importing *x, struct str line, struct import_row *row,
                       struct str *ret_id)
{
    json_auto_t *v = NULL;
    if (!line.p)
        return call_fail(r, E(BAD_FIELD), "A row may be no longer than %d bytes.", ROW_BYTES_MAX);
    TRY(json_read(line, &r->detail, &v));
    if (!json_is_object(v))
        return call_fail(r, E(BAD_FIELD), "A row must be an object.");
    *ret_id = rows_id(r->arena, v, x->kind->id);
    row->at = x->wish.at;
    row->line = x->rows.line;
    return x->kind->read(r, x->kind, (struct json_in){v, line}, row);
}

static err_t take_line(struct call *r, const struct importing *x, struct str line, struct import_piece *p)
{
    struct str id = {NULL, 0};
    struct import_row *row = &p->rows[p->row_count];
    err_t e = read_line(r, x, line, row, &id);
    if (!e)
        p->row_count++;
    if (!e || !is_of_row(e))
        return e;
    struct str words = r->detail.text[0] ? arena_str(r->arena, str_of(r->detail.text)) : str_of(e->sentence);
    p->errors[p->error_count++] = (struct import_error){x->rows.line, id, e->code, words};
    *row = (struct import_row){.line = 0};
    r->detail.text[0] = '\0';
    return NULL;
}

static size_t lines_in(struct str body)
{
    size_t n = 1;
    for (size_t i = 0; i < body.n; i++)
        n += body.p[i] == '\n';
    return n;
}

static err_t take_piece(struct call *r, struct importing *x)
{
    size_t most = lines_in(r->body);
    struct str line;
    bool alive;
    struct import_piece p = {.at = x->wish.at, .kind = x->wish.kind, .before = x->received, .last = r->pieces.last};
    p.rows = ARENA_NEW_ARRAY(r->arena, most, struct import_row);
    p.errors = ARENA_NEW_ARRAY(r->arena, most, struct import_error);
    x->rows.rest = r->body;
    x->rows.last = r->pieces.last;
    while (rows_next(&x->rows, &line))
        TRY(take_line(r, x, line, &p));
    TRY(db_import_receive(r->db, r->arena, &p, &alive));
    x->received += (int64_t)(p.row_count + p.error_count);
    return alive ? NULL : call_fail(r, E(CONFLICT), "The import was cancelled, or its beginning is lost.");
}

/* What is made of a piece goes with it. */
static err_t take_piece_alone(struct call *r, struct importing *x)
{
    struct arena *whole = r->arena;
    ARENA_CLEANUP struct arena *a = arena_new();
    r->arena = a;
    err_t e = take_piece(r, x);
    r->arena = whole;
    return e;
}

/* --- how it fares ------------------------------------------------------------------------------------------------- */

struct import_shown {
    struct str id, message;
    int kind, status;
    struct str mode;
    enum tri dry;
    struct opt_i64 received, looked, written, refused;
    struct obj_list errors;
    int64_t created_us, updated_us;
};
struct error_shown {
    struct opt_i64 line, code;
    struct str id, message;
};

static err_t reply_import(struct call *r, int status, const struct import_shown *shown)
{
    static const struct codec error[] = {
        CODEC_I64(struct error_shown, line, "line", 0, 0, CODEC_OUT),
        CODEC_TEXT(struct error_shown, id, "id", 0, CODEC_OUT),
        CODEC_I64(struct error_shown, code, "errorCode", 0, 0, CODEC_OUT),
        CODEC_TEXT(struct error_shown, message, "message", 0, CODEC_OUT),
        CODEC_END,
    };
#define I_ struct import_shown
    static const struct codec codec[] = {
        CODEC_TEXT(I_, id, "operationId", 0, CODEC_OUT),
        CODEC_WORD(I_, kind, "kind", import_kind_words, CODEC_OUT),
        CODEC_TEXT(I_, mode, "mode", 0, CODEC_OUT),
        CODEC_BOOL(I_, dry, "dryRun", CODEC_OUT),
        CODEC_WORD(I_, status, "status", import_state_words, CODEC_OUT),
        CODEC_I64(I_, received, "received", 0, 0, CODEC_OUT),
        CODEC_I64(I_, looked, "checked", 0, 0, CODEC_OUT),
        CODEC_I64(I_, written, "written", 0, 0, CODEC_OUT),
        CODEC_I64(I_, refused, "refused", 0, 0, CODEC_OUT),
        CODEC_TEXT(I_, message, "message", 0, CODEC_OUT),
        CODEC_OBJECTS(I_, errors, "errors", error, struct error_shown, 0, CODEC_OUT),
        CODEC_TIME(I_, created_us, "createdDateTimeUtc"),
        CODEC_TIME(I_, updated_us, "lastUpdatedDateTimeUtc"),
        CODEC_END,
    };
#undef I_
    return call_reply_codec(r, status, codec, shown);
}

static struct obj_list shown_errors(struct arena *a, const struct import_error *errors, size_t count)
{
    struct error_shown *shown = ARENA_NEW_ARRAY(a, count, struct error_shown);
    for (size_t i = 0; i < count; i++)
        shown[i] =
            (struct error_shown){{true, errors[i].line}, {true, errors[i].code}, errors[i].id, errors[i].message};
    return (struct obj_list){shown, count, true};
}

/* One that is under way is asked again. */
static err_t reply_status(struct call *r, int status, const struct transfer_kind *kind, const struct import_key *at)
{
    struct import i;
    struct import_error *errors;
    size_t count;
    bool found;
    TRY(db_import_find(r->db, r->arena, at, &found, &i));
    if (!found || i.kind != kind->kind)
        return E(IMPORT_NOT_FOUND);
    TRY(db_import_errors(r->db, r->arena, at, &errors, &count));
    struct import_shown shown = {.id = enc_uuid(r->arena, &i.import_id),
                                 .message = i.message,
                                 .kind = i.kind,
                                 .status = i.state,
                                 .mode = i.whole ? STR("allOrNothing") : STR("perRow"),
                                 .dry = i.dry ? TRI_TRUE : TRI_FALSE,
                                 .received = {true, i.received},
                                 .looked = {true, i.looked},
                                 .written = {true, i.written},
                                 .refused = {true, i.refused},
                                 .errors = shown_errors(r->arena, errors, count),
                                 .created_us = i.created_us,
                                 .updated_us = i.updated_us};
    if (i.state == IMPORT_RECEIVING || i.state == IMPORT_RUNNING || i.state == IMPORT_WRITING)
        call_retry_after(r, RETRY_AFTER_S);
    return reply_import(r, status, &shown);
}

static err_t import_of_path(struct call *r, struct import_key *ret)
{
    ret->id_scope = r->instance->id_scope;
    return dec_uuid(r->segments[SEGMENT_ID], &ret->import_id) ? NULL : E(IMPORT_NOT_FOUND);
}

err_t transfer_import_get(struct call *r, const struct transfer_kind *kind)
{
    struct import_key at;
    TRY(import_of_path(r, &at));
    return reply_status(r, 200, kind, &at);
}

err_t transfer_import_cancel(struct call *r, const struct transfer_kind *kind)
{
    struct import_key at;
    struct import i;
    bool found, cancelled;
    TRY(import_of_path(r, &at));
    TRY(db_import_find(r->db, r->arena, &at, &found, &i));
    if (!found || i.kind != kind->kind)
        return E(IMPORT_NOT_FOUND);
    TRY(db_import_cancel(r->db, r->arena, &at, &cancelled));
    return cancelled ? call_reply_empty(r, 204)
                     : call_fail(r, E(CONFLICT), "The import has ended, or is being written as a whole.");
}

/* --- one piece ---------------------------------------------------------------------------------------------------- */

static err_t reply_accepted(struct call *r, const struct importing *x)
{
    call_header(r, "Operation-Location",
                arena_printf(r->arena, "https://%.*s%s/imports/%s?api-version=%.*s", STR_ARG(r->host_port),
                             x->kind->path, r->tracking_id.p, STR_ARG(r->api_version)));
    return reply_status(r, 202, x->kind, &x->wish.at);
}

err_t transfer_import(struct call *r, const struct transfer_kind *kind)
{
    struct importing *x = r->pieces.state;
    if (!x)
        TRY(begin(r, kind, &x));
    TRY(take_piece_alone(r, x));
    r->pieces.rest = x->rows.rest;
    return r->pieces.last ? reply_accepted(r, x) : NULL;
}
