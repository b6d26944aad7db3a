/* main.c: idscope-admin, the one-shot commands of an operator: key rings, signing keys, tenants and who may sign in;
 * and the table of all commands. Results go to standard output as lines that a shell can read, everything else to
 * standard error. It must never print a stored secret: a client secret is shown once, when it is made. */
#include <stdio.h>
#include <unistd.h>

#include "admin/run.h"
#include "core/jwt.h"
#include "core/model.h"
#include "core/process/keyfile.h"
#include "core/process/log_sink.h"
#include "core/process/program.h"
#include "db/admin.h"

static void print_uuid(struct run *run, const char *variable, const struct uuid *u)
{
    text_printf(&run->out, "%s=%s\n", variable, enc_uuid(run->arena, u).p);
}

/* --- steps -------------------------------------------------------------------------------------------------------- */

static err_t add_tenant(struct run *run, struct str name, struct uuid *ret)
{
    struct uuid tenant = crypt_uuid4();
    run_act(run, &tenant);
    TRY(db_admin_tenant_create(run->db, run->arena, &tenant, name));
    print_uuid(run, "IDSCOPE_TENANT_ID", &tenant);
    *ret = tenant;
    return NULL;
}

static err_t no_tenant(struct run *run, err_t e)
{
    return e == E(NO_ROW) ? err_say(&run->detail, e, "There is no tenant of this id.") : e;
}

static err_t add_subscription(struct run *run, const struct uuid *tenant, struct str name)
{
    struct uuid subscription = crypt_uuid4();
    run_act(run, tenant);
    err_t e = db_admin_subscription_create(run->db, run->arena, tenant, &subscription, name);
    if (e)
        return no_tenant(run, e);
    print_uuid(run, "IDSCOPE_SUBSCRIPTION_ID", &subscription);
    return NULL;
}

static err_t add_service_principal(struct run *run, const struct uuid *tenant, struct str name, struct uuid *ret_client)
{
    struct db_service_principal p = {
        .tenant = *tenant,
        .client = crypt_uuid4(),
        .display_name = name,
    };
    struct str secret = run_new_secret(run, &p.secret_hash);
    run_act(run, tenant);
    err_t e = db_admin_service_principal_create(run->db, run->arena, &p);
    if (e)
        return no_tenant(run, e);
    print_uuid(run, "IDSCOPE_CLIENT_ID", &p.client);
    text_printf(&run->out, "IDSCOPE_CLIENT_SECRET=%s\n", secret.p);
    *ret_client = p.client;
    return NULL;
}

static err_t add_token_key(struct run *run, struct str *ret_kid)
{
    struct uuid id = crypt_uuid4();
    struct str kid = enc_hex(run->arena, (struct bytes){id.b, 8}, false);
    struct str pem = jwt_key_new_pem(run->arena);
    struct bytes row = seal_row(run->arena, "token_key", kid, STR(""), "private");
    struct db_token_key key = {kid, seal(run->arena, run->ring, row, str_bytes(pem))};
    run_act(run, NULL);
    TRY(db_admin_token_key_create(run->db, run->arena, &key));
    *ret_kid = kid;
    return NULL;
}

/* --- commands ----------------------------------------------------------------------------------------------------- */

static err_t new_key_ring(struct run *run)
{
    struct str given = run_option(run, "id");
    int64_t id = 1;
    if (given.p && !dec_i64(given, 1, UINT32_MAX, &id))
        return err_say(&run->detail, E(BAD_REQUEST), "--id: a number from 1 to 4294967295.");
    text_add(&run->out, key_ring_line(run->arena, (uint32_t)id));
    return NULL;
}

static err_t new_token_key(struct run *run)
{
    struct str kid;
    TRY(add_token_key(run, &kid));
    text_printf(&run->out, "%s\n", kid.p);
    return NULL;
}

static err_t create_tenant(struct run *run)
{
    struct uuid tenant;
    err_t e = add_tenant(run, run_word(run, 0), &tenant);
    return e == E(UNIQUE_VIOLATION) ? err_say(&run->detail, e, "There is a tenant of this name.") : e;
}

