/* alloc.c: which hub a device gets. A pure function: it must never look at a clock, a socket or a table, nor use
 * floating point, so that the same input gives the same hub and the same explanation on every machine and at any later
 * time.
 *
 * Hashed: each candidate draws u in (0, 1] from SHA-256(scope, registration id, host) and the least -log2(u) / weight
 * wins (weighted rendezvous). A hub's share is its weight's share, and since no draw depends on another hub, a new hub
 * takes only the devices that it wins and moves none between the others. */
#include "alloc.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

enum { LOG_BITS = 44, TIE_US = 5000, TIE_PERCENT = 10, SENTENCE_HUBS = 3 };

/* How a hub stands in this choice. */
enum fit {
    FIT_CANDIDATE,
    FIT_TOO_FAR,   /* geoLatency: others are nearer */
    FIT_NO_FIGURE, /* geoLatency: others have a fresh figure, this one has none */
    FIT_UNREACHABLE,
    FIT_INVALID,
    FIT_DRAINED,
    FIT_NOT_NAMED,
};

static const char *const fit_words[] = {
    [FIT_CANDIDATE] = "candidate",
    [FIT_TOO_FAR] = "its latency is beyond the tie with the best",
    [FIT_NO_FIGURE] = "no fresh latency figure",
    [FIT_UNREACHABLE] = "unreachable",
    [FIT_INVALID] = "invalid",
    [FIT_DRAINED] = "drained: applyAllocationPolicy is false",
    [FIT_NOT_NAMED] = "not named by the enrollment",
};

/* One choice while it is made. */
struct view {
    struct arena *arena;
    const struct alloc_input *in;
    struct str device; /* scope and registration id, lower case, a newline after each */
    int policy;
    enum fit *fits;  /* one per hub */
    int64_t best_us; /* geoLatency: p50 of the nearest candidate, 0: no figures */
};

static bool is_named(const struct alloc_input *in, struct str host)
{
    for (size_t i = 0; i < in->named.n; i++)
        if (str_same_nocase(in->named.at[i], host))
            return true;
    return false;
}

static const struct alloc_hub *hub_of(const struct alloc_input *in, struct str host)
{
    for (size_t i = 0; i < in->hub_count; i++)
        if (str_same_nocase(in->hubs[i].host, host))
            return &in->hubs[i];
    return NULL;
}

/* True when the enrollment names one hub, be it twice. */
static bool names_one(const struct alloc_input *in)
{
    for (size_t i = 1; i < in->named.n; i++)
        if (!str_same_nocase(in->named.at[i], in->named.at[0]))
            return false;
    return in->named.n > 0;
}

int alloc_effective_policy(const struct alloc_input *in)
{
    if (in->enrollment_policy != POLICY_ABSENT)
        return in->enrollment_policy;
    if (names_one(in))
        return POLICY_STATIC;
    return in->instance_policy != POLICY_ABSENT ? in->instance_policy : POLICY_HASHED;
}

static enum fit fit_of(const struct alloc_input *in, const struct alloc_hub *hub)
{
    if (in->named.n && !is_named(in, hub->host))
        return FIT_NOT_NAMED;
    if (!hub->apply)
        return FIT_DRAINED;
    if (hub->state == LINK_UNREACHABLE)
        return FIT_UNREACHABLE;
    return hub->state == LINK_INVALID ? FIT_INVALID : FIT_CANDIDATE;
}

static size_t count_fit(const struct view *v, enum fit fit)
{
    size_t n = 0;
    for (size_t i = 0; i < v->in->hub_count; i++)
        n += v->fits[i] == fit;
    return n;
}

/* Hubs whose latency lies within max(5 ms, 10 %) of the best stay candidates; without any figure all do. */
static void keep_nearest(struct view *v)
{
    const struct alloc_hub *hubs = v->in->hubs;
    for (size_t i = 0; i < v->in->hub_count; i++)
        if (v->fits[i] == FIT_CANDIDATE && hubs[i].p50_us > 0 && (!v->best_us || hubs[i].p50_us < v->best_us))
            v->best_us = hubs[i].p50_us;
    if (!v->best_us)
        return;
    int64_t share_us = v->best_us / 100 * TIE_PERCENT + v->best_us % 100 * TIE_PERCENT / 100;
    int64_t limit_us = v->best_us + (share_us > TIE_US ? share_us : TIE_US);
    for (size_t i = 0; i < v->in->hub_count; i++) {
        if (v->fits[i] != FIT_CANDIDATE)
            continue;
        if (hubs[i].p50_us <= 0)
            v->fits[i] = FIT_NO_FIGURE;
        else if (hubs[i].p50_us > limit_us)
            v->fits[i] = FIT_TOO_FAR;
    }
}

