/* test_auth.c: shared access signatures of instances and hubs: who is refused learns nothing, neither from the words
 * nor from the work that it took. The gate is the test's own, and each hash is counted. */
#include "api/auth.h"

#include "api/shared.h"
#include "core/sas.h"
#include "unit.h"

#define HOST "plant.dps.idscope.test"

static const uint8_t key_a[32] = {1}, key_b[32] = {2}, key_other[32] = {3};
static struct gate_policy policy = {
    .name = STR("owner"), .rights = 1, .keys = {{key_a, sizeof key_a}, {key_b, sizeof key_b}}};
static const struct gate_instance instance = {.policies = {.key_names = {.n = 1}, .at = &policy}};
static const struct gate_hub hub = {.policies = {.key_names = {.n = 1}, .at = &policy}};
static size_t hashes;

err_t __wrap_gate_instance_by_name(struct gate *g, struct db *db, struct str name_key, int64_t now_us,
                                   const struct gate_instance **ret);
err_t __wrap_gate_hub_by_name(struct gate *g, struct db *db, struct str name_key, int64_t now_us,
                              const struct gate_hub **ret);
struct sha256 __wrap_crypt_hmac_sha256(struct bytes key, struct bytes text);
struct sha256 __real_crypt_hmac_sha256(struct bytes key, struct bytes text);

err_t __wrap_gate_instance_by_name(struct gate *g, struct db *db, struct str name_key, int64_t now_us,
                                   const struct gate_instance **ret)
{
    (void)g, (void)db, (void)name_key, (void)now_us;
    *ret = &instance;
    return NULL;
}

err_t __wrap_gate_hub_by_name(struct gate *g, struct db *db, struct str name_key, int64_t now_us,
                              const struct gate_hub **ret)
{
    (void)g, (void)db, (void)name_key, (void)now_us;
    *ret = &hub;
    return NULL;
}

struct sha256 __wrap_crypt_hmac_sha256(struct bytes key, struct bytes text)
{
    hashes++;
    return __real_crypt_hmac_sha256(key, text);
}

/* One request with a token in the name of `policy_name`, signed with the key. Counts the hashes of its check. */
static err_t ask(struct arena *a, enum credential credential, const char *policy_name, const uint8_t key[32], int right,
                 struct call *r)
{
    static const struct shared shared;
    struct route *route = ARENA_NEW(a, struct route);
    *route = (struct route){.credential = credential, .right = right};
    *r = (struct call){.arena = a,
                       .shared = &shared,
                       .route = route,
                       .host = STR(HOST),
                       .name = STR("plant"),
                       .path = STR("/devices")};
    r->presented.authorization =
        sas_make(a, STR(HOST), policy_name ? str_of(policy_name) : (struct str){NULL, 0}, (struct bytes){key, 32}, 1);
    hashes = 0;
    return auth_check(r);
}

static const enum credential planes_of_policies[] = {CREDENTIAL_INSTANCE, CREDENTIAL_HUB};

static void either_key_of_a_policy_lets_through(void **state)
{
    struct call r;
    for (size_t i = 0; i < 2; i++) {
        assert_ok(ask(*state, planes_of_policies[i], "owner", key_a, 1, &r));
        assert_text(r.actor.id, "plant/owner");
        assert_int_equal(hashes, 2);
        assert_ok(ask(*state, planes_of_policies[i], "OWNER", key_b, 1, &r));
        assert_int_equal(hashes, 2);
    }
}

static void every_refusal_takes_the_same_work_and_says_the_same(void **state)
{
    static const struct {
        const char *name;
        const uint8_t *key;
        int right;
        const char *log;
    } rows[] = {{"owner", key_other, 1, "signed with another key"},
                {"nobody", key_other, 1, "names no policy"},
                {"nobody", key_a, 1, "names no policy"},
                {NULL, key_other, 1, "names no policy"},
                {"owner", key_a, 2, "lacks a right"}};
    struct call r;
    for (size_t i = 0; i < 2; i++)
        for (size_t n = 0; n < sizeof rows / sizeof *rows; n++) {
            assert_err(ask(*state, planes_of_policies[i], rows[n].name, rows[n].key, rows[n].right, &r), UNAUTHORIZED);
            assert_int_equal(hashes, 2);
            assert_text(str_of(r.detail.text), "");
            assert_says(r.log_detail, rows[n].log);
        }
}

static void what_nobody_signed_is_refused(void **state)
{
    struct call r;
    for (size_t i = 0; i < 2; i++)
        assert_err(ask(*state, planes_of_policies[i], "nobody", keypair_of_nobody.primary.p, 1, &r), UNAUTHORIZED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {UNIT(either_key_of_a_policy_lets_through),
                                       UNIT(every_refusal_takes_the_same_work_and_says_the_same),
                                       UNIT(what_nobody_signed_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
