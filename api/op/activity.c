/* activity.c: who changed what, as the tenant reads it: the management events of a subscription in their standard form
 * (EventData of Microsoft.Insights), newest first; and all of a tenant's events as they were sealed, in lines of JSON
 * whose hashes anybody can compute anew (core/audit.h). It must never show another tenant's. */
#include <string.h>

#include "api/op/subscription.h"
#include "api/op/filter.h"
#include "api/op/op.h"
#include "core/json.h"
#include "db/audit.h"
#include "db/tenancy.h"

enum { LOOKED_AT_ONCE = 200, EXPORTED_AT_ONCE = 200 };

/* --- what is asked for -------------------------------------------------------------------------------------------- */

struct asked {
    struct activity_wanted wanted;
    struct str subscription; /* as ids have it: /subscriptions/… */
    struct str group, resource, provider, correlation, caller, status;
    struct str select; /* names, with commas; absent: all */
};

/* A time without a zone is one of UTC, which Python writes as an offset. */
static bool read_time(struct call *r, struct str text, int64_t *ret_us)
{
    if (str_ends_nocase(text, STR("+00:00")))
        text.n -= strlen("+00:00");
    return dec_time_iso(text, ret_us) || dec_time_iso(arena_printf(r->arena, "%.*sZ", STR_ARG(text)), ret_us);
}

static bool take_term(struct call *r, const struct filter_term *t, struct asked *to)
{
    const struct {
        const char *name;
        struct str *to;
    } known[] = {
        {"resourceGroupName", &to->group},
        {"resourceUri", &to->resource},
        {"resourceId", &to->resource},
        {"resourceProvider", &to->provider},
        {"correlationId", &to->correlation},
        {"caller", &to->caller},
        {"status", &to->status},
    };
    if (str_same_nocase(t->name, STR("eventTimestamp")))
        return str_same_nocase(t->op, STR("ge"))   ? read_time(r, t->value, &to->wanted.from_us)
               : str_same_nocase(t->op, STR("le")) ? read_time(r, t->value, &to->wanted.to_us)
                                                   : false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!str_same_nocase(t->name, str_of(known[i].name)) || known[i].to->p || !t->is_quoted)
            continue;
        *known[i].to = t->value;
        return str_same_nocase(t->op, STR("eq"));
    }
    return false;
}

static err_t read_filter(struct call *r, struct asked *to)
{
    struct str rest;
    struct filter_term t;
    TRY(call_query_text(r, "$filter", &rest));
    bool good = true;
    for (rest = str_trim(rest); good && rest.n;)
        good = filter_next(r->arena, &rest, &t) && take_term(r, &t, to);
    if (!good || !to->wanted.from_us)
        return call_fail(
            r, E(BAD_REQUEST),
            "$filter must be eventTimestamp ge and a time, and may go on with and: eventTimestamp le; "
            "resourceGroupName, resourceUri, resourceId, resourceProvider, correlationId, caller or status, "
            "each with eq and a value in single quotes.");
    return NULL;
}

/* A continuation: time and id of the last event that a page looked at. */
static err_t read_place(struct call *r, struct str token, struct activity_wanted *to)
{
    struct uuid *after = ARENA_NEW(r->arena, struct uuid);
    struct str time, id = str_split(token, '.', &time);
    if (!token.p)
        return NULL;
    if (!dec_i64(time, 1, INT64_C(1) << 56, &to->after_us) || !dec_uuid(id, after))
        return arm_bad_token(r);
    to->after = after;
    return NULL;
}

static err_t read_asked(struct call *r, const struct arm_target *in, struct asked *ret)
{
    *ret = (struct asked){
        .wanted = {.tenant_id = r->client->tenant_id, .to_us = INT64_MAX, .limit = LOOKED_AT_ONCE},
        .subscription = arm_group_id(r->arena, &in->find.at.subscription_id, (struct str){NULL, 0}),
    };
    TRY(call_query_text(r, "$select", &ret->select));
    TRY(read_filter(r, ret));
    return read_place(r, call_query(r, "$skiptoken"), &ret->wanted);
}

