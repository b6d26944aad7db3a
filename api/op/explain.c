/* explain.c: what became of a registration id and why (decisions.md 24): the choice of its hub, the enrollment that it
 * is held against, its last refused attempts, and the ids that it may have been meant for. It must never explain a
 * choice from anything but what was stored at it, nor show a key. */
#include "api/op/attempt.h"
#include "api/op/op.h"
#include "api/op/service.h"
#include "api/shared.h"
#include "core/alloc.h"
#include "core/attest/diagnose.h"

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

/* --- the enrollment, or those that are near ----------------------------------------------------------------------- */

static void add_check_words(struct call *r, const struct enrollment_near *e, struct text *out)
{
    const struct attest_row row = {r->shared->ring, e->attestation};
    struct check_words words;
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
    json_member_text(out, "provisioningStatus", e->enabled ? STR("enabled") : STR("disabled"));
    if (e->attestation.type)
        json_member_text(out, "attestationType", str_of(attestation_type_words[e->attestation.type - 1]));
    add_check_words(r, e, out);
    text_add_char(out, '}');
}

static size_t alike(struct str a, struct str b)
{
    size_t n = 0;
    while (n < a.n && n < b.n && a.p[n] == b.p[n])
        n++;
    return n;
}

/* The one that begins most like the key, of those that were not told (without an id) yet; NULL: none. */
static struct enrollment_near *find_nearest(struct enrollment_near *near, size_t count, struct str key)
{
    struct enrollment_near *best = NULL;
    for (size_t i = 0; i < count; i++)
        if (near[i].registration_id.p &&
            (!best || alike(near[i].attestation.key, key) > alike(best->attestation.key, key)))
            best = &near[i];
    return best;
}

static void add_nearest(struct enrollment_near *near, size_t count, struct str key, struct text *out)
{
    struct enrollment_near *next;
    json_member(out, "nearest");
    text_add_char(out, '[');
    for (size_t n = 0; n < NEAREST_SHOWN && (next = find_nearest(near, count, key)); n++) {
        text_add(out, n ? STR(",") : STR(""));
        json_text(out, next->registration_id);
        next->registration_id.p = NULL;
    }
    text_add_char(out, ']');
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
    if (!own)
        add_nearest(near, count, key, out);
    return NULL;
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
    TRY(service_registration_id(r, &key));
    text_init(&out, r->arena, 4096);
    TRY(add_choice(r, key, &out));
    TRY(add_enrollments(r, key, &out));
    TRY(add_attempts(r, key, &out));
    text_add_char(&out, '}');
    return call_reply(r, 200, text_str(&out));
}
