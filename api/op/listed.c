/* listed.c: what stands in a subscription or a resource group, whatever its kind (wire.md 1.10), with the filters
 * that clients send. It must never show what only one kind has. */
#include "api/op/arm.h"
#include "api/op/filter.h"
#include "api/op/op.h"
#include "api/op/resource.h"

static const struct codec listed_codec[] = {RESOURCE_ROWS, LOCATION_ROW, TAGS_ROW, CODEC_END};
static const struct {
    struct str kind, type;
} kinds[] = {{STR("hub"), STR(HUB_TYPE)}, {STR("instance"), STR(INSTANCE_TYPE)}};
enum { KINDS = sizeof kinds / sizeof *kinds };

static struct str type_of(struct str kind)
{
    size_t i = 0;
    while (i + 1 < KINDS && !str_same(kinds[i].kind, kind))
        i++;
    return kinds[i].type;
}

/* The kind of a type; of one that we have not, a word that no kind has, since nothing of it is there. */
static struct str kind_of(struct str type)
{
    for (size_t i = 0; i < KINDS; i++)
        if (str_same_nocase(kinds[i].type, type))
            return kinds[i].kind;
    return STR("none");
}

/* --- what is asked for -------------------------------------------------------------------------------------------- */

/* False: nothing can fit. */
static bool take_filter(struct call *r, const struct arm_filter *f, struct find *find, struct listed_filter *ret)
{
    struct str group = f->resource_group.p ? arena_lower(r->arena, f->resource_group) : find->at.group_key;
    bool fits = !find->at.group_key.p || str_same(group, find->at.group_key);
    find->at.group_key = group;
    *ret = (struct listed_filter){.tag = {f->tag_name, f->tag_value}};
    if (f->resource_type.p)
        ret->kind = kind_of(f->resource_type);
    if (f->name.p)
        find->name_key = arena_lower(r->arena, f->name);
    return fits && (!f->location.p || id_location(r->arena, f->location, &ret->location));
}

/* --- the lists ---------------------------------------------------------------------------------------------------- */

static void write_listed(struct call *r, const struct listed_row *row, struct text *out)
{
    struct str type = type_of(row->kind);
    const struct resource res = {
        .id = arm_resource_id(r->arena, &row->is.subscription_id, row->is.group, type.p, row->is.name),
        .name = row->is.name,
        .type = type,
        .location = row->is.location,
        .tags = row->is.tags,
    };
    codec_encode(out, listed_codec, &res);
}

/* The place of the path is looked for, and its group must be there; that of a filter need not. */
static err_t reply_listed(struct call *r, struct arm_target *t)
{
    const struct arm_target place = *t;
    TRY(arm_page(r, &t->find));
    struct arm_filter asked;
    struct listed_filter filter;
    struct place_found found;
    struct listed_row *rows;
    size_t count;
    bool more;
    struct text out;
    TRY(arm_filter(r, false, &asked));
    bool fits = take_filter(r, &asked, &t->find, &filter);
    TRY(db_listed_find(r->db, r->arena, fits ? &t->find : &place.find, &filter, &found, &rows, &count, &more));
    TRY(arm_check_place(&place, &found));
    count = fits ? count : 0;
    more = fits && more;
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++) {
        arm_list_item(&out);
        write_listed(r, &rows[i], &out);
    }
    return arm_list_end(r, &out, more ? rows[count - 1].key : (struct str){NULL, 0});
}

err_t op_resource_list_subscription(struct call *r)
{
    struct arm_target t;
    TRY(arm_subscription(r, &t));
    return reply_listed(r, &t);
}

err_t op_resource_list_group(struct call *r)
{
    struct arm_target t;
    TRY(arm_group(r, &t));
    return reply_listed(r, &t);
}