/* --- which fit ---------------------------------------------------------------------------------------------------- */

/* What an id of a management resource says. */
struct parts {
    struct str group, provider;
    struct text type;
};

static struct parts parts_of(struct arena *a, struct str id)
{
    struct parts p = {{NULL, 0}, {NULL, 0}, {0}};
    struct str word, value, rest = str_split(id, '/', &word);
    text_init(&p.type, a, 64);
    while (rest.p) {
        rest = str_split(rest, '/', &word);
        rest = str_split(rest, '/', &value);
        if (str_same_nocase(word, STR("resourceGroups")))
            p.group = value;
        else if (p.provider.p)
            text_printf(&p.type, "/%.*s", STR_ARG(word));
        if (str_same_nocase(word, STR("providers")) && !p.provider.p) {
            p.provider = value;
            text_add(&p.type, value);
        }
    }
    if (!p.provider.p) {
        p.provider = STR("Microsoft.Resources");
        text_add(&p.type, p.group.p ? STR("Microsoft.Resources/subscriptions/resourceGroups")
                                    : STR("Microsoft.Resources/subscriptions"));
    }
    return p;
}

/* Is it the resource of this id, or does it stand in it? */
static bool stands_in(struct str id, struct str in)
{
    return id.n >= in.n && str_same_nocase((struct str){id.p, in.n}, in) && (id.n == in.n || id.p[in.n] == '/');
}

static bool equal(struct str asked, struct str value)
{
    return !asked.p || str_same_nocase(asked, value);
}

static bool fits(const struct asked *q, const struct audit_event *e, const struct parts *p)
{
    return e->resource_id.p && stands_in(e->resource_id, q->subscription) && equal(q->group, p->group) &&
           (!q->resource.p || stands_in(e->resource_id, q->resource)) && equal(q->provider, p->provider) &&
           equal(q->correlation, e->tracking_id) && equal(q->caller, e->actor_id) && equal(q->status, STR("Succeeded"));
}

/* --- their form --------------------------------------------------------------------------------------------------- */

struct shown {
    struct str authorization, caller, channels, correlation_id, event_data_id, event_name, category, timestamp, id,
        level, operation_id, operation_name, group, provider, resource_id, resource_type, status, sub_status,
        subscription_id, tenant_id, properties, http_request;
};
enum form { TEXT, LOCALIZED, JSON };
static const struct {
    const char *name;
    size_t offset;
    enum form form;
} members[] = {
    {"authorization", offsetof(struct shown, authorization), JSON},
    {"caller", offsetof(struct shown, caller), TEXT},
    {"channels", offsetof(struct shown, channels), TEXT},
    {"correlationId", offsetof(struct shown, correlation_id), TEXT},
    {"eventDataId", offsetof(struct shown, event_data_id), TEXT},
    {"eventName", offsetof(struct shown, event_name), LOCALIZED},
    {"category", offsetof(struct shown, category), LOCALIZED},
    {"eventTimestamp", offsetof(struct shown, timestamp), TEXT},
    {"id", offsetof(struct shown, id), TEXT},
    {"level", offsetof(struct shown, level), TEXT},
    {"operationId", offsetof(struct shown, operation_id), TEXT},
    {"operationName", offsetof(struct shown, operation_name), LOCALIZED},
    {"resourceGroupName", offsetof(struct shown, group), TEXT},
    {"resourceProviderName", offsetof(struct shown, provider), LOCALIZED},
    {"resourceId", offsetof(struct shown, resource_id), TEXT},
    {"resourceType", offsetof(struct shown, resource_type), LOCALIZED},
    {"status", offsetof(struct shown, status), LOCALIZED},
    {"subStatus", offsetof(struct shown, sub_status), LOCALIZED},
    {"submissionTimestamp", offsetof(struct shown, timestamp), TEXT},
    {"subscriptionId", offsetof(struct shown, subscription_id), TEXT},
    {"tenantId", offsetof(struct shown, tenant_id), TEXT},
    {"properties", offsetof(struct shown, properties), JSON},
    {"httpRequest", offsetof(struct shown, http_request), JSON},
};

