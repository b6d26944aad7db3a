/* test_attempts.c: the log of refused attempts under a flood: what is noted, looked into and held is bounded, each
 * scope has a share of its own, and what the database could not take is written later, once. The database and the
 * diagnosis are the test's own. */
#include "api/attempts.h"
#include "api/diagnosis.h"
#include "core/limits.h"
#include "core/process/clock.h"
#include "unit.h"

enum { RING = 5, ALL = 512, EVEN = ALL / 2, DIAGNOSED = 5 };

static struct {
    size_t writes, count, looked, strangers_looked;
    struct attempt_row at[ALL];
    err_t answer;     /* of the database */
    int64_t takes_us; /* a diagnosis, of the thread's own time */
    struct arena *a;  /* what was written is copied there */
} seen;

err_t __wrap_db_attempt_write(struct db *db, struct arena *a, const struct attempt_row *at, size_t count);
struct diagnosis __wrap_diagnosis_of(struct arena *a, const struct shared *shared, struct db *db,
                                     const struct attempt_row *attempt, struct str authorization);

err_t __wrap_db_attempt_write(struct db *db, struct arena *a, const struct attempt_row *at, size_t count)
{
    (void)db, (void)a;
    seen.writes++;
    if (seen.answer)
        return seen.answer;
    for (size_t i = 0; i < count; i++) {
        seen.at[i] = at[i];
        seen.at[i].id_scope = arena_str(seen.a, at[i].id_scope);
        seen.at[i].registration_key = arena_str(seen.a, at[i].registration_key);
        seen.at[i].reason = arena_str(seen.a, at[i].reason);
    }
    seen.count = count;
    return NULL;
}

struct diagnosis __wrap_diagnosis_of(struct arena *a, const struct shared *shared, struct db *db,
                                     const struct attempt_row *attempt, struct str authorization)
{
    (void)a, (void)shared, (void)db, (void)authorization;
    int64_t until_us = clock_us(CLOCK_THREAD_CPUTIME_ID) + seen.takes_us;
    while (clock_us(CLOCK_THREAD_CPUTIME_ID) < until_us)
        ;
    seen.looked++;
    seen.strangers_looked += !attempt->enrolled;
    if (attempt->enrolled)
        return (struct diagnosis){.mistake = STR("looked into")};
    return (struct diagnosis){.nearest = STR("\"stranger\"")};
}

/* One refused call of a device of the n-th scope. */
static void refuse(struct arena *a, struct attempts *t, size_t scope, bool enrolled, const char *id, const char *why)
{
    static const struct route route = {.credential = CREDENTIAL_DEVICE};
    const struct gate_instance instance = {.id_scope = arena_printf(a, "0ne%08zx", scope), .name = STR("plant")};
    struct call r = {.route = &route, .instance = &instance, .error = E(UNAUTHORIZED), .enrolled = enrolled};
    r.segments[SEGMENT_ID] = str_of(id);
    r.presented.authorization = STR("SharedAccessSignature …");
    err_say(&r.log_detail, NULL, "%s", why);
    attempts_note(t, &r);
}

static void flood(struct arena *a, struct attempts *t, size_t scope, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        refuse(a, t, scope, true, "known", "why");
        refuse(a, t, scope, false, "stranger", "why");
    }
}

static size_t written_of(size_t scope, bool enrolled, struct arena *a)
{
    struct str wanted = arena_printf(a, "0ne%08zx", scope);
    size_t n = 0;
    for (size_t i = 0; i < seen.count; i++)
        n += str_same(seen.at[i].id_scope, wanted) && seen.at[i].enrolled == enrolled;
    return n;
}

static struct attempts *begin(struct arena *a)
{
    seen.writes = seen.count = seen.looked = seen.strangers_looked = 0;
    seen.answer = NULL;
    seen.takes_us = 0;
    seen.a = a;
    return attempts_new();
}

static void a_flood_takes_the_places_of_its_own_ring_alone(void **state)
{
    struct attempts *t = begin(*state);
    for (int i = 0; i < 1000; i++)
        refuse(*state, t, 1, false, "stranger", "why");
    refuse(*state, t, 1, true, "known", "why");
    refuse(*state, t, 2, false, "stranger", "why");
    attempts_write(t, NULL, NULL);
    assert_int_equal(written_of(1, false, *state), RING);
    assert_int_equal(written_of(1, true, *state), 1);
    assert_int_equal(written_of(2, false, *state), 1);
    attempts_write(t, NULL, NULL);
    assert_int_equal(seen.writes, 1); /* nothing is nothing to write */
    attempts_free(t);
}

