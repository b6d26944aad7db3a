/* id.c: which texts are ids and names, how they are keyed, and which plane a host belongs to. It must never ask whether
 * a thing exists. */
#include "id.h"

#include <ctype.h>
#include <string.h>

#include "crypt.h"

enum {
    LOCATION_MAX = 64,
    CONNECTION_STRING_MAX = 2048,
    LABEL_MAX = 63,
    DATE_LENGTH = 10,
    VERSION_MAX = 32,
    HTTPS_PORT = 443
};

/* ASCII only, whatever the locale. */
static bool is_letter(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_letter(c) || is_digit(c);
}

/* 1…max characters, each a letter, a digit or one of `others`. */
static bool made_of(struct str s, size_t max, const char *others)
{
    if (s.n < 1 || s.n > max)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!is_alnum(s.p[i]) && (!s.p[i] || !strchr(others, s.p[i])))
            return false;
    return true;
}

static bool all_digits(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!is_digit(s.p[i]))
            return false;
    return true;
}

bool id_registration_valid(struct str id)
{
    return made_of(id, REGISTRATION_ID_MOST, "-._:") && is_alnum(id.p[0]) &&
           (is_alnum(id.p[id.n - 1]) || id.p[id.n - 1] == '-');
}

bool id_device_valid(struct str id)
{
    return made_of(id, DEVICE_ID_MOST, "-.%_*?!(),:=@$'");
}

err_t id_registration_check(struct str id, const char *member, struct err_detail *d)
{
    if (id_registration_valid(id))
        return NULL;
    return err_say(d, E(BAD_ID),
                   "%s must have 1 to %d letters, digits and characters of -._: and begin and end with a "
                   "letter or digit (or end with a hyphen).",
                   member, REGISTRATION_ID_MOST);
}

err_t id_device_check(struct str id, const char *member, struct err_detail *d)
{
    if (id_device_valid(id))
        return NULL;
    return err_say(d, E(BAD_ID), "%s must have 1 to %d letters, digits and characters of -.%%_*?!(),:=@$'", member,
                   DEVICE_ID_MOST);
}

bool id_service_name_valid(struct str name)
{
    return name.n >= SERVICE_NAME_LEAST && made_of(name, SERVICE_NAME_MOST, "-") && !all_digits(name) &&
           name.p[0] != '-' && name.p[name.n - 1] != '-';
}

bool id_service_name_reserved(struct str name)
{
    static const char *const reserved[] = {"global", "management", "localhost", "dps", "hub"};
    for (size_t i = 0; i < sizeof reserved / sizeof *reserved; i++)
        if (str_same_nocase(name, str_of(reserved[i])))
            return true;
    return false;
}

bool id_resource_group_valid(struct str name)
{
    return made_of(name, GROUP_NAME_MOST, "-_.()") && name.p[name.n - 1] != '.';
}

bool id_key_name_valid(struct str name)
{
    return made_of(name, KEY_NAME_MOST, "_@.-");
}

bool id_certificate_name_valid(struct str name)
{
    return made_of(name, CERTIFICATE_NAME_MOST, "-._");
}

static bool label_valid(struct str label)
{
    return made_of(label, LABEL_MAX, "-") && label.p[0] != '-' && label.p[label.n - 1] != '-';
}

bool id_host_valid(struct str host)
{
    if (host.n < 1 || host.n > HOST_MOST)
        return false;
    while (host.p) {
        struct str label;
        host = str_split(host, '.', &label);
        if (!label_valid(label))
            return false;
    }
    return true;
}

bool id_scope_valid(struct str scope)
{
    if (scope.n != ID_SCOPE_LEN || !str_same_nocase((struct str){scope.p, 3}, STR("0ne")))
        return false;
    for (size_t i = 3; i < scope.n; i++)
        if (!isxdigit((unsigned char)scope.p[i]))
            return false;
    return true;
}

struct str id_scope_new(struct arena *a)
{
    uint8_t random[4];
    crypt_random(random, sizeof random);
    return arena_printf(a, "0ne%s", enc_hex(a, (struct bytes){random, sizeof random}, true).p);
}

bool id_location(struct arena *a, struct str in, struct str *ret)
{
    if (!made_of(in, LOCATION_MAX, " -"))
        return false;
    struct text t;
    text_init(&t, a, in.n);
    for (size_t i = 0; i < in.n; i++)
        if (in.p[i] != ' ')
            text_add_char(&t, in.p[i]);
    if (!t.n)
        return false;
    *ret = arena_lower(a, text_str(&t));
    return true;
}

struct str id_host_without_port(struct str host)
{
    size_t i = host.n;
    while (i && is_digit(host.p[i - 1]))
        i--;
    if (!i || host.p[i - 1] != ':')
        return host;
    struct str name = {host.p, i - 1};
    bool bare_ipv6 = name.n && memchr(name.p, ':', name.n) && name.p[name.n - 1] != ']';
    return bare_ipv6 ? host : name;
}

