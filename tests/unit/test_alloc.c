/* test_alloc.c: which hub a device gets: policies, candidates, shares by weight, least movement, and an explanation
 * that is the same bytes whenever it is asked for. */
#include "core/alloc.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "unit.h"

enum { DEVICES = 10000 };

/* A chance below one in ten thousand, at one degree of freedom. */
static const double CHI_SQUARED_MOST = 15.137;

static struct alloc_hub hub(const char *host, int weight)
{
    return (struct alloc_hub){str_of(host), str_of(host), weight, true, LINK_VALID, 0};
}

/* The hubs "a.hub.d", "b.hub.d", "c.hub.d". */
static void three_hubs(struct alloc_hub ret[static 3])
{
    ret[0] = hub("a.hub.d", 1);
    ret[1] = hub("b.hub.d", 1);
    ret[2] = hub("c.hub.d", 1);
}

static struct alloc_input input(int instance_policy, struct alloc_hub *hubs, size_t count)
{
    return (struct alloc_input){.version = ALLOC_VERSION,
                                .instance_policy = instance_policy,
                                .region = STR("west"),
                                .hubs = hubs,
                                .hub_count = count};
}

static struct alloc_choice choose(struct arena *a, const struct alloc_input *in, const char *id)
{
    struct alloc_choice c;
    alloc_choose(a, in, STR("0ne0000BEEF"), str_of(id), &c);
    return c;
}

/* Names given by an enrollment. */
#define NAMED(...)                                                                                                     \
    (struct str_list)                                                                                                  \
    {                                                                                                                  \
        (struct str[]){__VA_ARGS__}, sizeof((struct str[]){__VA_ARGS__}) / sizeof(struct str), true                    \
    }

static void expect(struct arena *a, const struct alloc_input *in, enum alloc_outcome outcome, const char *rule,
                   const char *host, const char *says)
{
    struct alloc_choice c = choose(a, in, "dev-1");
    assert_string_equal(c.rule, rule);
    assert_int_equal(c.outcome, outcome);
    if (host)
        assert_text(c.hub->host, host);
    else
        assert_null(c.hub);
    if (!strstr(c.sentence.p, says))
        fail_msg("sentence: %s, wanted in it: %s", c.sentence.p, says);
}

static void one_named_hub_wins_under_every_policy(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    for (int policy = POLICY_ABSENT; policy <= POLICY_STATIC; policy++) {
        struct alloc_input in = input(policy, hubs, 3);
        in.named = NAMED(STR("B.hub.D"));
        assert_int_equal(alloc_effective_policy(&in), POLICY_STATIC);
        expect(*state, &in, ALLOC_CHOSEN, "named", "b.hub.d", "names b.hub.d");
        in.named = NAMED(STR("b.hub.d"), STR("B.hub.d")); /* iotHubHostName and iotHubs say the same */
        expect(*state, &in, ALLOC_CHOSEN, "named", "b.hub.d", "names b.hub.d");
        in.enrollment_policy = POLICY_STATIC;
        expect(*state, &in, ALLOC_CHOSEN, "named", "b.hub.d", "names b.hub.d");
    }
}

static void static_needs_a_name(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    struct alloc_input in = input(POLICY_STATIC, hubs, 3);
    expect(*state, &in, ALLOC_NONE, "static-without-hub", NULL, "name one hub on the enrollment");
    in.named = NAMED(STR("a.hub.d"), STR("b.hub.d"));
    expect(*state, &in, ALLOC_NONE, "static-without-hub", NULL, "name one hub on the enrollment");
    in.enrollment_policy = POLICY_HASHED; /* the enrollment's own policy goes first */
    assert_int_equal(choose(*state, &in, "dev-1").outcome, ALLOC_CHOSEN);
}

static void the_policy_in_force(void **state)
{
    (void)state;
    struct alloc_input in = input(POLICY_GEO_LATENCY, NULL, 0);
    assert_int_equal(alloc_effective_policy(&in), POLICY_GEO_LATENCY);
    in.named = NAMED(STR("a"), STR("b"));
    assert_int_equal(alloc_effective_policy(&in), POLICY_GEO_LATENCY);
    in.enrollment_policy = POLICY_HASHED;
    assert_int_equal(alloc_effective_policy(&in), POLICY_HASHED);
    in.named = NAMED(STR("a"));
    assert_int_equal(alloc_effective_policy(&in), POLICY_HASHED);
    in = input(POLICY_ABSENT, NULL, 0);
    assert_int_equal(alloc_effective_policy(&in), POLICY_HASHED);
}

