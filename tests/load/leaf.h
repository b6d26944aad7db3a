/* leaf.h: certificates of the benchmark's devices: a chain of three, whose leaf is made for each registration id by the
 * authority that a file holds. All leaves have one key. Bench only. */
#ifndef IDSCOPE_TESTS_LEAF_H
#define IDSCOPE_TESTS_LEAF_H

#include <openssl/ssl.h>

#include "core/arena.h"

struct authority {
    EVP_PKEY *key;
    X509 *certificate;
    STACK_OF(X509) * chain; /* itself and what it hangs on, as clients present them behind a leaf */
    EVP_PKEY *leaf_key;     /* of every leaf */
};

/* PEM: the authority's key, its certificate, then what that hangs on. False: that is not what the file holds. */
bool authority_read(const char *path, struct authority *ret);
void authority_free(struct authority *a);

/* A leaf with that CN, good for a day; to be freed with X509_free. */
X509 *leaf_new(const struct authority *a, struct str cn);

/* What the connection presents. */
bool leaf_present(SSL *ssl, const struct authority *a, X509 *leaf);

#endif
