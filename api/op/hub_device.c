/* hub_device.c: the registry of a built-in hub, one device at a time (wire.md 7.5, N5): what a linked hub
 * offers to whoever holds a policy's key. It must never show or store a key of another hub, and never write without the
 * hub's live version. */
#include "api/op/hub_device.h"

#include "api/op/op.h"
#include "api/op/resource_codec.h"
#include "api/op/stale.h"
#include "api/shared.h"
#include "core/json.h"
#include "core/keypair.h"
#include "core/limits.h"

enum { LIST_MAX = 1000, THUMBPRINT_SHA1 = 40, THUMBPRINT_SHA256 = THUMBPRINT_MOST };
/* .NET counts time in tenths of a microsecond since the year 1; generation ids look like that. */
static const int64_t ticks_of_1970 = INT64_C(621355968000000000);

/* --- from JSON to a row ------------------------------------------------------------------------------------------- */

static struct seal_id key_row(struct call *r, struct str device_id)
{
    return (struct seal_id){"hub_device", arena_printf(r->arena, "%lld", (long long)r->hub->hub_id), device_id};
}

static err_t take_keys(struct call *r, const struct hub_authentication *a, bool update, struct hub_device_row *to)
{
    const struct symmetric_key none = {{NULL, 0}, {NULL, 0}};
    const struct symmetric_key *sent = a && a->symmetric_key ? a->symmetric_key : &none;
    const struct seal_id row = key_row(r, to->device_id);
    struct keypair keys;
    to->keep_keys = update && !sent->primary.p && !sent->secondary.p;
    TRY(keypair_read(r->arena, sent, "authentication.symmetricKey", POLICY_KEY_BYTES, &r->detail, &keys));
    struct keypair_sealed sealed = keypair_seal(r->arena, r->shared->ring, &row, &keys);
    to->primary_sealed = sealed.primary;
    to->secondary_sealed = sealed.secondary;
    return NULL;
}

static err_t check_thumbprint(struct call *r, const char *member, struct str t)
{
    struct bytes raw;
    if (!t.p || ((t.n == THUMBPRINT_SHA1 || t.n == THUMBPRINT_SHA256) && dec_hex(r->arena, t, &raw)))
        return NULL;
    return call_fail(r, E(BAD_FIELD), "authentication.x509Thumbprint.%s must have %d or %d hex digits.", member,
                     THUMBPRINT_SHA1, THUMBPRINT_SHA256);
}

static err_t take_thumbprints(struct call *r, const struct hub_authentication *a, struct hub_device_row *to)
{
    const struct thumbprints *t = a->x509_thumbprint;
    if (!t || (!t->primary.p && !t->secondary.p))
        return call_fail(r, E(BAD_FIELD),
                         "authentication.x509Thumbprint is required when authentication.type is selfSigned.");
    TRY(check_thumbprint(r, "primaryThumbprint", t->primary));
    TRY(check_thumbprint(r, "secondaryThumbprint", t->secondary));
    to->primary_thumbprint = t->primary;
    to->secondary_thumbprint = t->secondary;
    return NULL;
}

static void set_defaults(struct hub_device_row *d)
{
    if (!d->status)
        d->status = HUB_DEVICE_ENABLED;
    if (!d->iot_edge)
        d->iot_edge = TRI_FALSE;
}

err_t hub_device_row(struct call *r, const struct hub_device *d, bool update, struct hub_device_row *ret)
{
    const struct hub_authentication *a = d->authentication;
    *ret = (struct hub_device_row){
        .device_id = d->device_id,
        .status = d->status,
        .status_reason = d->status_reason,
        .auth_type = a && a->type ? a->type : HUB_AUTH_SAS,
        .iot_edge = d->capabilities.iot_edge,
    };
    if (!update)
        set_defaults(ret);
    TRY(id_device_check(d->device_id, "deviceId", &r->detail));
    if (ret->auth_type == HUB_AUTH_SAS)
        return take_keys(r, a, update, ret);
    return ret->auth_type == HUB_AUTH_SELF_SIGNED ? take_thumbprints(r, a, ret) : NULL;
}

struct str hub_device_etag(struct arena *a, int64_t generation, int64_t revision)
{
    struct str text = arena_printf(a, "%lld-%lld", (long long)generation, (long long)revision);
    return enc_base64(a, str_bytes(text));
}

static struct str etag_of(struct arena *a, const struct hub_device_row *row)
{
    return hub_device_etag(a, row->generation, row->revision);
}

void hub_device_match(struct arena *a, struct str etag, struct hub_device_row *row)
{
    struct bytes raw;
    struct str head, s = id_etag_bare(etag);
    row->generation = row->revision = 0;
    if (!etag.n || str_same(s, STR("*")))
        return;
    row->generation = -1; /* no row has it */
    if (!dec_base64(a, s, &raw))
        return;
    struct str tail = str_split(bytes_str(raw), '-', &head);
    if (!dec_i64(head, 1, INT64_MAX, &row->generation) || !dec_i64(tail, 1, INT64_MAX, &row->revision))
        row->generation = -1;
}

