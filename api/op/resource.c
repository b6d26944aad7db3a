/* resource.c: what management resources share: reading, PUT and DELETE. It must never know a kind by name, nor a member
 * that only one of them has. */
#include "api/op/resource.h"

#include "api/op/later.h"
#include "api/op/tags.h"

enum { RESOURCE_ROOM = 2048 };

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* What cannot be read again lets nobody in (api/gate.c), and is shown so. */
struct common_properties resource_common(struct call *r, const struct resource_row *row)
{
    struct common_properties p = {.state = STR("Active"), .provisioning_state = STR("Succeeded")};
    if (ip_filter_read(r->arena, row->network, &p.network))
        p.network.access = NETWORK_DISABLED;
    if (!p.network.access)
        p.network.access = NETWORK_ENABLED;
    return p;
}

void resource_write(struct call *r, const struct resource_kind *k, const struct resource_row *row, struct sku *sku,
                    const void *properties, struct text *out)
{
    const struct resource res = {
        .id = arm_resource_id(r->arena, &row->subscription_id, row->group, k->type, row->name),
        .name = row->name,
        .type = str_of(k->type),
        .location = row->location,
        .resource_group = row->group,
        .subscription_id = enc_uuid(r->arena, &row->subscription_id),
        .etag = arm_etag(r->arena, &row->etag),
        .tags = row->tags,
        .sku = sku,
        .properties = resource_join(r->arena, k->properties_codec, properties, row->properties),
    };
    codec_encode(out, k->codec, &res);
}

static const void *row_at(const struct resource_kind *k, const struct resource_page *page, size_t i)
{
    return (const char *)page->rows + i * k->row_size;
}

static err_t find_page(struct call *r, const struct resource_kind *k, const struct arm_target *t,
                       struct resource_page *page)
{
    err_t e = k->find(r, &t->find, page);
    return e ? e : arm_check_place(t, &page->place);
}

static err_t find_one(struct call *r, const struct resource_kind *k, const struct arm_target *t,
                      struct resource_page *page)
{
    TRY(find_page(r, k, t, page));
    return page->count ? NULL : E(RESOURCE_NOT_FOUND);
}

static err_t reply_one(struct call *r, const struct resource_kind *k, int status, const struct resource_page *page)
{
    struct text out;
    text_init(&out, r->arena, RESOURCE_ROOM);
    k->write(r, k, row_at(k, page, 0), &out);
    return call_reply(r, status, text_str(&out));
}

err_t resource_reply(struct call *r, const struct resource_kind *k, int status, const struct arm_target *t)
{
    struct resource_page page = {0};
    TRY(find_one(r, k, t, &page));
    return reply_one(r, k, status, &page);
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
        k->write(r, k, row_at(k, &page, i), &out);
    }
    if (!page.more)
        return arm_list_end(r, &out, (struct str){NULL, 0});
    const struct resource_row *last = row_at(k, &page, page.count - 1);
    return arm_list_end(r, &out, arena_lower(r->arena, last->name));
}

err_t resource_list_subscription(struct call *r, const struct resource_kind *k)
{
    struct arm_target t;
    TRY(arm_subscription(r, &t));
    TRY(arm_page(r, &t.find));
    return reply_list(r, k, &t);
}

err_t resource_list_group(struct call *r, const struct resource_kind *k)
{
    struct arm_target t;
    TRY(arm_group(r, &t));
    TRY(arm_page(r, &t.find));
    return reply_list(r, k, &t);
}

static err_t no_such_policy(struct call *r, const struct resource_kind *k)
{
    return call_fail(r, E(RESOURCE_NOT_FOUND), "The %s has no policy of this name.", k->noun);
}