bool id_authority(struct str authority, struct str *ret_host, int *ret_port)
{
    struct str host = id_host_without_port(authority);
    int64_t port = HTTPS_PORT;
    bool has_port = host.n < authority.n;
    if (!id_host_valid(host) ||
        (has_port && !dec_i64((struct str){host.p + host.n + 1, authority.n - host.n - 1}, 1, UINT16_MAX, &port)))
        return false;
    *ret_host = host;
    *ret_port = (int)port;
    return true;
}

struct str id_management_host(struct arena *a, struct str domain)
{
    return arena_printf(a, "management.%.*s", STR_ARG(domain));
}

struct str id_service_host(struct arena *a, struct str instance, struct str domain)
{
    return arena_printf(a, "%.*s.dps.%.*s", STR_ARG(instance), STR_ARG(domain));
}

struct str id_device_host(struct arena *a, struct str domain)
{
    return id_service_host(a, STR("global"), domain);
}

struct str id_hub_host(struct arena *a, struct str hub, struct str domain)
{
    return arena_printf(a, "%.*s.hub.%.*s", STR_ARG(hub), STR_ARG(domain));
}

struct str id_issuer(struct arena *a, struct str domain)
{
    return arena_printf(a, "https://%s/adfs", id_management_host(a, domain).p);
}

static bool two_digits(const char *p, int min, int max)
{
    int64_t n;
    return dec_i64((struct str){p, 2}, min, max, &n);
}

bool id_version_valid(struct str v)
{
    int64_t year;
    if (v.n < DATE_LENGTH || !made_of(v, VERSION_MAX, "-.") || v.p[4] != '-' || v.p[7] != '-' ||
        !dec_i64((struct str){v.p, 4}, 1000, 9999, &year) || !two_digits(v.p + 5, 1, 12) || !two_digits(v.p + 8, 1, 31))
        return false;
    struct str suffix = {v.p + DATE_LENGTH, v.n - DATE_LENGTH};
    return !suffix.n || str_same_nocase((struct str){suffix.p, suffix.n < 8 ? suffix.n : 8}, STR("-preview"));
}

struct str id_version_day(struct str version)
{
    return (struct str){version.p, version.n < DATE_LENGTH ? version.n : DATE_LENGTH};
}

struct str id_url_host(struct str url)
{
    static const struct str https = {"https://", 8};
    if (!str_starts(url, https))
        return (struct str){NULL, 0};
    struct str rest = {url.p + https.n, url.n - https.n};
    if (rest.n && rest.p[rest.n - 1] == '/')
        rest.n--;
    return id_host_without_port(rest);
}

/* What stands before `.{kind}.{domain}`, absent when the host does not end so. */
static struct str name_before(struct str host, const char *kind, struct str domain)
{
    struct str rest = {host.p, host.n - domain.n};
    if (!str_ends_nocase(host, domain) || !str_ends_nocase(rest, str_of(kind)) || rest.n == strlen(kind))
        return (struct str){NULL, 0};
    return (struct str){rest.p, rest.n - strlen(kind)};
}

enum id_plane id_plane_of(struct arena *a, struct str host, struct str domain, struct str *ret_name)
{
    host = id_host_without_port(host);
    if (host.n && host.p[host.n - 1] == '.')
        host.n--;
    enum id_plane plane = ID_PLANE_HUB;
    struct str name = host.n > domain.n ? name_before(host, ".hub.", domain) : (struct str){NULL, 0};
    if (!name.p && host.n > domain.n) {
        plane = ID_PLANE_SERVICE;
        name = name_before(host, ".dps.", domain);
    }
    if (!name.p) {
        plane = ID_PLANE_MANAGEMENT;
        str_split(host, '.', &name);
    }
    *ret_name = arena_lower(a, name);
    return plane;
}

bool id_hub_built_in(struct arena *a, struct str host, struct str domain)
{
    struct str name;
    return id_plane_of(a, host, domain, &name) == ID_PLANE_HUB;
}

struct str id_etag(struct arena *a, const struct uuid *u)
{
    return arena_printf(a, "\"%s\"", enc_uuid(a, u).p);
}

struct str id_registration_etag(struct arena *a, const struct uuid *operation, int64_t revision)
{
    struct str text = arena_printf(a, "\"%s-%llx\"", enc_uuid(a, operation).p, (unsigned long long)revision);
    return enc_base64(a, str_bytes(text));
}

struct str id_etag_bare(struct str etag)
{
    etag = str_trim(etag);
    if (str_starts(etag, STR("W/")))
        etag = (struct str){etag.p + 2, etag.n - 2};
    if (etag.n >= 2 && etag.p[0] == '"' && etag.p[etag.n - 1] == '"')
        etag = (struct str){etag.p + 1, etag.n - 2};
    return etag;
}

