/* keyfile.c: reads files that settings name. It must never leave a file's bytes in memory that is not the caller's, or
 * in a message. */
#include "core/process/keyfile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "core/process/start.h"

enum { KEY_RING_FILE_MAX = 65536 };

/* Unbuffered, so that libc keeps no copy. */
static bool read_bytes(const char *path, char *to, size_t room, size_t *ret_n)
{
    FILE *f = fopen(path, "re");
    if (!f)
        return false;
    setvbuf(f, NULL, _IONBF, 0);
    *ret_n = fread(to, 1, room, f);
    bool good = !ferror(f);
    int why = errno;
    fclose(f);
    errno = why;
    return good;
}

err_t file_read(struct arena *a, const char *setting, struct str path, size_t max, struct err_detail *d,
                struct str *ret)
{
    size_t n;
    const char *name = arena_str(a, path).p;
    char *text = arena_alloc(a, max + 1);
    if (!read_bytes(name, text, max + 1, &n))
        return err_say(d, start_error(errno), "%s %s cannot be read: %s.", setting, name, strerror(errno));
    if (n > max)
        return err_say(d, E(BAD_CONFIG), "%s %s is larger than %zu bytes.", setting, name, max);
    *ret = (struct str){text, n};
    return NULL;
}

err_t key_ring_load(struct str path, struct err_detail *d, struct key_ring **ret)
{
    struct arena *a ARENA_CLEANUP = arena_new();
    struct str text = {NULL, 0};
    TRY(file_read(a, "key_ring_file", path, KEY_RING_FILE_MAX, d, &text));
    return key_ring_parse(text, d, ret);
}
