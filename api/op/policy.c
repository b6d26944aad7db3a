/* policy.c: shared access policies of hubs and instances. The only place of the management plane where keys are in
 * clear; it must never put one into anything but a sealed value or the answer to listkeys. */
#include "api/op/policy.h"

#include "api/shared.h"
#include "core/keypair.h"

enum { KEY_TEXT_MAX = 128 };

const struct codec policy_codec[] = {
    CODEC_TEXT(struct policy, key_name, "keyName", RESOURCE_TEXT_MAX, CODEC_MUST),
    CODEC_TEXT(struct policy, primary_key, "primaryKey", KEY_TEXT_MAX, 0),
    CODEC_TEXT(struct policy, secondary_key, "secondaryKey", KEY_TEXT_MAX, 0),
    CODEC_TEXT(struct policy, rights, "rights", RESOURCE_TEXT_MAX, CODEC_MUST),
    CODEC_END,
};

struct policy_owner policy_owner_hub(struct str hub_key)
{
    return (struct policy_owner){"hub_policy", hub_key, hub_rights_parse, hub_rights_text};
}

struct policy_owner policy_owner_instance(struct str id_scope)
{
    return (struct policy_owner){"instance_policy", id_scope, service_rights_parse, service_rights_text};
}

static struct seal_id row_of(struct call *r, const struct policy_owner *o, struct str key_name)
{
    return (struct seal_id){o->kind, o->key, arena_lower(r->arena, key_name)};
}

static err_t seal_keys(struct call *r, const struct policy_owner *o, size_t index, const struct policy *p,
                       struct policy_row *to)
{
    struct keypair keys;
    const struct symmetric_key sent = {p->primary_key, p->secondary_key};
    const struct seal_id row = row_of(r, o, p->key_name);
    const char *member = arena_printf(r->arena, "properties.authorizationPolicies[%zu]", index).p;
    TRY(keypair_read(r->arena, &sent, member, POLICY_KEY_BYTES, &r->detail, &keys));
    struct keypair_sealed sealed = keypair_seal(r->arena, r->shared->ring, &row, &keys);
    to->primary_sealed = sealed.primary;
    to->secondary_sealed = sealed.secondary;
    return NULL;
}

static err_t make_row(struct call *r, const struct policy_owner *o, const struct policy *p, size_t index,
                      struct policy_row *ret)
{
    if (!id_key_name_valid(p->key_name))
        return call_fail(
            r, E(BAD_FIELD),
            "properties.authorizationPolicies[%zu].keyName must have 1 to 256 letters, digits and characters of _@.-",
            index);
    ret->key_name = p->key_name;
    if (!o->parse(p->rights, &ret->rights))
        return call_fail(r, E(BAD_FIELD),
                         "properties.authorizationPolicies[%zu].rights must name rights, separated by commas.", index);
    return seal_keys(r, o, index, p, ret);
}

err_t policy_rows(struct call *r, const struct policy_owner *o, const struct policy *at, size_t count,
                  struct policy_row **ret)
{
    struct policy_row *rows = ARENA_NEW_ARRAY(r->arena, count, struct policy_row);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++)
            if (str_same_nocase(at[i].key_name, at[j].key_name))
                return call_fail(r, E(BAD_FIELD), "properties.authorizationPolicies[%zu].keyName stands twice.", i);
        TRY(make_row(r, o, &at[i], i, &rows[i]));
    }
    *ret = rows;
    return NULL;
}

static err_t write_policy(struct call *r, const struct policy_owner *o, const struct policy_row *row, struct text *out)
{
    struct keypair keys;
    const struct seal_id id = row_of(r, o, row->key_name);
    const struct keypair_sealed sealed = {row->primary_sealed, row->secondary_sealed};
    TRY(keypair_open(r->arena, r->shared->ring, &id, &sealed, &keys));
    struct symmetric_key shown = keypair_text(r->arena, &keys);
    const struct policy p = {row->key_name, shown.primary, shown.secondary, o->text(r->arena, row->rights)};
    codec_encode(out, policy_codec, &p);
    return NULL;
}

err_t policy_reply(struct call *r, const struct policy_owner *o, const struct policy_row *rows, size_t count, bool one)
{
    struct text out;
    text_init(&out, r->arena, 1024);
    text_add(&out, one ? STR("") : STR("{\"value\":["));
    for (size_t i = 0; i < count; i++) {
        text_add(&out, i ? STR(",") : STR(""));
        TRY(write_policy(r, o, &rows[i], &out));
    }
    text_add(&out, one ? STR("") : STR("]}"));
    return call_reply(r, 200, text_str(&out));
}
