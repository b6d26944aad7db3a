/* rows.c: lines and rows of lists that come as NDJSON. It must never hold more of a list than the piece that it is
 * given, nor know whether what a row names is there. */
#include "core/rows.h"

#include <string.h>

#include "core/enc.h"
#include "core/id.h"
#include "core/limits.h"

/* --- lines -------------------------------------------------------------------------------------------------------- */

/* Up to the end of the line, or of a list that ends without one. */
static bool take_line(struct rows *r, struct str *ret)
{
    const char *end = r->rest.n ? memchr(r->rest.p, '\n', r->rest.n) : NULL;
    size_t n = end ? (size_t)(end - r->rest.p) : r->rest.n;
    if (!end && !(r->last && r->rest.n))
        return false;
    *ret = (struct str){r->rest.p, n};
    r->rest = (struct str){r->rest.p + n + (end ? 1 : 0), r->rest.n - n - (end ? 1 : 0)};
    r->line++;
    return true;
}

bool rows_next(struct rows *r, struct str *ret)
{
    struct str line;
    while (take_line(r, &line)) {
        bool too_long = r->skips || line.n > ROW_BYTES_MAX;
        r->skips = false;
        *ret = too_long ? (struct str){NULL, 0} : str_trim(line);
        if (too_long || ret->n)
            return true;
    }
    if (r->rest.n > ROW_BYTES_MAX) {
        r->skips = true;
        r->rest.n = 0;
    }
    return false;
}

/* --- rows --------------------------------------------------------------------------------------------------------- */

struct str rows_id(struct arena *a, const json_t *row, const char *member)
{
    const json_t *id = json_object_get(row, member);
    if (!json_is_string(id) || json_string_length(id) > REGISTRATION_ID_MOST)
        return (struct str){NULL, 0};
    return arena_copy(a, json_string_value(id), json_string_length(id));
}

static err_t read_time(struct json_in in, const char *member, struct err_detail *d, int64_t *ret)
{
    const json_t *v = json_object_get(in.v, member);
    if (!v || json_is_null(v))
        return NULL;
    if (!json_is_string(v) || !dec_time_iso((struct str){json_string_value(v), json_string_length(v)}, ret))
        return err_say(d, E(BAD_FIELD), "%s must be a time such as 2026-03-02T08:15:30.1234560Z.", member);
    return NULL;
}

static err_t check_registration(const struct registration_state *s, struct err_detail *d)
{
    if (!s->registration_id.p)
        return err_say(d, E(BAD_FIELD), "registrationId is required.");
    TRY(id_registration_check(s->registration_id, "registrationId", d));
    if (s->status != REG_ASSIGNED)
        return err_say(d, E(BAD_FIELD), "status must be assigned: a device without a hub gets one when it registers.");
    if (!id_host_valid(s->assigned_hub))
        return err_say(d, E(BAD_FIELD), "assignedHub must be a host name without a port.");
    if (s->device_id.p)
        TRY(id_device_check(s->device_id, "deviceId", d));
    return s->enrollment_group_id.p ? id_registration_check(s->enrollment_group_id, "enrollmentGroupId", d) : NULL;
}

err_t rows_read_registration(struct arena *a, struct json_in in, struct err_detail *d, struct registration_state *ret)
{
    TRY(codec_decode(a, registration_state_codec, CODEC_KEEP_UNKNOWN, in, ret, d));
    TRY(read_time(in, "createdDateTimeUtc", d, &ret->created_us));
    TRY(read_time(in, "lastUpdatedDateTimeUtc", d, &ret->updated_us));
    TRY(check_registration(ret, d));
    if (!ret->device_id.p)
        ret->device_id = ret->registration_id;
    if (!ret->substatus)
        ret->substatus = SUB_INITIAL;
    return NULL;
}
