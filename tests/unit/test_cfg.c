/* test_cfg.c: settings from defaults, environment and command line. */
#include "core/cfg.h"

#include "unit.h"

struct result {
    struct cfg c;
    enum cfg_ask ask;
    char **words;
    struct err_detail d;
};

#define ARGS(...) ((const char *[]){"program", __VA_ARGS__, NULL})
#define ENV(...) ((const char *[]){__VA_ARGS__, NULL})
#define GIVEN "IDSCOPE_DATABASE_URL=host=/run", "IDSCOPE_KEY_RING_FILE=/keys"

static err_t read_as(void **state, enum cfg_program program, const char **args, const char **env, struct result *r)
{
    memset(r, 0, sizeof *r);
    return cfg_read(*state, program, (char **)args, (char **)env, &r->c, &r->ask, &r->words, &r->d);
}

static void defaults(void **state)
{
    struct result r;
    assert_ok(read_as(state, CFG_API, (const char *[]){"program", NULL}, ENV(GIVEN), &r));
    assert_text(r.c.domain, "idscope.localhost");
    assert_text(r.c.database_url, "host=/run");
    assert_text(r.c.edge_secret_file, NULL);
    assert_int_equal(r.c.batch_max, 128);
    assert_int_equal(r.c.edge_uid, -1);
    assert_int_equal(r.c.hub_timeout_ms, 8000); /* of another program: its default */
    assert_int_equal(r.ask, CFG_RUN);
    assert_null(r.words[0]);
    assert_ok(
        cfg_read(*state, CFG_API, (char **)(const char *[]){NULL}, (char **)ENV(GIVEN), &r.c, &r.ask, &r.words, &r.d));
}

static void the_command_line_wins(void **state)
{
    struct result r;
    assert_ok(read_as(
        state, CFG_WORKER, ARGS("--hub-timeout-ms=250", "--domain=a=b"),
        ENV(GIVEN, "IDSCOPE_HUB_TIMEOUT_MS=300", "IDSCOPE_POLL_MIN_MS=30", "IDSCOPE_REGION=", "PATH=/bin"), &r));
    assert_int_equal(r.c.hub_timeout_ms, 250);
    assert_int_equal(r.c.poll_min_ms, 30);
    assert_text(r.c.domain, "a=b");
    assert_text(r.c.region, "local"); /* empty in the environment: not given */
}

static void the_environment_is_shared_with_others(void **state)
{
    struct result r;
    assert_ok(read_as(
        state, CFG_API, ARGS("--check-config"),
        ENV(GIVEN, "IDSCOPE_URL=x", "IDSCOPE_HUB_TIMEOUT_MS=nonsense", "IDSCOPE_batch_max=9", "IDSCOPE_", "IDSCOPE"),
        &r));
    assert_int_equal(r.c.batch_max, 128); /* only the exact name counts */
    assert_int_equal(r.ask, CFG_CHECK);
}

static void white_space_around_a_value_is_cut(void **state)
{
    struct result r;
    assert_ok(read_as(state, CFG_API, ARGS("--domain= x.test\r\n"),
                      ENV(GIVEN, "IDSCOPE_BATCH_MAX=9\n", "IDSCOPE_REGION=\teurope ", "IDSCOPE_RUN_AS= \n"), &r));
    assert_text(r.c.domain, "x.test");
    assert_text(r.c.region, "europe");
    assert_text(r.c.run_as, NULL);
    assert_int_equal(r.c.batch_max, 9);
}

static void refuse(void **state, enum cfg_program program, const char *arg, const char *env, const char *says)
{
    struct result r;
    const char *args[] = {"program", arg ? arg : NULL, NULL};
    assert_err(read_as(state, program, args, ENV(GIVEN, env ? env : "A=b"), &r), BAD_CONFIG);
    assert_says(r.d, says);
    assert_null(r.words);
}

static void bad_settings_are_named_with_their_rule(void **state)
{
    refuse(state, CFG_API, "--batch-max=0", NULL, "--batch-max must be a whole number from 1 to 512");
    refuse(state, CFG_API, "--batch-max=513", NULL, "--batch-max");
    refuse(state, CFG_API, "--batch-max=1x", NULL, "--batch-max");
    refuse(state, CFG_API, "--batch-max=", NULL, "--batch-max");
    refuse(state, CFG_API, "--batch-max", NULL, "--batch-max needs a value");
    refuse(state, CFG_API, "--no-such=1", NULL, "no setting --no-such");
    refuse(state, CFG_API, "--", NULL, "no setting --");
    refuse(state, CFG_API, "--hub-timeout-ms=5000", NULL, "--hub-timeout-ms is no setting of this program");
    refuse(state, CFG_ADMIN, "--lease-ms=5000", NULL, "--lease-ms is no setting of this program");
    refuse(state, CFG_API, "--log-level=", NULL, "--log-level must have 1 to 10 characters");
    refuse(state, CFG_API, "--log-level=superverbose", NULL, "--log-level");
    refuse(state, CFG_API, NULL, "IDSCOPE_BATCH_MAX=-1", "IDSCOPE_BATCH_MAX");
}

static void what_must_be_given_is_asked_for(void **state)
{
    struct result r;
    const char **none = ENV("IDSCOPE_DATABASE_URL=");
    assert_err(read_as(state, CFG_API, ARGS("--check-config"), none, &r), BAD_CONFIG);
    assert_says(r.d, "--database-url (environment: IDSCOPE_DATABASE_URL) must be given");
    assert_ok(read_as(state, CFG_API, ARGS("--help"), none, &r));
    assert_int_equal(r.ask, CFG_HELP);
    assert_ok(read_as(state, CFG_WORKER, ARGS("--version"), none, &r));
    assert_int_equal(r.ask, CFG_VERSION);
    assert_ok(read_as(state, CFG_ADMIN, ARGS("new-key-ring"), none, &r));
}

static void words_are_left_in_order(void **state)
{
    struct result r;
    assert_ok(
        read_as(state, CFG_ADMIN, ARGS("bootstrap", "--domain=x.test", "--tenant-name=Ada", "last"), ENV(GIVEN), &r));
    assert_string_equal(r.words[0], "bootstrap");
    assert_string_equal(r.words[1], "--tenant-name=Ada"); /* an option of the command, not of the program */
    assert_string_equal(r.words[2], "last");
    assert_null(r.words[3]);
    assert_text(r.c.domain, "x.test");
}

static void help_is_of_one_program(void **state)
{
    struct str help = cfg_help(*state, CFG_WORKER);
    assert_non_null(strstr(help.p, "--lease-ms=NUMBER\n"));
    assert_non_null(strstr(help.p, "[30000]"));
    assert_non_null(strstr(help.p, "--check-config"));
    assert_null(strstr(help.p, "--batch-max"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UNIT(defaults),
        UNIT(the_command_line_wins),
        UNIT(the_environment_is_shared_with_others),
        UNIT(white_space_around_a_value_is_cut),
        UNIT(bad_settings_are_named_with_their_rule),
        UNIT(what_must_be_given_is_asked_for),
        UNIT(words_are_left_in_order),
        UNIT(help_is_of_one_program),
    };
    return cmocka_run_group_tests_name("cfg", tests, NULL, NULL);
}