static struct view look(struct arena *a, const struct alloc_input *in, struct str id_scope, struct str registration_id)
{
    struct str device = arena_printf(a, "%.*s\n%.*s\n", STR_ARG(id_scope), STR_ARG(registration_id));
    struct view v = {.arena = a, .in = in, .device = arena_lower(a, device), .policy = alloc_effective_policy(in)};
    v.fits = ARENA_NEW_ARRAY(a, in->hub_count, enum fit);
    for (size_t i = 0; i < in->hub_count; i++)
        v.fits[i] = fit_of(in, &in->hubs[i]);
    if (v.policy == POLICY_GEO_LATENCY)
        keep_nearest(&v);
    return v;
}

/* -log2(u / 2^64) with LOG_BITS binary places, by squaring the mantissa once per place; u = 0 counts as 1. */
static uint64_t minus_log2(uint64_t u)
{
    u = u ? u : 1;
    int whole = 63 - __builtin_clzll(u);
    uint64_t mantissa = u << (63 - whole); /* in [1, 2), 63 binary places */
    uint64_t log = (uint64_t)whole << LOG_BITS;
    for (int bit = LOG_BITS - 1; bit >= 0; bit--) {
        unsigned __int128 square = (unsigned __int128)mantissa * mantissa; /* in [1, 4), 126 places */
        unsigned over = (unsigned)(square >> 127); /* no branch: it would be mispredicted every other time */
        log |= (uint64_t)over << bit;
        mantissa = (uint64_t)(square >> (63 + over));
    }
    return (UINT64_C(64) << LOG_BITS) - log;
}

static uint64_t weight_of(const struct alloc_hub *hub)
{
    if (hub->weight < 1)
        return 1;
    return hub->weight > WEIGHT_MOST ? WEIGHT_MOST : (uint64_t)hub->weight;
}

static uint64_t draw(const struct view *v, const struct alloc_hub *hub)
{
    struct text t;
    text_init(&t, v->arena, v->device.n + hub->host.n);
    text_add(&t, v->device);
    text_add(&t, hub->host);
    struct sha256 hash = crypt_sha256(text_bytes(&t));
    uint64_t u = 0;
    for (int i = 0; i < 8; i++)
        u = u << 8 | hash.b[i];
    return minus_log2(u);
}

_Static_assert(WEIGHT_MOST < 1 << 10, "a draw times a weight fits 64 bits");

/* The candidate with the least draw per weight; of equals the first by host. A draw is below 2^51 and a weight below
 * 2^10, so comparing crosswise cannot overflow. */
static const struct alloc_hub *hashed(const struct view *v)
{
    const struct alloc_hub *best = NULL;
    uint64_t best_draw = 0;
    for (size_t i = 0; i < v->in->hub_count; i++) {
        const struct alloc_hub *hub = &v->in->hubs[i];
        if (v->fits[i] != FIT_CANDIDATE)
            continue;
        uint64_t mine = draw(v, hub);
        if (best && mine * weight_of(best) >= best_draw * weight_of(hub))
            continue;
        best = hub;
        best_draw = mine;
    }
    return best;
}

static void add_name(struct text *t, size_t place, struct str name)
{
    if (place < SENTENCE_HUBS)
        text_printf(t, "%s%.*s", place ? ", " : "", STR_ARG(name));
}

static void add_more(struct text *t, size_t count)
{
    if (count > SENTENCE_HUBS)
        text_printf(t, " and %zu more", count - SENTENCE_HUBS);
}

/* The hubs of one fit, for a sentence. */
static const char *hubs_that(const struct view *v, enum fit fit)
{
    struct text t;
    size_t n = 0;
    text_init(&t, v->arena, 128);
    for (size_t i = 0; i < v->in->hub_count; i++)
        if (v->fits[i] == fit)
            add_name(&t, n++, v->in->hubs[i].host_name);
    add_more(&t, n);
    return text_str(&t).p;
}

/* The hubs that the enrollment names and nobody linked. */
static const char *unlinked(const struct view *v, size_t *ret_count)
{
    struct text t;
    size_t n = 0;
    text_init(&t, v->arena, 128);
    for (size_t i = 0; i < v->in->named.n; i++)
        if (!hub_of(v->in, v->in->named.at[i]))
            add_name(&t, n++, v->in->named.at[i]);
    add_more(&t, n);
    *ret_count = n;
    return text_str(&t).p;
}

