/* explain.c: what became of a registration id and why (decisions.md 24): the choice of its hub, the enrollment that it
 * is held against, the groups that may admit it, its last refused attempts, and the ids that it may have been meant
 * for. It must never explain a choice from anything but what was stored at it, nor show a key. */
#include "api/op/attempt.h"
#include "api/op/op.h"
#include "api/op/service.h"
#include "api/shared.h"
#include "core/alloc.h"
#include "core/attest/diagnose.h"
#include "core/limits.h"
#include "core/nearest.h"
#include "db/device.h"

enum { ATTEMPTS_SHOWN = 10, NEAREST_SHOWN = 5 };

/* --- the choice --------------------------------------------------------------------------------------------------- */

/* Begins the object: with what explains the choice, or where there was none, with whose explanation it is. */
static err_t add_choice(struct call *r, struct str key, struct text *out)
{
    struct registration_input stored;
    struct alloc_input input;
    bool found;
    TRY(db_registration_input(r->db, r->arena, r->instance->id_scope, key, &found, &stored));
    if (!stored.input.p) {
        text_add_char(out, '{');
        json_member_text(out, "registrationId", found ? stored.registration_id : key);
        json_member_text(out, "idScope", r->instance->id_scope_text);
        return NULL;
    }
    TRY(alloc_input_read(r->arena, stored.input, &r->log_detail, &input));
    struct str choice = alloc_explain(r->arena, &input, r->instance->id_scope_text, stored.registration_id,
                                      enc_hex(r->arena, stored.hash, false));
    choice.n--; /* its closing brace: more members follow */
    text_add(out, choice);
    return NULL;
}

/* --- the enrollment ----------------------------------------------------------------------------------------------- */

/* What is known of an entry of the enrollment list, behind the member that names it. */
static void add_entry(struct call *r, const struct attest_stored *stored, bool enabled, struct text *out)
{
    const struct attest_row row = {r->shared->ring, *stored};
    struct check_words words;
    json_member_text(out, "provisioningStatus", enabled ? STR("enabled") : STR("disabled"));
    if (stored->type)
        json_member_text(out, "attestationType", str_of(attestation_type_words[stored->type - 1]));
    if (!attest_check_words(r->arena, &row, &words))
        return;
    json_member(out, "checkWords");
    codec_encode(out, check_words_codec, &words);
}

static void add_enrollment(struct call *r, const struct enrollment_near *e, struct text *out)
{
    json_member(out, "enrollment");
    if (!e) {
        text_add(out, STR("null"));
        return;
    }
    text_add_char(out, '{');
    json_member_text(out, "registrationId", e->registration_id);
    add_entry(r, &e->attestation, e->enabled, out);
    text_add_char(out, '}');
}

/* --- groups that may admit it ------------------------------------------------------------------------------------- */

/* With the check words of the keys that derive for this very id. */
static void add_group(struct call *r, const struct db_group_found *g, struct text *out)
{
    struct attest_stored of_device = g->attestation;
    of_device.derived_from = r->segments[SEGMENT_ID];
    text_add_char(out, '{');
    json_member_text(out, "enrollmentGroupId", g->id);
    add_entry(r, &of_device, g->enabled, out);
    text_add_char(out, '}');
}

static err_t add_groups(struct call *r, struct text *out)
{
    const char *comma = "";
    json_member(out, "groups");
    text_add_char(out, '[');
    for (int type = ATTEST_ABSENT + 1; type < ATTEST_NONE; type++) {
        struct db_group_found *groups;
        size_t count;
        TRY(db_group_lookup(r->db, r->arena, &r->instance->id_scope, 1, type, GROUPS_MOST, &groups, &count));
        for (size_t i = 0; i < count; i++, comma = ",") {
            text_add(out, str_of(comma));
            add_group(r, &groups[i], out);
        }
    }
    text_add_char(out, ']');
    return NULL;
}

/* --- ids that are near -------------------------------------------------------------------------------------------- */

static err_t add_nearest(struct call *r, const struct enrollment_near *near, size_t count, struct str key,
                         struct text *out)
{
    struct str_list registered, ids;
    struct str next;
    TRY(db_registration_near(r->db, r->arena, r->instance->id_scope, key, &registered));
    ids = (struct str_list){ARENA_NEW_ARRAY(r->arena, count + registered.n, struct str), count + registered.n, true};
    for (size_t i = 0; i < ids.n; i++)
        ids.at[i] = i < count ? near[i].registration_id : registered.at[i - count];
    json_member(out, "nearest");
    text_add_char(out, '[');
    for (size_t n = 0; n < NEAREST_SHOWN && (next = nearest_take(ids, key)).p; n++) {
        text_add(out, n ? STR(",") : STR(""));
        json_text(out, next);
    }
    text_add_char(out, ']');
    return NULL;
}

static err_t add_enrollments(struct call *r, struct str key, struct text *out)
{
    struct enrollment_near *near, *own = NULL;
    size_t count;
    TRY(db_enrollment_near(r->db, r->arena, r->instance->id_scope, key, &near, &count));
    for (size_t i = 0; i < count; i++)
        if (str_same(near[i].attestation.key, key))
            own = &near[i];
    add_enrollment(r, own, out);
    if (own)
        return NULL;
    TRY(add_groups(r, out));
    return add_nearest(r, near, count, key, out);
}

/* --- attempts ----------------------------------------------------------------------------------------------------- */

static err_t add_attempts(struct call *r, struct str key, struct text *out)
{
    const struct attempt_wanted wanted = {.id_scope = r->instance->id_scope,
                                          .registration_key = key,
                                          .from_us = INT64_MIN,
                                          .before_us = INT64_MAX,
                                          .limit = ATTEMPTS_SHOWN};
    struct attempt_row *rows;
    size_t count;
    TRY(db_attempt_list(r->db, r->arena, &wanted, &rows, &count));
    json_member(out, "attempts");
    attempts_shown(r->arena, rows, count, out);
    return NULL;
}

err_t op_registration_explain(struct call *r)
{
    struct str key;
    struct text out;
    TRY(service_registration_id(r, "registrationId", &key));
    text_init(&out, r->arena, 4096);
    TRY(add_choice(r, key, &out));
    TRY(add_enrollments(r, key, &out));
    TRY(add_attempts(r, key, &out));
    text_add_char(&out, '}');
    return call_reply(r, 200, text_str(&out));
}
