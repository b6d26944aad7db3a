/* audit.c: are the audit events what they were when they were sealed? Every block is computed anew out of its rows, and
 * held against what stands in it, in the block before, at the end of the chain and in anchors from outside of the
 * database. It names each block and row that does not fit, and what is not sealed yet. It must never write. */
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "admin/anchors.h"
#include "core/json.h"
#include "db/audit.h"

enum { TENANTS_PAGE = 200, BLOCKS_PAGE = 16, EVENTS_PAGE = 500 };

struct verification {
    struct run *run;
    struct anchors *anchors;
    bool json;
    struct text findings, tenants; /* of JSON: the items of two lists; of plain text the lines */
    size_t found;
};

/* How far a tenant's chain has been gone through. */
struct walk {
    struct verification *v;
    struct arena *arena; /* of one page */
    struct uuid tenant;
    int64_t cut;                    /* the last block that is gone: what is verified begins behind it */
    int64_t block, last_id, sealed; /* the last block, its last event; events in all blocks */
    struct sha256 hash;             /* of the last block */
    bool linked;                    /* the next block must follow that one */
    int64_t unsealed, first_unsealed, last_unsealed;
};

/* --- what is told ------------------------------------------------------------------------------------------------- */

static void next_item(struct text *list)
{
    if (list->n)
        text_add(list, STR(",\n  "));
}

/* `block` 0: it stands in none; `event` 0: the block as a whole. */
static void find(struct walk *w, int64_t block, int64_t event, struct str what)
{
    struct text *out = &w->v->findings;
    struct str tenant = enc_uuid(w->v->run->arena, &w->tenant);
    w->v->found++;
    if (!w->v->json) {
        text_printf(out, "%.*s\tblock %s\tevent %s\t%.*s\n", STR_ARG(tenant),
                    block ? arena_printf(out->arena, "%" PRId64, block).p : "-",
                    event ? arena_printf(out->arena, "%" PRId64, event).p : "-", STR_ARG(what));
        return;
    }
    next_item(out);
    text_add_char(out, '{');
    json_member_text(out, "tenantId", tenant);
    if (block)
        json_member_i64(out, "block", block);
    if (event)
        json_member_i64(out, "event", event);
    json_member_text(out, "what", what);
    text_add_char(out, '}');
}