static void only_named_hubs_are_chosen(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    struct alloc_input in = input(POLICY_HASHED, hubs, 3);
    in.named = NAMED(STR("C.HUB.D"), STR("a.hub.d"), STR("gone.hub.d"));
    int seen[3] = {0};
    for (int i = 0; i < 200; i++) {
        struct alloc_choice c = choose(*state, &in, arena_printf(*state, "dev-%d", i).p);
        assert_int_equal(c.outcome, ALLOC_CHOSEN);
        seen[c.hub - hubs]++;
    }
    assert_true(seen[0] > 0 && seen[2] > 0);
    assert_int_equal(seen[1], 0);
}

static void nothing_to_choose_from_is_said_plainly(void **state)
{
    struct alloc_hub hubs[3];
    struct alloc_input none = input(POLICY_HASHED, NULL, 0);
    expect(*state, &none, ALLOC_NONE, "no-hub", NULL, "No hub is linked");
    three_hubs(hubs);
    struct alloc_input in = input(POLICY_HASHED, hubs, 3);
    in.named = NAMED(STR("X.hub.d"));
    expect(*state, &in, ALLOC_NONE, "not-linked", NULL, "not linked: X.hub.d");
    in.enrollment_policy = POLICY_GEO_LATENCY;
    expect(*state, &in, ALLOC_NONE, "not-linked", NULL, "X.hub.d");
    in.named = NAMED(STR("1"), STR("2"), STR("3"), STR("4"), STR("5"));
    expect(*state, &in, ALLOC_NONE, "not-linked", NULL, "1, 2, 3 and 2 more");
    in.enrollment_policy = POLICY_CUSTOM;
    expect(*state, &in, ALLOC_NONE, "custom", NULL, "custom");
}

static void drained_hubs_get_nothing(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    hubs[0].apply = hubs[1].apply = false;
    struct alloc_input in = input(POLICY_HASHED, hubs, 3);
    for (int i = 0; i < 50; i++)
        assert_ptr_equal(choose(*state, &in, arena_printf(*state, "d%d", i).p).hub, &hubs[2]);
    in.named = NAMED(STR("a.hub.d"));
    expect(*state, &in, ALLOC_NONE, "drained", NULL, "a.hub.d");
    in.named = NAMED(STR("a.hub.d"), STR("b.hub.d"));
    expect(*state, &in, ALLOC_NONE, "drained", NULL, "a.hub.d, b.hub.d");
    in.named = NAMED(STR("a.hub.d"), STR("gone"));
    expect(*state, &in, ALLOC_NONE, "none-usable", NULL, "not linked (gone) or drained (a.hub.d)");
    hubs[2].apply = false;
    in.named = (struct str_list){0};
    expect(*state, &in, ALLOC_NONE, "drained", NULL, "drained");
}

static void hubs_that_may_return_are_waited_for(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    hubs[0].state = LINK_INVALID;
    hubs[1].state = LINK_UNREACHABLE;
    struct alloc_input in = input(POLICY_HASHED, hubs, 3);
    for (int i = 0; i < 50; i++)
        assert_ptr_equal(choose(*state, &in, arena_printf(*state, "d%d", i).p).hub, &hubs[2]);
    in.named = NAMED(STR("a.hub.d"));
    expect(*state, &in, ALLOC_ALL_INVALID, "invalid", NULL, "a.hub.d");
    in.named = NAMED(STR("b.hub.d"));
    expect(*state, &in, ALLOC_WAIT, "unreachable", NULL, "b.hub.d");
    in.named = NAMED(STR("a.hub.d"), STR("b.hub.d"));
    expect(*state, &in, ALLOC_WAIT, "unreachable", NULL, "b.hub.d");
    hubs[1].state = LINK_INVALID;
    expect(*state, &in, ALLOC_ALL_INVALID, "invalid", NULL, "a.hub.d, b.hub.d");
    hubs[1].apply = false; /* drained is nothing to wait for */
    in.named = NAMED(STR("b.hub.d"));
    expect(*state, &in, ALLOC_NONE, "drained", NULL, "b.hub.d");
}

