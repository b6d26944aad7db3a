/* fuzz_twin.c: any two bodies (a line ends the first) as a collection of a twin and a change of it. What comes of them
 * is an object again, which an empty change and itself leave as it is; a refusal names the collection. */
#include "fuzz.h"

#include <string.h>

#include "core/json.h"
#include "core/twin.h"

static struct str merged(struct arena *a, struct str base, struct str patch)
{
    struct err_detail d = {""};
    struct str ret = {NULL, 0};
    err_t e = twin_merge(a, "tags", base, patch, &d, &ret);
    if (e) {
        HOLDS(e == E(BAD_FIELD) || e == E(BAD_JSON));
        HOLDS(*d.text);
        return (struct str){NULL, 0};
    }
    return ret;
}

static void is_whole(struct arena *a, struct str twin)
{
    json_auto_t *v = NULL;
    HOLDS(twin.n <= TWIN_BYTES_MAX && !json_read(twin, NULL, &v) && json_is_object(v));
    HOLDS(!json_object_get(v, "$metadata") && !json_object_get(v, "$version"));
    HOLDS(str_same(merged(a, twin, STR("{}")), twin));
    HOLDS(str_same(merged(a, twin, twin), twin));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str first, second = str_split((struct str){(const char *)data, size}, '\n', &first);
    struct str base = merged(a, (struct str){NULL, 0}, arena_str(a, first));
    if (!base.p)
        return 0;
    is_whole(a, base);
    struct str both = second.p ? merged(a, base, arena_str(a, second)) : base;
    if (both.p)
        is_whole(a, both);
    return 0;
}
