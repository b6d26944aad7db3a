/* source.c: reads a service: its groups, its enrollments with their keys, and which hub each device has. Asks for the
 * keys of an entry only when the target does not have it. It must never call anything that changes the source. */
#include "admin/pull.h"

#include "core/json.h"

enum { ROW_ROOM = 4096 };

/* The groups that were read, for their registrations. */
struct groups {
    struct str *at;
    size_t count, room;
};

/* --- registrations ------------------------------------------------------------------------------------------------ */

/* What is copied as it is. */
static const char *const state_members[] = {
    "assignedHub", "deviceId", "substatus", "createdDateTimeUtc", "lastUpdatedDateTimeUtc", NULL};

static struct str state_row(struct arena *a, struct str id, struct str group, struct json_in state)
{
    struct text row;
    text_init(&row, a, 512);
    text_add_char(&row, '{');
    json_member_text(&row, "registrationId", id);
    json_member_text(&row, "status", STR("assigned"));
    json_member_text(&row, "enrollmentGroupId", group);
    for (const char *const *name = state_members; *name; name++) {
        const json_t *v = json_object_get(state.v, *name);
        if (!v || json_is_null(v))
            continue;
        json_member(&row, *name);
        json_value(&row, (struct json_in){v, state.body});
    }
    text_add_char(&row, '}');
    return text_str(&row);
}

/* A device that has no hub there registers here for the first time: nothing is lost. */
static err_t take_state(struct pull *p, struct arena *a, struct str id, struct str group, struct json_in state)
{
    if (!str_same_nocase(pull_text(state.v, "status"), STR("assigned")) || !pull_text(state.v, "assignedHub").n)
        return NULL;
    p->tally[REGISTRATIONS].read++;
    if (target_has(p, REGISTRATIONS, id)) {
        p->tally[REGISTRATIONS].there++;
        return NULL;
    }
    return target_add(p, REGISTRATIONS, id, group, state_row(a, id, group, state));
}

/* Of an enrollment whose entry does not show it. */
static err_t ask_state(struct pull *p, struct arena *a, struct str id)
{
    struct service_call call = {.method = "GET",
                                .path = arena_printf(a, "/registrations/%s", enc_percent(a, id).p),
                                .right = "RegistrationStatusRead"};
    struct service_answer answer;
    json_auto_t *state = NULL;
    TRY(service_ask(p->from, a, &call, &p->run->detail, &answer));
    if (answer.status == 404)
        return NULL;
    if (answer.status != 200)
        return service_unfit(p->from, a, &call, &answer, &p->run->detail);
    TRY(json_read(answer.body, &p->run->detail, &state));
    return take_state(p, a, id, (struct str){NULL, 0}, (struct json_in){state, answer.body});
}

static err_t take_of_group(struct pull *p, struct arena *a, struct json_in entry, void *context)
{
    return take_state(p, a, pull_text(entry.v, "registrationId"), *(const struct str *)context, entry);
}

static err_t read_of_group(struct pull *p, struct str group)
{
    struct pull_list list = {.service = p->from,
                             .query = STR("{\"query\":\"*\"}"),
                             .right = "RegistrationStatusRead",
                             .or_gone = true,
                             .take = take_of_group,
                             .context = &group};
    list.path = arena_printf(p->run->arena, "/registrations/%s/query", enc_percent(p->run->arena, group).p);
    TRY(target_look_group(p, group));
    return pull_each(p, &list);
}

/* --- enrollments -------------------------------------------------------------------------------------------------- */

/* What a service keeps of an entry beside what was written into it. */
static bool is_its_own(const char *name)
{
    static const char *const own[] = {"etag", "createdDateTimeUtc", "lastUpdatedDateTimeUtc", "registrationState",
                                      NULL};
    for (const char *const *o = own; *o; o++)
        if (str_same(str_of(name), str_of(*o)))
            return true;
    return false;
}

static struct str entry_row(struct arena *a, struct json_in entry, struct json_in attestation)
{
    struct text row;
    const char *name;
    json_t *v;
    text_init(&row, a, ROW_ROOM);
    text_add_char(&row, '{');
    json_object_foreach((json_t *)(uintptr_t)entry.v, name, v)
    {
        if (is_its_own(name) || json_is_null(v))
            continue;
        json_member(&row, name);
        json_value(&row, str_same(str_of(name), STR("attestation")) ? attestation : (struct json_in){v, entry.body});
    }
    text_add_char(&row, '}');
    return text_str(&row);
}

