/* assign_identity.c: the documents of identities. It must never drop a member that it does not know, nor say a status
 * that nobody asked for. */
#include "workers/job/assign_identity.h"

#include "core/json.h"
#include "workers/identity.h"

static err_t add_credentials(struct arena *a, const struct key_ring *ring, const struct assign_item *item,
                             struct text *out)
{
    struct hub_authentication identity;
    const struct attest_row row = {ring, item->found->attestation};
    TRY(attest_hub_identity(a, &row, item->found->evidence, NULL, &identity));
    json_member(out, "authentication");
    codec_encode(out, hub_authentication_codec, &identity);
    return NULL;
}

static void add_status(const struct identity_carried *carried, struct text *out)
{
    json_member_text(out, "status", carried->status);
    json_member_text(out, "statusReason", carried->status_reason);
}

/* --- the twin ----------------------------------------------------------------------------------------------------- */

bool identity_moves(const struct assign_item *item)
{
    const struct db_assign_found *f = item->found;
    return f->assigned_hub.p && !str_same_nocase(f->assigned_hub, item->link->host);
}

static bool may_move(const struct assign_item *item)
{
    return item->found->enrollment.reprovision_policy.update_hub_assignment == TRI_TRUE;
}

static bool keeps_data(const struct assign_item *item)
{
    return item->found->enrollment.reprovision_policy.migrate_device_data == TRI_TRUE;
}

bool identity_takes_data(const struct assign_item *item)
{
    return identity_moves(item) && keeps_data(item);
}

/* Is the hub that the device has to be told of a change of its enrollment? */
static bool is_changed(const struct assign_item *item)
{
    const struct db_assign_found *f = item->found;
    return f->assigned_hub.p && f->pushed_version != f->enrollment_version;
}

/* Of a device that stays where it is, a change of its enrollment resets the data, and no mere look at the hub does. */
static bool is_reset(const struct assign_item *item)
{
    return !keeps_data(item) && (identity_moves(item) || (may_move(item) && is_changed(item)));
}

enum assign_twin identity_twin_of_made(const struct assign_item *item)
{
    if (item->carried.twin.p)
        return TWIN_CARRIED;
    return item->found->enrollment.initial_twin.p ? TWIN_BEGINS : TWIN_STAYS;
}

enum assign_twin identity_twin_of_found(const struct assign_item *item)
{
    if (item->carried.twin.p)
        return TWIN_CARRIED;
    if (is_reset(item))
        return TWIN_RESET;
    return !item->found->assigned_hub.p && item->found->enrollment.initial_twin.p ? TWIN_IF_BLANK : TWIN_STAYS;
}

/* A collection without what a hub adds to it when it shows it. */
static void add_collection(struct text *out, const char *name, struct json_in in)
{
    const char *key;
    json_t *v;
    json_member(out, name);
    text_add_char(out, '{');
    json_object_foreach((json_t *)in.v, key, v)
    {
        if (*key == '$')
            continue;
        json_member(out, key);
        json_value(out, (struct json_in){v, in.body});
    }
    text_add_char(out, '}');
}

/* Tags and desired properties of a twin, each an empty object when it has none. */
static void add_twin(struct text *out, struct str twin)
{
    json_auto_t *document = NULL;
    if (twin.p && json_read(twin, NULL, &document))
        return;
    const json_t *properties = json_object_get(document, "properties");
    add_collection(out, "tags", (struct json_in){json_object_get(document, "tags"), twin});
    json_member(out, "properties");
    text_add_char(out, '{');
    add_collection(out, "desired", (struct json_in){json_object_get(properties, "desired"), twin});
    text_add_char(out, '}');
}

struct str identity_twin(struct arena *a, const struct assign_item *item)
{
    struct text out;
    text_init(&out, a, 512);
    text_add_char(&out, '{');
    add_twin(&out, item->twin == TWIN_CARRIED ? item->carried.twin : item->found->enrollment.initial_twin);
    text_add_char(&out, '}');
    return text_str(&out);
}

static size_t written_members(const json_t *collection)
{
    const char *key;
    json_t *v;
    size_t n = 0;
    json_object_foreach((json_t *)collection, key, v)
    {
        n += *key != '$';
    }
    return n;
}