static struct str object_of(struct arena *a, size_t count, const char *const *names, const struct str *values)
{
    struct text out;
    text_init(&out, a, 256);
    text_add_char(&out, '{');
    for (size_t i = 0; i < count; i++)
        json_member_text(&out, names[i], values[i]);
    text_add_char(&out, '}');
    return text_str(&out);
}
#define OBJECT(a, names, ...)                                                                                          \
    object_of((a), sizeof(names) / sizeof *(names), (names), (const struct str[]){__VA_ARGS__})

/* As an action of a role names it. What stands in an instance or hub and is no resource of its own has its kind behind
 * the type. */
static struct str action_of(struct arena *a, const struct audit_event *e, struct str type)
{
    struct str kind = e->kind, verb = str_ends_nocase(e->operation, STR("_delete")) ? STR("delete") : STR("write");
    bool resource = str_same(kind, STR("hub")) || str_same(kind, STR("instance")) ||
                    str_same(kind, STR("certificate")) || str_same(kind, STR("resourceGroup"));
    return arena_printf(a, "%.*s%s%.*s/%.*s", STR_ARG(type), resource ? "" : "/", resource ? 0 : (int)kind.n, kind.p,
                        STR_ARG(verb));
}

static struct shown shown_of(struct call *r, const struct asked *q, const struct audit_event *e, struct parts *p)
{
    static const char *const of_action[] = {"action", "scope"},
                             *const of_request[] = {"clientRequestId", "clientIpAddress"},
                             *const of_event[] = {"operation", "kind", "key", "actorKind", "detail"};
    struct arena *a = r->arena;
    struct str type = text_str(&p->type), action = action_of(a, e, type), id = enc_uuid(a, &e->event_id), prefix;
    struct str correlation = e->tracking_id.p ? e->tracking_id : id;
    int64_t ticks = (e->at_us + INT64_C(62135596800000000)) * 10;
    return (struct shown){
        .authorization = OBJECT(a, of_action, action, e->resource_id),
        .caller = e->actor_id,
        .channels = STR("Operation"),
        .correlation_id = correlation,
        .event_data_id = id,
        .event_name = STR("EndRequest"),
        .category = STR("Administrative"),
        .timestamp = enc_time_iso(a, e->at_us),
        .id = arena_printf(a, "%.*s/events/%s/ticks/%lld", STR_ARG(e->resource_id), id.p, (long long)ticks),
        .level = STR("Informational"),
        .operation_id = correlation,
        .operation_name = action,
        .group = p->group,
        .provider = p->provider,
        .resource_id = e->resource_id,
        .resource_type = type,
        .status = STR("Succeeded"),
        .sub_status = STR(""),
        .subscription_id = str_split(str_split(q->subscription, '/', &prefix), '/', &prefix),
        .tenant_id = enc_uuid(a, &e->tenant_id),
        .properties = OBJECT(a, of_event, e->operation, e->kind, e->key, e->actor_kind, e->detail),
        .http_request = OBJECT(a, of_request, correlation, e->client_address),
    };
}

static bool is_selected(struct str select, const char *name)
{
    struct str one;
    if (!select.n)
        return true;
    while (select.p) {
        select = str_split(select, ',', &one);
        if (str_same_nocase(str_trim(one), str_of(name)))
            return true;
    }
    return false;
}