static void tell_tenant(const struct walk *w)
{
    struct text *out = &w->v->tenants;
    struct str tenant = enc_uuid(w->v->run->arena, &w->tenant);
    if (!w->v->json) {
        text_printf(out, "%.*s\tsealed %" PRId64 " in %" PRId64 " blocks\tnot sealed %" PRId64, STR_ARG(tenant),
                    w->sealed, w->block - w->cut, w->unsealed);
        if (w->unsealed)
            text_printf(out, " (events %" PRId64 " to %" PRId64 ")", w->first_unsealed, w->last_unsealed);
        if (w->cut)
            text_printf(out, "\tverified from block %" PRId64, w->cut + 1);
        text_add_char(out, '\n');
        return;
    }
    next_item(out);
    text_add_char(out, '{');
    json_member_text(out, "tenantId", tenant);
    if (w->cut)
        json_member_i64(out, "fromBlock", w->cut + 1);
    json_member_i64(out, "blocks", w->block - w->cut);
    json_member_i64(out, "sealed", w->sealed);
    json_member_i64(out, "notSealed", w->unsealed);
    if (w->unsealed) {
        json_member_i64(out, "firstNotSealed", w->first_unsealed);
        json_member_i64(out, "lastNotSealed", w->last_unsealed);
    }
    text_add_char(out, '}');
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

static err_t find_missing(struct walk *w, int64_t block, int64_t id)
{
    struct uuid owner;
    err_t e = db_audit_owner(w->v->run->db, w->arena, id, &owner);
    if (e && e != E(NO_ROW))
        return e;
    find(w, block, id,
         e ? STR("the row is missing")
           : arena_printf(w->arena, "the row was moved to tenant %s", enc_uuid(w->arena, &owner).p));
    return NULL;
}

static bool same_digest(struct arena *a, const struct audit_event *e, struct bytes digest)
{
    struct sha256 its = audit_digest(a, e);
    return crypt_same(sha256_bytes(&its), digest);
}

/* The rows between the block before and this one's last event, against those that were sealed. Both are in order. */
static err_t check_rows(struct walk *w, const struct audit_sealed *b)
{
    struct audit_event *rows;
    size_t count, row = 0;
    int64_t last = b->ids.at[b->ids.n - 1];
    TRY(db_audit_events(w->v->run->db, w->arena, &w->tenant, w->linked ? w->last_id : b->ids.at[0] - 1, last, INT32_MAX,
                        &rows, &count));
    for (size_t i = 0; i < b->ids.n; i++) {
        for (; row < count && rows[row].id < b->ids.at[i]; row++)
            find(w, b->block.block, rows[row].id, STR("the row was inserted"));
        if (row == count || rows[row].id != b->ids.at[i])
            TRY(find_missing(w, b->block.block, b->ids.at[i]));
        else if (!same_digest(w->arena, &rows[row++], audit_digest_at(b->block.digests, i)))
            find(w, b->block.block, b->ids.at[i], STR("the row was altered"));
    }
    return NULL;
}

/* --- blocks ------------------------------------------------------------------------------------------------------- */

static err_t check_block(struct walk *w, const struct audit_sealed *b)
{
    int64_t block = b->block.block;
    for (int64_t gone = w->block + 1; gone < block; gone++) {
        find(w, gone, 0, STR("the block is missing"));
        w->linked = false;
    }
    struct sha256 hash = audit_block_hash(w->arena, &b->block);
    if (w->linked && !crypt_same(sha256_bytes(&w->hash), b->block.previous))
        find(w, block, 0, STR("the block does not follow the one before"));
    if (!crypt_same(sha256_bytes(&hash), b->hash))
        find(w, block, 0, STR("the block or its hash was altered"));
    if (!anchors_fit(w->v->anchors, &w->tenant, block, b->hash))
        find(w, block, 0, STR("the block is not the one of the anchor"));
    TRY(check_rows(w, b));
    w->block = block;
    w->last_id = b->ids.at[b->ids.n - 1];
    w->sealed += (int64_t)b->ids.n;
    memcpy(w->hash.b, b->hash.p, sizeof w->hash.b);
    w->linked = true;
    return NULL;
}

static err_t walk_blocks(struct walk *w)
{
    struct audit_sealed *blocks;
    size_t count;
    do {
        TRY(db_audit_blocks(w->v->run->db, w->arena, &w->tenant, w->block, BLOCKS_PAGE, &blocks, &count));
        for (size_t i = 0; i < count; i++)
            TRY(check_block(w, &blocks[i]));
        arena_reset(w->arena);
    } while (count == BLOCKS_PAGE);
    return NULL;
}

/* Blocks that were kept long enough are gone: the next one follows the hash that the chain remembers of the last of
 * them. */
static err_t begin(struct walk *w)
{
    struct audit_chain *chain;
    size_t count;
    TRY(db_audit_chains(w->v->run->db, w->v->run->arena, &w->tenant, NULL, 1, &chain, &count));
    if (!count || !chain->cut_hash.p)
        return NULL;
    w->cut = w->block = chain->cut_blocks;
    w->last_id = chain->cut_id;
    memcpy(w->hash.b, chain->cut_hash.p, sizeof w->hash.b);
    if (!anchors_fit(w->v->anchors, &w->tenant, w->cut, chain->cut_hash))
        find(w, w->cut, 0, STR("the block that is gone is not the one of the anchor"));
    return NULL;
}

/* The end of the chain is read behind the blocks, since the worker may seal meanwhile; then they are gone through on.
 */
static err_t walk_to_end(struct walk *w, struct audit_chain *ret)
{
    struct audit_chain *chain;
    size_t count;
    int64_t before;
    do {
        before = w->block;
        TRY(walk_blocks(w));
        TRY(db_audit_chains(w->v->run->db, w->v->run->arena, &w->tenant, NULL, 1, &chain, &count));
        *ret = count ? *chain : (struct audit_chain){.tenant_id = w->tenant};
    } while (ret->blocks > w->block && w->block > before);
    return NULL;
}

static void check_end(struct walk *w, const struct audit_chain *end)
{
    size_t at = 0;
    for (int64_t gone = w->block + 1; gone <= end->blocks; gone++)
        find(w, gone, 0, STR("the block is missing: the end of the chain names it"));
    if (end->blocks < w->block)
        find(w, w->block, 0, STR("the block is behind the end of the chain"));
    else if (end->blocks == w->block && w->block &&
             (end->last_id != w->last_id || !crypt_same(sha256_bytes(&w->hash), end->hash)))
        find(w, w->block, 0, STR("the end of the chain names another block"));
    for (const struct anchor *one; (one = anchors_unseen(w->v->anchors, &w->tenant, &at));)
        if (one->block > w->cut)
            find(w, one->block, 0, STR("the block is missing: the anchor names it"));
}

/* What stands behind the last block: not sealed yet, or put where all was sealed. */
static err_t count_unsealed(struct walk *w, const struct audit_chain *end)
{
    struct audit_event *rows;
    size_t count;
    int64_t after = end->last_id > w->last_id ? end->last_id : w->last_id;
    do {
        TRY(db_audit_events(w->v->run->db, w->arena, &w->tenant, after, INT64_MAX, EVENTS_PAGE, &rows, &count));
        for (size_t i = 0; i < count; i++) {
            after = rows[i].id;
            if (after <= end->sealed_to) {
                find(w, 0, after, STR("the row was inserted: what was there before and after it is sealed"));
                continue;
            }
            w->first_unsealed = w->unsealed++ ? w->first_unsealed : after;
            w->last_unsealed = after;
        }
        arena_reset(w->arena);
    } while (count == EVENTS_PAGE);
    return NULL;
}

static err_t verify_tenant(struct verification *v, struct uuid tenant)
{
    struct arena *a ARENA_CLEANUP = arena_new();
    struct walk w = {.v = v, .arena = a, .tenant = tenant, .linked = true};
    struct audit_chain end = {0};
    TRY(begin(&w));
    TRY(walk_to_end(&w, &end));
    check_end(&w, &end);
    TRY(count_unsealed(&w, &end));
    tell_tenant(&w);
    return NULL;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static err_t verify_all(struct verification *v, const struct uuid *tenant)
{
    struct audit_chain *chains;
    struct uuid after;
    size_t count = TENANTS_PAGE;
    for (bool first = true; count == TENANTS_PAGE; first = false) {
        TRY(db_audit_chains(v->run->db, v->run->arena, tenant, first ? NULL : &after, TENANTS_PAGE, &chains, &count));
        for (size_t i = 0; i < count; i++)
            TRY(verify_tenant(v, after = chains[i].tenant_id));
    }
    return NULL;
}

static void print(struct verification *v)
{
    struct text *out = &v->run->out;
    text_add(out, v->json ? STR("{\"findings\":[") : STR(""));
    text_add(out, text_str(&v->findings));
    text_add(out, v->json ? STR("],\n \"tenants\":[") : STR(""));
    text_add(out, text_str(&v->tenants));
    text_add(out, v->json ? STR("]}\n") : STR(""));
    v->run->out_stands = true;
}

err_t run_audit_verify(struct run *run)
{
    struct verification v = {.run = run, .json = run_flag(run, "json")};
    struct str of = run_option(run, "tenant");
    struct uuid tenant;
    if (of.p)
        TRY(run_uuid(run, of, &tenant));
    TRY(anchors_read(run, &v.anchors));
    run_act(run, NULL);
    text_init(&v.findings, run->arena, 1024);
    text_init(&v.tenants, run->arena, 1024);
    TRY(db_audit_hold(run->db, run->arena));
    TRY(verify_all(&v, of.p ? &tenant : NULL));
    if (anchors_lone_unseen(v.anchors)) {
        struct walk all = {.v = &v, .tenant = of.p ? tenant : (struct uuid){{0}}};
        find(&all, 0, 0, STR("no block has the hash of the anchor"));
    }
    print(&v);
    return v.found ? E(AUDIT_ALTERED) : NULL;
}
