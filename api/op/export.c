/* export.c: a list as a whole, as lines of JSON, in the order of its keys, piece by piece: what one piece holds is read
 * when the last one was sent. A row that is added or goes meanwhile is there or not; no other is missed or comes twice.
 * It must never hold more than a piece. */
#include "api/op/transfer.h"

struct exporting {
    struct export_place at;
    struct text out;
};

/* The text is the call's, and is used again. */
static struct exporting *begin(struct call *r)
{
    struct exporting *x = ARENA_NEW(r->arena, struct exporting);
    text_init(&x->out, r->arena, 64 * 1024);
    call_header(r, "Content-Type", STR("application/x-ndjson"));
    r->pieces.state = x;
    return x;
}

err_t transfer_export(struct call *r, const struct transfer_kind *kind)
{
    struct exporting *x = r->pieces.state ? r->pieces.state : begin(r);
    ARENA_CLEANUP struct arena *a = arena_new();
    x->out.n = 0;
    TRY(kind->write(r, kind, a, &x->at, &x->out, &r->pieces.more));
    return call_reply(r, 200, text_str(&x->out));
}