int64_t hub_device_generation(const struct call *r)
{
    return ticks_of_1970 + r->now_us * 10;
}

struct hub_guard hub_device_guard(const struct call *r)
{
    struct str writer = r->options.id_scope;
    return (struct hub_guard){.hub_id = r->hub->hub_id,
                              .version = r->hub->version,
                              .id_scope =
                                  id_scope_valid(writer) ? arena_lower(r->arena, writer) : (struct str){NULL, 0}};
}

/* --- from a row to JSON ------------------------------------------------------------------------------------------- */

/* Members that a hub with telemetry would fill. */
struct connection {
    struct str state, updated, status_updated, last_activity;
    struct opt_i64 messages;
};
static const struct codec connection_codec[] = {
    CODEC_TEXT(struct connection, state, "connectionState", 0, CODEC_OUT),
    CODEC_TEXT(struct connection, updated, "connectionStateUpdatedTime", 0, CODEC_OUT),
    CODEC_TEXT(struct connection, status_updated, "statusUpdatedTime", 0, CODEC_OUT),
    CODEC_TEXT(struct connection, last_activity, "lastActivityTime", 0, CODEC_OUT),
    CODEC_I64(struct connection, messages, "cloudToDeviceMessageCount", 0, 0, CODEC_OUT),
    CODEC_END,
};

static err_t write_device(struct call *r, const struct hub_device_row *row, struct text *out)
{
    static const struct str never = STR("0001-01-01T00:00:00");
    struct keypair opened;
    const struct seal_id id = key_row(r, row->device_id);
    const struct keypair_sealed sealed = {row->primary_sealed, row->secondary_sealed};
    TRY(keypair_open(r->arena, r->shared->ring, &id, &sealed, &opened));
    struct symmetric_key keys = keypair_text(r->arena, &opened);
    struct thumbprints thumbprints = {row->primary_thumbprint, row->secondary_thumbprint};
    struct hub_authentication authentication = {&keys, &thumbprints, row->auth_type};
    struct hub_device d = {
        .device_id = row->device_id,
        .generation_id = arena_printf(r->arena, "%lld", (long long)row->generation),
        .etag = etag_of(r->arena, row),
        .status = row->status,
        .status_reason = row->status_reason,
        .authentication = &authentication,
        .capabilities = {row->iot_edge},
    };
    struct connection c = {
        STR("Disconnected"), never, row->status_us ? enc_time_iso(r->arena, row->status_us) : never, never, {true, 0}};
    struct text rest;
    text_init(&rest, r->arena, 256);
    codec_encode(&rest, connection_codec, &c);
    text_add(out, resource_join(r->arena, hub_device_codec, &d, text_str(&rest)));
    return NULL;
}

static err_t reply_device(struct call *r, struct str device_id)
{
    struct hub_device_row row;
    struct text out;
    bool found;
    TRY(db_hub_device_find(r->db, r->arena, r->hub->hub_id, device_id, &found, &row));
    if (!found)
        return E(DEVICE_NOT_FOUND);
    text_init(&out, r->arena, 1024);
    TRY(write_device(r, &row, &out));
    call_header(r, "ETag", arena_printf(r->arena, "\"%s\"", etag_of(r->arena, &row).p));
    return call_reply(r, 200, text_str(&out));
}

