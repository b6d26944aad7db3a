/* row.c: the results of calls, as rows of their statements. What a value means is spec.c's. */
#include <assert.h>
#include <string.h>

#include "db/conn.h"

size_t rows_count(const struct rows *r)
{
    return (size_t)PQntuples(r->result);
}

/* NULL in SQL is p NULL; an empty value is not. */
static struct bytes value_at(const struct rows *r, size_t i, int column)
{
    if (PQgetisnull(r->result, (int)i, column))
        return (struct bytes){NULL, 0};
    return (struct bytes){(const uint8_t *)PQgetvalue(r->result, (int)i, column),
                          (size_t)PQgetlength(r->result, (int)i, column)};
}

void rows_read(const struct rows *r, size_t i, struct arena *a, void *ret, size_t size)
{
    const struct db_row *row = r->prepared->row;
    assert(row && row->size == size);
    for (size_t c = 0; c < row->count; c++)
        db_col_read(&row->cols[c], value_at(r, i, r->prepared->at[c]), a, ret);
}

bool rows_first(const struct rows *r, struct arena *a, void *ret, size_t size)
{
    memset(ret, 0, size);
    if (!rows_count(r))
        return false;
    rows_read(r, 0, a, ret, size);
    return true;
}

void rows_all(const struct rows *r, struct arena *a, void *ret_array, size_t size, size_t *ret_count)
{
    *ret_count = rows_count(r);
    char *all = arena_array(a, *ret_count, size);
    for (size_t i = 0; i < *ret_count; i++)
        rows_read(r, i, a, all + i * size, size);
    *(void **)ret_array = all;
}

size_t rows_place(const struct rows *r, size_t i)
{
    int64_t n;
    const struct db_col first = {.kind = DB_I64};
    db_col_read(&first, value_at(r, i, r->prepared->at[0]), NULL, &n);
    assert(n >= 1);
    return (size_t)n;
}

void rows_each(const struct rows *r, struct arena *a, void *ret, size_t size, size_t count)
{
    memset(ret, 0, count * size);
    for (size_t i = 0; i < rows_count(r); i++) {
        size_t n = rows_place(r, i);
        assert(n <= count);
        rows_read(r, i, a, (char *)ret + (n - 1) * size, size);
    }
}

void rows_free(struct rows *r)
{
    if (r)
        PQclear(r->result);
}

void rows_cleanup(struct rows **r)
{
    rows_free(*r);
}

void rows_set_cleanup(struct rows_set *s)
{
    for (size_t i = 0; i < DB_CALLS_MAX; i++)
        rows_free(s->of[i]);
}
