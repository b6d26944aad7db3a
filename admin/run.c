/* run.c: what commands of idscope-admin share: reading their words, in whose name they act, and the form of lists. It
 * must never print or ask the database. */
#include "admin/run.h"

#include <unistd.h>

#include "core/model.h"

struct str run_word(const struct run *run, size_t i)
{
    return str_trim(str_of(run->words[i]));
}

/* Is --name there, alone or with a value? */
static bool find_word(const struct run *run, const char *name, struct str *ret_value)
{
    *ret_value = (struct str){NULL, 0};
    for (char **w = run->words; *w; w++) {
        struct str head, value = str_split(str_of(*w), '=', &head);
        if (!str_starts(head, STR("--")) || !str_same((struct str){head.p + 2, head.n - 2}, str_of(name)))
            continue;
        *ret_value = value;
        return true;
    }
    return false;
}

struct str run_option(const struct run *run, const char *name)
{
    struct str value;
    find_word(run, name, &value);
    return str_trim(value);
}

err_t run_needs(struct run *run, const char *name, struct str *ret)
{
    *ret = run_option(run, name);
    return ret->n ? NULL : err_say(&run->detail, E(BAD_REQUEST), "--%s=… must be given.", name);
}

bool run_flag(const struct run *run, const char *name)
{
    struct str value;
    return find_word(run, name, &value) && !value.p;
}

struct str run_new_secret(struct run *run, struct sha256 *ret_hash)
{
    uint8_t random[32];
    crypt_random(random, sizeof random);
    struct str secret = enc_hex(run->arena, (struct bytes){random, sizeof random}, false);
    crypt_wipe(random, sizeof random);
    *ret_hash = crypt_sha256(str_bytes(secret));
    return secret;
}

err_t run_uuid(struct run *run, struct str text, struct uuid *ret)
{
    if (!dec_uuid(text, ret))
        return err_say(&run->detail, E(BAD_REQUEST), "\"%.*s\" is no id of the form 8-4-4-4-12.", STR_ARG(text));
    return NULL;
}

struct str run_actor(struct run *run)
{
    return arena_printf(run->arena, "uid %u", (unsigned)getuid());
}

void run_act(struct run *run, const struct uuid *tenant)
{
    struct db_actor actor = {
        .kind = ACTOR_OPERATOR,
        .id = run_actor(run),
        .operation = STR("idscope-admin"),
    };
    if (tenant)
        actor.tenant = *tenant;
    db_act(run->db, &actor);
}

static bool list_is_empty(const struct run *run)
{
    return run->out.n == (run_flag(run, "json") ? 1 : 0);
}

void run_list_begin(struct run *run)
{
    if (run_flag(run, "json"))
        text_add_char(&run->out, '[');
}

void run_list_item(struct run *run)
{
    bool first = list_is_empty(run);
    if (run_flag(run, "json"))
        text_add(&run->out, first ? STR("\n  ") : STR(",\n  "));
    else if (!first)
        text_add_char(&run->out, '\n');
}

void run_list_end(struct run *run)
{
    if (!list_is_empty(run))
        text_add_char(&run->out, '\n');
    if (run_flag(run, "json"))
        text_add(&run->out, STR("]\n"));
}
