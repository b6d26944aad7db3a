/* filter.c: reads $filter. It must never let a term pass that is not applied: who deletes what a list shows would
 * delete the rest, too. */
#include "api/op/filter.h"

static err_t no_filter(struct call *r, bool of_groups)
{
    return call_fail(r, E(BAD_REQUEST),
                     "$filter must be %s, eq and a value in single quotes, joined by and; each once, and tagValue "
                     "beside tagName.",
                     of_groups ? "tagName or tagValue"
                               : "resourceType, resourceGroup, name, location, tagName or tagValue");
}

struct str filter_quoted(struct arena *a, struct str *rest)
{
    struct str none = {NULL, 0};
    struct text out;
    text_init(&out, a, rest->n);
    if (!rest->n || rest->p[0] != '\'')
        return none;
    for (size_t i = 1; i < rest->n; i++) {
        bool quote = rest->p[i] == '\'', two = quote && i + 1 < rest->n && rest->p[i + 1] == '\'';
        if (quote && !two) {
            *rest = (struct str){rest->p + i + 1, rest->n - i - 1};
            return text_str(&out);
        }
        text_add_char(&out, rest->p[i]);
        i += two;
    }
    return none;
}

static bool take_term(struct str name, struct str value, bool of_groups, struct arm_filter *to)
{
    const struct {
        const char *name;
        struct str *to;
        bool of_groups;
    } known[] = {
        {"resourceType", &to->resource_type, false},
        {"resourceGroup", &to->resource_group, false},
        {"name", &to->name, false},
        {"location", &to->location, false},
        {"tagName", &to->tag_name, true},
        {"tagValue", &to->tag_value, true},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!str_same_nocase(name, str_of(known[i].name)) || (of_groups && !known[i].of_groups) || known[i].to->p)
            continue;
        *known[i].to = value;
        return true;
    }
    return false;
}

bool filter_next(struct arena *a, struct str *rest, struct filter_term *ret)
{
    struct str word;
    *rest = str_trim(str_split(*rest, ' ', &ret->name));
    *rest = str_trim(str_split(*rest, ' ', &ret->op));
    ret->value = filter_quoted(a, rest);
    ret->is_quoted = ret->value.p != NULL;
    if (!ret->is_quoted)
        *rest = str_split(*rest, ' ', &ret->value);
    *rest = str_trim(*rest);
    if (!rest->n)
        return ret->is_quoted || ret->value.n;
    *rest = str_trim(str_split(*rest, ' ', &word));
    return str_same_nocase(word, STR("and")) && rest->n;
}

err_t arm_filter(struct call *r, bool of_groups, struct arm_filter *ret)
{
    struct str rest;
    struct filter_term t;
    *ret = (struct arm_filter){0};
    TRY(call_query_text(r, "$filter", &rest));
    for (rest = str_trim(rest); rest.n;)
        if (!filter_next(r->arena, &rest, &t) || !t.is_quoted || !str_same_nocase(t.op, STR("eq")) ||
            !take_term(t.name, t.value, of_groups, ret))
            return no_filter(r, of_groups);
    return ret->tag_value.p && !ret->tag_name.p ? no_filter(r, of_groups) : NULL;
}
