/* attempt.c: the log of refused attempts as its tenant reads it (decisions.md 24): newest first, in pages. It must
 * never show a tenant another one's. */
#include "api/op/attempt.h"

#include "api/op/list.h"
#include "api/op/op.h"
#include "core/limits.h"

struct attempt {
    int64_t at_us;
    struct str registration_id, tracking_id;
    enum tri enrolled;
    struct opt_i64 error_code;
    struct str reason, address;
};
static const struct codec attempt_codec[] = {
    CODEC_TIME(struct attempt, at_us, "attemptedDateTimeUtc"),
    CODEC_TEXT(struct attempt, registration_id, "registrationId", REGISTRATION_ID_MOST, CODEC_OUT),
    CODEC_TEXT(struct attempt, tracking_id, "trackingId", 0, CODEC_OUT),
    CODEC_BOOL(struct attempt, enrolled, "enrolled", CODEC_OUT),
    CODEC_I64(struct attempt, error_code, "errorCode", 0, INT64_MAX, CODEC_OUT),
    CODEC_TEXT(struct attempt, reason, "reason", ATTEMPT_REASON_MOST, CODEC_OUT),
    CODEC_TEXT(struct attempt, address, "address", ATTEMPT_ADDRESS_MOST, CODEC_OUT),
    CODEC_END,
};

static struct attempt shown_of(struct arena *a, const struct attempt_row *row)
{
    return (struct attempt){
        .at_us = row->at_us,
        .registration_id = row->registration_id,
        .tracking_id = enc_uuid(a, &row->tracking),
        .enrolled = row->enrolled ? TRI_TRUE : TRI_FALSE,
        .error_code = {true, row->error_code},
        .reason = row->reason,
        .address = row->address,
    };
}

void attempts_shown(struct arena *a, const struct attempt_row *rows, size_t count, struct text *out)
{
    text_add_char(out, '[');
    for (size_t i = 0; i < count; i++) {
        struct attempt shown = shown_of(a, &rows[i]);
        text_add(out, i ? STR(",") : STR(""));
        codec_encode(out, attempt_codec, &shown);
    }
    text_add_char(out, ']');
}

/* --- what is asked ------------------------------------------------------------------------------------------------ */

static err_t read_id(struct call *r, struct str *ret_key)
{
    struct str sent = call_query(r, "registrationId");
    if (!sent.p)
        return NULL;
    TRY(id_registration_check(sent, "registrationId", &r->detail));
    *ret_key = arena_lower(r->arena, sent);
    return NULL;
}

/* A parameter that is a guid; *ret stays as it is when there is none. */
static err_t read_tracking(struct call *r, const struct uuid **ret)
{
    struct str sent = call_query(r, "trackingId");
    struct uuid *found = ARENA_NEW(r->arena, struct uuid);
    if (!sent.p)
        return NULL;
    if (!dec_uuid(sent, found))
        return call_fail(r, E(BAD_REQUEST), "trackingId must be a guid, as a refused call was answered it.");
    *ret = found;
    return NULL;
}

static err_t read_time(struct call *r, const char *name, int64_t *ret_us)
{
    struct str sent = call_query(r, name);
    if (sent.p && !dec_time_iso(sent, ret_us))
        return call_fail(r, E(BAD_REQUEST), "%s must be a time in UTC such as 2026-03-02T08:15:30Z.", name);
    return NULL;
}

/* --- continuations: the last attempt that was shown --------------------------------------------------------------- */

static struct str token_of(struct arena *a, const struct attempt_row *last)
{
    struct str text = arena_printf(a, "%s\n%lld", enc_uuid(a, &last->tracking).p, (long long)last->at_us);
    return enc_base64url(a, str_bytes(text));
}

static err_t read_token(struct call *r, struct attempt_wanted *to)
{
    struct bytes raw;
    struct str id, sent = r->options.continuation;
    struct uuid *after = ARENA_NEW(r->arena, struct uuid);
    if (!sent.n)
        return NULL;
    if (dec_base64url(r->arena, sent, &raw)) {
        struct str at = str_split(bytes_str(raw), '\n', &id);
        to->after = after;
        if (dec_uuid(id, after) && dec_i64(at, 1, INT64_C(1) << 56, &to->after_us))
            return NULL;
    }
    return call_fail(r, E(BAD_REQUEST), "x-ms-continuation is not one that this list gave.");
}

/* --- the list ----------------------------------------------------------------------------------------------------- */

static err_t read_wanted(struct call *r, struct attempt_wanted *ret)
{
    *ret = (struct attempt_wanted){.id_scope = r->instance->id_scope, .from_us = INT64_MIN, .before_us = INT64_MAX};
    TRY(read_id(r, &ret->registration_key));
    TRY(read_tracking(r, &ret->tracking));
    TRY(read_time(r, "from", &ret->from_us));
    TRY(read_time(r, "to", &ret->before_us));
    return read_token(r, ret);
}

err_t op_attempt_list(struct call *r)
{
    struct attempt_wanted wanted;
    struct attempt_row *rows;
    size_t size, count;
    TRY(read_wanted(r, &wanted));
    TRY(list_page_size(r, &size));
    wanted.limit = (int64_t)size + 1;
    TRY(db_attempt_list(r->db, r->arena, &wanted, &rows, &count));
    struct text out;
    text_init(&out, r->arena, 4096);
    attempts_shown(r->arena, rows, count < size ? count : size, &out);
    list_headers(r, "RefusedAttempt", size);
    if (count > size)
        call_header(r, "x-ms-continuation", token_of(r->arena, &rows[size - 1]));
    return call_reply(r, 200, text_str(&out));
}