err_t op_hub_device_get(struct call *r)
{
    if (!id_device_valid(r->segments[SEGMENT_ID]))
        return E(DEVICE_NOT_FOUND);
    return reply_device(r, r->segments[SEGMENT_ID]);
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static err_t page_size(struct call *r, int64_t *ret)
{
    struct str top = call_query(r, "top");
    *ret = LIST_MAX;
    if (!top.p)
        top = r->options.max_item_count;
    if (top.n && !dec_i64(top, 1, INT64_MAX, ret))
        return call_fail(r, E(BAD_REQUEST), "top must be a whole number of at least 1.");
    *ret = *ret > LIST_MAX ? LIST_MAX : *ret;
    return NULL;
}

/* The continuation is the last device id of the page before. */
static err_t page_start(struct call *r, struct str *ret_after)
{
    struct bytes raw;
    *ret_after = STR("");
    if (!r->options.continuation.n)
        return NULL;
    if (!dec_base64url(r->arena, r->options.continuation, &raw) || !id_device_valid(bytes_str(raw)))
        return call_fail(r, E(BAD_REQUEST), "x-ms-continuation is not one that a list gave.");
    *ret_after = bytes_str(raw);
    return NULL;
}

err_t op_hub_device_list(struct call *r)
{
    struct hub_device_row *rows;
    struct str after;
    struct text out;
    int64_t limit;
    size_t count;
    TRY(page_size(r, &limit));
    TRY(page_start(r, &after));
    TRY(db_hub_device_list(r->db, r->arena, r->hub->hub_id, after, limit + 1, &rows, &count));
    bool more = count > (size_t)limit;
    count = more ? (size_t)limit : count;
    text_init(&out, r->arena, 1024);
    text_add_char(&out, '[');
    for (size_t i = 0; i < count; i++) {
        text_add(&out, i ? STR(",") : STR(""));
        TRY(write_device(r, &rows[i], &out));
    }
    text_add_char(&out, ']');
    if (more) {
        struct str last = rows[count - 1].device_id;
        call_header(r, "x-ms-continuation", enc_base64url(r->arena, str_bytes(last)));
    }
    return call_reply(r, 200, text_str(&out));
}

struct statistics {
    struct opt_i64 total, enabled, disabled, connected;
};
static const struct codec statistics_codec[] = {
    CODEC_I64(struct statistics, total, "totalDeviceCount", 0, 0, CODEC_OUT),
    CODEC_I64(struct statistics, enabled, "enabledDeviceCount", 0, 0, CODEC_OUT),
    CODEC_I64(struct statistics, disabled, "disabledDeviceCount", 0, 0, CODEC_OUT),
    CODEC_I64(struct statistics, connected, "connectedDeviceCount", 0, 0, CODEC_OUT),
    CODEC_END,
};

err_t hub_device_reply_counts(struct call *r, const struct hub_device_counts *n)
{
    struct statistics s = {
        .total = {true, n->devices}, .enabled = {true, n->enabled}, .disabled = {true, n->devices - n->enabled}};
    return call_reply_codec(r, 200, statistics_codec, &s);
}

err_t op_hub_statistics_devices(struct call *r)
{
    struct hub_device_counts n;
    TRY(db_hub_device_count(r->db, r->arena, r->hub->hub_id, &n));
    return hub_device_reply_counts(r, &n);
}

err_t op_hub_statistics_service(struct call *r)
{
    struct statistics s = {.connected = {true, 0}};
    return call_reply_codec(r, 200, statistics_codec, &s);
}

/* --- single writes ------------------------------------------------------------------------------------------------ */

/* Why a device that is there, or not, was not written. */
static err_t not_written(const struct hub_devices_outcome *o)
{
    if (o->anothers.n)
        return E(DEVICE_OF_ANOTHER_SCOPE);
    return o->found.n ? E(PRECONDITION_FAILED) : E(DEVICE_NOT_FOUND);
}

static err_t put_work(struct call *r, void *context)
{
    const struct hub_device *body = context;
    struct hub_device_row row;
    struct hub_devices_outcome o;
    bool update = r->options.if_match.n > 0;
    struct hub_guard guard = hub_device_guard(r);
    TRY(hub_device_row(r, body, update, &row));
    hub_device_match(r->arena, r->options.if_match, &row);
    if (update)
        TRY(db_hub_device_update(r->db, r->arena, &guard, hub_device_generation(r), &row, 1, &o));
    else
        TRY(db_hub_device_create(r->db, r->arena, &guard, hub_device_generation(r), &row, 1, &o));
    if (!o.live)
        return E(STALE);
    if (o.written.n)
        return reply_device(r, row.device_id);
    if (!update)
        return call_fail(r, E(DEVICE_EXISTS), "A device with ID '%.*s' is already registered.", STR_ARG(row.device_id));
    return not_written(&o);
}

err_t op_hub_device_put(struct call *r)
{
    struct hub_device body = {0};
    TRY(call_decode(r, hub_device_codec, CODEC_KEEP_UNKNOWN, &body));
    if (body.device_id.p && !str_same(body.device_id, r->segments[SEGMENT_ID]))
        return call_fail(r, E(BAD_FIELD), "deviceId must be the one of the address.");
    body.device_id = r->segments[SEGMENT_ID];
    return stale_retry(r, put_work, &body);
}

static err_t delete_work(struct call *r, void *context)
{
    struct hub_device_row *row = context;
    struct hub_devices_outcome o;
    struct hub_guard guard = hub_device_guard(r);
    TRY(db_hub_device_delete(r->db, r->arena, &guard, row, 1, &o));
    if (!o.live)
        return E(STALE);
    if (o.written.n)
        return call_reply_empty(r, 204);
    return not_written(&o);
}

err_t op_hub_device_delete(struct call *r)
{
    struct hub_device_row row = {.device_id = r->segments[SEGMENT_ID]};
    if (!r->options.if_match.n)
        return call_fail(r, E(BAD_REQUEST), "If-Match is required to delete a device: its etag, or * for any.");
    if (!id_device_valid(row.device_id))
        return E(DEVICE_NOT_FOUND);
    hub_device_match(r->arena, r->options.if_match, &row);
    return stale_retry(r, delete_work, &row);
}
