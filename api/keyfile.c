/* keyfile.c: reads the key ring of the setting key_ring_file. It must never leave the file's bytes in memory or in a
 * message. */
#include "api/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { KEY_RING_FILE_MAX = 65536 };

static void close_file(FILE **f)
{
    if (*f)
        fclose(*f);
}

err_t key_ring_load(struct str path, struct err_detail *d, struct key_ring **ret)
{
    struct arena *a ARENA_CLEANUP = arena_new();
    const char *name = arena_str(a, path).p;
    FILE *f __attribute__((cleanup(close_file))) = fopen(name ? name : "", "re");
    if (!f)
        return err_say(d, E(BAD_CONFIG), "The key ring file %s cannot be opened: %s.", name ? name : "",
                       strerror(errno));
    setvbuf(f, NULL, _IONBF, 0);
    char *text = arena_alloc(a, KEY_RING_FILE_MAX + 1);
    size_t n = fread(text, 1, KEY_RING_FILE_MAX + 1, f);
    if (ferror(f) || n > KEY_RING_FILE_MAX)
        return err_say(d, E(BAD_CONFIG), "The key ring file %s cannot be read, or is too large.", name);
    return key_ring_parse((struct str){text, n}, d, ret);
}
