/* test_webhook.c: definitions of custom allocations: which are good, and that none opens but in its row. */
#include "core/webhook.h"

#include "unit.h"

#define RING "7:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"
#define URL "https://allocate.example/api/pick?code=secret"

static void definitions_are_checked(void **state)
{
    static const struct {
        const char *url, *version, *says; /* NULL: it is good */
    } rows[] = {
        {URL, "2021-10-01", NULL},
        {URL, "2018-09-01-preview", NULL},
        {"HTTPS://a.b:8443", "2019-03-31", NULL},
        {"https://a?x", "2021-10-01", NULL},
        {" \t" URL "\r\n", "2021-10-01", NULL},
        {NULL, "2021-10-01", "customAllocationDefinition.webhookUrl is required"},
        {" ", "2021-10-01", "customAllocationDefinition.webhookUrl is required"},
        {URL, NULL, "customAllocationDefinition.apiVersion is required"},
        {URL, "", "customAllocationDefinition.apiVersion is required"},
        {URL, "soon", "customAllocationDefinition.apiVersion must be a date"},
        {URL, "2018-08-31", "from 2018-09-01-preview on"},
        {URL, "2021-10-01-preview of what", "customAllocationDefinition.apiVersion must be a date"},
        {"http://a.b/", "2021-10-01", "webhookUrl must be an https URL"},
        {"https://", "2021-10-01", "webhookUrl must be an https URL"},
        {"https://?code=x", "2021-10-01", "webhookUrl must be an https URL"},
        {"https://me@a.b/", "2021-10-01", "webhookUrl must be an https URL"},
        {"https://a.b:0/", "2021-10-01", "webhookUrl must be an https URL"},
        {"https://a.b:65536/", "2021-10-01", "webhookUrl must be an https URL"},
        {"https://a.b:/", "2021-10-01", "webhookUrl must be an https URL"},
        {"https://a.b/x#y", "2021-10-01", "webhookUrl must be an https URL"},
        {"https://a.b/x y", "2021-10-01", "webhookUrl must be an https URL"},
        {"https://a.b/x\r\ny", "2021-10-01", "webhookUrl must be an https URL"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct err_detail d = {""};
        struct custom_allocation in = {str_of(rows[i].url), str_of(rows[i].version)};
        err_t e = webhook_check(&in, &d);
        if (!rows[i].says) {
            assert_ok(e);
            continue;
        }
        unit_err(e, E(BAD_FIELD), __FILE__, __LINE__);
        unit_says(&d, rows[i].says, __FILE__, __LINE__);
        assert_null(strstr(d.text, "secret"));
    }
}

static void one_opens_in_its_row_alone(void **state)
{
    struct key_ring *ring = NULL;
    struct err_detail d;
    assert_ok(key_ring_parse(STR(RING), &d, &ring));
    const struct webhook_row at = {ring, STR("0ne0000beef"), STR("press"), false};
    const struct custom_allocation in = {STR(URL), STR("2021-10-01")};
    const struct bytes sealed = webhook_seal(*state, &at, &in);
    struct custom_allocation out;
    assert_ok(webhook_open(*state, &at, sealed, &out));
    assert_text(out.webhook_url, URL);
    assert_text(out.api_version, "2021-10-01");
    assert_null(memmem(sealed.p, sealed.n, "secret", 6));
    struct webhook_row another = at;
    another.key = STR("another");
    assert_err(webhook_open(*state, &another, sealed, &out), SEAL_BROKEN);
    another = at;
    another.of_group = true;
    assert_err(webhook_open(*state, &another, sealed, &out), SEAL_BROKEN);
    const struct bytes no_definition =
        seal(*state, ring, seal_row(*state, "enrollment", at.id_scope, at.key, "webhook"),
             (struct bytes){(const uint8_t *)"x", 1});
    assert_err(webhook_open(*state, &at, no_definition, &out), SEAL_BROKEN);
    key_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {UNIT(definitions_are_checked), UNIT(one_opens_in_its_row_alone)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