/* Absent, empty or masked: a target would make a new key, and the device would be locked out. */
static bool is_shown(struct str key)
{
    for (size_t i = 0; i < key.n; i++)
        if (key.p[i] != '*')
            return true;
    return false;
}

static bool keys_are_shown(const json_t *attestation)
{
    const json_t *keys = json_object_get(attestation, "symmetricKey");
    return !str_same_nocase(pull_text(attestation, "type"), STR("symmetricKey")) ||
           (is_shown(pull_text(keys, "primaryKey")) && is_shown(pull_text(keys, "secondaryKey")));
}

static err_t bring(struct pull *p, struct arena *a, enum noun noun, struct str id, struct json_in entry,
                   struct json_in attestation)
{
    if (str_same_nocase(pull_text(entry.v, "allocationPolicy"), STR("custom")))
        pull_note(noun, id,
                  "custom allocation is not offered here: its devices stay where they are, new ones are refused");
    if (keys_are_shown(attestation.v))
        return target_add(p, noun, id, (struct str){NULL, 0}, entry_row(a, entry, attestation));
    pull_left(p, noun, id, "the source does not show its keys");
    return NULL;
}

/* The keys, or the certificates whole, which no list shows. */
static err_t ask_attestation(struct pull *p, struct arena *a, enum noun noun, struct str id, struct json_in entry)
{
    struct service_call call = {
        .method = "POST",
        .path = arena_printf(a, "%s/%s/attestationmechanism", nouns[noun].path, enc_percent(a, id).p),
        .body = STR(""),
        .right = "EnrollmentWrite, which shows keys"};
    struct service_answer answer;
    json_auto_t *attestation = NULL;
    TRY(service_ask(p->from, a, &call, &p->run->detail, &answer));
    if (answer.status != 200) {
        pull_left(p, noun, id, service_words(a, &answer).p);
        return NULL;
    }
    TRY(json_read(answer.body, &p->run->detail, &attestation));
    return bring(p, a, noun, id, entry, (struct json_in){attestation, answer.body});
}

static err_t take_entry(struct pull *p, struct arena *a, enum noun noun, struct str id, struct json_in entry)
{
    const json_t *attestation = json_object_get(entry.v, "attestation");
    p->tally[noun].read++;
    if (target_has(p, noun, id)) {
        p->tally[noun].there++;
        return NULL;
    }
    if (str_same_nocase(pull_text(attestation, "type"), STR("tpm")))
        return bring(p, a, noun, id, entry, (struct json_in){attestation, entry.body});
    return ask_attestation(p, a, noun, id, entry);
}

static err_t take_enrollment(struct pull *p, struct arena *a, struct json_in entry, void *context)
{
    struct str id = pull_text(entry.v, nouns[ENROLLMENTS].id);
    const json_t *state = json_object_get(entry.v, "registrationState");
    (void)context;
    TRY(take_entry(p, a, ENROLLMENTS, id, entry));
    if (state)
        return take_state(p, a, id, (struct str){NULL, 0}, (struct json_in){state, entry.body});
    return ask_state(p, a, id);
}

static err_t take_group(struct pull *p, struct arena *a, struct json_in entry, void *context)
{
    struct groups *groups = context;
    struct str id = pull_text(entry.v, nouns[GROUPS].id);
    struct arena *keep = p->run->arena;
    if (groups->count == groups->room) {
        struct str *more = ARENA_NEW_ARRAY(keep, groups->room * 2 + 64, struct str);
        for (size_t i = 0; i < groups->count; i++)
            more[i] = groups->at[i];
        groups->at = more;
        groups->room = groups->room * 2 + 64;
    }
    groups->at[groups->count++] = arena_str(keep, id);
    return take_entry(p, a, GROUPS, id, entry);
}

static err_t read_entries(struct pull *p, enum noun noun, struct pull_list list)
{
    list.service = p->from;
    list.right = "EnrollmentRead";
    list.path = arena_printf(p->run->arena, "%s/query", nouns[noun].path);
    list.query = STR("{\"query\":\"SELECT *\"}");
    TRY(pull_each(p, &list));
    return target_flush(p, noun);
}

err_t source_read(struct pull *p)
{
    struct groups groups = {0};
    TRY(read_entries(p, GROUPS, (struct pull_list){.take = take_group, .context = &groups}));
    TRY(read_entries(p, ENROLLMENTS, (struct pull_list){.take = take_enrollment}));
    for (size_t i = 0; i < groups.count; i++)
        TRY(read_of_group(p, groups.at[i]));
    return target_flush(p, REGISTRATIONS);
}
