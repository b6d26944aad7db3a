/* hub_twin.c: the twins of a built-in hub's devices (wire.md 7.5): read, merged, replaced, and asked by queries. What a
 * device reports comes with telemetry, which a built-in hub has not: it is shown empty. It must never write a device.
 */
#include "api/op/hub_device.h"
#include "api/op/list.h"
#include "api/op/op.h"
#include "api/op/stale.h"
#include "core/json.h"
#include "core/twin.h"
#include "db/hub_twin.h"

static const struct str never = STR("0001-01-01T00:00:00");

/* --- showing ------------------------------------------------------------------------------------------------------ */

/* The collection with what a hub adds to it. */
static struct str with_metadata(struct arena *a, struct str collection, int64_t changed_us, int64_t version)
{
    struct text t;
    text_init(&t, a, collection.n + 128);
    text_add(&t, (struct str){collection.p, collection.n - 1});
    json_member(&t, "$metadata");
    text_add_char(&t, '{');
    json_member_text(&t, "$lastUpdated", changed_us ? enc_time_iso(a, changed_us) : never);
    text_add_char(&t, '}');
    json_member_i64(&t, "$version", version);
    text_add_char(&t, '}');
    return text_str(&t);
}

static struct hub_twin *shown(struct arena *a, const struct hub_twin_row *row)
{
    const struct hub_device_row *d = &row->device;
    struct hub_twin *twin = ARENA_NEW(a, struct hub_twin);
    struct thumbprints *thumbprints = ARENA_NEW(a, struct thumbprints);
    *thumbprints = (struct thumbprints){d->primary_thumbprint, d->secondary_thumbprint};
    *twin = (struct hub_twin){
        .device_id = d->device_id,
        .etag = hub_device_etag(a, d->generation, row->twin_revision),
        .device_etag = hub_device_etag(a, d->generation, d->revision),
        .status = d->status,
        .status_reason = d->status_reason,
        .status_updated = d->status_us ? enc_time_iso(a, d->status_us) : never,
        .connection_state = STR("Disconnected"),
        .last_activity = never,
        .messages = {true, 0},
        .auth_type = d->auth_type,
        .x509_thumbprint = thumbprints,
        .model_id = STR(""),
        .version = {true, row->twin_revision},
        .tags = row->tags,
        .properties = {with_metadata(a, row->desired, row->desired_us, row->desired_version),
                       with_metadata(a, STR("{}"), 0, 1)},
        .capabilities = {d->iot_edge},
        .is_anothers = row->is_anothers,
    };
    return twin;
}

static err_t reply_twin(struct call *r)
{
    struct hub_twin_row row;
    bool found;
    struct str id = r->segments[SEGMENT_ID];
    if (!id_device_valid(id))
        return E(DEVICE_NOT_FOUND);
    TRY(db_hub_twin_find(r->db, r->arena, r->hub->hub_id, id, &found, &row));
    if (!found)
        return E(DEVICE_NOT_FOUND);
    const struct hub_twin *twin = shown(r->arena, &row);
    call_header(r, "ETag", arena_printf(r->arena, "\"%s\"", twin->etag.p));
    return call_reply_codec(r, 200, hub_twin_codec, twin);
}

err_t op_hub_twin_get(struct call *r)
{
    return reply_twin(r);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

struct twin_write {
    struct call *r;
    bool replace; /* what is not said goes */
    struct hub_twin body;
};

static err_t merge(struct call *r, const struct twin_write *w, struct hub_twin_row *row)
{
    const struct str nothing = {NULL, 0};
    TRY(twin_merge(r->arena, "tags", w->replace ? nothing : row->tags, w->body.tags, &r->detail, &row->tags));
    return twin_merge(r->arena, "properties.desired", w->replace ? nothing : row->desired, w->body.properties.desired,
                      &r->detail, &row->desired);
}

static bool is_matched(struct call *r, const struct hub_twin_row *row)
{
    struct hub_device_row wanted;
    hub_device_match(r->arena, r->options.if_match, &wanted);
    return wanted.generation == 0 ||
           (wanted.generation == row->device.generation && wanted.revision == row->twin_revision);
}

static err_t write_in_tx(struct db *db, void *context)
{
    struct twin_write *w = context;
    struct call *r = w->r;
    struct hub_twin_row row;
    bool live, found;
    struct hub_guard guard = hub_device_guard(r);
    TRY(db_hub_twin_lock(db, r->arena, &guard, r->segments[SEGMENT_ID], &live, &found, &row));
    if (!live)
        return E(STALE);
    if (!found)
        return E(DEVICE_NOT_FOUND);
    if (!is_matched(r, &row))
        return E(PRECONDITION_FAILED);
    struct str desired = row.desired;
    TRY(merge(r, w, &row));
    return db_hub_twin_put(db, r->arena, guard.hub_id, &row, !str_same(desired, row.desired));
}

static err_t write_work(struct call *r, void *context)
{
    TRY(db_tx(r->db, write_in_tx, context));
    return reply_twin(r);
}

static err_t write_twin(struct call *r, bool replace)
{
    struct twin_write w = {.r = r, .replace = replace};
    TRY(call_decode(r, hub_twin_codec, CODEC_KEEP_UNKNOWN, &w.body));
    if (!id_device_valid(r->segments[SEGMENT_ID]))
        return E(DEVICE_NOT_FOUND);
    return stale_retry(r, write_work, &w);
}

err_t op_hub_twin_patch(struct call *r)
{
    return write_twin(r, false);
}

err_t op_hub_twin_put(struct call *r)
{
    return write_twin(r, true);
}

err_t hub_twin_begin(struct call *r, struct str tags, struct str desired, struct hub_device_row *ret)
{
    const struct str nothing = {NULL, 0};
    if (!tags.p && !desired.p)
        return NULL;
    TRY(twin_merge(r->arena, "tags", nothing, tags, &r->detail, &ret->tags));
    return twin_merge(r->arena, "properties.desired", nothing, desired, &r->detail, &ret->desired);
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static const struct query_index indexes[] = {{"deviceId", false, NULL}};
static const struct query_list devices = {"devices", hub_twin_codec, NULL, indexes, 1};

static err_t read_entries(struct call *r, struct arena *a, const struct list_stretch *s, struct list_entries *ret)
{
    const struct hub_twin_stretch stretch = {.hub_id = r->hub->hub_id,
                                             .value = s->from.value.text,
                                             .key = s->from.key,
                                             .last = s->last.text,
                                             .limit = (int64_t)s->limit,
                                             .id_scope = hub_device_guard(r).id_scope};
    struct hub_twin_row *rows;
    TRY(db_hub_twin_list(r->db, a, &stretch, &rows, &ret->count));
    ret->at = ARENA_NEW_ARRAY(a, ret->count, const void *);
    ret->bytes = 0;
    for (size_t i = 0; i < ret->count; i++) {
        ret->at[i] = shown(a, &rows[i]);
        ret->bytes += rows[i].tags.n + rows[i].desired.n;
    }
    return NULL;
}

/* A provisioning service that looks for devices without an owner is shown none of another's. */
static bool is_anothers(const void *entry)
{
    return ((const struct hub_twin *)entry)->is_anothers;
}

err_t op_hub_twin_query(struct call *r)
{
    static const struct list_kind kind = {&devices, "Twin", read_entries, is_anothers};
    return list_reply(r, &kind);
}
