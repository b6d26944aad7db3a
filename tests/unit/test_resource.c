/* test_resource.c: PUT, GET and DELETE of a management resource that is neither hub nor instance: it has no location,
 * no SKU, no policies, and a name that only its tenant knows. Its table is the test's own, and so is the database. */
#include "api/op/resource.h"

#include "unit.h"

#define SUBSCRIPTION "11111111-2222-4333-8444-555555555555"
#define NAME "aaaaaaaa-2222-4333-8444-555555555555"
#define ID "/subscriptions/" SUBSCRIPTION "/providers/Microsoft.Authorization/roleAssignments/" NAME

/* What stands in the database, and how it answers. */
static struct {
    bool subscription, group, row;
    struct resource_row is;
    int inserts, updates, holds;
    int violations; /* so many inserts find the name taken */
    bool twin;      /* and the row is there afterwards */
} world;

/* --- the database ------------------------------------------------------------------------------------------------- */

err_t __wrap_db_tx(struct db *db, err_t (*work)(struct db *db, void *context), void *context);
err_t __wrap_db_group_hold(struct db *db, struct arena *a, const struct place *at, bool *ret_there);
err_t __wrap_db_place(struct db *db, struct arena *a, const struct place *at, struct place_found *ret_found);
err_t __wrap_db_name_take(struct db *db, struct arena *a, const char *kind, struct str name_key, bool *ret_taken);

err_t __wrap_db_tx(struct db *db, err_t (*work)(struct db *db, void *context), void *context)
{
    return work(db, context);
}

err_t __wrap_db_group_hold(struct db *db, struct arena *a, const struct place *at, bool *ret_there)
{
    (void)db, (void)a;
    assert_non_null(at->group_key.p);
    world.holds++;
    *ret_there = world.group;
    return NULL;
}

err_t __wrap_db_place(struct db *db, struct arena *a, const struct place *at, struct place_found *ret_found)
{
    (void)db, (void)a, (void)at;
    *ret_found = (struct place_found){.subscription = world.subscription};
    return NULL;
}

err_t __wrap_db_name_take(struct db *db, struct arena *a, const char *kind, struct str name_key, bool *ret_taken)
{
    (void)db, (void)a, (void)kind, (void)name_key, (void)ret_taken;
    fail_msg("a name that is not global rests for nobody");
    return NULL;
}

/* --- the kind ----------------------------------------------------------------------------------------------------- */

struct role_properties {
    struct str role;
};
static const struct codec properties_codec[] = {
    CODEC_TEXT(struct role_properties, role, "role", RESOURCE_TEXT_MAX, CODEC_MUST), CODEC_END};
static const struct codec role_codec[] = {
    RESOURCE_ROWS, PROPERTIES_ROW,
    CODEC_OBJECT(struct resource, properties_in, "properties", properties_codec, struct role_properties, CODEC_IN),
    CODEC_END};

static err_t find(struct call *r, const struct find *f, struct resource_page *ret)
{
    (void)r, (void)f;
    *ret = (struct resource_page){
        .place = {.subscription = world.subscription}, .rows = &world.is, .count = world.row ? 1 : 0};
    return NULL;
}

static void write_row(struct call *r, const struct resource_kind *k, const void *row, struct text *out)
{
    const struct role_properties properties = {STR("reader")};
    resource_write(r, k, row, NULL, &properties, out);
}

static err_t check(struct resource_put *p)
{
    const struct role_properties *sent = p->body.properties_in;
    return sent->role.p ? NULL : E(BAD_FIELD);
}

static err_t lock(struct db *db, struct resource_put *p, struct resource_locked *ret)
{
    (void)db, (void)p;
    *ret = (struct resource_locked){.there = world.row, .etag = world.is.etag};
    return NULL;
}

static err_t insert(struct db *db, struct resource_put *p)
{
    (void)db;
    if (world.violations-- > 0) {
        world.row = world.twin;
        return E(UNIQUE_VIOLATION);
    }
    world.inserts++;
    world.row = true;
    world.is = p->stored;
    dec_uuid(STR(SUBSCRIPTION), &world.is.subscription_id);
    return NULL;
}