bool id_etag_matches(struct str if_match, struct str etag)
{
    struct str wanted = id_etag_bare(if_match);
    return str_same(wanted, STR("*")) || (wanted.n && str_same(wanted, id_etag_bare(etag)));
}

/* One `Name=value` of a connection string into *to; members of other names are left alone. */
static err_t take_member(struct str part, struct connection_string *to, struct err_detail *d)
{
    const struct {
        struct str name;
        struct str *value;
    } known[] = {
        {STR("HostName"), &to->host}, {STR("SharedAccessKeyName"), &to->key_name}, {STR("SharedAccessKey"), &to->key}};
    struct str name, value = str_split(part, '=', &name);
    if (!value.p)
        return err_say(d, E(BAD_CONNECTION_STRING), "Each member of the connection string must be Name=Value.");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!str_same_nocase(str_trim(name), known[i].name))
            continue;
        if (known[i].value->p)
            return err_say(d, E(BAD_CONNECTION_STRING), "%s stands twice in the connection string.", known[i].name.p);
        *known[i].value = str_trim(value);
        if (str_has_space(*known[i].value))
            return err_say(d, E(BAD_CONNECTION_STRING), "%s in the connection string must have no white space within.",
                           known[i].name.p);
    }
    return NULL;
}

static bool all_asterisks(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] != '*')
            return false;
    return s.n > 0;
}

static err_t check_key(struct arena *a, struct connection_string *c, struct err_detail *d)
{
    struct bytes key;
    c->masked = all_asterisks(c->key);
    if (!c->masked && (!dec_base64(a, c->key, &key) || key.n < KEY_BYTES_LEAST || key.n > KEY_BYTES_MOST))
        return err_say(d, E(BAD_CONNECTION_STRING),
                       "SharedAccessKey in the connection string must be base64 of %d to %d bytes.", KEY_BYTES_LEAST,
                       KEY_BYTES_MOST);
    return NULL;
}

static err_t check_connection_string(struct arena *a, struct connection_string *c, struct err_detail *d)
{
    if (!c->host.n)
        return err_say(d, E(BAD_CONNECTION_STRING), "HostName is missing in the connection string.");
    if (memchr(c->host.p, ':', c->host.n))
        return err_say(d, E(BAD_CONNECTION_STRING), "HostName in the connection string must not have a port.");
    if (!id_host_valid(c->host))
        return err_say(d, E(BAD_CONNECTION_STRING), "HostName in the connection string is not a host name.");
    if (!c->key_name.n)
        return err_say(d, E(BAD_CONNECTION_STRING), "SharedAccessKeyName is missing in the connection string.");
    if (!id_key_name_valid(c->key_name))
        return err_say(d, E(BAD_CONNECTION_STRING),
                       "SharedAccessKeyName in the connection string is not a policy name.");
    if (!c->key.n)
        return err_say(d, E(BAD_CONNECTION_STRING), "SharedAccessKey is missing in the connection string.");
    return check_key(a, c, d);
}

static err_t read_members(struct str text, struct connection_string *to, struct err_detail *d)
{
    if (text.n > CONNECTION_STRING_MAX)
        return err_say(d, E(BAD_CONNECTION_STRING), "The connection string is longer than %d bytes.",
                       CONNECTION_STRING_MAX);
    while (text.p) {
        struct str part;
        text = str_split(text, ';', &part);
        if (str_trim(part).n)
            TRY(take_member(part, to, d));
    }
    return NULL;
}

static err_t keep(struct arena *a, struct connection_string *c, struct err_detail *d, struct connection_string *ret)
{
    TRY(check_connection_string(a, c, d));
    *ret =
        (struct connection_string){arena_str(a, c->host), arena_str(a, c->key_name), arena_str(a, c->key), c->masked};
    return NULL;
}

err_t id_connection_string(struct arena *a, struct str text, struct err_detail *d, struct connection_string *ret)
{
    struct connection_string c = {0};
    TRY(read_members(text, &c, d));
    return keep(a, &c, d, ret);
}

err_t id_connection_string_at(struct arena *a, struct str text, struct err_detail *d, struct connection_string *ret,
                              int *ret_port)
{
    struct connection_string c = {0};
    struct str host;
    int64_t port = HTTPS_PORT;
    TRY(read_members(text, &c, d));
    struct str digits = str_split(c.host, ':', &host);
    if (digits.p && !dec_i64(digits, 1, UINT16_MAX, &port))
        return err_say(d, E(BAD_CONNECTION_STRING),
                       "The port of HostName in the connection string must be 1 to 65535.");
    c.host = host;
    TRY(keep(a, &c, d, ret));
    *ret_port = (int)port;
    return NULL;
}
