/* test_operation.c: an operation id is good for its own registration, for an hour, under every key of the ring. */
#include "core/operation.h"

#include "unit.h"

#define OLD_KEY "3:ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8=\n"
#define NEW_KEY "7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

static const int64_t now_us = INT64_C(1893456000000000), second_us = 1000000;

static struct operation_owner owner_of(const char *scope, const char *key, int64_t created_us)
{
    return (struct operation_owner){str_of(scope), str_of(key), created_us};
}

static struct operation_keys *keys_of(const char *text)
{
    struct key_ring *ring = NULL;
    assert_ok(key_ring_parse(str_of(text), NULL, &ring));
    struct operation_keys *k = operation_keys_new(ring);
    key_ring_free(ring);
    return k;
}

/* The guid by Python's hmac and OpenSSL's AES, from the ring's key and the bytes that operation.c says. */
static void the_form_of_an_id(void **state)
{
    struct operation_keys *k = keys_of(NEW_KEY);
    struct operation_owner owner = owner_of("0ne0000beef", "line7-unit042", INT64_C(1772439360000000));
    assert_text(operation_id(*state, k, &owner, now_us), "5.093e09fdb7211037.e2a4d3b8-8c8f-0772-0d50-2bc091071b29");
    operation_keys_free(k);
}

static void an_id_is_good_for_an_hour(void **state)
{
    struct operation_keys *k = keys_of(NEW_KEY);
    struct operation_owner owner = owner_of("0ne0000beef", "line7-unit042", 1);
    struct str id = operation_id(*state, k, &owner, now_us);
    assert_true(operation_pollable(*state, k, &owner, id, now_us));
    assert_true(
        operation_pollable(*state, k, &owner, id, now_us - 5 * second_us)); /* a replica whose clock is behind */
    assert_true(operation_pollable(*state, k, &owner, id, now_us + 3599 * second_us));
    assert_false(operation_pollable(*state, k, &owner, id, now_us + 3600 * second_us));
    operation_keys_free(k);
}

static void an_id_is_of_one_registration(void **state)
{
    struct operation_keys *k = keys_of(NEW_KEY);
    struct operation_owner owner = owner_of("0ne0000beef", "line7-unit042", 1);
    struct str id = operation_id(*state, k, &owner, now_us);
    const struct operation_owner others[] = {owner_of("0ne0000bee0", "line7-unit042", 1),
                                             owner_of("0ne0000beef", "line7-unit043", 1),
                                             owner_of("0ne0000beef", "line7-unit042", 2), /* deleted, and there again */
                                             owner_of("0ne0000beefl", "ine7-unit042", 1)};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(operation_pollable(*state, k, &others[i], id, now_us));
    operation_keys_free(k);
}

static void any_other_text_is_none(void **state)
{
    struct operation_keys *k = keys_of(NEW_KEY);
    struct operation_owner owner = owner_of("0ne0000beef", "line7-unit042", 1);
    struct str id = operation_id(*state, k, &owner, now_us);
    for (size_t i = 0; i < id.n; i++) {
        struct str other = arena_str(*state, id);
        ((char *)other.p)[i] = id.p[i] == '0' ? '1' : '0';
        assert_false(operation_pollable(*state, k, &owner, other, now_us));
        assert_false(operation_pollable(*state, k, &owner, (struct str){id.p, i}, now_us));
    }
    assert_false(operation_pollable(*state, k, &owner, arena_printf(*state, "%s.x", id.p), now_us));
    operation_keys_free(k);
}

/* A replica that has the new ring, and one that has the old one still, know each other's ids as long as both have both
 * keys; a key that is gone takes its ids along. */
static void rotation(void **state)
{
    struct operation_keys *old = keys_of(OLD_KEY NEW_KEY), *fresh = keys_of(NEW_KEY OLD_KEY), *alone = keys_of(NEW_KEY);
    struct operation_owner owner = owner_of("0ne0000beef", "line7-unit042", 1);
    struct str before = operation_id(*state, old, &owner, now_us), after = operation_id(*state, fresh, &owner, now_us);
    assert_false(str_same(before, after));
    assert_true(operation_pollable(*state, fresh, &owner, before, now_us));
    assert_true(operation_pollable(*state, old, &owner, after, now_us));
    assert_true(operation_pollable(*state, alone, &owner, after, now_us));
    assert_false(operation_pollable(*state, alone, &owner, before, now_us));
    operation_keys_free(old);
    operation_keys_free(fresh);
    operation_keys_free(alone);
}

/* Nothing of the time or of the registration is to be seen: ids of neighbouring microseconds share no byte's worth of
 * their guids beyond chance. */
static void an_id_says_nothing(void **state)
{
    struct operation_keys *k = keys_of(NEW_KEY);
    struct operation_owner owner = owner_of("0ne0000beef", "line7-unit042", 1);
    struct uuid ids[2];
    for (int i = 0; i < 2; i++) {
        struct str id = operation_id(*state, k, &owner, now_us + i);
        assert_true(dec_uuid((struct str){id.p + 19, id.n - 19}, &ids[i]));
    }
    int same = 0;
    for (size_t i = 0; i < sizeof ids[0].b; i++)
        same += ids[0].b[i] == ids[1].b[i];
    assert_true(same < 4);
    operation_keys_free(k);
    operation_keys_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(the_form_of_an_id),
        UNIT(an_id_is_good_for_an_hour),
        UNIT(an_id_is_of_one_registration),
        UNIT(any_other_text_is_none),
        UNIT(rotation),
        UNIT(an_id_says_nothing),
    };
    return cmocka_run_group_tests_name("operation", tests, NULL, NULL);
}