static err_t update(struct db *db, struct resource_put *p)
{
    (void)db, (void)p;
    world.updates++;
    return NULL;
}

static err_t erase(struct call *r, const struct find *f, struct str etag, struct place_found *ret_found, bool *ret_gone)
{
    (void)r, (void)f, (void)etag;
    *ret_found = (struct place_found){.subscription = world.subscription};
    *ret_gone = world.row;
    return NULL;
}

static const struct resource_kind role_kind = {
    .noun = "role assignment",
    .article = "a",
    .type = "Microsoft.Authorization/roleAssignments",
    .row_size = sizeof(struct resource_row),
    .find = find,
    .write = write_row,
    .codec = role_codec,
    .properties_codec = properties_codec,
    .properties_size = sizeof(struct role_properties),
    .check = check,
    .lock = lock,
    .insert = insert,
    .update = update,
    .erase = erase,
};

/* --- tests -------------------------------------------------------------------------------------------------------- */

static struct call *request(struct arena *a, enum method method, const char *group)
{
    static struct gate_grant owner = {ROLE_OWNER, STR("")};
    static const struct gate_client client = {.grants = {.roles = {.n = 1}, .at = &owner}};
    static const struct route route = {
        .path = "/subscriptions/{sub}/providers/Microsoft.Authorization/roleAssignments/{name}"};
    struct call *r = ARENA_NEW(a, struct call);
    *r = (struct call){.arena = a, .client = &client, .method = method, .route = &route};
    r->segments[SEGMENT_SUBSCRIPTION] = STR(SUBSCRIPTION);
    r->segments[SEGMENT_NAME] = STR(NAME);
    if (group)
        r->segments[SEGMENT_GROUP] = str_of(group);
    r->body = STR("{\"properties\":{\"role\":\"reader\",\"note\":\"kept\"}}");
    return r;
}

static void begin(void)
{
    memset(&world, 0, sizeof world);
    world.subscription = true;
}

static void one_is_made_then_changed_then_deleted(void **state)
{
    begin();
    struct call *r = request(*state, METHOD_PUT, NULL);
    assert_ok(resource_put(r, &role_kind));
    assert_int_equal(r->status, 201);
    assert_text(r->reply,
                "{\"id\":\"" ID "\",\"name\":\"" NAME "\",\"type\":\"Microsoft.Authorization/roleAssignments\","
                "\"properties\":{\"role\":\"reader\",\"note\":\"kept\"}}");
    r = request(*state, METHOD_PUT, NULL);
    assert_ok(resource_put(r, &role_kind));
    assert_int_equal(r->status, 200);
    assert_int_equal(world.inserts, 1);
    assert_int_equal(world.updates, 1);
    assert_int_equal(world.holds, 0);
    r = request(*state, METHOD_DELETE, NULL);
    assert_ok(resource_delete(r, &role_kind));
    assert_int_equal(r->status, 204);
}

static void a_twin_that_was_faster_is_changed(void **state)
{
    begin();
    world.violations = 1;
    world.twin = true;
    struct call *r = request(*state, METHOD_PUT, NULL);
    assert_ok(resource_put(r, &role_kind));
    assert_int_equal(r->status, 200);
    begin();
    world.violations = 2;
    assert_err(resource_put(request(*state, METHOD_PUT, NULL), &role_kind), CONFLICT);
}

static void what_the_place_lacks_is_said(void **state)
{
    begin();
    assert_err(resource_put(request(*state, METHOD_PUT, "plant"), &role_kind), RESOURCE_GROUP_NOT_FOUND);
    assert_int_equal(world.holds, 1);
    world.subscription = false;
    assert_err(resource_put(request(*state, METHOD_PUT, NULL), &role_kind), SUBSCRIPTION_NOT_FOUND);
    assert_err(resource_put(request(*state, METHOD_PUT, "plant"), &role_kind), SUBSCRIPTION_NOT_FOUND);
    assert_err(resource_delete(request(*state, METHOD_DELETE, NULL), &role_kind), SUBSCRIPTION_NOT_FOUND);
    assert_int_equal(world.inserts, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {UNIT(one_is_made_then_changed_then_deleted),
                                       UNIT(a_twin_that_was_faster_is_changed), UNIT(what_the_place_lacks_is_said)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
