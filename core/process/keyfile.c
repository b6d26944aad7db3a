/* keyfile.c: reads the key ring of the setting key_ring_file. It must never leave the file's bytes in memory or in a
 * message. */
#include "core/process/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KEY_RING_FILE_MAX = 65536 };

/* Unbuffered, so that libc keeps no copy. */
static bool read_file(const char *path, char *to, size_t room, size_t *ret_n)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    setvbuf(f, NULL, _IONBF, 0);
    *ret_n = fread(to, 1, room, f);
    bool good = !ferror(f);
    fclose(f);
    return good;
}

err_t key_ring_load(struct str path, struct err_detail *d, struct key_ring **ret)
{
    struct arena *a ARENA_CLEANUP = arena_new();
    const char *name = arena_printf(a, "%.*s", STR_ARG(path)).p;
    char *text = arena_alloc(a, KEY_RING_FILE_MAX + 1);
    size_t n;
    if (!read_file(name, text, KEY_RING_FILE_MAX + 1, &n))
        return err_say(d, E(BAD_CONFIG), "The key ring file %s cannot be read: %s.", name, strerror(errno));
    if (n > KEY_RING_FILE_MAX)
        return err_say(d, E(BAD_CONFIG), "The key ring file %s is larger than %d bytes.", name, KEY_RING_FILE_MAX);
    return key_ring_parse((struct str){text, n}, d, ret);
}