static void a_choice_on_a_pending_link_waits(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    struct alloc_input in = input(POLICY_HASHED, hubs, 3);
    const struct alloc_hub *before = choose(*state, &in, "dev-1").hub;
    hubs[before - hubs].state = LINK_PENDING;
    expect(*state, &in, ALLOC_WAIT, "pending", NULL, before->host.p); /* the choice stays, it does not go elsewhere */
    hubs[before - hubs].state = LINK_DEGRADED;
    assert_ptr_equal(choose(*state, &in, "dev-1").hub, before);
    hubs[before - hubs].state = LINK_UNREACHABLE;
    assert_ptr_not_equal(choose(*state, &in, "dev-1").hub, before);
}

static void assert_waits_for(struct arena *a, const struct alloc_input *in, const char *hosts)
{
    struct alloc_choice c = choose(a, in, "dev-1");
    struct text t;
    text_init(&t, a, 64);
    for (size_t i = 0; i < c.waits_for.n; i++) {
        text_add(&t, c.waits_for.at[i]);
        text_add_char(&t, ' ');
    }
    assert_text(text_str(&t), hosts);
}

/* The sentence names three and "2 more"; the queue must be told all five. */
static void a_wait_knows_all_its_hubs(void **state)
{
    struct alloc_hub hubs[] = {hub("a", 1), hub("b", 1), hub("c", 1), hub("d", 1), hub("e", 1), hub("f", 1)};
    struct alloc_input in = input(POLICY_HASHED, hubs, 6);
    for (int i = 0; i < 6; i++)
        hubs[i].state = LINK_UNREACHABLE;
    hubs[5].apply = false; /* drained is nothing to wait for */
    expect(*state, &in, ALLOC_WAIT, "unreachable", NULL, "a, b, c and 2 more");
    assert_waits_for(*state, &in, "a b c d e ");
    hubs[1].state = LINK_INVALID; /* it may return as well */
    assert_waits_for(*state, &in, "a b c d e ");
    in.named = NAMED(STR("E"), STR("d"));
    assert_waits_for(*state, &in, "d e ");
    hubs[3].state = LINK_PENDING;
    in.named = NAMED(STR("d"));
    assert_waits_for(*state, &in, "d ");
    hubs[3].state = LINK_VALID;
    assert_waits_for(*state, &in, "");
    for (int i = 0; i < 6; i++)
        hubs[i].state = LINK_INVALID;
    in.named = (struct str_list){0};
    expect(*state, &in, ALLOC_ALL_INVALID, "invalid", NULL, "a, b, c and 2 more");
    assert_waits_for(*state, &in, "a b c d e ");
}

static void the_nearest_hub_wins(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    hubs[0].p50_us = 40000;
    hubs[1].p50_us = 15001;
    hubs[2].p50_us = 10000;
    struct alloc_input in = input(POLICY_GEO_LATENCY, hubs, 3);
    expect(*state, &in, ALLOC_CHOSEN, "geoLatency", "c.hub.d", "nearest to region west (p50 10000 us)");
    hubs[2].p50_us = 0; /* without a fresh figure it is no candidate while others have one */
    expect(*state, &in, ALLOC_CHOSEN, "geoLatency", "b.hub.d", "b.hub.d");
    hubs[1].state = LINK_INVALID;
    expect(*state, &in, ALLOC_CHOSEN, "geoLatency", "a.hub.d", "a.hub.d");
}

/* How many of 300 devices go to each hub; every choice must follow `rule`. */
static void spread(struct arena *a, const struct alloc_input *in, const char *rule, int ret[static 3])
{
    memset(ret, 0, 3 * sizeof *ret);
    for (int i = 0; i < 300; i++) {
        struct alloc_choice c = choose(a, in, arena_printf(a, "dev-%d", i).p);
        assert_string_equal(c.rule, rule);
        ret[c.hub - in->hubs]++;
    }
}

