/* listed.c: what stands in a subscription or a resource group, whatever its kind (wire.md 1.10), with the filters that
 * clients send. It must never show what only one kind has. */
#include "api/op/arm.h"
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

/* --- $filter: NAME eq 'VALUE' [and …] ----------------------------------------------------------------------------- */

struct asked {
    struct find *find;
    struct listed_filter filter;
};

static err_t no_filter(struct call *r)
{
    return call_fail(
        r, E(BAD_REQUEST),
        "$filter must be resourceType, resourceGroup, name, location, tagName or tagValue, eq and a value in "
        "single quotes, joined by and.");
}

static err_t take_term(struct call *r, struct str name, struct str value, struct asked *to)
{
    struct str lower = arena_lower(r->arena, value);
    const struct {
        const char *name;
        struct str *to, value;
    } known[] = {
        {"resourceType", &to->filter.kind, kind_of(value)},
        {"resourceGroup", &to->find->at.group_key, lower},
        {"name", &to->find->name_key, lower},
        {"location", &to->filter.location, lower},
        {"tagName", &to->filter.tag_name, value},
        {"tagValue", &to->filter.tag_value, value},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!str_same_nocase(name, str_of(known[i].name)))
            continue;
        *known[i].to = known[i].value;
        return NULL;
    }
    return no_filter(r);
}

static err_t read_filter(struct call *r, struct asked *to)
{
    struct str rest = str_trim(call_query(r, "$filter"));
    while (rest.n) {
        struct str name, word, value;
        rest = str_split(rest, ' ', &name);
        rest = str_split(str_trim(rest), ' ', &word);
        rest = str_trim(rest);
        if (!str_same_nocase(word, STR("eq")) || !rest.n || rest.p[0] != '\'')
            return no_filter(r);
        rest = str_split((struct str){rest.p + 1, rest.n - 1}, '\'', &value);
        if (!rest.p)
            return no_filter(r);
        TRY(take_term(r, name, value, to));
        rest = str_trim(rest);
        if (!rest.n)
            return NULL;
        rest = str_trim(str_split(rest, ' ', &word));
        if (!str_same_nocase(word, STR("and")) || !rest.n)
            return no_filter(r);
    }
    return NULL;
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
    struct asked asked = {.find = &t->find};
    struct place_found found;
    struct listed_row *rows;
    size_t count;
    bool more;
    struct text out;
    TRY(read_filter(r, &asked));
    TRY(db_listed_find(r->db, r->arena, &t->find, &asked.filter, &found, &rows, &count, &more));
    TRY(arm_check_place(&place, &found));
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