bool identity_twin_is_blank(struct str document)
{
    json_auto_t *twin = NULL;
    if (json_read(document, NULL, &twin))
        return false;
    const json_t *properties = json_object_get(twin, "properties");
    return written_members(json_object_get(twin, "tags")) + written_members(json_object_get(properties, "desired")) ==
           0;
}

/* --- the identity ------------------------------------------------------------------------------------------------- */

static void add_capabilities(const struct assign_item *item, struct text *out)
{
    json_member(out, "capabilities");
    if (item->carried.capabilities.p)
        text_add(out, item->carried.capabilities);
    else
        codec_encode(out, capabilities_codec, &item->found->enrollment.capabilities);
}

err_t identity_create(struct arena *a, const struct key_ring *ring, const struct assign_item *item, bool twin,
                      struct text *out)
{
    static const struct identity_carried fresh = {.status = STR("enabled")};
    TRY(add_credentials(a, ring, item, out));
    add_status(item->carried.status.p ? &item->carried : &fresh, out);
    add_capabilities(item, out);
    if (twin && identity_twin_of_made(item) != TWIN_STAYS)
        add_twin(out, item->carried.twin.p ? item->carried.twin : item->found->enrollment.initial_twin);
    return NULL;
}

/* Capabilities are data of the device, and members of the enrollment: a change writes them when these move, are reset,
 * or may be what was changed. */
static bool changes_capabilities(const struct assign_item *item)
{
    return item->carried.capabilities.p || is_reset(item) || is_changed(item);
}

err_t identity_change(struct arena *a, const struct key_ring *ring, const struct assign_item *item, struct text *out)
{
    TRY(add_credentials(a, ring, item, out));
    add_status(&item->carried, out);
    if (item->carried.status.p && !item->carried.status_reason.p)
        json_member_null(out, "statusReason");
    if (changes_capabilities(item))
        add_capabilities(item, out);
    identity_add_rest(a, out, item->standing);
    return NULL;
}

/* Has the hub each of our members, as we would write them? */
static bool holds(const json_t *theirs, const json_t *ours)
{
    const char *name;
    json_t *v;
    json_object_foreach((json_t *)ours, name, v)
    {
        if (!json_equal(v, json_object_get(theirs, name)))
            return false;
    }
    return true;
}

bool identity_is_current(struct arena *a, const struct key_ring *ring, const struct assign_item *item)
{
    json_auto_t *standing = NULL, *wanted = NULL;
    struct text out;
    text_init(&out, a, 256);
    text_add_char(&out, '{');
    if (changes_capabilities(item) || item->carried.status.p || add_credentials(a, ring, item, &out))
        return false;
    text_add_char(&out, '}');
    if (json_read(text_str(&out), NULL, &wanted) || json_read(item->standing, NULL, &standing))
        return false;
    return holds(json_object_get(standing, "authentication"), json_object_get(wanted, "authentication"));
}

/* --- what a hub says ---------------------------------------------------------------------------------------------- */

static struct str text_of(struct arena *a, const json_t *document, const char *name)
{
    return arena_str(a, str_of(json_string_value(json_object_get(document, name))));
}

void identity_carry(struct arena *a, struct str document, struct assign_item *item)
{
    json_auto_t *body = NULL;
    if (json_read(document, NULL, &body))
        return;
    struct str status = text_of(a, body, "status");
    if (str_same(status, STR("enabled")) || str_same(status, STR("disabled")))
        item->carried = (struct identity_carried){.status = status, .status_reason = text_of(a, body, "statusReason")};
    struct json_in capabilities = {json_object_get(body, "capabilities"), document};
    if (!identity_takes_data(item) || !json_is_object(capabilities.v))
        return;
    struct text t;
    text_init(&t, a, 64);
    json_value(&t, capabilities);
    item->carried.capabilities = text_str(&t);
}

/* What a hub shows of a device's twin is kept when it is a twin. */
void identity_carry_twin(struct arena *a, struct str document, struct assign_item *item)
{
    json_auto_t *body = NULL;
    if (!json_read(document, NULL, &body) && json_is_object(json_object_get(body, "properties")))
        item->carried.twin = arena_str(a, document);
}