static void hubs_equally_near_share_by_weight(void **state)
{
    struct alloc_hub hubs[3];
    int n[3];
    three_hubs(hubs);
    hubs[0].p50_us = 10000;
    hubs[1].p50_us = 15000; /* within 5 ms */
    hubs[2].p50_us = 15001;
    struct alloc_input in = input(POLICY_GEO_LATENCY, hubs, 3);
    spread(*state, &in, "geoLatency-tie", n);
    assert_true(n[0] > 90 && n[1] > 90 && n[2] == 0);
    hubs[0].weight = 1000;
    spread(*state, &in, "geoLatency-tie", n);
    assert_true(n[0] > 290);
    hubs[0] = hub("a.hub.d", 1);
    hubs[0].p50_us = 200000;
    hubs[1].p50_us = 220000; /* within 10 % */
    hubs[2].p50_us = 220001;
    spread(*state, &in, "geoLatency-tie", n);
    assert_true(n[0] > 90 && n[1] > 90 && n[2] == 0);
}

static void without_figures_it_is_openly_hashed(void **state)
{
    struct alloc_hub hubs[3];
    int n[3], h[3];
    three_hubs(hubs);
    struct alloc_input geo = input(POLICY_GEO_LATENCY, hubs, 3), hashed = input(POLICY_HASHED, hubs, 3);
    spread(*state, &geo, "geoLatency-no-data", n);
    spread(*state, &hashed, "hashed", h);
    assert_memory_equal(n, h, sizeof n);
    expect(*state, &geo, ALLOC_CHOSEN, "geoLatency-no-data", choose(*state, &hashed, "dev-1").hub->host.p,
           "No fresh latency figure of region west");
}

/* The three forms that ids of real fleets take. */
static struct str sequential(struct arena *a, int i)
{
    return arena_printf(a, "device-%05d", i);
}

static struct str mac_like(struct arena *a, int i)
{
    return arena_printf(a, "00:1b:44:%02x:%02x:%02x", i >> 16 & 255, i >> 8 & 255, i & 255);
}

static struct str uuid_like(struct arena *a, int i)
{
    struct sha256 h = crypt_sha256((struct bytes){(const uint8_t *)&i, sizeof i});
    struct uuid u;
    memcpy(u.b, h.b, sizeof u.b);
    return enc_uuid(a, &u);
}

typedef struct str form(struct arena *, int);
static form *const forms[] = {sequential, mac_like, uuid_like};

static int count_first(const struct alloc_input *in, form *id_of, int first, const char *scope)
{
    struct arena *a = arena_new();
    int n = 0;
    for (int i = 0; i < DEVICES; i++) {
        struct alloc_choice c;
        arena_reset(a);
        alloc_choose(a, in, str_of(scope), id_of(a, first + i), &c);
        n += c.hub == &in->hubs[0];
    }
    arena_free(a);
    return n;
}

static void shares_follow_weights(void **state)
{
    static const int weights[][2] = {{1, 1}, {3, 1}, {1, 1000}, {7, 5}};
    (void)state;
    for (size_t w = 0; w < sizeof weights / sizeof *weights; w++)
        for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
            struct alloc_hub hubs[2] = {hub("plant1.hub.d", weights[w][0]), hub("plant2.hub.d", weights[w][1])};
            struct alloc_input in = input(POLICY_HASHED, hubs, 2);
            int n = count_first(&in, forms[f], 4000 * (int)w, "0ne0000BEEF");
            double wanted = DEVICES * weights[w][0] / (double)(weights[w][0] + weights[w][1]);
            double off = n - wanted, chi = off * off / wanted + off * off / (DEVICES - wanted);
            print_message("    weights %d:%d, form %zu: %d of %d, chi-squared %.3f\n", weights[w][0], weights[w][1], f,
                          n, DEVICES, chi);
            assert_true(chi < CHI_SQUARED_MOST);
        }
}

