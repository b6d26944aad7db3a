/* fuzz_jwks.c: any document as an issuer's set of keys, as its discovery document and as the address of its keys. Of
 * what is taken each key is what it is said to be, no kid stands twice, and an address leads nowhere but to its host.
 */
#include "fuzz.h"

#include <string.h>

#include <openssl/x509.h>

#include "core/id.h"
#include "core/jwks.h"
#include "core/limits.h"

static void is_key(const struct jwks_key *k)
{
    const unsigned char *p = k->public.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)k->public.n);
    HOLDS(key && p == k->public.p + k->public.n);
    HOLDS(k->kid.n && k->kid.n <= KID_MOST);
    HOLDS(EVP_PKEY_is_a(key, k->algorithm == JWT_RS256 ? "RSA" : "EC"));
    HOLDS(k->algorithm == JWT_RS256 ? EVP_PKEY_get_bits(key) > 2040 : EVP_PKEY_get_bits(key) == 256);
    EVP_PKEY_free(key);
}

static void read_set(struct arena *a, struct str text)
{
    struct jwks_key *keys = NULL;
    size_t count = 0;
    struct err_detail d = {""};
    err_t e = jwks_read(a, text, &d, &keys, &count);
    HOLDS(!e == !*d.text && !e == (count > 0));
    for (size_t i = 0; i < count; i++) {
        is_key(&keys[i]);
        for (size_t k = 0; k < i; k++)
            HOLDS(!str_same(keys[i].kid, keys[k].kid));
    }
}

static void read_discovery(struct arena *a, struct str text)
{
    struct str url = {NULL, 0};
    err_t e = jwks_discover(a, text, STR("https://i.example"), NULL, &url);
    HOLDS(!e == !!url.p && url.n <= ISSUER_URL_MOST);
}

/* Put together from its parts it is the same again. */
static void read_url(struct arena *a, struct str text)
{
    struct str host, path;
    int port;
    if (!jwks_url(text, &host, &port, &path))
        return;
    HOLDS(id_host_valid(host) && port > 0 && port < 65536 && (!path.n || path.p[0] == '/'));
    HOLDS(!memchr(path.p, '\r', path.n) && !memchr(path.p, '\n', path.n) && !memchr(path.p, ' ', path.n));
    struct str bare = arena_printf(a, "https://%.*s%.*s", STR_ARG(host), STR_ARG(path));
    HOLDS(text.n >= bare.n && str_starts(text, (struct str){bare.p, 8 + host.n}));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str text = arena_copy(a, (const char *)data, size);
    read_set(a, text);
    read_discovery(a, text);
    read_url(a, text);
    return 0;
}
