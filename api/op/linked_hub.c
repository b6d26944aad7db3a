/* linked_hub.c: linked hubs as resources of their own (decisions.md 10), with what the workers found out about them:
 * state, reason, latencies. What a body makes of a link is links.c's, as for the array of the instance: the two must
 * never differ. */
#include "api/op/instance.h"
#include "api/op/links.h"
#include "api/op/op.h"
#include "api/op/resource_codec.h"
#include "api/shared.h"
#include "core/limits.h"
#include "core/word.h"

/* --- on the wire -------------------------------------------------------------------------------------------------- */

struct latency {
    struct str region;
    int64_t measured_us;
    struct str p50_ms, p95_ms; /* JSON numbers */
    struct opt_i64 count, age_s;
};
struct linked_hub {
    struct str host_name, hub_resource_id, access_policy, location, connection_string, secondary;
    struct opt_i64 weight;
    enum tri apply;
    int state; /* enum link_state */
    struct str reason, warning;
    int64_t state_since_us, last_good_us;
    struct obj_list latency; /* struct latency */
};

#define L_ struct latency
static const struct codec latency_codec[] = {
    CODEC_TEXT(L_, region, "region", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_JSON(L_, p50_ms, "p50Ms", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_JSON(L_, p95_ms, "p95Ms", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_I64(L_, count, "count", 0, INT64_MAX, CODEC_OUT),
    CODEC_TIME(L_, measured_us, "measuredAt"),
    CODEC_I64(L_, age_s, "ageSeconds", 0, INT64_MAX, CODEC_OUT),
    CODEC_END,
};
#undef L_

#define L_ struct linked_hub
static const struct codec properties_codec[] = {
    CODEC_TEXT(L_, host_name, "hostName", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(L_, hub_resource_id, "hubResourceId", RESOURCE_URL_MAX, 0),
    CODEC_TEXT(L_, access_policy, "accessPolicy", RESOURCE_TEXT_MAX, 0),
    CODEC_TEXT(L_, location, "location", RESOURCE_TEXT_MAX, 0),
    CODEC_TEXT(L_, connection_string, "connectionString", CONNECTION_MAX, 0),
    CODEC_TEXT(L_, secondary, "secondaryConnectionString", CONNECTION_MAX, 0),
    CODEC_I64(L_, weight, "allocationWeight", WEIGHT_UNSET, WEIGHT_MOST, CODEC_NULL),
    CODEC_BOOL(L_, apply, "applyAllocationPolicy", CODEC_NULL),
    CODEC_WORD(L_, state, "state", link_state_words, CODEC_OUT),
    CODEC_TEXT(L_, reason, "reason", RESOURCE_URL_MAX, CODEC_OUT | CODEC_NULL),
    CODEC_TEXT(L_, warning, "warning", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TIME(L_, state_since_us, "stateSince"),
    CODEC_TIME(L_, last_good_us, "lastGood"),
    CODEC_OBJECTS(L_, latency, "latency", latency_codec, struct latency, 0, CODEC_OUT),
    CODEC_END,
};
#undef L_

static const struct codec resource_codec[] = {
    RESOURCE_ROWS,
    CODEC_TEXT(struct resource, etag, "etag", RESOURCE_TEXT_MAX, CODEC_OUT),
    PROPERTIES_ROW,
    CODEC_OBJECT(struct resource, properties_in, "properties", properties_codec, struct linked_hub,
                 CODEC_IN | CODEC_MUST),
    CODEC_END,
};

/* --- reading ------------------------------------------------------------------------------------------------------ */

struct linked_list {
    struct str instance_id;
    struct instance_row instance;
    struct latency_row *latencies;
    size_t latency_count;
    struct linked_elsewhere *elsewhere;
    size_t elsewhere_count;
};

static err_t find_instance(struct call *r, struct linked_list *ret)
{
    struct arm_target t;
    const struct instance_row *row = &ret->instance;
    TRY(instance_named(r, &t, &ret->instance));
    ret->instance_id = arm_resource_id(r->arena, &row->is.subscription_id, row->is.group,
                                       "Microsoft.Devices/ProvisioningServices", row->is.name);
    struct str *hosts = ARENA_NEW_ARRAY(r->arena, row->link_count, struct str);
    for (size_t i = 0; i < row->link_count; i++)
        hosts[i] = row->links[i].host;
    TRY(db_linked_elsewhere(r->db, r->arena, &t.find.at.tenant_id, row->id_scope,
                            id_hub_host(r->arena, STR(""), r->cfg->domain), &ret->elsewhere, &ret->elsewhere_count));
    return db_linked_latency(r->db, r->arena, hosts, row->link_count, &ret->latencies, &ret->latency_count);
}

static struct str milliseconds(struct arena *a, int64_t us)
{
    return arena_printf(a, "%lld.%03lld", (long long)(us / 1000), (long long)(us % 1000));
}

static struct obj_list latencies_of(struct call *r, const struct linked_list *l, struct str host)
{
    struct latency *at = ARENA_NEW_ARRAY(r->arena, l->latency_count, struct latency);
    size_t n = 0;
    for (size_t i = 0; i < l->latency_count; i++) {
        const struct latency_row *row = &l->latencies[i];
        int64_t age_s = (r->now_us - row->measured_us) / 1000000;
        if (!str_same(row->host, host))
            continue;
        at[n++] = (struct latency){row->region,
                                   row->measured_us,
                                   milliseconds(r->arena, row->p50_us),
                                   milliseconds(r->arena, row->p95_us),
                                   {true, row->count},
                                   {true, age_s > 0 ? age_s : 0}};
    }
    return (struct obj_list){at, n, true};
}

/* decisions.md 28; absent: nobody else links the hub, or none that this tenant may know of. */
static struct str warning_of(struct call *r, const struct linked_list *l, struct str host)
{
    const struct linked_elsewhere *e = NULL;
    struct text out;
    for (size_t i = 0; i < l->elsewhere_count && !e; i++)
        e = str_same(l->elsewhere[i].host, host) ? &l->elsewhere[i] : NULL;
    if (!e || !(e->instances.n || e->by_others))
        return (struct str){NULL, 0};
    text_init(&out, r->arena, 256);
    text_add(&out, STR("The hub is linked by more than one instance, and a device id on it belongs to the first that "
                       "assigns it:"));
    for (size_t i = 0; i < e->instances.n; i++)
        text_printf(&out, "%s %.*s", i ? "," : "", STR_ARG(e->instances.at[i]));
    if (e->by_others)
        text_printf(&out, "%s others that are not of this tenant", e->instances.n ? "," : "");
    text_add_char(&out, '.');
    return text_str(&out);
}

static void write_linked(struct call *r, const struct linked_list *l, const struct linked_row *row, struct text *out)
{
    struct link_entry e = links_entry(r, row);
    struct linked_hub properties = {
        .host_name = e.host_name,
        .hub_resource_id = e.hub_resource_id,
        .access_policy = e.access_policy,
        .location = e.location,
        .connection_string = e.connection_string,
        .secondary = links_second(r, row),
        .weight = e.weight,
        .apply = e.apply,
        .state = row->state,
        .reason = row->reason,
        .warning = warning_of(r, l, row->host),
        .state_since_us = row->state_since_us,
        .last_good_us = row->last_good_us,
        .latency = latencies_of(r, l, row->host),
    };
    struct resource res = {
        .id = arena_printf(r->arena, "%s/linkedHubs/%.*s", l->instance_id.p, STR_ARG(row->host_name)),
        .name = row->host_name,
        .type = STR("Microsoft.Devices/ProvisioningServices/linkedHubs"),
        .etag = arm_etag(r->arena, &row->etag),
        .properties = resource_join(r->arena, properties_codec, &properties, STR("{}")),
    };
    codec_encode(out, resource_codec, &res);
}

err_t op_linked_hub_list(struct call *r)
{
    struct linked_list l = {0};
    struct text out;
    TRY(find_instance(r, &l));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < l.instance.link_count; i++) {
        arm_list_item(&out);
        write_linked(r, &l, &l.instance.links[i], &out);
    }
    return arm_list_end(r, &out, (struct str){NULL, 0});
}

static err_t no_such_link(struct call *r)
{
    return call_fail(r, E(RESOURCE_NOT_FOUND), "The instance has no linked hub of this host name.");
}

static err_t reply_link(struct call *r, int status)
{
    struct linked_list l = {0};
    struct text out;
    TRY(find_instance(r, &l));
    for (size_t i = 0; i < l.instance.link_count; i++) {
        if (!str_same_nocase(l.instance.links[i].host, r->segments[SEGMENT_HOST]))
            continue;
        text_init(&out, r->arena, 1024);
        write_linked(r, &l, &l.instance.links[i], &out);
        return call_reply(r, status, text_str(&out));
    }
    return no_such_link(r);
}

err_t op_linked_hub_get(struct call *r)
{
    return reply_link(r, 200);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* A change of one link, in one transaction with what it is made of. */
struct change {
    struct call *r;
    struct arm_target target;
    const struct linked_hub *sent; /* NULL: the link goes */
    struct str id_scope;
    struct link_plan plan;
};

static err_t plan(struct db *db, struct change *c, struct str location)
{
    struct str host = c->r->segments[SEGMENT_HOST];
    const struct linked_hub *sent = c->sent;
    if (!sent)
        return links_plan_without(c->r, db, c->id_scope, host, &c->plan);
    const struct link_body body = {
        .id_scope = c->id_scope,
        .host = host,
        .entry = {.hub_resource_id = sent->hub_resource_id,
                  .access_policy = sent->access_policy,
                  .connection_string = sent->connection_string,
                  .location = sent->location,
                  .weight = sent->weight,
                  .apply = sent->apply},
        .secondary = sent->secondary,
        .default_location = location,
    };
    return links_plan_one(c->r, db, &body, &c->plan);
}

/* For the event. */
static const char *what_was_done(const struct change *c)
{
    if (!c->sent)
        return "deleted";
    if (!c->plan.there)
        return "created";
    return c->plan.differs ? "updated" : "unchanged";
}

/* What shows the link is another one with it: the instance, and what was checked against that. */
static err_t change_work(struct db *db, void *context)
{
    struct change *c = context;
    struct arena *a = c->r->arena;
    struct instance_locked instance = {0};
    const struct uuid *tenant = &c->target.find.at.tenant_id;
    TRY(instance_hold(c->r, db, &c->target, &instance));
    c->id_scope = instance.id_scope;
    TRY(plan(db, c, instance.location));
    TRY(links_write(c->r, db, c->id_scope, &c->plan));
    if (!c->sent && !c->plan.there)
        return NULL;
    TRY(db_linked_note(db, a, tenant, c->id_scope, arena_lower(a, c->r->segments[SEGMENT_HOST]), what_was_done(c),
                       c->plan.differs));
    return c->plan.differs ? db_scope_touch(db, a, c->id_scope, c->plan.inputs_changed) : NULL;
}

static err_t change(struct change *c)
{
    struct call *r = c->r;
    TRY(arm_resource(r, &c->target));
    TRY(db_tx(r->db, change_work, c));
    gate_forget_instance(r->shared->gate, c->id_scope, c->target.find.name_key);
    return NULL;
}

err_t op_linked_hub_put(struct call *r)
{
    static const struct linked_hub nothing;
    struct resource body = {0};
    struct change c = {.r = r};
    TRY(call_decode(r, resource_codec, CODEC_NO_CASE, &body));
    c.sent = body.properties_in ? body.properties_in : &nothing;
    TRY(change(&c));
    return reply_link(r, c.plan.there ? 200 : 201);
}

err_t op_linked_hub_delete(struct call *r)
{
    struct change c = {.r = r};
    TRY(change(&c));
    links_tell_named(r, c.id_scope, &c.plan);
    return call_reply_empty(r, 204);
}

/* --- who names it ------------------------------------------------------------------------------------------------- */

enum { NAMED_KEY_MAX = 160 }; /* a word and an id */

struct named {
    struct str registration_id, group_id; /* either */
    struct str status;
};
static const struct codec named_codec[] = {
    CODEC_TEXT(struct named, registration_id, "registrationId", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(struct named, group_id, "enrollmentGroupId", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(struct named, status, "provisioningStatus", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_END,
};

static void write_named(const struct linked_named *row, struct text *out)
{
    struct named n = {.status = word_text(provisioning_status_words, row->enabled ? 1 : 2)};
    if (row->of_group)
        n.group_id = row->registration_id;
    else
        n.registration_id = row->registration_id;
    arm_list_item(out);
    codec_encode(out, named_codec, &n);
}

static err_t read_page(struct call *r, struct linked_named_page *ret)
{
    struct arm_target t;
    struct instance_row row;
    TRY(instance_named(r, &t, &row));
    ret->tenant_id = t.find.at.tenant_id;
    ret->id_scope = row.id_scope;
    if (!id_host_valid(r->segments[SEGMENT_HOST]))
        return no_such_link(r);
    ret->host = arena_lower(r->arena, r->segments[SEGMENT_HOST]);
    return arm_page_by_key(r, NAMED_KEY_MAX, &ret->after, &ret->most);
}

/* Of a host that is not linked, too: what still names it has no hub to go to. */
err_t op_linked_hub_enrollments(struct call *r)
{
    struct linked_named_page page = {.most = 0};
    struct linked_named *rows;
    size_t count;
    bool more;
    struct text out;
    TRY(read_page(r, &page));
    TRY(db_linked_named(r->db, r->arena, &page, &rows, &count, &more));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++)
        write_named(&rows[i], &out);
    return arm_list_end(r, &out, more ? rows[count - 1].key : (struct str){NULL, 0});
}