static void scopes_draw_on_their_own(void **state)
{
    struct alloc_hub hubs[2] = {hub("plant1.hub.d", 1), hub("plant2.hub.d", 1)};
    struct alloc_input in = input(POLICY_HASHED, hubs, 2);
    int differ = 0;
    for (int i = 0; i < 1000; i++) {
        struct alloc_choice one, two;
        alloc_choose(*state, &in, STR("0ne00000001"), sequential(*state, i), &one);
        alloc_choose(*state, &in, STR("0ne00000002"), sequential(*state, i), &two);
        differ += one.hub != two.hub;
    }
    assert_in_range(differ, 400, 600);
}

/* Places of the chosen hubs by host, before and after a hub stands at the place `fresh`. */
static void least_movement(form *id_of, struct alloc_hub *before, size_t n, struct alloc_hub *after, size_t fresh,
                           double share)
{
    struct alloc_input old = input(POLICY_HASHED, before, n), new = input(POLICY_HASHED, after, n + 1);
    struct arena *a = arena_new();
    int moved = 0, astray = 0;
    for (int i = 0; i < DEVICES; i++) {
        arena_reset(a);
        struct str id = id_of(a, i);
        const struct alloc_hub *was = choose(a, &old, id.p).hub, *is = choose(a, &new, id.p).hub;
        moved += is == &after[fresh];
        astray += is != &after[fresh] && !str_same(is->host, was->host);
    }
    arena_free(a);
    print_message("    moved %.2f %%, between the old hubs %d\n", 100.0 * moved / DEVICES, astray);
    assert_int_equal(astray, 0);
    assert_true(fabs(moved / (double)DEVICES - share) < 0.02);
}

static void a_third_hub_takes_only_its_share(void **state)
{
    (void)state;
    struct alloc_hub two[] = {hub("plant1.hub.d", 1), hub("plant2.hub.d", 1)};
    struct alloc_hub last[] = {hub("plant1.hub.d", 1), hub("plant2.hub.d", 1), hub("plant3.hub.d", 1)};
    struct alloc_hub earlier[] = {hub("aplant.hub.d", 1), hub("plant1.hub.d", 1), hub("plant2.hub.d", 1)};
    for (size_t f = 0; f < sizeof forms / sizeof *forms; f++) {
        least_movement(forms[f], two, 2, last, 2, 1.0 / 3);
        least_movement(forms[f], two, 2, earlier, 0, 1.0 / 3);
    }
    struct alloc_hub uneven[] = {hub("plant1.hub.d", 3), hub("plant2.hub.d", 1)};
    struct alloc_hub heavy[] = {hub("plant1.hub.d", 3), hub("plant2.hub.d", 1), hub("plant3.hub.d", 4)};
    least_movement(sequential, uneven, 2, heavy, 2, 0.5);
}

static void more_weight_only_attracts(void **state)
{
    struct alloc_hub before[] = {hub("a", 1), hub("b", 1), hub("c", 1)},
                     after[] = {hub("a", 2), hub("b", 1), hub("c", 1)};
    struct alloc_input old = input(POLICY_HASHED, before, 3), new = input(POLICY_HASHED, after, 3);
    for (int i = 0; i < 2000; i++) {
        const char *id = sequential(*state, i).p;
        long was = choose(*state, &old, id).hub - before, is = choose(*state, &new, id).hub - after;
        assert_true(is == was || is == 0);
    }
}

static void case_of_ids_does_not_matter(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    struct alloc_input in = input(POLICY_HASHED, hubs, 3);
    for (int i = 0; i < 50; i++) {
        struct alloc_choice lower, upper;
        alloc_choose(*state, &in, STR("0ne0000beef"), arena_printf(*state, "dev-%d", i), &lower);
        alloc_choose(*state, &in, STR("0NE0000BEEF"), arena_printf(*state, "DEV-%d", i), &upper);
        assert_ptr_equal(lower.hub, upper.hub);
    }
}

/* The choices of version 1, as an independent computation with 50 digits made them: they may never change. */
static void choices_are_the_same_on_every_machine(void **state)
{
    static const char wanted[] = "3311121113311323211213113332132111111121112313121113221233231223";
    struct alloc_hub hubs[3] = {hub("plant1.hub.d", 3), hub("plant2.hub.d", 1), hub("plant3.hub.d", 2)};
    struct alloc_input in = input(POLICY_HASHED, hubs, 3);
    char got[65] = "";
    for (int i = 0; i < 64; i++)
        got[i] = (char)('1' + (choose(*state, &in, sequential(*state, i).p).hub - hubs));
    assert_string_equal(got, wanted);
}