/* All hosts that a choice waits for: a sentence names only a few. They are hubs of one instance. */
static_assert((int)LINKS_MOST <= (int)WAITS_FOR_MOST, "a job may wait for all hubs of its instance");
static struct str_list hosts_away(const struct view *v)
{
    struct str_list hosts = {ARENA_NEW_ARRAY(v->arena, v->in->hub_count, struct str), 0, true};
    for (size_t i = 0; i < v->in->hub_count; i++)
        if (v->fits[i] == FIT_UNREACHABLE || v->fits[i] == FIT_INVALID)
            hosts.at[hosts.n++] = v->in->hubs[i].host;
    return hosts;
}

static struct str_list only(const struct view *v, struct str host)
{
    struct str_list hosts = {ARENA_NEW_ARRAY(v->arena, 1, struct str), 1, true};
    hosts.at[0] = host;
    return hosts;
}

#define SAY(v, ...) arena_printf((v)->arena, __VA_ARGS__)

static struct alloc_choice none(const char *rule, struct str sentence)
{
    return (struct alloc_choice){.outcome = ALLOC_NONE, .rule = rule, .sentence = sentence};
}

/* Nothing that a hub's return could mend: the configuration leaves no hub. */
static struct alloc_choice explain_none(const struct view *v)
{
    size_t missing;
    const char *names = unlinked(v, &missing);
    size_t drained = count_fit(v, FIT_DRAINED);
    if (missing && drained)
        return none("none-usable", SAY(v, "The enrollment names hubs that are not linked (%s) or drained (%s).", names,
                                       hubs_that(v, FIT_DRAINED)));
    if (missing)
        return none("not-linked", SAY(v, "The enrollment names hubs that are not linked: %s.", names));
    if (drained)
        return none("drained", SAY(v, "Every hub that could be chosen is drained: %s.", hubs_that(v, FIT_DRAINED)));
    return none("no-hub", SAY(v, "No hub is linked to this instance."));
}

/* No candidate at the moment, or none at all. */
static struct alloc_choice without_candidate(const struct view *v)
{
    if (count_fit(v, FIT_UNREACHABLE))
        return (struct alloc_choice){
            ALLOC_WAIT, NULL, "unreachable",
            SAY(v, "Waiting for a hub that does not answer: %s.", hubs_that(v, FIT_UNREACHABLE)), hosts_away(v)};
    if (count_fit(v, FIT_INVALID))
        return (struct alloc_choice){
            ALLOC_ALL_INVALID, NULL, "invalid",
            SAY(v, "Every hub that could be chosen is invalid: %s.", hubs_that(v, FIT_INVALID)), hosts_away(v)};
    return explain_none(v);
}

static const char *rule_of(const struct view *v, size_t candidates)
{
    if (v->policy == POLICY_STATIC)
        return "named";
    if (v->policy == POLICY_HASHED)
        return "hashed";
    if (!v->best_us)
        return "geoLatency-no-data";
    return candidates > 1 ? "geoLatency-tie" : "geoLatency";
}

static struct str sentence_of(const struct view *v, const struct alloc_hub *hub, size_t candidates)
{
    struct str name = hub->host_name;
    if (v->policy == POLICY_STATIC)
        return SAY(v, "The enrollment names %.*s.", STR_ARG(name));
    if (v->policy == POLICY_HASHED)
        return SAY(v, "%.*s wins the weighted hash among %zu candidates.", STR_ARG(name), candidates);
    if (!v->best_us)
        return SAY(v, "No fresh latency figure of region %.*s: %.*s wins the weighted hash among %zu candidates.",
                   STR_ARG(v->in->region), STR_ARG(name), candidates);
    if (candidates > 1)
        return SAY(v, "%zu hubs are equally near to region %.*s: %.*s wins the weighted hash among them.", candidates,
                   STR_ARG(v->in->region), STR_ARG(name));
    return SAY(v, "%.*s is nearest to region %.*s (p50 %" PRId64 " us).", STR_ARG(name), STR_ARG(v->in->region),
               hub->p50_us);
}

