/* resource.c: reading that hubs and instances share. It must never know a member of either. */
#include "api/op/resource.h"

enum { RESOURCE_ROOM = 2048 };

static err_t find_page(struct call *r, const struct resource_kind *k, const struct arm_target *t,
                       struct resource_page *page)
{
    err_t e = k->find(r, &t->find, page);
    return e ? e : arm_check_place(t, &page->place);
}

err_t resource_reply(struct call *r, const struct resource_kind *k, int status, const struct arm_target *t)
{
    struct resource_page page = {0};
    struct text out;
    TRY(find_page(r, k, t, &page));
    if (!page.count)
        return E(RESOURCE_NOT_FOUND);
    text_init(&out, r->arena, RESOURCE_ROOM);
    k->write(r, page.rows, 0, &out);
    return call_reply(r, status, text_str(&out));
}

err_t resource_get(struct call *r, const struct resource_kind *k)
{
    struct arm_target t;
    TRY(arm_resource(r, &t));
    return resource_reply(r, k, 200, &t);
}

static err_t reply_list(struct call *r, const struct resource_kind *k, const struct arm_target *t)
{
    struct resource_page page = {0};
    struct text out;
    TRY(find_page(r, k, t, &page));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < page.count; i++) {
        arm_list_item(&out);
        k->write(r, page.rows, i, &out);
    }
    return arm_list_end(r, &out, page.more ? arena_lower(r->arena, page.last_name) : (struct str){NULL, 0});
}

err_t resource_list_subscription(struct call *r, const struct resource_kind *k)
{
    struct arm_target t;
    TRY(arm_subscription(r, &t));
    return reply_list(r, k, &t);
}

err_t resource_list_group(struct call *r, const struct resource_kind *k)
{
    struct arm_target t;
    TRY(arm_group(r, &t));
    return reply_list(r, k, &t);
}

static err_t no_such_policy(struct call *r, const struct resource_kind *k)
{
    return call_fail(r, E(RESOURCE_NOT_FOUND), "The %s has no policy of this name.", k->noun);
}

static err_t find_policies(struct call *r, const struct resource_kind *k, const struct arm_target *t,
                           struct str key_name_key, struct resource_policies *found)
{
    err_t e = k->policies(r, &t->find, key_name_key, found);
    return e ? e : arm_check_place(t, &found->place);
}

static err_t list_keys(struct call *r, const struct resource_kind *k, struct str key_name)
{
    struct arm_target t;
    struct resource_policies found = {0};
    TRY(arm_resource(r, &t));
    TRY(find_policies(r, k, &t, key_name.p ? arena_lower(r->arena, key_name) : key_name, &found));
    if (!found.there)
        return E(RESOURCE_NOT_FOUND);
    if (key_name.p && !found.count)
        return no_such_policy(r, k);
    return policy_reply(r, &found.owner, found.rows, found.count, key_name.p != NULL);
}

err_t resource_list_keys(struct call *r, const struct resource_kind *k)
{
    return list_keys(r, k, (struct str){NULL, 0});
}

err_t resource_list_keys_of(struct call *r, const struct resource_kind *k)
{
    struct str key_name = r->segments[SEGMENT_KEY];
    return id_key_name_valid(key_name) ? list_keys(r, k, key_name) : no_such_policy(r, k);
}