static void odd_weights_are_bounded(void **state)
{
    struct alloc_hub odd[2] = {hub("a", -5), hub("b", 1 << 30)}, even[2] = {hub("a", 1), hub("b", WEIGHT_MOST)};
    struct alloc_input one = input(POLICY_HASHED, odd, 2), two = input(POLICY_HASHED, even, 2);
    for (int i = 0; i < 200; i++) {
        const char *id = sequential(*state, i).p;
        assert_int_equal(choose(*state, &one, id).hub - odd, choose(*state, &two, id).hub - even);
    }
}

static void inputs_go_round(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    hubs[0].host_name = STR("A.hub.d");
    hubs[1].apply = false;
    hubs[2].state = LINK_UNREACHABLE;
    hubs[2].p50_us = 1234;
    struct alloc_input in = input(POLICY_GEO_LATENCY, hubs, 3), back = {0};
    in.named = NAMED(STR("A.hub.d"), STR("c.hub.d"));
    struct str text = alloc_input_write(*state, &in);
    assert_text(text,
                "{\"version\":1,\"instancePolicy\":\"GeoLatency\",\"named\":[\"A.hub.d\",\"c.hub.d\"],\"region\":"
                "\"west\",\"hubs\":["
                "{\"host\":\"a.hub.d\",\"hostName\":\"A.hub.d\",\"weight\":1,\"apply\":true,\"state\":\"valid\"},"
                "{\"host\":\"b.hub.d\",\"hostName\":\"b.hub.d\",\"weight\":1,\"apply\":false,\"state\":\"valid\"},"
                "{\"host\":\"c.hub.d\",\"hostName\":\"c.hub.d\",\"weight\":1,\"apply\":true,\"state\":\"unreachable\","
                "\"p50Us\":1234}]}");
    assert_ok(alloc_input_read(*state, text, NULL, &back));
    assert_text(alloc_input_write(*state, &back), text.p);
    in.enrollment_policy =
        POLICY_HASHED; /* latencies do not count: they stay out, else each new figure were a new input */
    assert_null(strstr(alloc_input_write(*state, &in).p, "p50Us"));
}

static void an_unknown_version_is_not_guessed(void **state)
{
    struct alloc_input in;
    struct err_detail d;
    assert_err(alloc_input_read(*state, STR("{\"version\":2,\"named\":[],\"hubs\":[]}"), &d, &in), BAD_FIELD);
    assert_says(d, "version");
    assert_err(alloc_input_read(*state, STR("{\"named\":[],\"hubs\":[]}"), &d, &in), BAD_FIELD);
    assert_err(alloc_input_read(*state, STR("{\"version\":1,\"named\":[],\"hubs\":[{\"host\":\"a\"}]}"), &d, &in),
               BAD_FIELD);
    assert_says(d, "hubs[0].hostName is required");
    assert_err(alloc_input_read(*state, STR("nonsense"), &d, &in), BAD_JSON);
}

static void an_explanation_says_everything_and_stays(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    hubs[0].p50_us = 10000;
    hubs[1].p50_us = 12345;
    hubs[2].p50_us = 90001;
    struct alloc_input in = input(POLICY_GEO_LATENCY, hubs, 3), back = {0};
    struct str first = alloc_explain(*state, &in, STR("0ne0000BEEF"), STR("dev-1"), STR("c0ffee"));
    assert_ok(alloc_input_read(*state, alloc_input_write(*state, &in), NULL, &back));
    hubs[0].weight = 900; /* the world goes on; the stored input does not */
    hubs[2].p50_us = 1;
    assert_text(alloc_explain(*state, &back, STR("0ne0000BEEF"), STR("dev-1"), STR("c0ffee")), first.p);
    json_auto_t *v = NULL;
    assert_ok(json_read(first, NULL, &v));
    assert_string_equal(json_string_value(json_object_get(v, "rule")), "geoLatency-tie");
    assert_string_equal(json_string_value(json_object_get(v, "outcome")), "chosen");
    assert_string_equal(json_string_value(json_object_get(v, "inputHash")), "c0ffee");
    assert_string_equal(json_string_value(json_object_get(v, "assignedHub")),
                        choose(*state, &back, "dev-1").hub->host.p);
    assert_int_equal(json_array_size(json_object_get(v, "candidates")), 3);
    const json_t *far = json_array_get(json_object_get(v, "candidates"), 2);
    assert_true(json_is_false(json_object_get(far, "eligible")));
    assert_string_equal(json_string_value(json_object_get(far, "why")), "its latency is beyond the tie with the best");
    assert_non_null(strstr(first.p, "\"p50Ms\":90.001"));
    assert_non_null(strstr(
        first.p,
        "\"policy\":{\"instance\":\"GeoLatency\",\"enrollment\":null,\"effective\":\"geoLatency\",\"named\":[]}"));
}