static err_t find_policies(struct call *r, const struct resource_kind *k, const struct arm_target *t,
                           struct str key_name_key, struct resource_policies *found)
{
    err_t e = k->keys->find(r, &t->find, key_name_key, found);
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

static struct ip_filter *network_sent(const struct resource_put *p)
{
    return p->kind->keys ? &((struct common_properties *)p->body.properties_in)->network : NULL;
}

static err_t check_network(const struct resource_put *p)
{
    struct ip_filter *sent = network_sent(p);
    return sent ? ip_filter_check(sent, "properties", &p->r->detail) : NULL;
}

/* Who may call it, for the row that is written: what was not sent stays as it was. */
static err_t take_network(const struct resource_put *p, struct str old)
{
    struct resource_row *row = p->row;
    struct ip_filter *sent = network_sent(p), was = {.access = 0};
    if (!sent)
        return NULL;
    if (old.p)
        TRY(ip_filter_read(p->r->arena, old, &was));
    if (!sent->access)
        sent->access = was.access;
    if (!sent->rules.set)
        sent->rules = was.rules;
    row->network = ip_filter_text(p->r->arena, sent);
    return NULL;
}

static err_t read_body(struct resource_put *p)
{
    struct call *r = p->r;
    json_auto_t *body = NULL;
    TRY(json_read(r->body, &r->detail, &body));
    const struct json_in in = {body, r->body};
    TRY(codec_decode(r->arena, p->kind->codec, CODEC_NO_CASE, in, &p->body, &r->detail));
    if (!p->body.properties_in)
        p->body.properties_in = arena_alloc(r->arena, p->kind->properties_size);
    p->stored.name = p->target.name;
    if (p->body.location.p)
        TRY(arm_location(r, "location", p->body.location, &p->stored.location));
    TRY(arm_tags(r, "tags", p->body.tags, &p->stored.tags));
    TRY(later_identity(r, p->body.identity));
    TRY(check_network(p));
    return resource_extra(r->arena, p->kind->properties_codec, in, &r->detail, &p->stored.properties);
}

static err_t put_policies(struct db *db, struct resource_put *p, const struct policy *at, size_t count)
{
    struct policy_row *rows;
    struct policy_owner owner = p->kind->keys->owner(p);
    p->changed = true;
    TRY(policy_rows(p->r, &owner, at, count, &rows));
    return p->kind->keys->put(db, p, rows, count);
}

/* Those that were sent; else a new resource gets its first ones, and another one keeps what it has. */
static err_t write_policies(struct db *db, struct resource_put *p)
{
    const struct resource_keys *keys = p->kind->keys;
    const struct common_properties *sent = p->body.properties_in;
    if (keys && sent->policies.set)
        return put_policies(db, p, sent->policies.at, sent->policies.n);
    return keys && p->created ? put_policies(db, p, keys->defaults, keys->default_count) : NULL;
}

/* Behind the insert, which waits for whoever has the name in this moment. */
static err_t take_name(struct db *db, struct resource_put *p)
{
    bool taken;
    TRY(db_name_take(db, p->r->arena, p->kind->noun, p->target.find.name_key, &taken));
    return taken ? NULL : E(UNIQUE_VIOLATION);
}

/* The group, where it stands in one, stays to the end of the transaction. */
static err_t hold_place(struct db *db, const struct resource_put *p)
{
    const struct place *at = &p->target.find.at;
    struct place_found found;
    bool there = false;
    if (at->group_key.p)
        TRY(db_group_hold(db, p->r->arena, at, &there));
    if (there)
        return NULL;
    TRY(db_place(db, p->r->arena, at, &found));
    if (!found.subscription)
        return E(SUBSCRIPTION_NOT_FOUND);
    return at->group_key.p ? E(RESOURCE_GROUP_NOT_FOUND) : NULL;
}

static err_t create(struct db *db, struct resource_put *p)
{
    p->created = true;
    TRY(arm_check_match(p->r, NULL));
    TRY(hold_place(db, p));
    TRY(take_network(p, (struct str){NULL, 0}));
    TRY(p->kind->insert(db, p));
    return p->kind->global_names ? take_name(db, p) : NULL;
}

/* What of it has changed is written last, behind what hangs on it, which may have changed, too. */
static err_t begin_change(struct resource_put *p, const struct resource_locked *old)
{
    p->created = false;
    TRY(arm_check_match(p->r, &old->etag));
    if (!str_same(old->location, p->stored.location))
        return call_fail(p->r, E(LOCATION_CONFLICT), "location: the %s is in %.*s; its location cannot change.",
                         p->kind->noun, STR_ARG(old->location));
    TRY(take_network(p, old->network));
    p->changed = old->differs || !str_same(old->tags, p->stored.tags) ||
                 !str_same(old->properties, p->stored.properties) ||
                 !str_same(old->network, ((const struct resource_row *)p->row)->network);
    return NULL;
}

static err_t put_work(struct db *db, void *context)
{
    struct resource_put *p = context;
    struct resource_locked old = {0};
    TRY(p->kind->lock(db, p, &old));
    TRY(old.there ? begin_change(p, &old) : create(db, p));
    TRY(write_policies(db, p));
    if (p->kind->children)
        TRY(p->kind->children(db, p));
    return p->created ? NULL : p->kind->update(db, p);
}

static const char *taken_sentence(struct call *r, const struct resource_kind *k, struct str name)
{
    return arena_printf(r->arena, "%.*s is taken; %s names are unique across all tenants.", STR_ARG(name), k->noun).p;
}

/* A name that is taken is looked at twice: where a twin of this request was faster, it is there now. */
static err_t write_resource(struct resource_put *p)
{
    struct call *r = p->r;
    err_t e = db_tx(r->db, put_work, p);
    if (e == E(UNIQUE_VIOLATION))
        e = db_tx(r->db, put_work, p);
    if (p->kind->forget)
        p->kind->forget(p);
    if (e != E(UNIQUE_VIOLATION))
        return e;
    if (!p->kind->global_names)
        return E(CONFLICT);
    return call_fail(r, E(NAME_TAKEN), "name: %s", taken_sentence(r, p->kind, p->target.name));
}

err_t resource_put(struct call *r, const struct resource_kind *k)
{
    struct resource_put p = {.r = r, .kind = k};
    TRY(arm_resource(r, &p.target));
    if (k->global_names)
        TRY(arm_check_new_name(r, k->article, k->noun, p.target.name));
    TRY(read_body(&p));
    TRY(k->check(&p));
    if (r->status)
        return NULL;
    TRY(write_resource(&p));
    if (k->tell)
        k->tell(&p);
    return resource_reply(r, k, p.created ? 201 : 200, &p.target);
}

err_t resource_delete(struct call *r, const struct resource_kind *k)
{
    struct arm_target t;
    struct place_found found;
    struct str etag = arm_bare_match(r);
    bool gone;
    TRY(arm_resource(r, &t));
    TRY(k->erase(r, &t.find, etag, &found, &gone));
    TRY(arm_check_place(&t, &found));
    if (!gone && etag.p)
        return E(PRECONDITION_FAILED);
    return call_reply_empty(r, 204);
}

/* Who asks for a change of what is another one by now is told so, also when nothing is to be changed. */
static err_t reply_unchanged(struct call *r, const struct resource_kind *k, const struct arm_target *t)
{
    struct resource_page page = {0};
    TRY(find_one(r, k, t, &page));
    const struct resource_row *row = row_at(k, &page, 0);
    TRY(arm_check_match(r, &row->etag));
    return reply_one(r, k, 200, &page);
}

err_t resource_patch(struct call *r, const struct resource_kind *k)
{
    struct arm_target t;
    struct place_found found;
    struct str tags;
    bool done;
    TRY(arm_resource(r, &t));
    TRY(arm_patch_tags(r, &tags));
    if (!tags.p)
        return reply_unchanged(r, k, &t);
    TRY(k->retag(r->db, r->arena, &t.find, arm_bare_match(r), tags, &found, &done));
    TRY(arm_check_place(&t, &found));
    TRY(resource_reply(r, k, 200, &t));
    return done ? NULL : E(PRECONDITION_FAILED); /* it is there, with another etag */
}

err_t tags_find_resource(struct call *r, const struct resource_kind *k, struct tagged *ret)
{
    struct arm_target t;
    struct resource_page page = {0};
    TRY(arm_resource(r, &t));
    TRY(find_one(r, k, &t, &page));
    const struct resource_row *row = row_at(k, &page, 0);
    *ret = (struct tagged){
        .id = arm_resource_id(r->arena, &row->subscription_id, row->group, k->type, row->name),
        .tags = row->tags,
        .etag = row->etag,
    };
    return NULL;
}

err_t tags_write_resource(struct call *r, const struct resource_kind *k, const struct tagged *was, struct str tags,
                          bool *ret_done)
{
    struct arm_target t;
    struct place_found found;
    TRY(arm_resource(r, &t));
    TRY(k->retag(r->db, r->arena, &t.find, arm_etag(r->arena, &was->etag), tags, &found, ret_done));
    return arm_check_place(&t, &found);
}

/* --- what a service may be called and may be ---------------------------------------------------------------------- */

enum { NAME_CHECK_MAX = 4096 }; /* as long as the body: a name that is too long is answered, too */
struct name_check {
    struct str name;            /* in */
    enum tri available;         /* out */
    struct str reason, message; /* out; absent for one that is available */
};
static const struct codec name_check_codec[] = {
    CODEC_TEXT(struct name_check, name, "name", NAME_CHECK_MAX, CODEC_MUST | CODEC_IN),
    CODEC_BOOL(struct name_check, available, "nameAvailable", CODEC_OUT),
    CODEC_TEXT(struct name_check, reason, "reason", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(struct name_check, message, "message", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_END,
};

/* Always 200: a name that breaks the rules is not available. */
err_t resource_name_check(struct call *r, const struct resource_kind *k)
{
    struct arm_target t;
    struct place_found found;
    struct name_check c = {0};
    bool is_free;
    TRY(arm_subscription(r, &t));
    TRY(call_decode(r, name_check_codec, CODEC_NO_CASE, &c));
    bool good = !arm_check_new_name(r, k->article, k->noun, c.name);
    struct str asked = good ? arena_lower(r->arena, c.name) : STR("");
    TRY(db_name_free(r->db, r->arena, &t.find.at, k->noun, asked, &found, &is_free));
    TRY(arm_check_place(&t, &found));
    c.available = good && is_free ? TRI_TRUE : TRI_FALSE;
    if (!good)
        c.reason = STR("Invalid"), c.message = str_of(r->detail.text);
    else if (!is_free)
        c.reason = STR("AlreadyExists"), c.message = str_of(taken_sentence(r, k, c.name));
    return call_reply_codec(r, 200, name_check_codec, &c);
}

err_t resource_skus(struct call *r, const struct resource_kind *k)
{
    struct arm_target t;
    struct resource_page page = {0};
    struct text out;
    TRY(arm_resource(r, &t));
    TRY(find_one(r, k, &t, &page));
    text_init(&out, r->arena, RESOURCE_ROOM);
    text_add(&out, STR("{\"value\":"));
    k->write_skus(r, &out);
    text_add_char(&out, '}');
    return call_reply(r, 200, text_str(&out));
}