static err_t create_subscription(struct run *run)
{
    struct uuid tenant;
    TRY(run_uuid(run, run_word(run, 0), &tenant));
    return add_subscription(run, &tenant, run_word(run, 1));
}

/* With a role in all of its tenant, unless a scope is given. */
static err_t service_principal_in_tx(struct db *db, void *context)
{
    struct run *run = context;
    struct uuid tenant, client, id;
    struct str role = run_word(run, 2), scope = run_option(run, "scope");
    (void)db;
    run->out.n = 0;
    TRY(run_uuid(run, run_word(run, 0), &tenant));
    TRY(add_service_principal(run, &tenant, run_word(run, 1), &client));
    return run_assign(run, &tenant, &client, role, scope.p ? scope : STR("/"), &id);
}

static err_t create_service_principal(struct run *run)
{
    TRY(run_role(run, run_word(run, 2)));
    return db_tx(run->db, service_principal_in_tx, run);
}

static err_t bootstrap_in_tx(struct db *db, void *context)
{
    struct run *run = context;
    run->out.n = 0;
    struct db_token_key *keys;
    size_t key_count;
    struct str kid;
    struct uuid tenant, client, id;
    TRY(add_tenant(run, run_option(run, "tenant-name"), &tenant));
    TRY(add_subscription(run, &tenant, run_option(run, "subscription-name")));
    TRY(add_service_principal(run, &tenant, STR("bootstrap"), &client));
    TRY(run_assign(run, &tenant, &client, STR("owner"), STR("/"), &id));
    TRY(run_assign(run, &tenant, &client, STR("dataContributor"), STR("/"), &id));
    err_t e = db_gate_token_keys(db, run->arena, &keys, &key_count);
    return e == E(NO_ROW) ? add_token_key(run, &kid) : e;
}

/* Does its work the first time and nothing ever after, also when two run at once. */
static err_t bootstrap(struct run *run)
{
    struct str name = run_option(run, "tenant-name");
    struct uuid tenant;
    if (!name.n || !run_option(run, "subscription-name").n)
        return err_say(&run->detail, E(BAD_REQUEST),
                       "bootstrap needs --tenant-name=NAME and --subscription-name=NAME.");
    err_t e = db_admin_tenant_find(run->db, run->arena, name, &tenant);
    if (e != E(NO_ROW))
        return e;
    e = db_tx(run->db, bootstrap_in_tx, run);
    if (e != E(UNIQUE_VIOLATION))
        return e;
    run->out.n = 0;
    return NULL;
}

/* The schema was checked when the connection opened; here: does the key ring open what the database holds? */
static err_t check(struct run *run)
{
    struct db_token_key *keys;
    size_t count;
    struct bytes pem;
    err_t e = db_gate_token_keys(run->db, run->arena, &keys, &count);
    if (e)
        return e != E(NO_ROW) ? e : err_say(&run->detail, e, "There is no token key: run bootstrap or new-token-key.");
    for (size_t i = 0; i < count; i++) {
        struct bytes row = seal_row(run->arena, "token_key", keys[i].kid, STR(""), "private");
        TRY(unseal(run->arena, run->ring, row, keys[i].private_sealed, &pem));
    }
    text_printf(&run->out, "schema good, %zu token keys opened\n", count);
    return NULL;
}

enum need { NEEDS_NOTHING, NEEDS_DATABASE };

