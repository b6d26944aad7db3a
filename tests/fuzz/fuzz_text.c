/* fuzz_text.c: any bytes as the texts that clients write ids, hosts, times, keys and addresses of webhooks in. What is
 * read can be written again and reads as the same; what is an id names one host of this deployment; and an address that
 * is refused is not told. */
#include "fuzz.h"

#include <string.h>

#include "core/id.h"
#include "core/webhook.h"

#define DOMAIN STR("idscope.test")
enum {
    WEBHOOK_URL_MOST = 4096,
    VERSION_MOST = 128
}; /* as long as the codec of enrollments lets them be (core/model.c) */

/* Encoded and decoded again, bytes are what they were; what decodes is encoded as it was written. */
static void bytes_come_back(struct arena *a, struct str in)
{
    const struct bytes raw = {(const uint8_t *)in.p, in.n};
    struct bytes back;
    HOLDS(dec_base64(a, enc_base64(a, raw), &back) && crypt_same(back, raw));
    HOLDS(dec_base64url(a, enc_base64url(a, raw), &back) && crypt_same(back, raw));
    HOLDS(dec_hex(a, enc_hex(a, raw, true), &back) && crypt_same(back, raw));
    if (dec_base64(a, in, &back))
        HOLDS(str_same(enc_base64(a, back), in));
    if (dec_base64url(a, in, &back))
        HOLDS(str_same(enc_base64url(a, back), in));
    if (dec_hex(a, in, &back))
        HOLDS(str_same_nocase(enc_hex(a, back, false), in));
}

static void percents_come_back(struct arena *a, struct str in)
{
    struct str back, read;
    if (!memchr(in.p, '\0', in.n))
        HOLDS(dec_percent(a, enc_percent(a, in), true, &back) && str_same(back, in));
    for (int plus = 0; plus < 2; plus++)
        if (dec_percent(a, in, plus, &read))
            HOLDS(read.n <= in.n && !memchr(read.p, '\0', read.n));
}

static void values_come_back(struct arena *a, struct str in)
{
    struct uuid u;
    int64_t value, again;
    if (dec_uuid(in, &u))
        HOLDS(str_same_nocase(enc_uuid(a, &u), in));
    if (dec_i64(in, -1000, 70000, &value))
        HOLDS(value >= -1000 && value <= 70000);
    if (dec_time_iso(in, &value)) {
        HOLDS(value >= 0 && dec_time_iso(enc_time_iso(a, value), &again) && again == value);
        HOLDS(enc_time_http(a, value).n == 29);
    }
}

/* A name of a service is one label, which leads back to it and to no other plane. */
static void names_lead_to_hosts(struct arena *a, struct str in)
{
    struct str name, key = arena_lower(a, in);
    if (!id_service_name_valid(in))
        return;
    HOLDS(id_plane_of(a, id_hub_host(a, in, DOMAIN), DOMAIN, &name) == ID_PLANE_HUB && str_same(name, key));
    HOLDS(id_plane_of(a, id_service_host(a, in, DOMAIN), DOMAIN, &name) == ID_PLANE_SERVICE && str_same(name, key));
    HOLDS(id_hub_built_in(a, id_hub_host(a, in, DOMAIN), DOMAIN));
    HOLDS(id_resource_group_valid(in) && id_key_name_valid(in) && id_certificate_name_valid(in) && id_host_valid(in));
    HOLDS(id_service_name_reserved(in) == id_service_name_reserved(key));
}

static void ids_are_keyed(struct arena *a, struct str in)
{
    struct str place, again, name;
    struct err_detail d = {""};
    HOLDS(!id_registration_check(in, "id", &d) == id_registration_valid(in) && !*d.text == id_registration_valid(in));
    HOLDS(!id_registration_valid(in) || !id_device_check(in, "id", &d));
    HOLDS(!id_scope_valid(in) || in.n == ID_SCOPE_LEN);
    if (id_location(a, in, &place))
        HOLDS(id_location(a, place, &again) && str_same(again, place) && !memchr(place.p, ' ', place.n));
    if (id_version_valid(in))
        HOLDS(id_version_valid(id_version_day(in)));
    (void)id_plane_of(a, in, DOMAIN, &name);
    HOLDS(str_same(name, arena_lower(a, name)));
}

/* Ports and schemes are cut off once. */
static void hosts_are_cut(struct arena *a, struct str in)
{
    struct str host = id_host_without_port(in);
    HOLDS(host.n <= in.n && (!id_host_valid(in) || str_same(host, in)));
    if (id_host_valid(in)) {
        HOLDS(str_same(id_url_host(arena_printf(a, "https://%.*s/", STR_ARG(in))), in));
        HOLDS(str_same(id_host_without_port(arena_printf(a, "%.*s:443", STR_ARG(in))), in));
    }
    host = id_url_host(in);
    HOLDS(host.n + strlen("https://") <= in.n || !host.n);
}

static void etags_match(struct str in)
{
    struct str bare = id_etag_bare(in);
    HOLDS(bare.n <= in.n);
    HOLDS(!bare.n || id_etag_matches(in, in));
    HOLDS(!id_etag_matches((struct str){NULL, 0}, in));
}

static void a_connection_string_names_a_host(struct arena *a, struct str in)
{
    struct connection_string c;
    struct err_detail d = {""};
    err_t e = id_connection_string(a, in, &d, &c);
    HOLDS(e ? e == E(BAD_CONNECTION_STRING) && *d.text : id_host_valid(c.host) && id_key_name_valid(c.key_name));
}

/* The address in the first line, its api-version in the second. Refused, it is not told: it holds keys. */
static void a_webhook_is_kept(struct arena *a, struct str in)
{
    struct custom_allocation it = {.webhook_url = {NULL, 0}}, back;
    struct err_detail d = {""};
    it.api_version = str_split(in, '\n', &it.webhook_url);
    struct str sent = it.webhook_url;
    if (sent.n > WEBHOOK_URL_MOST || it.api_version.n > VERSION_MOST)
        return;
    if (webhook_check(&it, &d)) {
        HOLDS(*d.text && (sent.n < 16 || !memmem(d.text, strlen(d.text), sent.p, sent.n)));
        return;
    }
    HOLDS(str_same_nocase((struct str){it.webhook_url.p, 8}, STR("https://")) &&
          !memchr(it.webhook_url.p, ' ', it.webhook_url.n));
    struct webhook_row row = {fuzz_ring(), STR("0ne1"), STR("d"), false};
    struct bytes sealed = webhook_seal(a, &row, &it);
    HOLDS(!webhook_open(a, &row, sealed, &back) && str_same(back.webhook_url, it.webhook_url));
    row.of_group = true;
    HOLDS(webhook_open(a, &row, sealed, &back) == E(SEAL_BROKEN));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str in = {(const char *)data, size};
    if (!size)
        return 0;
    bytes_come_back(a, in);
    percents_come_back(a, in);
    values_come_back(a, in);
    names_lead_to_hosts(a, in);
    ids_are_keyed(a, in);
    hosts_are_cut(a, in);
    etags_match(in);
    a_connection_string_names_a_host(a, in);
    a_webhook_is_kept(a, in);
    return 0;
}
