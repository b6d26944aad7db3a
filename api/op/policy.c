/* policy.c: shared access policies of hubs and instances. The only place of the management plane where keys are in
 * clear; it must never put one into anything but a sealed value or the answer to listkeys. */
#include "api/op/policy.h"

#include "api/shared.h"

enum { KEY_LEAST_BYTES = 16 };

struct policy_owner policy_owner_hub(struct str hub_key)
{
    return (struct policy_owner){"hub_policy", hub_key, hub_rights_parse, hub_rights_text};
}

struct policy_owner policy_owner_instance(struct str id_scope)
{
    return (struct policy_owner){"instance_policy", id_scope, service_rights_parse, service_rights_text};
}

err_t policy_key(struct req *r, const char *member, struct str key, size_t new_bytes, struct bytes *ret_raw)
{
    if (!key.n)
        key = crypt_new_key(r->arena, new_bytes);
    if (!dec_base64(r->arena, key, ret_raw) || ret_raw->n < KEY_LEAST_BYTES || ret_raw->n > DEVICE_KEY_BYTES)
        return req_fail(r, E(BAD_FIELD), "%s must be base64 of %d to %d bytes.", member, KEY_LEAST_BYTES,
                        DEVICE_KEY_BYTES);
    return NULL;
}

static err_t seal_key(struct req *r, const struct policy_owner *o, size_t index, struct str key_name, struct str key,
                      const char *part, struct bytes *ret)
{
    struct bytes raw;
    const char *member = arena_printf(r->arena, "properties.authorizationPolicies[%zu].%sKey", index, part).p;
    TRY(policy_key(r, member, key, POLICY_KEY_BYTES, &raw));
    struct bytes row = seal_row(r->arena, o->kind, o->key, arena_lower(r->arena, key_name), part);
    *ret = seal(r->arena, r->shared->ring, row, raw);
    return NULL;
}

static err_t make_row(struct req *r, const struct policy_owner *o, const struct policy *p, size_t index,
                      struct policy_row *ret)
{
    if (!id_key_name_valid(p->key_name))
        return req_fail(
            r, E(BAD_FIELD),
            "properties.authorizationPolicies[%zu].keyName must have 1 to 256 letters, digits and characters of _@.-",
            index);
    ret->key_name = p->key_name;
    if (!o->parse(p->rights, &ret->rights))
        return req_fail(r, E(BAD_FIELD),
                        "properties.authorizationPolicies[%zu].rights must name rights, separated by commas.", index);
    TRY(seal_key(r, o, index, p->key_name, p->primary_key, "primary", &ret->primary_sealed));
    return seal_key(r, o, index, p->key_name, p->secondary_key, "secondary", &ret->secondary_sealed);
}

err_t policy_rows(struct req *r, const struct policy_owner *o, const struct policy *at, size_t count,
                  struct policy_row **ret)
{
    struct policy_row *rows = ARENA_NEW_ARRAY(r->arena, count, struct policy_row);
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < i; j++)
            if (str_same_nocase(at[i].key_name, at[j].key_name))
                return req_fail(r, E(BAD_FIELD), "properties.authorizationPolicies[%zu].keyName stands twice.", i);
        TRY(make_row(r, o, &at[i], i, &rows[i]));
    }
    *ret = rows;
    return NULL;
}

static err_t open_key(struct req *r, const struct policy_owner *o, struct str key_name, struct bytes sealed,
                      const char *part, struct str *ret)
{
    struct bytes raw;
    TRY(unseal(r->arena, r->shared->ring, seal_row(r->arena, o->kind, o->key, arena_lower(r->arena, key_name), part),
               sealed, &raw));
    *ret = enc_base64(r->arena, raw);
    return NULL;
}

static err_t write_policy(struct req *r, const struct policy_owner *o, const struct policy_row *row, struct text *out)
{
    struct policy p = {.key_name = row->key_name, .rights = o->text(r->arena, row->rights)};
    TRY(open_key(r, o, row->key_name, row->primary_sealed, "primary", &p.primary_key));
    TRY(open_key(r, o, row->key_name, row->secondary_sealed, "secondary", &p.secondary_key));
    codec_encode(out, policy_codec, &p);
    return NULL;
}

err_t policy_reply(struct req *r, const struct policy_owner *o, const struct policy_row *rows, size_t count, bool one)
{
    struct text out;
    text_init(&out, r->arena, 1024);
    text_add(&out, one ? STR("") : STR("{\"value\":["));
    for (size_t i = 0; i < count; i++) {
        text_add(&out, i ? STR(",") : STR(""));
        TRY(write_policy(r, o, &rows[i], &out));
    }
    text_add(&out, one ? STR("") : STR("]}"));
    return req_reply(r, 200, text_str(&out));
}