static const struct command {
    const char *name;
    const char *arguments;
    int words; /* that stand behind the name, beside options */
    enum need need;
    err_t (*work)(struct run *run);
    const char *sentence;
} commands[] = {
    {"new-key-ring", " [--id=N]", 0, NEEDS_NOTHING, new_key_ring,
     "print a new key ring of one key; with an id of its own, the line is a key to be added to another ring"},
    {"reseal", " [--batch=N] [--json]", 0, NEEDS_DATABASE, run_reseal,
     "seal everything anew under the first key of the key ring, while everybody works, and print what is under another "
     "one still; ended and begun again, it goes on"},
    {"new-token-key", "", 0, NEEDS_DATABASE, new_token_key,
     "make the key that signs access tokens from now on; the one before stays valid"},
    {"bootstrap", " --tenant-name=NAME --subscription-name=NAME", 0, NEEDS_DATABASE, bootstrap,
     "first tenant, subscription, client and token key, as shell variables; nothing when the tenant exists"},
    {"create-tenant", " NAME", 1, NEEDS_DATABASE, create_tenant, "add a tenant"},
    {"create-subscription", " TENANT_ID NAME", 2, NEEDS_DATABASE, create_subscription,
     "add a subscription of a tenant"},
    {"create-service-principal", " TENANT_ID NAME ROLE [--scope=SCOPE]", 3, NEEDS_DATABASE, create_service_principal,
     "add a client with a new secret; ROLE and SCOPE are as with role-assignment create, for all of the tenant where "
     "no SCOPE is given"},
    {"tenant list", " [--json]", 0, NEEDS_DATABASE, run_tenant_list, "print the tenants: id, state, name"},
    {"tenant disable", " ID [--json]", 1, NEEDS_DATABASE, run_tenant_disable,
     "refuse the clients of a tenant (service principals); its policies' keys and its devices go on"},
    {"tenant enable", " ID [--json]", 1, NEEDS_DATABASE, run_tenant_enable, "let them in again"},
    {"subscription list", " [--tenant=ID] [--json]", 0, NEEDS_DATABASE, run_subscription_list,
     "print the subscriptions: id, tenant, state, name"},
    {"subscription disable", " ID [--json]", 1, NEEDS_DATABASE, run_subscription_disable,
     "let what stands in a subscription be read and no more on the management plane; service, hubs and devices go on"},
    {"subscription enable", " ID [--json]", 1, NEEDS_DATABASE, run_subscription_enable, "let it be changed again"},
    {"service-principal list", " [--tenant=ID] [--json]", 0, NEEDS_DATABASE, run_service_principal_list,
     "print the clients: id, tenant, state, name"},
    {"service-principal disable", " ID [--json]", 1, NEEDS_DATABASE, run_service_principal_disable,
     "refuse a client, its tokens too"},
    {"service-principal enable", " ID [--json]", 1, NEEDS_DATABASE, run_service_principal_enable, "let it in again"},
    {"service-principal renew-secret", " ID [--revoke] [--json]", 1, NEEDS_DATABASE, run_secret_renew,
     "give a client a new secret; the one before stays good until the next time, or with --revoke no longer"},
    {"service-principal create",
     " --tenant=ID --name=NAME --role=ROLE [--scope=SCOPE] --issuer=URL --subject=TEXT [--json]", 0, NEEDS_DATABASE,
     run_federated_create,
     "add a client without a secret, which comes with tokens of an outside issuer for that subject"},
    {"issuer add",
     " URL --audience=TEXT [--tenant=ID] [--tenant-claim=NAME] [--subject-claim=NAME] [--jwks-url=URL] "
     "[--jwks-file=FILE] [--json]",
     1, NEEDS_DATABASE, run_issuer_add,
     "trust an outside issuer of access tokens, for clients of one tenant or of the one that a claim says (its id or "
     "name); its keys are found by OpenID discovery, at a URL, or in a file"},
    {"issuer list", " [--json]", 0, NEEDS_DATABASE, run_issuer_list,
     "print the outside issuers: URL, state, audience, tenant, where its keys come from, since when they are known"},
    {"issuer disable", " URL [--json]", 1, NEEDS_DATABASE, run_issuer_disable, "refuse its tokens"},
    {"issuer enable", " URL [--json]", 1, NEEDS_DATABASE, run_issuer_enable, "take them again"},
    {"issuer remove", " URL", 1, NEEDS_DATABASE, run_issuer_remove,
     "trust it no more, and forget its keys and subjects; their clients stay"},
    {"token-key list", " [--json]", 0, NEEDS_DATABASE, run_token_key_list,
     "print the keys of access tokens, newest first: that one signs"},
    {"token-key retire", " KID", 1, NEEDS_DATABASE, run_token_key_retire,
     "end a key that does not sign any more, and all tokens that it signed"},
    {"role-assignment create", " --client=ID --role=ROLE --scope=SCOPE [--json]", 0, NEEDS_DATABASE, run_role_create,
     "give a client a role: owner, contributor, reader, dataReader or dataContributor; SCOPE is / (all of its tenant), "
     "/subscriptions/ID or /subscriptions/ID/resourceGroups/NAME"},
    {"role-assignment list", " [--tenant=ID] [--client=ID] [--json]", 0, NEEDS_DATABASE, run_role_list,
     "print the role assignments: id, tenant, client, role, scope"},
    {"role-assignment delete", " ID [--json]", 1, NEEDS_DATABASE, run_role_delete,
     "take a role from a client, the last owner's, too"},
    {"instance create", " --id-scope=0ne… --tenant=ID --subscription=ID --group=NAME --name=NAME --location=NAME", 0,
     NEEDS_DATABASE, run_instance_create, "add an instance on an ID scope that devices already carry"},
    {"instance deleted", " --tenant=ID [--json]", 0, NEEDS_DATABASE, run_instance_deleted,
     "print a tenant's deleted instances that can be undeleted: ID scope, subscription, group, until when, name"},
    {"instance undelete", " ID_SCOPE [--json]", 1, NEEDS_DATABASE, run_instance_undelete,
     "bring a deleted instance back as it was, with its ID scope; and name the hubs that it links and that are gone"},
    {"limits show", " --tenant=ID [--instance=NAME] [--json]", 0, NEEDS_DATABASE, run_limits_show,
     "print the limits that a tenant, or an instance of it, has of its own: name, value (0: no limit), whose it is"},
    {"limits set", " NAME VALUE --tenant=ID [--instance=NAME] [--json]", 2, NEEDS_DATABASE, run_limits_set,
     "give it one of its own in place of the deployment's, or take that away with the value default; within seconds"},
    {"pull", " --from-file=FILE --into-file=FILE [--from=STRING] [--into=STRING] [--dry-run=yes]", 0, NEEDS_NOTHING,
     run_pull,
     "bring the groups, enrollments and registrations of a service into an instance; each side's connection string "
     "stands in a file or in IDSCOPE_PULL_FROM and IDSCOPE_PULL_INTO, with HostName=HOST:PORT where that is not 443; "
     "a dry run tells what the instance would refuse; begun again, it goes on where it ended"},
    {"audit verify", " [--tenant=ID] [--anchor=HASH] [--anchor-file=FILE] [--json]", 0, NEEDS_DATABASE,
     run_audit_verify,
     "compute anew what was sealed of the audit events: names each block and row that does not fit, and what is not "
     "sealed yet; an anchor is a hash that was kept, or the worker's log"},
    {"check", "", 0, NEEDS_DATABASE, check, "connect, check the schema and open a sealed value"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

/* --- running ------------------------------------------------------------------------------------------------------ */

static struct str help(struct arena *a)
{
    struct text t;
    text_init(&t, a, 4096);
    text_add(&t, STR("usage: idscope-admin COMMAND [SETTINGS]\n\nCommands:\n"));
    for (size_t i = 0; i < COMMANDS; i++)
        text_printf(&t, "  %s%s\n        %s\n", commands[i].name, commands[i].arguments, commands[i].sentence);
    text_printf(&t, "\n%s", cfg_help(a, CFG_ADMIN).p);
    return text_str(&t);
}

/* How many words the command's name is, where these begin with it; 0: they do not. */
static size_t named(const struct command *c, char **words)
{
    struct str rest = str_of(c->name), part;
    size_t n = 0;
    for (; rest.p; n++) {
        rest = str_split(rest, ' ', &part);
        if (!words[n] || !str_same(part, str_of(words[n])))
            return 0;
    }
    return n;
}

/* Is it one of the options that the command's arguments name, with a value where that has one? */
static bool takes(const struct command *c, struct str option)
{
    struct str rest = str_of(c->arguments), one, name, given;
    bool has_value = str_split(option, '=', &given).p;
    while (rest.p) {
        rest = str_split(rest, ' ', &one);
        one = str_starts(one, STR("[")) ? (struct str){one.p + 1, one.n - 2} : one;
        bool wants_value = str_split(one, '=', &name).p;
        if (str_same(name, given))
            return has_value == wants_value;
    }
    return false;
}

/* As many words as the command wants, and no option that it does not know. */
static bool fits(const struct command *c, char **words)
{
    int count = 0;
    for (; *words; words++) {
        bool option = str_starts(str_of(*words), STR("--"));
        if (option && !takes(c, str_of(*words)))
            return false;
        count += !option;
    }
    return count == c->words;
}

static const struct command *find_command(char **words, char ***ret_behind)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        size_t n = named(&commands[i], words);
        *ret_behind = words + n;
        if (n && fits(&commands[i], *ret_behind))
            return &commands[i];
    }
    return NULL;
}

