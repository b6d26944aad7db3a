/* fleet.c: ids and keys of the benchmark's devices (fleet.h). It must give the same answer for the same number, always.
 */
#include "fleet.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

uint64_t fleet_walk(uint64_t k, uint64_t size)
{
    return k % size * FLEET_STRIDE % size;
}

struct str fleet_id(struct arena *a, uint64_t number)
{
    return arena_printf(a, "dev-%" PRIu64, FLEET_FIRST_ID + number);
}

struct bytes fleet_key(struct arena *a, uint64_t number, const char *part)
{
    struct sha256 *key = ARENA_NEW(a, struct sha256);
    struct str seed = arena_printf(a, "fleet %s %" PRIu64, part, number);
    *key = crypt_sha256((struct bytes){(const uint8_t *)seed.p, seed.n});
    return (struct bytes){key->b, sizeof key->b};
}

static struct str read_file(struct arena *a, const char *path)
{
    FILE *f = fopen(path, "rb");
    if (!f) {
        perror(path);
        exit(1);
    }
    struct text t;
    text_init(&t, a, 65536);
    char part[65536];
    for (size_t n; (n = fread(part, 1, sizeof part, f)) > 0;)
        text_add(&t, (struct str){part, n});
    fclose(f);
    return text_str(&t);
}

size_t fleet_lines(struct arena *a, const char *path, struct str **ret)
{
    struct str all = read_file(a, path);
    size_t room = 1, count = 0;
    for (size_t i = 0; i < all.n; i++)
        room += all.p[i] == '\n';
    struct str *lines = ARENA_NEW_ARRAY(a, room, struct str);
    while (all.n) {
        struct str line;
        all = str_split(all, '\n', &line);
        if (line.n)
            lines[count++] = arena_str(a, line);
    }
    if (!count) {
        fprintf(stderr, "%s: no line in it\n", path);
        exit(1);
    }
    *ret = lines;
    return count;
}