static struct alloc_choice choose(const struct view *v)
{
    if (v->policy == POLICY_STATIC && !names_one(v->in))
        return none("static-without-hub", SAY(v, "The policy is static: name one hub on the enrollment."));
    if (v->policy == POLICY_CUSTOM)
        return none("custom", SAY(v, "custom allocation is not offered yet"));
    size_t candidates = count_fit(v, FIT_CANDIDATE);
    if (!candidates)
        return without_candidate(v);
    const struct alloc_hub *hub = hashed(v);
    if (hub->state == LINK_PENDING || hub->state == LINK_ABSENT)
        return (struct alloc_choice){
            ALLOC_WAIT, NULL, "pending",
            SAY(v, "The choice falls on %.*s, which waits for its first validation.", STR_ARG(hub->host_name)),
            only(v, hub->host)};
    return (struct alloc_choice){
        .outcome = ALLOC_CHOSEN,
        .hub = hub,
        .rule = rule_of(v, candidates),
        .sentence = sentence_of(v, hub, candidates),
    };
}

void alloc_choose(struct arena *a, const struct alloc_input *in, struct str id_scope, struct str registration_id,
                  struct alloc_choice *ret)
{
    struct view v = look(a, in, id_scope, registration_id);
    *ret = choose(&v);
}

/* The stored form: the same facts with the kinds that codec tables know. */
struct stored_hub {
    struct str host, host_name;
    struct opt_i64 weight;
    enum tri apply;
    int state;
    struct opt_i64 p50_us;
};
static const struct codec stored_hub_codec[] = {
    CODEC_TEXT(struct stored_hub, host, "host", HOST_MOST, CODEC_MUST),
    CODEC_TEXT(struct stored_hub, host_name, "hostName", HOST_MOST, CODEC_MUST),
    CODEC_I64(struct stored_hub, weight, "weight", WEIGHT_LEAST, WEIGHT_MOST, CODEC_MUST),
    CODEC_BOOL(struct stored_hub, apply, "apply", CODEC_MUST),
    CODEC_WORD(struct stored_hub, state, "state", link_state_words, CODEC_MUST),
    CODEC_I64(struct stored_hub, p50_us, "p50Us", 1, INT64_MAX, 0),
    CODEC_END,
};

struct stored_input {
    struct opt_i64 version;
    int instance_policy, enrollment_policy;
    struct str_list named;
    struct str region;
    struct obj_list hubs;
};
static const struct codec stored_input_codec[] = {
    CODEC_I64(struct stored_input, version, "version", 1, ALLOC_VERSION, CODEC_MUST),
    CODEC_WORD(struct stored_input, instance_policy, "instancePolicy", instance_policy_words, 0),
    CODEC_WORD(struct stored_input, enrollment_policy, "enrollmentPolicy", policy_words, 0),
    CODEC_TEXTS(struct stored_input, named, "named", LINKS_MOST + 1, CODEC_MUST),
    CODEC_TEXT(struct stored_input, region, "region", REGION_MOST, 0),
    CODEC_OBJECTS(struct stored_input, hubs, "hubs", stored_hub_codec, struct stored_hub, LINKS_MOST, CODEC_MUST),
    CODEC_END,
};

static struct stored_hub store_hub(const struct alloc_hub *hub, bool with_latency)
{
    return (struct stored_hub){
        .host = hub->host,
        .host_name = hub->host_name,
        .weight = {true, (int64_t)weight_of(hub)},
        .apply = hub->apply ? TRI_TRUE : TRI_FALSE,
        .state = hub->state != LINK_ABSENT ? hub->state : LINK_PENDING,
        .p50_us = {with_latency && hub->p50_us > 0, hub->p50_us},
    };
}

struct str alloc_input_write(struct arena *a, const struct alloc_input *in)
{
    struct stored_hub *hubs = ARENA_NEW_ARRAY(a, in->hub_count, struct stored_hub);
    for (size_t i = 0; i < in->hub_count; i++)
        hubs[i] = store_hub(&in->hubs[i], alloc_effective_policy(in) == POLICY_GEO_LATENCY);
    struct stored_input stored = {
        .version = {true, in->version},
        .instance_policy = in->instance_policy,
        .enrollment_policy = in->enrollment_policy,
        .named = {in->named.at, in->named.n, true},
        .region = in->region,
        .hubs = {hubs, in->hub_count, true},
    };
    struct text t;
    text_init(&t, a, 256 + in->hub_count * 128);
    codec_encode(&t, stored_input_codec, &stored);
    return text_str(&t);
}