static err_t check_settings(void *self, struct err_detail *d)
{
    const struct run *run = self;
    if (!run->cfg.database_url.n || !run->cfg.key_ring_file.n)
        return err_say(d, E(BAD_CONFIG), "--database-url and --key-ring-file must be given.");
    return NULL;
}

static err_t load_keys(void *self, struct err_detail *d)
{
    struct run *run = self;
    return key_ring_load(run->cfg.key_ring_file, d, &run->ring);
}

static void free_keys(void *self)
{
    struct run *run = self;
    key_ring_free(run->ring);
}

static err_t open_database(void *self, struct err_detail *d)
{
    struct run *run = self;
    return db_open(run->cfg.database_url.p, "idscope-admin", DB_USE_GENERAL, d, &run->db);
}

static void close_database(void *self)
{
    struct run *run = self;
    db_close(run->db);
}

/* For commands that need the database. */
static const struct start_step steps[] = {
    {.start = check_settings},
    {.start = load_keys, .stop = free_keys},
    {.start = open_database, .stop = close_database},
};
enum { STEPS = sizeof steps / sizeof *steps };

/* What the command's work did not say itself. */
static struct str database_says(const struct run *run)
{
    const char *said = run->db && !run->detail.text[0] ? db_message(run->db) : "";
    return *said ? arena_printf(run->arena, "  %s\n", said) : STR("");
}

