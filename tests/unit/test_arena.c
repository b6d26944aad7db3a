/* test_arena.c: arenas, strings and growing texts; the words of one error. */
#include "unit.h"

#include <signal.h>
#include <stdalign.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static void pieces_are_zeroed_aligned_and_apart(void **state)
{
    struct arena *a = *state;
    char *before = NULL;
    for (size_t bytes = 0; bytes < 300; bytes++) {
        char *p = arena_alloc(a, bytes);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % alignof(max_align_t), 0);
        for (size_t i = 0; i < bytes; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xee, bytes);
        if (before && bytes > 1)
            assert_int_equal((unsigned char)before[bytes - 2], 0xee);
        before = p;
    }
}

static void a_piece_larger_than_any_block_is_served(void **state)
{
    char *p = arena_alloc(*state, 1 << 20);
    p[(1 << 20) - 1] = 1;
    char *q = arena_alloc(*state, 8);
    assert_int_equal(*q, 0);
}

static void reset_forgets_and_gives_zeroes_again(void **state)
{
    struct arena *a = *state;
    char *first = arena_alloc(a, 64);
    memset(first, 0x5a, 64);
    for (int i = 0; i < 100; i++)
        memset(arena_alloc(a, 4000), 0x5a, 4000);
    arena_reset(a);
    char *again = arena_alloc(a, 64);
    assert_ptr_equal(again, first);
    for (int i = 0; i < 64; i++)
        assert_int_equal(again[i], 0);
}

static void cleanup_attribute_and_null_are_fine(void **state)
{
    (void)state;
    ARENA_CLEANUP struct arena *a = arena_new();
    assert_text(arena_str(a, STR("kept")), "kept");
    arena_free(NULL);
}

/* How a child that runs `f` ends: the signal, or 0. */
static int signal_of(void (*f)(void))
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        close(STDERR_FILENO);
        f();
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void ask_for_too_much(void)
{
    arena_alloc(arena_new(), SIZE_MAX - 4);
}

static void ask_for_an_overflow(void)
{
    arena_array(arena_new(), SIZE_MAX / 2, 4);
}

static void grow_beyond_all(void)
{
    struct text t;
    text_init(&t, arena_new(), 0);
    text_add(&t, (struct str){"x", SIZE_MAX / 2});
}

static void too_much_ends_the_program(void **state)
{
    (void)state;
    assert_int_equal(signal_of(ask_for_too_much), SIGABRT);
    assert_int_equal(signal_of(ask_for_an_overflow), SIGABRT);
    assert_int_equal(signal_of(grow_beyond_all), SIGABRT);
}

static void absent_and_empty_stay_apart(void **state)
{
    struct arena *a = *state;
    assert_null(str_of(NULL).p);
    assert_null(arena_str(a, str_of(NULL)).p);
    assert_null(arena_lower(a, str_of(NULL)).p);
    assert_text(arena_str(a, STR("")), "");
    assert_int_equal(arena_copy(a, "abc", 2).p[2], '\0');
}

static void comparisons(void **state)
{
    assert_true(str_same(STR("a"), STR("a")));
    assert_true(str_same(STR(""), str_of(NULL)));
    assert_false(str_same(STR("a"), STR("A")));
    assert_false(str_same(STR("a"), STR("ab")));
    assert_true(str_same_nocase(STR("aZ-9"), STR("Az-9")));
    assert_false(str_same_nocase(STR("a"), STR("ab")));
    assert_false(str_same_nocase(STR("["), STR("{"))); /* differ in the case bit only */
    assert_true(str_starts(STR("abc"), STR("ab")));
    assert_false(str_starts(STR("a"), STR("ab")));
    assert_true(str_ends_nocase(STR("x.DPS"), STR(".dps")));
    assert_false(str_ends_nocase(STR("ps"), STR(".dps")));
    assert_text(arena_lower(*state, STR("ABz[\xc3\x84")), "abz[\xc3\x84"); /* ASCII only */
}

static void trim_and_split(void **state)
{
    (void)state;
    struct str head;
    assert_text(str_trim(STR(" \ta b\t ")), "a b");
    assert_text(str_trim(STR("  ")), "");
    assert_text(str_trim(STR("\r\n\t a\nb \t\r\n")), "a\nb");
    assert_true(str_has_space(STR("a b")) && str_has_space(STR("\t")) && str_has_space(STR("a\rb")) &&
                str_has_space(STR("ab\n")));
    assert_false(str_has_space(STR("ab")) || str_has_space(STR("")) || str_has_space(str_of(NULL)));
    assert_text(str_split(STR("k=v=w"), '=', &head), "v=w");
    assert_text(head, "k");
    assert_text(str_split(STR("k="), '=', &head), "");
    assert_text(str_split(STR("k"), '=', &head), NULL);
    assert_text(head, "k");
    assert_text(str_split(str_of(NULL), '=', &head), NULL);
}

static void texts_grow(void **state)
{
    struct text t;
    text_init(&t, *state, 0);
    assert_text(text_str(&t), "");
    for (int i = 0; i < 1000; i++)
        text_printf(&t, "%d,", i % 10);
    text_add(&t, str_of(NULL));
    text_add(&t, STR("end"));
    text_add_char(&t, '.');
    struct str s = text_str(&t);
    assert_int_equal(s.n, 2004);
    assert_int_equal(s.p[s.n], '\0');
    assert_true(str_ends_nocase(s, STR("8,9,end.")));
    assert_text(arena_printf(*state, "%s-%d", "x", 7), "x-7");
}

static void an_error_says_what_happened_once(void **state)
{
    (void)state;
    struct err_detail d = {""};
    assert_ptr_equal(err_say(&d, E(BAD_FIELD), "%s is wrong.", "x"), E(BAD_FIELD));
    assert_string_equal(d.text, "x is wrong.");
    assert_ptr_equal(err_say(NULL, E(BAD_FIELD), "nobody listens"), E(BAD_FIELD));
    assert_string_equal(E(BAD_FIELD)->name, "BAD_FIELD");
}

static void a_long_detail_is_cut(void **state)
{
    char words[2 * ERR_DETAIL_MAX];
    struct err_detail d;
    (void)state;
    memset(words, 'w', sizeof words - 1);
    words[sizeof words - 1] = '\0';
    err_say(&d, E(INTERNAL), "%s", words);
    assert_int_equal(strlen(d.text), ERR_DETAIL_MAX - 1);
}

static void every_row_that_clients_see_has_its_codes(void **state)
{
    (void)state;
    static const struct err *const rows[] = {
#define ERR(name, http, code, arm, hub, sentence) E(name),
#include "core/errors.def"
#undef ERR
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(rows[i]->code >= 400000 && rows[i]->code < 600000);
        if (rows[i]->http_status)
            assert_int_equal(rows[i]->code / 1000, rows[i]->http_status);
        assert_true(*rows[i]->arm_code && *rows[i]->hub_code && *rows[i]->sentence);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(pieces_are_zeroed_aligned_and_apart),
        UNIT(a_piece_larger_than_any_block_is_served),
        UNIT(reset_forgets_and_gives_zeroes_again),
        UNIT(cleanup_attribute_and_null_are_fine),
        UNIT(too_much_ends_the_program),
        UNIT(absent_and_empty_stay_apart),
        UNIT(comparisons),
        UNIT(trim_and_split),
        UNIT(texts_grow),
        UNIT(an_error_says_what_happened_once),
        UNIT(a_long_detail_is_cut),
        UNIT(every_row_that_clients_see_has_its_codes),
    };
    return cmocka_run_group_tests_name("arena, err", tests, NULL, NULL);
}
