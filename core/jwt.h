/* jwt.h: access tokens. The only caller of libjwt, which takes the algorithm from the token and checks no claim;
 * so this file reads the header itself, pins ES256 to our key, never passes an empty key and checks every claim.
 * Pure: the caller says what time it is. */
#ifndef IDSCOPE_JWT_H
#define IDSCOPE_JWT_H

#include "crypt.h"

enum { JWT_MAX = 16384, JWT_LEEWAY_S = 60 };

struct jwt_key; /* one signing key with its kid; read-only, may be shared by threads */

/* `pem`: EC P-256 private key. BAD_CONFIG when it is none. */
err_t jwt_key_load(struct arena *a, struct str kid, struct str pem, struct jwt_key **ret);
struct str jwt_key_new_pem(struct arena *a);                      /* a fresh P-256 private key */
struct str jwt_key_jwk(struct arena *a, const struct jwt_key *k); /* one member of a JWKS "keys" array */

struct jwt_claims {
    struct str issuer, audience, subject; /* subject: client id */
    struct str tenant_id, role;           /* tid, roles[0] */
    int64_t issued_s, not_before_s, expires_s;
};

err_t jwt_sign(struct arena *a, const struct jwt_key *k, const struct jwt_claims *c, struct str *ret_token);

/* The keys in use, newest first: that one signs, all of them check. */
struct jwt_keys {
    struct jwt_key **at;
    size_t count;
    struct cache *verified; /* where tokens that were found good are remembered, by their bytes and these keys */
};

/* Verifies signature, kid, exp, nbf, iat. iss and aud are returned for the caller's rule. INVALID_TOKEN with the reason
 * in `d`. What is remembered is the signature, because libjwt parses the PEM at each call; times are checked on each
 * use. Thread-safe. */
err_t jwt_verify(struct arena *a, const struct jwt_keys *keys, struct str token, int64_t now_us, struct err_detail *d,
                 struct jwt_claims *ret);

#endif
