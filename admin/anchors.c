/* anchors.c: what was kept outside of the database of sealed blocks. It must never ask the database. */
#include "admin/anchors.h"

#include <stdlib.h>
#include <string.h>

#include "core/json.h"
#include "core/process/keyfile.h"

enum { FILE_MAX = 256 * 1024 * 1024 };

struct anchors {
    struct anchor *at; /* by tenant and number */
    size_t count;
    bool has_lone, lone_seen;
    struct sha256 lone;
};

static int by_block(const void *left, const void *right)
{
    const struct anchor *a = left, *b = right;
    int order = str_compare((struct str){(const char *)a->tenant_id.b, sizeof a->tenant_id},
                            (struct str){(const char *)b->tenant_id.b, sizeof b->tenant_id});
    return order ? order : (a->block > b->block) - (a->block < b->block);
}

static bool read_hash(struct arena *a, struct str hex, struct sha256 *ret)
{
    struct bytes hash;
    if (!dec_hex(a, hex, &hash) || hash.n != sizeof ret->b)
        return false;
    memcpy(ret->b, hash.p, sizeof ret->b);
    return true;
}

/* A log may have anything before the JSON of a line, and lines of other events. */
static bool read_line(struct arena *a, struct str line, struct anchor *ret)
{
    json_auto_t *v = NULL;
    const char *event, *tenant, *hash;
    json_int_t block;
    const char *begin = line.n ? memchr(line.p, '{', line.n) : NULL;
    if (!begin || json_read((struct str){begin, line.n - (size_t)(begin - line.p)}, NULL, &v) != NULL)
        return false;
    if (json_unpack(v, "{s:s, s:s, s:I, s:s}", "event", &event, "tenant", &tenant, "block", &block, "hash", &hash) != 0)
        return false;
    *ret = (struct anchor){.block = block};
    return str_same(str_of(event), STR("auditSealed")) && dec_uuid(str_of(tenant), &ret->tenant_id) &&
           read_hash(a, str_of(hash), &ret->hash);
}

static err_t read_log(struct run *run, struct str path, struct anchors *x)
{
    struct str rest, line;
    TRY(file_read(run->arena, "--anchor-file", path, FILE_MAX, &run->detail, &rest));
    size_t lines = 1;
    for (size_t i = 0; i < rest.n; i++)
        lines += rest.p[i] == '\n';
    x->at = ARENA_NEW_ARRAY(run->arena, lines, struct anchor);
    while (rest.p) {
        rest = str_split(rest, '\n', &line);
        x->count += read_line(run->arena, line, &x->at[x->count]);
    }
    if (x->count == 0)
        return err_say(&run->detail, E(BAD_REQUEST),
                       "--anchor-file: no line of it is of a sealed block (auditSealed).");
    qsort(x->at, x->count, sizeof *x->at, by_block);
    return NULL;
}

err_t anchors_read(struct run *run, struct anchors **ret)
{
    struct anchors *x = ARENA_NEW(run->arena, struct anchors);
    struct str lone = run_option(run, "anchor"), file = run_option(run, "anchor-file");
    x->has_lone = lone.p != NULL;
    if (x->has_lone && !read_hash(run->arena, lone, &x->lone))
        return err_say(&run->detail, E(BAD_REQUEST), "--anchor must be a hash of 64 hex digits.");
    if (file.p)
        TRY(read_log(run, file, x));
    *ret = x;
    return NULL;
}

bool anchors_fit(struct anchors *x, const struct uuid *tenant, int64_t block, struct bytes hash)
{
    const struct anchor wanted = {.tenant_id = *tenant, .block = block};
    x->lone_seen |= x->has_lone && crypt_same(sha256_bytes(&x->lone), hash);
    struct anchor *known = x->count ? bsearch(&wanted, x->at, x->count, sizeof *x->at, by_block) : NULL;
    if (!known)
        return true;
    known->seen = true;
    return crypt_same(sha256_bytes(&known->hash), hash);
}

const struct anchor *anchors_unseen(const struct anchors *x, const struct uuid *tenant, size_t *at)
{
    while (*at < x->count) {
        const struct anchor *one = &x->at[(*at)++];
        if (!one->seen && uuid_same(&one->tenant_id, tenant))
            return one;
    }
    return NULL;
}

bool anchors_lone_unseen(const struct anchors *x)
{
    return x->has_lone && !x->lone_seen;
}
