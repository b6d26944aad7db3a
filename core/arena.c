/* arena.c: memory of one request or job, and the strings that live in it. The only file that calls malloc and free for
 * our own objects. It must never hand out memory that was not wiped: requests hold keys, and readers rely on zeroes. */
#include "arena.h"

#include <stdalign.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#if defined(__has_feature) /* clang's way to say it */
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
enum { RED_ZONE = 16 }; /* poisoned bytes behind each piece, so that ASan sees an overrun inside an arena too */
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
enum { RED_ZONE = 0 };
#endif

enum { ALIGN = alignof(max_align_t), BLOCK_FIRST = 8192 - 64, BLOCK_MAX = 65536, PRINTF_ROOM = 63 };

struct block {
    struct block *older;
    size_t room, used;
    alignas(max_align_t) char data[];
};

struct arena {
    struct block *newest;
};

static _Atomic size_t made;

static void out_of_memory(void)
{
    fputs("out of memory\n", stderr);
    abort();
}

static struct block *block_new(size_t room, struct block *older)
{
    struct block *b = calloc(1, sizeof *b + room);
    if (!b)
        out_of_memory();
    b->older = older;
    b->room = room;
    return b;
}

static void block_wipe(struct block *b)
{
    ASAN_UNPOISON_MEMORY_REGION(b->data, b->room);
    explicit_bzero(b->data, b->used);
    b->used = 0;
}

static void block_free(struct block *b)
{
    block_wipe(b);
    free(b);
}

struct arena *arena_new(void)
{
    struct arena *a = calloc(1, sizeof *a);
    if (!a)
        out_of_memory();
    a->newest = block_new(BLOCK_FIRST, NULL);
    atomic_fetch_add_explicit(&made, 1, memory_order_relaxed);
    return a;
}

void arena_reset(struct arena *a)
{
    while (a->newest->older) {
        struct block *b = a->newest;
        a->newest = b->older;
        block_free(b);
    }
    block_wipe(a->newest);
}

void arena_free(struct arena *a)
{
    if (!a)
        return;
    arena_reset(a);
    block_free(a->newest);
    free(a);
    atomic_fetch_sub_explicit(&made, 1, memory_order_relaxed);
}

size_t arena_count(void)
{
    return atomic_load_explicit(&made, memory_order_relaxed);
}

void arena_cleanup(struct arena **a)
{
    arena_free(*a);
}

/* Blocks double up to BLOCK_MAX; a larger piece gets a block of its own size. The first is what a register takes,
 * whole: a second would be fetched in the lane's thread and given back in another. */
static struct block *block_for(struct arena *a, size_t bytes)
{
    struct block *b = a->newest;
    if (b->room - b->used >= bytes)
        return b;
    size_t room = b->room < BLOCK_MAX / 2 ? b->room * 2 : BLOCK_MAX;
    struct block *fresh = block_new(room > bytes ? room : bytes, b);
    a->newest = fresh;
    return fresh;
}

void *arena_alloc(struct arena *a, size_t bytes)
{
    if (bytes > SIZE_MAX / 2)
        out_of_memory();
    size_t whole = (bytes + RED_ZONE + ALIGN - 1) / ALIGN * ALIGN;
    struct block *b = block_for(a, whole);
    char *p = b->data + b->used;
    b->used += whole;
    ASAN_POISON_MEMORY_REGION(p + bytes, whole - bytes);
    return p;
}

void *arena_array(struct arena *a, size_t count, size_t bytes_each)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, bytes_each, &bytes))
        out_of_memory();
    return arena_alloc(a, bytes);
}

struct str arena_copy(struct arena *a, const char *p, size_t n)
{
    if (!p)
        return (struct str){NULL, 0};
    char *to = arena_alloc(a, n + 1);
    memcpy(to, p, n);
    return (struct str){to, n};
}

struct str arena_str(struct arena *a, struct str s)
{
    return arena_copy(a, s.p, s.n);
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

struct str arena_lower(struct arena *a, struct str s)
{
    if (!s.p)
        return s;
    char *to = arena_alloc(a, s.n + 1);
    for (size_t i = 0; i < s.n; i++)
        to[i] = lower(s.p[i]);
    return (struct str){to, s.n};
}

void text_init(struct text *t, struct arena *a, size_t room)
{
    *t = (struct text){.arena = a, .p = arena_alloc(a, room + 1), .n = 0, .room = room + 1};
}

/* One byte more than asked for is always kept for the closing NUL. */
static void text_reserve(struct text *t, size_t more)
{
    if (more >= SIZE_MAX / 4 - t->n)
        out_of_memory();
    if (t->n + more + 1 <= t->room)
        return;
    size_t room = (t->n + more + 1) * 2;
    char *p = arena_alloc(t->arena, room);
    memcpy(p, t->p, t->n);
    t->p = p;
    t->room = room;
}

void text_add(struct text *t, struct str s)
{
    if (!s.n)
        return;
    text_reserve(t, s.n);
    memcpy(t->p + t->n, s.p, s.n);
    t->n += s.n;
}

void text_add_char(struct text *t, char c)
{
    text_reserve(t, 1);
    t->p[t->n++] = c;
}

/* Into the room that is there; only what does not fit is formatted twice. */
__attribute__((format(printf, 2, 0))) static void text_vprintf(struct text *t, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    size_t room = t->room - t->n;
    int length = vsnprintf(t->p + t->n, room, format, args);
    size_t n = length < 0 ? 0 : (size_t)length;
    if (n >= room) {
        text_reserve(t, n);
        vsnprintf(t->p + t->n, n + 1, format, again);
    }
    va_end(again);
    t->n += n;
}

void text_printf(struct text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    text_vprintf(t, format, args);
    va_end(args);
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
    struct text t;
    text_init(&t, a, PRINTF_ROOM);
    va_list args;
    va_start(args, format);
    text_vprintf(&t, format, args);
    va_end(args);
    return text_str(&t);
}

struct str text_str(struct text *t)
{
    t->p[t->n] = '\0';
    return (struct str){t->p, t->n};
}

struct str str_of(const char *text)
{
    return (struct str){text, text ? strlen(text) : 0};
}

bool str_same(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

int str_compare(struct str a, struct str b)
{
    size_t shorter = a.n < b.n ? a.n : b.n;
    int order = shorter ? memcmp(a.p, b.p, shorter) : 0;
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

bool str_same_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (lower(a.p[i]) != lower(b.p[i]))
            return false;
    return true;
}

uint64_t str_hash(struct str s, uint64_t secret)
{
    uint64_t hash = secret;
    for (size_t i = 0; i < s.n; i++) {
        hash = (hash ^ (uint8_t)s.p[i]) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 29;
    }
    return hash;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && str_same((struct str){s.p, prefix.n}, prefix);
}

bool str_ends_nocase(struct str s, struct str suffix)
{
    return s.n >= suffix.n && str_same_nocase((struct str){s.p + (s.n - suffix.n), suffix.n}, suffix);
}

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool str_has_space(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_space(s.p[i]))
            return true;
    return false;
}

struct str str_trim(struct str s)
{
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    while (s.n && is_space(*s.p)) {
        s.p++;
        s.n--;
    }
    return s;
}

struct str str_split(struct str s, char at, struct str *ret_head)
{
    const char *p = s.n ? memchr(s.p, at, s.n) : NULL;
    if (!p) {
        *ret_head = s;
        return (struct str){NULL, 0};
    }
    size_t head = (size_t)(p - s.p);
    *ret_head = (struct str){s.p, head};
    return (struct str){p + 1, s.n - head - 1};
}