static void however_many_scopes_are_flooded_others_have_a_place(void **state)
{
    enum { FLOODED = 100, OTHERS = 100 };
    struct attempts *t = begin(*state);
    for (size_t i = 0; i < FLOODED; i++)
        flood(*state, t, i, 20);
    for (size_t i = 0; i < OTHERS; i++)
        refuse(*state, t, FLOODED + i, true, "known", "why");
    attempts_write(t, NULL, NULL);
    for (size_t i = 0; i < OTHERS; i++)
        assert_int_equal(written_of(FLOODED + i, true, *state), 1);
    assert_true(seen.count <= ALL);
    attempts_free(t);
}

static void what_is_held_is_bounded_whatever_comes(void **state)
{
    struct attempts *t = begin(*state);
    for (size_t i = 0; i < 2000; i++)
        flood(*state, t, i, 6);
    attempts_write(t, NULL, NULL);
    assert_int_equal(seen.count, ALL);
    attempts_free(t);
}

static void what_the_database_could_not_take_is_written_later_and_once(void **state)
{
    struct attempts *t = begin(*state);
    refuse(*state, t, 1, true, "first", "why");
    seen.answer = E(DATABASE_UNAVAILABLE);
    attempts_write(t, NULL, NULL);
    refuse(*state, t, 1, true, "second", "why");
    attempts_write(t, NULL, NULL);
    seen.answer = NULL;
    const char *const ids[] = {"first", "second"};
    for (size_t i = 0; i < 2; i++) {
        attempts_write(t, NULL, NULL);
        assert_int_equal(seen.count, 1);
        assert_text(seen.at[0].registration_key, ids[i]);
    }
    attempts_write(t, NULL, NULL);
    assert_int_equal(seen.writes, 4);
    seen.answer = E(DATABASE_UNAVAILABLE);
    refuse(*state, t, 1, true, "third", "why");
    attempts_write(t, NULL, NULL);
    attempts_free(t); /* and what is kept then leaks nothing */
}

static void five_of_a_scope_are_looked_into_those_that_are_enrolled_first(void **state)
{
    struct attempts *t = begin(*state);
    for (int i = 0; i < 3; i++)
        refuse(*state, t, 1, false, "stranger", "why");
    for (int i = 0; i < 4; i++)
        refuse(*state, t, 1, true, "known", "why");
    flood(*state, t, 2, 9);
    attempts_write(t, NULL, NULL);
    assert_int_equal(seen.looked, 2 * DIAGNOSED);
    assert_int_equal(seen.strangers_looked, 1);
    for (size_t i = 0; i < seen.count; i++)
        if (seen.at[i].enrolled)
            assert_text(seen.at[i].reason, "looked into");
    attempts_free(t);
}

static void looking_into_them_ends_with_its_time(void **state)
{
    struct attempts *t = begin(*state);
    seen.takes_us = ATTEMPTS_ROUND_US / 100 / 3 + 100;
    for (size_t i = 0; i < 40; i++)
        flood(*state, t, i, 2);
    attempts_write(t, NULL, NULL);
    assert_int_equal(seen.looked, 3);
    assert_true(seen.count > 3);
    attempts_free(t);
}

static void what_a_device_sent_stands_there_plain_and_cut(void **state)
{
    struct attempts *t = begin(*state);
    char why[ERR_DETAIL_MAX];
    memset(why, 'y', sizeof why - 1);
    why[sizeof why - 1] = '\0';
    seen.takes_us = ATTEMPTS_ROUND_US / 100 + 100; /* so that the first alone is looked into */
    refuse(*state, t, 1, true, "known", "why");
    refuse(*state, t, 2, true, "known", "\xff\x01\n");
    refuse(*state, t, 3, false, "stranger", why);
    attempts_write(t, NULL, NULL);
    assert_text(seen.at[1].reason, "???");
    assert_int_equal(seen.at[2].reason.n, ATTEMPT_REASON_MOST);
    attempts_free(t);
}

static void of_a_stranger_the_ids_that_are_near_are_told(void **state)
{
    struct attempts *t = begin(*state);
    refuse(*state, t, 1, false, "strangee", "the device signed with its left hand");
    attempts_write(t, NULL, NULL);
    assert_text(seen.at[0].reason,
                "there is no enrollment of this registration id (near it: \"stranger\"), and no group "
                "admits it (the device signed with its left hand)");
    attempts_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(a_flood_takes_the_places_of_its_own_ring_alone),
        UNIT(however_many_scopes_are_flooded_others_have_a_place),
        UNIT(what_is_held_is_bounded_whatever_comes),
        UNIT(what_the_database_could_not_take_is_written_later_and_once),
        UNIT(five_of_a_scope_are_looked_into_those_that_are_enrolled_first),
        UNIT(looking_into_them_ends_with_its_time),
        UNIT(what_a_device_sent_stands_there_plain_and_cut),
        UNIT(of_a_stranger_the_ids_that_are_near_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
