/* jwt.h: access tokens. Ours are signed by libjwt, with ES256. All are checked here, since libjwt takes the algorithm
 * from the token, checks no claim and knows no at+jwt (RFC 9068): this file reads the header itself, pins the algorithm
 * to the key, and checks every claim. Pure: the caller says what time it is. */
#ifndef IDSCOPE_JWT_H
#define IDSCOPE_JWT_H

#include "crypt.h"

enum { JWT_MAX = 16384, JWT_LEEWAY_S = 60 };

enum jwt_algorithm { JWT_RS256 = 1, JWT_ES256 }; /* as in key_algorithm_words */

struct jwt_key; /* one key with its kid; read-only, may be shared by threads */

/* `pem`: EC P-256 private key. BAD_CONFIG when it is none. */
err_t jwt_key_load(struct arena *a, struct str kid, struct str pem, struct jwt_key **ret);
/* A key of somebody else, which checks and cannot sign; `public` as in core/jwks.h. It must stay. */
struct jwt_key *jwt_key_outside(struct arena *a, struct str kid, enum jwt_algorithm algorithm, struct bytes public);
struct str jwt_key_new_pem(struct arena *a);                      /* a fresh P-256 private key */
struct str jwt_key_jwk(struct arena *a, const struct jwt_key *k); /* one member of a JWKS "keys" array */

struct jwt_claims {
    struct str issuer, audience, subject; /* subject: ours, the client id */
    struct str tenant_id;                 /* ours: tid; of an outside issuer: what its claim says */
    int64_t issued_s, not_before_s, expires_s;
};

err_t jwt_sign(struct arena *a, const struct jwt_key *k, const struct jwt_claims *c, struct str *ret_token);

/* How the claims of an outside issuer are read. */
struct jwt_rules {
    struct str issuer, audience; /* iss; what aud must be or have in it */
    struct str subject_claim;    /* the name of the claim that says who it is */
    struct str tenant_claim;     /* of which tenant; absent: none does */
};

/* The keys in use, newest first: that one signs, all of them check. */
struct jwt_keys {
    struct jwt_key **at;
    size_t count;
    struct cache *verified; /* where tokens that were found good are remembered, by their bytes, keys and rules */
    const struct jwt_rules *rules; /* NULL: these are ours */
};

/* Who the token says it is of, of which nothing is proved; INVALID_TOKEN when it does not say. */
err_t jwt_issuer(struct arena *a, struct str token, struct err_detail *d, struct str *ret_issuer);
/* Verifies signature, kid, exp, nbf, iat; by `rules` iss and aud too. Of ours these are returned for the caller's rule.
 * INVALID_TOKEN with the reason in `d`. What is remembered is the signature; times are checked on each use.
 * Thread-safe. */
err_t jwt_verify(struct arena *a, const struct jwt_keys *keys, struct str token, int64_t now_us, struct err_detail *d,
                 struct jwt_claims *ret);

#endif
