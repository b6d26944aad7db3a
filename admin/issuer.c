/* issuer.c: outside issuers whose access tokens are taken, the clients that come with them, and the keys of our own
 * tokens. It must never ask an issuer for anything: the worker fetches keys, and a file of keys is the operator's word.
 */
#include "admin/run.h"
#include "core/codec.h"
#include "core/id.h"
#include "core/limits.h"
#include "core/process/keyfile.h"
#include "core/word.h"
#include "db/admin.h"

/* --- what is shown ------------------------------------------------------------------------------------------------ */

struct shown {
    struct str issuer, audience, subject_claim, tenant_claim, tenant_id, keys_from, keys_url, failure, state;
    struct opt_i64 subjects;
    int64_t created_us, disabled_us, fetched_us;
};
static const struct codec shown_codec[] = {
    CODEC_TEXT(struct shown, issuer, "issuer", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, state, "state", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, audience, "audience", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, subject_claim, "subjectClaim", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, tenant_claim, "tenantClaim", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, tenant_id, "tenantId", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, keys_from, "keysFrom", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, keys_url, "keysUrl", 0, CODEC_OUT),
    CODEC_I64(struct shown, subjects, "subjects", 0, 0, CODEC_OUT),
    CODEC_TEXT(struct shown, failure, "failure", 0, CODEC_OUT),
    CODEC_TIME(struct shown, fetched_us, "keysFetchedDateTimeUtc"),
    CODEC_TIME(struct shown, created_us, "createdDateTimeUtc"),
    CODEC_TIME(struct shown, disabled_us, "disabledDateTimeUtc"),
    CODEC_END,
};

static struct shown show(struct run *run, const struct db_admin_issuer *i)
{
    return (struct shown){
        .issuer = i->issuer,
        .audience = i->audience,
        .subject_claim = i->subject_claim,
        .tenant_claim = i->tenant_claim,
        .tenant_id = i->tenant_claim.p ? (struct str){NULL, 0} : enc_uuid(run->arena, &i->tenant),
        .keys_from = word_text(keys_from_words, i->keys_from),
        .keys_url = i->keys_url,
        .failure = i->failure,
        .state = i->disabled_us ? STR("disabled") : STR("enabled"),
        .subjects = {true, i->subjects},
        .created_us = i->created_us,
        .disabled_us = i->disabled_us,
        .fetched_us = i->fetched_us,
    };
}

static void write_line(struct run *run, const struct shown *s)
{
    struct str tenant = s->tenant_claim.p ? s->tenant_claim : s->tenant_id;
    struct str since = s->fetched_us ? enc_time_iso(run->arena, s->fetched_us) : STR("-");
    text_printf(&run->out, "%.*s\t%.*s\t%.*s\t%.*s\t%.*s\t%.*s", STR_ARG(s->issuer), STR_ARG(s->state),
                STR_ARG(s->audience), STR_ARG(tenant), STR_ARG(s->keys_from), STR_ARG(since));
}

static void write_one(struct run *run, const struct db_admin_issuer *i)
{
    const struct shown s = show(run, i);
    if (run_flag(run, "json"))
        codec_encode(&run->out, shown_codec, &s);
    else
        write_line(run, &s);
}

static void print_one(struct run *run, const struct db_admin_issuer *i)
{
    write_one(run, i);
    text_add_char(&run->out, '\n');
}

