/* arm.c: what the operations of the management plane share. It must never look into another tenant: every place that it
 * makes carries the tenant of the client, and what is not there looks like what is another's. */
#include "api/op/arm.h"

#include "api/op/resource_codec.h"
#include "api/roles.h"

enum { TAGS_MAX = 50, TAG_NAME_MAX = 512, TAG_VALUE_MAX = 256, ETAG_BYTES = 9 };

/* 0: it does not say. */
static err_t read_top(struct call *r, int64_t *ret)
{
    struct str top = call_query(r, "$top");
    *ret = 0;
    if (top.n && !dec_i64(top, 1, INT32_MAX, ret))
        return call_fail(r, E(BAD_REQUEST), "$top must be a number, 1 or more.");
    return NULL;
}

err_t arm_bad_token(struct call *r)
{
    return call_fail(r, E(BAD_REQUEST), "$skiptoken is not one that a list gave.");
}

err_t arm_page_by_id(struct call *r, const struct uuid **ret_after, int64_t *ret_most)
{
    struct str token = call_query(r, "$skiptoken");
    struct uuid *after = token.n ? ARENA_NEW(r->arena, struct uuid) : NULL;
    TRY(read_top(r, ret_most));
    if (after && !dec_uuid(token, after))
        return arm_bad_token(r);
    *ret_after = after;
    return NULL;
}

err_t arm_page_by_key(struct call *r, size_t key_most, struct str *ret_after, int64_t *ret_most)
{
    struct str token = {NULL, 0};
    TRY(read_top(r, ret_most));
    TRY(call_query_text(r, "$skiptoken", &token));
    *ret_after = token.n ? token : (struct str){NULL, 0};
    return token.n > key_most ? arm_bad_token(r) : NULL;
}

err_t arm_page(struct call *r, struct find *f)
{
    struct str token = arena_lower(r->arena, call_query(r, "$skiptoken"));
    TRY(read_top(r, &f->most));
    if (token.n && !id_resource_group_valid(token))
        return arm_bad_token(r);
    f->after = token.n ? token : (struct str){NULL, 0};
    return NULL;
}

err_t arm_subscription(struct call *r, struct arm_target *ret)
{
    *ret = (struct arm_target){.find = {.at = {.tenant_id = r->client->tenant_id}}};
    ret->find.readable = roles_readable(r);
    return dec_uuid(r->segments[SEGMENT_SUBSCRIPTION], &ret->find.at.subscription_id) ? NULL
                                                                                      : E(SUBSCRIPTION_NOT_FOUND);
}

err_t arm_group(struct call *r, struct arm_target *ret)
{
    TRY(arm_subscription(r, ret));
    ret->group = r->segments[SEGMENT_GROUP];
    if (!id_resource_group_valid(ret->group))
        return E(RESOURCE_GROUP_NOT_FOUND);
    ret->find.at.group_key = arena_lower(r->arena, ret->group);
    return NULL;
}

err_t arm_resource(struct call *r, struct arm_target *ret)
{
    TRY(r->segments[SEGMENT_GROUP].p ? arm_group(r, ret) : arm_subscription(r, ret));
    ret->name = r->segments[SEGMENT_NAME];
    ret->find.name_key = arena_lower(r->arena, ret->name);
    /* A name that breaks the rule may belong to nothing; for a PUT the rule is told by arm_check_new_name. */
    return id_service_name_valid(ret->name) || r->method == METHOD_PUT ? NULL : E(RESOURCE_NOT_FOUND);
}

err_t arm_check_place(const struct arm_target *t, const struct place_found *found)
{
    if (!found->subscription)
        return E(SUBSCRIPTION_NOT_FOUND);
    return t->find.at.group_key.p && !found->group.p ? E(RESOURCE_GROUP_NOT_FOUND) : NULL;
}

err_t arm_check_new_name(struct call *r, const char *article, const char *noun, struct str name)
{
    if (!id_service_name_valid(name))
        return call_fail(
            r, E(BAD_ID),
            "name: the name of %s %s must have %d to %d letters, digits and hyphens, not only digits, and no "
            "hyphen at its ends.",
            article, noun, SERVICE_NAME_LEAST, SERVICE_NAME_MOST);
    if (id_service_name_reserved(name))
        return call_fail(r, E(BAD_ID), "name: %.*s is reserved and cannot be the name of %s %s.", STR_ARG(name),
                         article, noun);
    return NULL;
}

struct str arm_if_match(const struct call *r)
{
    struct str given = str_trim(r->options.if_match);
    return given.n && given.p[0] != '{' ? given : (struct str){NULL, 0};
}

struct str arm_bare_match(const struct call *r)
{
    struct str s = arm_if_match(r);
    if (!s.p)
        return s;
    s = id_etag_bare(s);
    return str_same(s, STR("*")) ? (struct str){NULL, 0} : s;
}