static int complain(const struct run *run, const char *command, err_t e)
{
    struct str more = database_says(run);
    const char *sentence = run->detail.text[0] ? run->detail.text : e->sentence;
    run->say->take(arena_printf(run->arena, "idscope-admin %s: %s\n%.*s", command, sentence, STR_ARG(more)));
    return program_exit_code(e);
}

static int run_command(struct run *run, const struct command *c)
{
    size_t started = 0;
    text_init(&run->out, run->arena, 512);
    err_t e = NULL;
    if (c->need == NEEDS_DATABASE)
        e = start_steps(steps, STEPS, run, &run->detail, &started);
    if (!e)
        e = c->work(run);
    int code = e ? complain(run, c->name, e) : EXIT_DONE;
    if ((!e || run->out_stands) && (fputs(text_str(&run->out).p, stdout) < 0 || fflush(stdout) != 0))
        code = EXIT_FAILED;
    stop_steps(steps, started, run);
    return code;
}

static int run_words(struct run *run, char **words)
{
    const struct command *c = find_command(words, &run->words);
    if (!c) {
        run->say->take(help(run->arena));
        return EXIT_USAGE;
    }
    return run_command(run, c);
}

/* Complaints go through the log's sink, so that a standard error that nobody reads does not keep us. */
int main(int argc, char **argv)
{
    (void)argc;
    struct arena *a ARENA_CLEANUP = arena_new();
    struct run run = {.arena = a, .say = log_sink_start(STDERR_FILENO)};
    enum cfg_ask ask;
    char **words;
    int code = EXIT_DONE;
    err_t e = cfg_read(a, CFG_ADMIN, argv, environ, &run.cfg, &ask, &words, &run.detail);
    if (e)
        code = complain(&run, "", e);
    else if (ask == CFG_RUN)
        code = run_words(&run, words);
    else if (ask == CFG_VERSION)
        code = puts("idscope-admin " IDSCOPE_VERSION) < 0 ? EXIT_FAILED : EXIT_DONE;
    else if (ask == CFG_HELP)
        fputs(help(a).p, stdout);
    log_sink_stop();
    return code;
}