static void write_event(struct text *out, struct str select, const struct shown *s)
{
    text_add_char(out, '{');
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        struct str value = *(const struct str *)((const char *)s + members[i].offset);
        if (!value.p || !is_selected(select, members[i].name))
            continue;
        if (members[i].form == TEXT) {
            json_member_text(out, members[i].name, value);
            continue;
        }
        json_member(out, members[i].name);
        if (members[i].form == JSON) {
            text_add(out, value);
            continue;
        }
        text_add_char(out, '{');
        json_member_text(out, "value", value);
        json_member_text(out, "localizedValue", value);
        text_add_char(out, '}');
    }
    text_add_char(out, '}');
}

err_t op_activity_list(struct call *r)
{
    struct arm_target t;
    struct subscription_row subscription;
    struct asked q;
    struct audit_event *events;
    struct str behind = {NULL, 0};
    size_t count;
    struct text out;
    TRY(subscription_named(r, &t, &subscription));
    TRY(read_asked(r, &t, &q));
    TRY(db_activity_events(r->db, r->arena, &q.wanted, &events, &count));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++) {
        struct parts p = parts_of(r->arena, events[i].resource_id);
        if (!fits(&q, &events[i], &p))
            continue;
        struct shown s = shown_of(r, &q, &events[i], &p);
        arm_list_item(&out);
        write_event(&out, q.select, &s);
    }
    if (count == LOOKED_AT_ONCE)
        behind = arena_printf(r->arena, "%lld.%s", (long long)events[count - 1].at_us,
                              enc_uuid(r->arena, &events[count - 1].event_id).p);
    return arm_list_end(r, &out, behind);
}

/* --- as they were sealed ------------------------------------------------------------------------------------------ */

/* How far an export has come. */
struct exporting {
    int64_t block, last_id;
    struct text out;
};

static err_t add_events(struct call *r, struct arena *a, struct exporting *x, int64_t up_to, int at_most,
                        size_t *ret_count)
{
    struct audit_event *events;
    TRY(db_audit_events(r->db, a, &r->client->tenant_id, x->last_id, up_to, at_most, &events, ret_count));
    for (size_t i = 0; i < *ret_count; i++) {
        audit_line(&x->out, &events[i]);
        text_add_char(&x->out, '\n');
        x->last_id = events[i].id;
    }
    return NULL;
}

static err_t add_block(struct call *r, struct arena *a, struct exporting *x, const struct audit_sealed *b)
{
    size_t count;
    audit_header(a, &x->out, &b->block);
    text_add_char(&x->out, '\n');
    TRY(add_events(r, a, x, b->ids.at[b->ids.n - 1], INT32_MAX, &count));
    text_add_char(&x->out, '{');
    json_member_i64(&x->out, "block", b->block.block);
    json_member_text(&x->out, "hash", enc_hex(a, b->hash, false));
    text_add(&x->out, STR("}\n"));
    x->block = b->block.block;
    return NULL;
}

/* Piece by piece: a block each, then what is not sealed yet. */
static err_t add_piece(struct call *r, struct arena *a, struct exporting *x)
{
    struct audit_sealed *block;
    size_t count;
    TRY(db_audit_blocks(r->db, a, &r->client->tenant_id, x->block, 1, &block, &count));
    r->pieces.more = count == 1;
    if (count)
        return add_block(r, a, x, block);
    TRY(add_events(r, a, x, INT64_MAX, EXPORTED_AT_ONCE, &count));
    r->pieces.more = count == EXPORTED_AT_ONCE;
    return NULL;
}

err_t op_audit_export(struct call *r)
{
    struct arena *a ARENA_CLEANUP = arena_new();
    struct exporting *x = r->pieces.state;
    if (!x) {
        r->pieces.state = x = ARENA_NEW(r->arena, struct exporting);
        text_init(&x->out, r->arena, 64 * 1024);
        call_header(r, "Content-Type", STR("application/x-ndjson"));
    }
    x->out.n = 0;
    TRY(add_piece(r, a, x));
    return call_reply(r, 200, text_str(&x->out));
}