err_t alloc_input_read(struct arena *a, struct str text, struct err_detail *d, struct alloc_input *ret)
{
    struct stored_input stored = {0};
    TRY(codec_read(a, stored_input_codec, CODEC_KEEP_UNKNOWN, text, &stored, d));
    const struct stored_hub *from = stored.hubs.at;
    struct alloc_hub *hubs = ARENA_NEW_ARRAY(a, stored.hubs.n, struct alloc_hub);
    for (size_t i = 0; i < stored.hubs.n; i++)
        hubs[i] = (struct alloc_hub){from[i].host,  from[i].host_name, (int)from[i].weight.n, from[i].apply == TRI_TRUE,
                                     from[i].state, from[i].p50_us.n};
    *ret = (struct alloc_input){
        .version = (int)stored.version.n,
        .instance_policy = stored.instance_policy,
        .enrollment_policy = stored.enrollment_policy,
        .named = stored.named,
        .region = stored.region,
        .hubs = hubs,
        .hub_count = stored.hubs.n,
    };
    return NULL;
}

/* Draw per weight with six decimal places: the least among the candidates wins. */
static void add_score(struct text *t, const struct view *v, const struct alloc_hub *hub)
{
    unsigned __int128 millionths = (unsigned __int128)draw(v, hub) * 1000000 / weight_of(hub) >> LOG_BITS;
    json_member(t, "score");
    text_printf(t, "%" PRIu64 ".%06" PRIu64, (uint64_t)(millionths / 1000000), (uint64_t)(millionths % 1000000));
}

static void add_candidate(struct text *t, const struct view *v, size_t i)
{
    const struct alloc_hub *hub = &v->in->hubs[i];
    if (i)
        text_add_char(t, ',');
    text_add_char(t, '{');
    json_member_text(t, "host", hub->host_name);
    json_member_i64(t, "weight", (int64_t)weight_of(hub));
    json_member_text(t, "state", str_of(link_state_words[hub->state != LINK_ABSENT ? hub->state - 1 : 0]));
    json_member_bool(t, "eligible", v->fits[i] == FIT_CANDIDATE);
    json_member_text(t, "why", str_of(fit_words[v->fits[i]]));
    if (v->fits[i] == FIT_CANDIDATE && v->policy != POLICY_STATIC)
        add_score(t, v, hub);
    if (v->policy == POLICY_GEO_LATENCY && hub->p50_us > 0) {
        json_member(t, "p50Ms");
        text_printf(t, "%" PRId64 ".%03d", hub->p50_us / 1000, (int)(hub->p50_us % 1000));
    }
    text_add_char(t, '}');
}

static void add_word(struct text *t, const char *name, const char *const *words, int value)
{
    json_member(t, name);
    json_text(t, value ? str_of(words[value - 1]) : (struct str){NULL, 0});
}

static void add_policy(struct text *t, const struct view *v)
{
    json_member(t, "policy");
    text_add_char(t, '{');
    add_word(t, "instance", instance_policy_words, v->in->instance_policy);
    add_word(t, "enrollment", policy_words, v->in->enrollment_policy);
    add_word(t, "effective", policy_words, v->policy);
    json_member(t, "named");
    text_add_char(t, '[');
    for (size_t i = 0; i < v->in->named.n; i++) {
        if (i)
            text_add_char(t, ',');
        json_text(t, v->in->named.at[i]);
    }
    text_add(t, STR("]}"));
}

struct str alloc_explain(struct arena *a, const struct alloc_input *in, struct str id_scope, struct str registration_id,
                         struct str input_hash_hex)
{
    static const char *const outcomes[] = {"chosen", "waiting", "allInvalid", "none"};
    struct view v = look(a, in, id_scope, registration_id);
    struct alloc_choice choice = choose(&v);
    struct text t;
    text_init(&t, a, 1024 + in->hub_count * 256);
    text_add_char(&t, '{');
    json_member_text(&t, "registrationId", registration_id);
    json_member_text(&t, "idScope", id_scope);
    json_member(&t, "assignedHub");
    json_text(&t, choice.hub ? choice.hub->host_name : (struct str){NULL, 0});
    json_member_text(&t, "outcome", str_of(outcomes[choice.outcome]));
    json_member_text(&t, "rule", str_of(choice.rule));
    json_member_text(&t, "sentence", choice.sentence);
    add_policy(&t, &v);
    json_member_text(&t, "region", in->region);
    json_member(&t, "candidates");
    text_add_char(&t, '[');
    for (size_t i = 0; i < in->hub_count; i++)
        add_candidate(&t, &v, i);
    text_add_char(&t, ']');
    json_member_text(&t, "inputHash", input_hash_hex);
    json_member_i64(&t, "algorithmVersion", in->version);
    text_add_char(&t, '}');
    return text_str(&t);
}