struct str arm_etag(struct arena *a, const struct uuid *etag)
{
    return enc_base64(a, (struct bytes){etag->b, ETAG_BYTES});
}

err_t arm_check_there(struct call *r)
{
    return arm_bare_match(r).p ? E(PRECONDITION_FAILED) : NULL;
}

err_t arm_check_match(struct call *r, const struct uuid *etag)
{
    struct str wanted = arm_if_match(r);
    if (etag && call_makes_new(r))
        return call_fail(r, E(PRECONDITION_FAILED), "Precondition failed: If-None-Match is * and the resource exists.");
    if (!wanted.p || (etag && id_etag_matches(wanted, arm_etag(r->arena, etag))))
        return NULL;
    return E(PRECONDITION_FAILED);
}

err_t arm_location(struct call *r, const char *member, struct str in, struct str *ret)
{
    if (id_location(r->arena, in, ret))
        return NULL;
    return call_fail(r, E(BAD_FIELD), "%s must have 1 to 64 letters, digits, blanks and hyphens.", member);
}

err_t arm_tags(struct call *r, const char *member, struct str tags, struct str *ret)
{
    json_auto_t *object = NULL;
    const char *key;
    json_t *v;
    *ret = tags.p ? tags : STR("{}");
    TRY(json_read(*ret, &r->detail, &object));
    if (json_object_size(object) > TAGS_MAX)
        return call_fail(r, E(BAD_FIELD), "%s must have at most %d members.", member, TAGS_MAX);
    json_object_foreach(object, key, v)
    {
        if (str_of(key).n > TAG_NAME_MAX)
            return call_fail(r, E(BAD_FIELD), "%s: a name must have at most %d bytes.", member, TAG_NAME_MAX);
        if (resource_member(object, key) != v)
            return call_fail(r, E(BAD_FIELD), "%s.%.100s stands twice: the names of tags ignore case.", member, key);
        if (!json_is_string(v) || json_string_length(v) > TAG_VALUE_MAX)
            return call_fail(r, E(BAD_FIELD), "%s.%.100s must be a string of at most %d bytes.", member, key,
                             TAG_VALUE_MAX);
    }
    return NULL;
}

err_t arm_patch_tags(struct call *r, struct str *ret)
{
    static const struct codec patch_codec[] = {TAGS_ROW, CODEC_END};
    struct resource body = {0};
    TRY(call_decode(r, patch_codec, CODEC_NO_CASE, &body));
    *ret = body.tags;
    return body.tags.p ? arm_tags(r, "tags", body.tags, ret) : NULL;
}

struct str arm_group_id(struct arena *a, const struct uuid *subscription, struct str group)
{
    const char *id = enc_uuid(a, subscription).p;
    return group.p ? arena_printf(a, "/subscriptions/%s/resourceGroups/%.*s", id, STR_ARG(group))
                   : arena_printf(a, "/subscriptions/%s", id);
}

struct str arm_resource_id(struct arena *a, const struct uuid *subscription, struct str group, const char *type,
                           struct str name)
{
    return arena_printf(a, "%s/providers/%s/%.*s", arm_group_id(a, subscription, group).p, type, STR_ARG(name));
}

void arm_list_begin(struct call *r, struct text *out)
{
    text_init(out, r->arena, 1024);
    text_add(out, STR("{\"value\":["));
}

void arm_list_item(struct text *out)
{
    if (out->p[out->n - 1] != '[')
        text_add_char(out, ',');
}

/* A parameter of this request that its next pages have, too. */
static void keep_parameter(struct call *r, const char *name, struct text *out)
{
    struct str value = call_query(r, name);
    if (value.n)
        text_printf(out, "&%s=%s", name, enc_percent(r->arena, value).p);
}

/* This request's own URL, asking for what stands behind `after`. */
static struct str next_link(struct call *r, struct str after)
{
    struct text t;
    struct str rest = r->path, segment;
    text_init(&t, r->arena, 256);
    text_printf(&t, "https://%.*s", STR_ARG(r->host_port));
    rest = str_split(rest, '/', &segment);
    while (rest.p) {
        rest = str_split(rest, '/', &segment);
        text_printf(&t, "/%s", enc_percent(r->arena, segment).p);
    }
    text_printf(&t, "?api-version=%s", enc_percent(r->arena, r->api_version).p);
    keep_parameter(r, "$top", &t);
    keep_parameter(r, "$filter", &t);
    text_printf(&t, "&$skiptoken=%s", enc_percent(r->arena, after).p);
    return text_str(&t);
}

err_t arm_list_end(struct call *r, struct text *out, struct str next_after)
{
    text_add_char(out, ']');
    if (next_after.p)
        json_member_text(out, "nextLink", next_link(r, next_after));
    text_add_char(out, '}');
    return call_reply(r, 200, text_str(out));
}