err_t run_issuer_list(struct run *run)
{
    struct db_admin_issuer *all = NULL;
    size_t count = 0;
    TRY(db_admin_issuers(run->db, run->arena, (struct str){NULL, 0}, &all, &count));
    run_list_begin(run);
    for (size_t i = 0; i < count; i++) {
        run_list_item(run);
        write_one(run, &all[i]);
    }
    run_list_end(run);
    return NULL;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static err_t find(struct run *run, struct db_admin_issuer *ret)
{
    struct db_admin_issuer *found = NULL;
    size_t count = 0;
    TRY(db_admin_issuers(run->db, run->arena, run_word(run, 0), &found, &count));
    if (!count)
        return err_say(&run->detail, E(NO_ROW), "There is no issuer of this URL.");
    *ret = *found;
    return NULL;
}

/* What was done is done to its tenant, where it has one alone. */
static void act(struct run *run, const struct db_admin_issuer *i)
{
    run_act(run, i->tenant_claim.p ? NULL : &i->tenant);
}

struct addition {
    struct run *run;
    struct db_admin_issuer issuer;
    struct jwks_key *keys; /* of a file */
    size_t count;
};

static err_t read_keys(struct addition *add, struct str file)
{
    struct str text;
    TRY(file_read(add->run->arena, "jwks-file", file, JWKS_BYTES_MAX, &add->run->detail, &text));
    return jwks_read(add->run->arena, text, &add->run->detail, &add->keys, &add->count);
}

static err_t read_source(struct addition *add)
{
    struct run *run = add->run;
    struct str host, path, url = run_option(run, "jwks-url"), file = run_option(run, "jwks-file");
    int port;
    if (url.p && file.p)
        return err_say(&run->detail, E(BAD_REQUEST), "The keys are at --jwks-url or in --jwks-file, not both.");
    if (url.p && !jwks_url(url, &host, &port, &path))
        return err_say(&run->detail, E(BAD_REQUEST),
                       "--jwks-url must be an https URL without user, query or fragment.");
    add->issuer.keys_from = url.p ? KEYS_AT_URL : file.p ? KEYS_IN_FILE : KEYS_BY_DISCOVERY;
    add->issuer.keys_url = url;
    return file.p ? read_keys(add, file) : NULL;
}

static err_t read_tenant(struct addition *add)
{
    struct run *run = add->run;
    struct str tenant = run_option(run, "tenant");
    add->issuer.tenant_claim = run_option(run, "tenant-claim");
    if (!tenant.p == !add->issuer.tenant_claim.p)
        return err_say(&run->detail, E(BAD_REQUEST), "Give either --tenant=ID or --tenant-claim=NAME.");
    return tenant.p ? run_uuid(run, tenant, &add->issuer.tenant) : NULL;
}

static err_t check_length(struct run *run, const char *what, struct str value, size_t most)
{
    return value.n <= most ? NULL
                           : err_say(&run->detail, E(BAD_REQUEST), "%s must have %zu bytes at most.", what, most);
}

static err_t read_addition(struct addition *add)
{
    struct run *run = add->run;
    struct db_admin_issuer *i = &add->issuer;
    struct str host, path;
    int port;
    i->issuer = run_word(run, 0);
    if (!jwks_url(i->issuer, &host, &port, &path))
        return err_say(&run->detail, E(BAD_REQUEST),
                       "The issuer must be an https URL without user, query or fragment.");
    if (str_same(i->issuer, id_issuer(run->arena, run->cfg.domain)))
        return err_say(&run->detail, E(BAD_REQUEST), "This is the issuer of our own tokens.");
    TRY(run_needs(run, "audience", &i->audience));
    i->subject_claim = run_option(run, "subject-claim");
    if (!i->subject_claim.n)
        i->subject_claim = STR("sub");
    TRY(read_tenant(add));
    TRY(check_length(run, "--audience", i->audience, AUDIENCE_MOST));
    TRY(check_length(run, "--subject-claim", i->subject_claim, CLAIM_NAME_MOST));
    TRY(check_length(run, "--tenant-claim", i->tenant_claim, CLAIM_NAME_MOST));
    return read_source(add);
}

static err_t add_in_tx(struct db *db, void *context)
{
    struct addition *add = context;
    return db_admin_issuer_create(db, add->run->arena, &add->issuer, add->keys, add->count);
}

err_t run_issuer_add(struct run *run)
{
    struct addition add = {.run = run};
    TRY(read_addition(&add));
    act(run, &add.issuer);
    err_t e = db_tx(run->db, add_in_tx, &add);
    if (e == E(UNIQUE_VIOLATION))
        return err_say(&run->detail, e, "This issuer is trusted already.");
    if (e == E(NO_ROW))
        return err_say(&run->detail, e, "There is no tenant of this id.");
    TRY(e);
    TRY(find(run, &add.issuer));
    print_one(run, &add.issuer);
    return NULL;
}

static err_t able(struct run *run, bool enabled)
{
    struct db_admin_issuer i = {.keys_from = KEYS_ABSENT};
    TRY(find(run, &i));
    act(run, &i);
    TRY(db_admin_issuer_able(run->db, run->arena, i.issuer, enabled));
    TRY(find(run, &i));
    print_one(run, &i);
    return NULL;
}

err_t run_issuer_disable(struct run *run)
{
    return able(run, false);
}

err_t run_issuer_enable(struct run *run)
{
    return able(run, true);
}

err_t run_issuer_remove(struct run *run)
{
    struct db_admin_issuer i = {.keys_from = KEYS_ABSENT};
    TRY(find(run, &i));
    act(run, &i);
    return db_admin_issuer_delete(run->db, run->arena, i.issuer);
}

/* --- their clients ------------------------------------------------------------------------------------------------ */

struct federated {
    struct run *run;
    struct db_service_principal client;
    struct str role, scope, issuer, subject;
};

static err_t federate_in_tx(struct db *db, void *context)
{
    struct federated *f = context;
    struct run *run = f->run;
    struct uuid role;
    err_t e = db_admin_service_principal_create(db, run->arena, &f->client);
    if (e == E(NO_ROW))
        return err_say(&run->detail, e, "There is no tenant of this id.");
    TRY(e);
    TRY(run_assign(run, &f->client.tenant, &f->client.client, f->role, f->scope, &role));
    e = db_admin_federated_create(db, run->arena, f->issuer, f->subject, &f->client);
    return e == E(NO_ROW) ? err_say(&run->detail, e, "There is no issuer of this URL for this tenant.") : e;
}

static err_t read_federated(struct federated *f)
{
    struct run *run = f->run;
    struct str tenant;
    TRY(run_needs(run, "tenant", &tenant));
    TRY(run_uuid(run, tenant, &f->client.tenant));
    TRY(run_needs(run, "name", &f->client.display_name));
    TRY(run_needs(run, "role", &f->role));
    TRY(run_needs(run, "issuer", &f->issuer));
    TRY(run_needs(run, "subject", &f->subject));
    f->scope = run_option(run, "scope");
    if (!f->scope.p)
        f->scope = STR("/");
    TRY(run_role(run, f->role));
    return check_length(run, "--subject", f->subject, SUBJECT_MOST);
}

/* Its secret is told nobody, so it cannot sign in here. */
err_t run_federated_create(struct run *run)
{
    struct federated f = {.run = run, .client = {.client = crypt_uuid4()}};
    TRY(read_federated(&f));
    run_new_secret(run, &f.client.secret_hash);
    run_act(run, &f.client.tenant);
    err_t e = db_tx(run->db, federate_in_tx, &f);
    if (e == E(UNIQUE_VIOLATION))
        return err_say(&run->detail, e, "This subject is a client already.");
    TRY(e);
    struct str id = enc_uuid(run->arena, &f.client.client);
    if (run_flag(run, "json"))
        text_printf(&run->out, "{\"clientId\":\"%s\"}\n", id.p);
    else
        text_printf(&run->out, "IDSCOPE_CLIENT_ID=%s\n", id.p);
    return NULL;
}

/* --- keys of our own ---------------------------------------------------------------------------------------------- */

struct shown_key {
    struct str kid, use;
    int64_t created_us;
};
static const struct codec shown_key_codec[] = {
    CODEC_TEXT(struct shown_key, kid, "kid", 0, CODEC_OUT),
    CODEC_TEXT(struct shown_key, use, "use", 0, CODEC_OUT),
    CODEC_TIME(struct shown_key, created_us, "createdDateTimeUtc"),
    CODEC_END,
};

err_t run_token_key_list(struct run *run)
{
    struct db_admin_token_key *keys = NULL;
    size_t count = 0;
    TRY(db_admin_token_keys(run->db, run->arena, &keys, &count));
    run_list_begin(run);
    for (size_t i = 0; i < count; i++) {
        const struct shown_key k = {keys[i].kid, i ? STR("checks") : STR("signs"), keys[i].created_us};
        run_list_item(run);
        if (run_flag(run, "json"))
            codec_encode(&run->out, shown_key_codec, &k);
        else
            text_printf(&run->out, "%.*s\t%.*s\t%s", STR_ARG(k.kid), STR_ARG(k.use),
                        enc_time_iso(run->arena, k.created_us).p);
    }
    run_list_end(run);
    return NULL;
}

err_t run_token_key_retire(struct run *run)
{
    run_act(run, NULL);
    err_t e = db_admin_token_key_delete(run->db, run->arena, run_word(run, 0));
    return e == E(NO_ROW) ? err_say(&run->detail, e, "There is no such key, or it is the one that signs.") : e;
}
