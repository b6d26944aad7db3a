/* fuzz_rows.c: any bytes as a list of rows that comes in pieces: the first byte says how long they are. Its lines do
 * not depend on that; a row that is taken for a registration can be written as it was read, and one that is not names
 * what is wrong with it. */
#include "fuzz.h"

#include <string.h>

#include "core/id.h"
#include "core/limits.h"
#include "core/rows.h"

struct lines {
    struct str *at;
    int64_t *number;
    size_t count;
};

static void add_line(struct lines *l, struct str line, int64_t number)
{
    HOLDS(!line.p || (line.n && line.n <= ROW_BYTES_MAX && !memchr(line.p, '\n', line.n)));
    HOLDS(!line.p || str_same(line, str_trim(line)));
    HOLDS(number > (l->count ? l->number[l->count - 1] : 0));
    l->at[l->count] = line;
    l->number[l->count++] = number;
}

static struct lines read_lines(struct arena *a, struct str list, size_t piece)
{
    struct rows r = {.line = 0};
    struct lines l = {ARENA_NEW_ARRAY(a, list.n + 1, struct str), ARENA_NEW_ARRAY(a, list.n + 1, int64_t), 0};
    struct str line, held = {list.p, 0};
    for (size_t end = 0; !r.last; held = r.rest) {
        size_t more = list.n - end < piece ? list.n - end : piece;
        end += more;
        r.rest = (struct str){list.p + end - more - held.n, held.n + more};
        r.last = end == list.n;
        while (rows_next(&r, &line))
            add_line(&l, line, r.line);
        HOLDS(r.rest.p + r.rest.n == list.p + end || !r.rest.n);
        HOLDS(!r.last || !r.rest.n);
    }
    return l;
}

static void are_same(const struct lines *x, const struct lines *y)
{
    HOLDS(x->count == y->count);
    for (size_t i = 0; i < x->count; i++)
        HOLDS(x->number[i] == y->number[i] && str_same(x->at[i], y->at[i]));
}

static struct str written(struct arena *a, const struct registration_state *s)
{
    struct text out;
    text_init(&out, a, 256);
    codec_encode(&out, registration_state_codec, s);
    return text_str(&out);
}

/* What is taken is what an export would say, and so can be taken again. */
static void is_registration(struct arena *a, const struct registration_state *s)
{
    json_auto_t *again = NULL;
    struct registration_state read = {.status = 0};
    HOLDS(s->status == REG_ASSIGNED && s->substatus && id_host_valid(s->assigned_hub));
    HOLDS(!id_registration_check(s->registration_id, "registrationId", NULL) &&
          !id_device_check(s->device_id, "deviceId", NULL));
    struct str text = written(a, s);
    HOLDS(!json_read(text, NULL, &again));
    HOLDS(!rows_read_registration(a, (struct json_in){again, text}, NULL, &read));
    HOLDS(str_same(written(a, &read), text));
}

static void read_row(struct arena *a, struct str line)
{
    json_auto_t *v = NULL;
    struct err_detail d = {""};
    struct registration_state s = {.status = 0};
    if (!line.p || json_read(line, NULL, &v) || !json_is_object(v))
        return;
    HOLDS(rows_id(a, v, "registrationId").n <= REGISTRATION_ID_MOST);
    err_t e = rows_read_registration(a, (struct json_in){v, line}, &d, &s);
    if (!e)
        is_registration(a, &s);
    else
        HOLDS(e->http_status == 400 && d.text[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str list = arena_copy(a, (const char *)data + 1, size - 1);
    struct lines whole = read_lines(a, list, list.n + 1), pieces = read_lines(a, list, (size_t)data[0] + 1);
    are_same(&whole, &pieces);
    for (size_t i = 0; i < whole.count; i++)
        read_row(a, whole.at[i]);
    return 0;
}