static void an_explanation_of_no_choice(void **state)
{
    struct alloc_hub hubs[3];
    three_hubs(hubs);
    hubs[0].apply = false;
    hubs[1].state = LINK_ABSENT; /* not validated yet: pending */
    struct alloc_input in = input(POLICY_HASHED, hubs, 3);
    in.named = NAMED(STR("a.hub.d"), STR("x"));
    struct str text = alloc_explain(*state, &in, STR("s"), STR("d"), str_of(NULL));
    json_auto_t *v = NULL;
    assert_ok(json_read(text, NULL, &v));
    assert_true(json_is_null(json_object_get(v, "assignedHub")));
    assert_string_equal(json_string_value(json_object_get(v, "outcome")), "none");
    assert_non_null(strstr(text.p, "drained: applyAllocationPolicy is false"));
    assert_non_null(strstr(text.p, "\"state\":\"pending\",\"eligible\":false,\"why\":\"not named by the enrollment\""));
    assert_null(json_object_get(v, "inputHash"));
}

/* The fixed-point logarithm against the mathematics library, to the last shown place. */
static void scores_are_logarithms_over_weight(void **state)
{
    struct alloc_hub hubs[1] = {hub("a.hub.d", 7)};
    struct alloc_input in = input(POLICY_HASHED, hubs, 1);
    for (int i = 0; i < 500; i++) {
        struct str text = arena_printf(*state, "0ne0000beef\ndev-%d\na.hub.d", i);
        struct sha256 h = crypt_sha256((struct bytes){(const uint8_t *)text.p, text.n});
        double u = 0;
        for (int b = 0; b < 8; b++)
            u = u * 256 + h.b[b];
        struct str why =
            alloc_explain(*state, &in, STR("0ne0000BEEF"), arena_printf(*state, "dev-%d", i), str_of(NULL));
        double score = strtod(strstr(why.p, "\"score\":") + 8, NULL);
        assert_true(fabs(score - (64 - log2(u)) / 7) < 0.0000011);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(one_named_hub_wins_under_every_policy),
        UNIT(static_needs_a_name),
        UNIT(the_policy_in_force),
        UNIT(only_named_hubs_are_chosen),
        UNIT(nothing_to_choose_from_is_said_plainly),
        UNIT(drained_hubs_get_nothing),
        UNIT(hubs_that_may_return_are_waited_for),
        UNIT(a_choice_on_a_pending_link_waits),
        UNIT(a_wait_knows_all_its_hubs),
        UNIT(the_nearest_hub_wins),
        UNIT(hubs_equally_near_share_by_weight),
        UNIT(without_figures_it_is_openly_hashed),
        UNIT(shares_follow_weights),
        UNIT(scopes_draw_on_their_own),
        UNIT(a_third_hub_takes_only_its_share),
        UNIT(more_weight_only_attracts),
        UNIT(case_of_ids_does_not_matter),
        UNIT(choices_are_the_same_on_every_machine),
        UNIT(odd_weights_are_bounded),
        UNIT(inputs_go_round),
        UNIT(an_unknown_version_is_not_guessed),
        UNIT(an_explanation_says_everything_and_stays),
        UNIT(an_explanation_of_no_choice),
        UNIT(scores_are_logarithms_over_weight),
    };
    return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
