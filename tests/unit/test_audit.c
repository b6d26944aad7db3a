/* test_audit.c: the text of audit events and the hashes of their blocks: those of a program of its own, so that what
 * was sealed once is computed the same for ever. */
#include "core/audit.h"
#include "unit.h"

static const struct uuid tenant = {{[15] = 1}};
static const struct audit_event by_request = {
    .id = 7,
    .tenant_id = {{[15] = 1}},
    .event_id = {{[15] = 2}},
    .at_us = 1767323045000006,
    .actor_kind = {"client", 6},
    .actor_id = {"a \"b\"", 5},
    .client_address = {"192.0.2.1", 9},
    .tracking_id = {"t", 1},
    .operation = {"hub_put", 7},
    .kind = {"hub", 3},
    .key = {"h", 1},
    .resource_id = {"/subscriptions/s", 16},
    .detail = {"{\"change\": \"created\"}", 21},
};
static const struct audit_event by_operator = {
    .id = 8,
    .tenant_id = {{[15] = 1}},
    .event_id = {{[15] = 3}},
    .at_us = 1767323045000006,
    .actor_kind = {"operator", 8},
    .actor_id = {"uid 0", 5},
    .operation = {"idscope-admin", 13},
    .kind = {"tenant", 6},
    .key = {"k", 1},
    .detail = {"{}", 2},
};

static struct str line_of(struct arena *a, const struct audit_event *e)
{
    struct text out;
    text_init(&out, a, 16);
    audit_line(&out, e);
    return text_str(&out);
}

static struct str hex_of(struct arena *a, struct sha256 hash)
{
    return enc_hex(a, (struct bytes){hash.b, sizeof hash.b}, false);
}

static void an_event_is_a_line_without_its_number(void **state)
{
    assert_text(
        line_of(*state, &by_request),
        "{\"eventId\":\"00000000-0000-0000-0000-000000000002\",\"time\":\"2026-01-02T03:04:05.0000060Z\","
        "\"tenantId\":\"00000000-0000-0000-0000-000000000001\",\"actorKind\":\"client\",\"actorId\":\"a \\\"b\\\"\","
        "\"clientAddress\":\"192.0.2.1\",\"trackingId\":\"t\",\"operation\":\"hub_put\",\"kind\":\"hub\","
        "\"key\":\"h\",\"resourceId\":\"/subscriptions/s\",\"detail\":{\"change\": \"created\"}}");
    assert_text(hex_of(*state, audit_digest(*state, &by_request)),
                "1f10002a86bc0bba6c08c9568499df1388c189c2b20f5a012ccf28f40b6a6a00");
    assert_text(hex_of(*state, audit_digest(*state, &by_operator)),
                "6c4b856782329259753277fb105a076011d11130e10d57dac9c958656ff87369");
}

static void a_block_is_hashed_with_its_place_and_the_one_before(void **state)
{
    static const uint8_t zeros[SHA256_BYTES];
    struct sha256 digests[] = {audit_digest(*state, &by_request), audit_digest(*state, &by_operator)};
    struct audit_block block = {tenant, 1, {(const uint8_t *)digests, sizeof digests}, {zeros, sizeof zeros}};
    const char *whole = "fbb196d0a0ea3ff20fdda40f6033642731ac57ab7c7d4c2c6a736839b8b2213c";
    assert_text(hex_of(*state, audit_block_hash(*state, &block)), whole);
    struct audit_block others[] = {block, block, block, block};
    others[0].tenant_id = (struct uuid){{0}};
    others[1].block = 2;
    others[2].digests.n = SHA256_BYTES;
    others[3].previous = (struct bytes){digests[0].b, SHA256_BYTES};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_string_not_equal(hex_of(*state, audit_block_hash(*state, &others[i])).p, whole);
    assert_int_equal(audit_digest_count(block.digests), 2);
    assert_memory_equal(audit_digest_at(block.digests, 1).p, digests[1].b, SHA256_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(an_event_is_a_line_without_its_number),
        UNIT(a_block_is_hashed_with_its_place_and_the_one_before),
    };
    return cmocka_run_group_tests_name("audit", tests, NULL, NULL);
}
