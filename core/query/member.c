/* member.c: which member of an entry a name means. It must never look at an entry. */
#include "core/query/tree.h"

static const struct codec *find_row(const struct codec *table, struct str name)
{
    while (table->kind != CODEC_KIND_END && !str_same(str_of(table->name), name))
        table++;
    return table->kind != CODEC_KIND_END && !(table->flags & CODEC_IN) ? table : NULL;
}

static struct str path_of(struct arena *a, const struct str *names, size_t count)
{
    struct text t;
    text_init(&t, a, 64);
    for (size_t i = 0; i < count; i++)
        text_printf(&t, "%s%.*s", i ? "." : "", STR_ARG(names[i]));
    return text_str(&t);
}

const char *query_member_find(struct arena *a, const struct query_list *list, const struct str *names, size_t count,
                              struct query_member *ret)
{
    const struct codec *table = list->members;
    size_t i = 0;
    ret->path = path_of(a, names, count);
    for (; i < count && table; i++) {
        const struct codec *row = find_row(table, names[i]);
        if (!row)
            return "is no member of this list";
        if (str_same(path_of(a, names, i + 1), str_of(list->hidden)))
            return "is shown in no list";
        if (ret->step_count == QUERY_STEPS_MAX)
            return "lies too deep";
        ret->steps[ret->step_count++] = row;
        table = row->kind == CODEC_KIND_OBJECT || row->kind == CODEC_KIND_INNER ? row->inner : NULL;
    }
    if (i < count && query_member_row(ret)->kind != CODEC_KIND_JSON)
        return "is no member of this list";
    for (; i < count; i++)
        ret->names[ret->name_count++] = names[i];
    return NULL;
}

void query_index_member(struct arena *a, const struct query_list *list, size_t index, struct query_member *ret)
{
    struct str rest = str_of(list->indexes[index].member), names[QUERY_STEPS_MAX];
    size_t count = 0;
    while (rest.p && count < QUERY_STEPS_MAX)
        rest = str_split(rest, '.', &names[count++]);
    *ret = (struct query_member){.step_count = 0};
    (void)query_member_find(a, list, names, count, ret);
}

const struct codec *query_index_row(struct arena *a, const struct query_list *list, size_t index)
{
    struct query_member m;
    query_index_member(a, list, index, &m);
    return query_member_row(&m);
}
