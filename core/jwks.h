/* jwks.h: the keys that an outside issuer of access tokens publishes (RFC 7517), as far as we take them: RSA keys of
 * 2048 to 8192 bits for RS256 and P-256 keys for ES256. Pure. */
#ifndef IDSCOPE_JWKS_H
#define IDSCOPE_JWKS_H

#include "jwt.h"

enum { JWKS_BYTES_MAX = 65536, JWKS_KEYS_MAX = 100 };

struct jwks_key {
    struct str kid;
    int algorithm;       /* enum jwt_algorithm; the only one that the key checks */
    struct bytes public; /* SubjectPublicKeyInfo in DER */
};

/* BAD_JSON, BAD_FIELD with the reason in `d`: it is too long, is no set of keys, none of them is one of ours, or two of
 * these have one kid. Keys that are for something else (encryption, other algorithms), and those without a kid, are
 * left out. */
err_t jwks_read(struct arena *a, struct str text, struct err_detail *d, struct jwks_key **ret, size_t *ret_count);

/* What an issuer says of itself (OpenID Connect Discovery 1.0, 4.2): where its keys are. BAD_FIELD unless it calls
 * itself `issuer`. */
err_t jwks_discover(struct arena *a, struct str text, struct str issuer, struct err_detail *d, struct str *ret_url);

/* An https URL with a host and perhaps a port, without user, query, fragment or blanks; *ret_path is empty or begins
 * with '/'. */
bool jwks_url(struct str url, struct str *ret_host, int *ret_port, struct str *ret_path);

#endif
