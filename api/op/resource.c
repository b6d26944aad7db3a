/* resource.c: what management resources share: reading, PUT and DELETE. It must never know a kind by name, nor a member
 * that only one of them has. */
#include "api/op/resource.h"

#include "api/op/later.h"

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

/* --- writing ------------------------------------------------------------------------------------------------------ */

static err_t read_body(struct resource_put *p)
{
    struct call *r = p->r;
    json_auto_t *body = NULL;
    TRY(json_read(r->body, &r->detail, &body));
    const struct json_in in = {body, r->body};
    TRY(codec_decode(r->arena, p->kind->codec, CODEC_NO_CASE, in, &p->body, &r->detail));
    if (!p->body.properties_in)
        p->body.properties_in = arena_alloc(r->arena, p->kind->properties_size);
    TRY(arm_location(r, "location", p->body.location, &p->location));
    TRY(arm_tags(r, p->body.tags, &p->tags));
    TRY(later_identity(r, p->body.identity));
    return resource_extra(r->arena, p->kind->properties_codec, in, &r->detail, &p->extra);
}

static err_t put_policies(struct db *db, struct resource_put *p, const struct policy *at, size_t count)
{
    struct policy_row *rows;
    struct policy_owner owner = p->kind->owner(p);
    TRY(policy_rows(p->r, &owner, at, count, &rows));
    return p->kind->put_policies(db, p, rows, count);
}

/* Behind the insert, which waits for whoever has the name in this moment. */
static err_t take_name(struct db *db, struct resource_put *p)
{
    bool taken;
    TRY(db_name_take(db, p->r->arena, p->kind->noun, p->target.find.name_key, &taken));
    return taken ? NULL : E(UNIQUE_VIOLATION);
}

static err_t create(struct db *db, struct resource_put *p)
{
    struct place_found found;
    bool there;
    p->created = true;
    TRY(arm_check_match(p->r, NULL));
    TRY(db_group_hold(db, p->r->arena, &p->target.find.at, &there));
    if (!there) {
        TRY(db_place(db, p->r->arena, &p->target.find.at, &found));
        return found.subscription ? E(RESOURCE_GROUP_NOT_FOUND) : E(SUBSCRIPTION_NOT_FOUND);
    }
    TRY(p->kind->insert(db, p));
    TRY(take_name(db, p));
    return p->kind->sent_policies(p)->set
               ? NULL
               : put_policies(db, p, p->kind->default_policies, p->kind->default_policy_count);
}

static err_t change(struct db *db, struct resource_put *p, const struct resource_locked *old)
{
    p->created = false;
    TRY(arm_check_match(p->r, &old->etag));
    if (!str_same(old->location, p->location))
        return call_fail(p->r, E(LOCATION_CONFLICT), "location: the %s is in %.*s; its location cannot change.",
                         p->kind->noun, STR_ARG(old->location));
    return p->kind->update(db, p);
}

static err_t put_work(struct db *db, void *context)
{
    struct resource_put *p = context;
    struct resource_locked old = {0};
    const struct obj_list *policies = p->kind->sent_policies(p);
    TRY(p->kind->lock(db, p, &old));
    TRY(old.there ? change(db, p, &old) : create(db, p));
    if (policies->set)
        TRY(put_policies(db, p, policies->at, policies->n));
    return p->kind->children ? p->kind->children(db, p) : NULL;
}

/* A name that is taken is looked at twice: where a twin of this request was faster, it is there now. */
static err_t write_resource(struct resource_put *p)
{
    struct call *r = p->r;
    err_t e = db_tx(r->db, put_work, p);
    if (e == E(UNIQUE_VIOLATION))
        e = db_tx(r->db, put_work, p);
    p->kind->forget(p);
    if (e == E(UNIQUE_VIOLATION))
        return call_fail(r, E(NAME_TAKEN), "name: %.*s is taken; %s names are unique across all tenants.",
                         STR_ARG(p->target.name), p->kind->noun);
    return e;
}

err_t resource_put(struct call *r, const struct resource_kind *k)
{
    struct resource_put p = {.r = r, .kind = k};
    TRY(arm_resource(r, &p.target));
    TRY(arm_check_new_name(r, k->article, k->noun, p.target.name));
    TRY(read_body(&p));
    TRY(k->check(&p));
    if (r->status)
        return NULL;
    TRY(write_resource(&p));
    return resource_reply(r, k, p.created ? 201 : 200, &p.target);
}

err_t resource_delete(struct call *r, const struct resource_kind *k)
{
    struct arm_target t;
    struct place_found found;
    struct str etag = arm_delete_match(r);
    bool gone;
    TRY(arm_resource(r, &t));
    TRY(k->erase(r, &t.find, etag, &found, &gone));
    TRY(arm_check_place(&t, &found));
    if (!gone && etag.p)
        return E(PRECONDITION_FAILED);
    return call_reply_empty(r, 204);
}
