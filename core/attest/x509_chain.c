/* x509_chain.c: paths from a device's certificate to what is trusted, built by OpenSSL, against one group's
 * certificates at a time and nothing else: what one group trusts never counts for another. It must never end at the
 * first flaw: which group decides is known only when the path is, and then the flaw refuses. */
#include "core/attest/x509_chain.h"

#include <openssl/err.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "core/attest/x509_crl.h"

enum { BITS_112 = 2 }; /* OpenSSL's level: no RSA below 2048 bits, no signatures over SHA-1 */

/* What the device presented. */
struct shown {
    X509 *leaf;
    STACK_OF(X509) * above;
};

/* How a path came out. */
struct path {
    bool trusted;
    int distance;                   /* of the trusted certificate from the leaf */
    bool is_near_miss;              /* not trusted, but for a signature */
    int64_t until_us;               /* of a trusted one: when the first of its certificates expires */
    int flaw;                       /* first error of OpenSSL that leaves the path standing; 0: none */
    struct err_detail reason;       /* of the flaw, or why it is not trusted */
    const struct x509_trust *trust; /* while it is built: */
    const struct attest_claim *claim;
    const struct shown *shown;
    struct arena *arena;
};

static void free_shown(struct shown *s)
{
    X509_free(s->leaf);
    sk_X509_pop_free(s->above, X509_free);
}
#define SHOWN_CLEANUP __attribute__((cleanup(free_shown)))

static void free_store(X509_STORE **s)
{
    X509_STORE_free(*s);
}
#define STORE_CLEANUP __attribute__((cleanup(free_store)))

static void free_context(X509_STORE_CTX **c)
{
    X509_STORE_CTX_free(*c);
}
#define CONTEXT_CLEANUP __attribute__((cleanup(free_context)))

/* --- what was presented ------------------------------------------------------------------------------------------- */

static err_t read_shown(const struct presented *p, struct shown *ret, struct err_detail *d)
{
    struct bytes rest = p->chain;
    if (!p->leaf.n)
        return err_say(d, E(UNAUTHORIZED), "the device showed no certificate");
    if (p->leaf.n + p->chain.n > X509_PRESENTED_MOST)
        return err_say(d, E(UNAUTHORIZED), "the certificate and its chain are too big: over 12 KiB");
    ret->leaf = x509_cert_open(p->leaf);
    ret->above = sk_X509_new_null();
    crypt_must(ret->above, "sk_X509_new_null");
    while (ret->leaf && rest.n) {
        X509 *x = x509_cert_take(&rest);
        if (!x)
            return err_say(d, E(UNAUTHORIZED), "a certificate of the chain cannot be read");
        crypt_must(sk_X509_push(ret->above, x) > 0, "sk_X509_push");
        if (sk_X509_num(ret->above) > X509_CHAIN_MOST)
            return err_say(d, E(UNAUTHORIZED), "the chain is too long: over %d certificates above the leaf",
                           X509_CHAIN_MOST);
    }
    return ret->leaf ? NULL : err_say(d, E(UNAUTHORIZED), "the certificate cannot be read");
}

/* --- what is trusted ---------------------------------------------------------------------------------------------- */

static X509_STORE *store_of(const struct x509_trust *t)
{
    X509_STORE *store = X509_STORE_new();
    crypt_must(store, "X509_STORE_new");
    for (size_t i = 0; i < t->anchor_count; i++) {
        X509 *anchor X509_CLEANUP = x509_cert_open(t->anchors[i]);
        if (anchor)
            (void)X509_STORE_add_cert(store, anchor);
    }
    return store;
}

/* --- why a path is not good --------------------------------------------------------------------------------------- */

static struct str subject_of(struct arena *a, X509 *x)
{
    return x509_name_text(a, X509_get_subject_name(x));
}

static bool is_named(X509 *x, const X509_NAME *name)
{
    return x && X509_NAME_cmp(X509_get_subject_name(x), name) == 0;
}

/* Is there a certificate of that name, presented or trusted? */
static bool is_there(const struct path *p, const X509_NAME *name)
{
    bool found = false;
    for (int i = 0; i < sk_X509_num(p->shown->above); i++)
        found = found || is_named(sk_X509_value(p->shown->above, i), name);
    for (size_t i = 0; i < p->trust->anchor_count && !found; i++) {
        X509 *anchor X509_CLEANUP = x509_cert_open(p->trust->anchors[i]);
        found = is_named(anchor, name);
    }
    return found;
}

static void say_no_issuer(struct path *p, X509 *at)
{
    const X509_NAME *issuer = X509_get_issuer_name(at);
    struct str subject = subject_of(p->arena, at), name = x509_name_text(p->arena, issuer);
    p->is_near_miss = is_there(p, issuer);
    if (p->is_near_miss)
        err_say(&p->reason, NULL, "the certificate of %.*s names %.*s as its issuer, which did not or may not sign it",
                STR_ARG(subject), STR_ARG(name));
    else
        err_say(&p->reason, NULL,
                "the certificate of %.*s, which issued that of %.*s, was not presented and is not stored",
                STR_ARG(name), STR_ARG(subject));
}

/* With what is wrong at a certificate; no word here for the dates, which x509_cert_dates tells. */
static const char *words_of(int error)
{
    switch (error) {
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        return "is self-signed: no signing certificate issued it";
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        return "ends the chain, and is another CA's than those that are stored";
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "is not signed with its issuer's key";
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_UNHANDLED_CRITICAL_EXTENSION:
        return "is not for this purpose: a device's is for TLS clients";
    case X509_V_ERR_INVALID_CA:
        return "is none of a CA, and yet it issued the one below";
    case X509_V_ERR_KEYUSAGE_NO_CERTSIGN:
        return "may not sign certificates, and yet it issued the one below";
    case X509_V_ERR_CERT_REVOKED:
        return "is revoked";
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
        return "allows no chain as long as this one";
    case X509_V_ERR_CERT_CHAIN_TOO_LONG:
        return "stands at the end of a chain that is too long";
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return "has a key or a signature that is too weak";
    default:
        return X509_verify_cert_error_string(error);
    }
}

static void say(struct path *p, int error, X509 *at)
{
    struct str subject = subject_of(p->arena, at);
    if (error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT || error == X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY ||
        error == X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE)
        say_no_issuer(p, at);
    else if (!x509_cert_dates(p->arena, at, p->claim->now_us, &p->reason))
        err_say(&p->reason, NULL, "the certificate of %.*s %s", STR_ARG(subject), words_of(error));
}

/* --- the path ----------------------------------------------------------------------------------------------------- */

/* What leaves the path standing. */
static bool is_flaw(int error)
{
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID:
    case X509_V_ERR_INVALID_PURPOSE:
    case X509_V_ERR_INVALID_CA:
    case X509_V_ERR_PATH_LENGTH_EXCEEDED:
    case X509_V_ERR_EE_KEY_TOO_SMALL:
    case X509_V_ERR_CA_KEY_TOO_SMALL:
    case X509_V_ERR_CA_MD_TOO_WEAK:
        return true;
    default:
        return false;
    }
}

/* OpenSSL asks at each error whether to go on. */
static int take_error(int good, X509_STORE_CTX *c)
{
    struct path *p = X509_STORE_CTX_get_app_data(c);
    int error = X509_STORE_CTX_get_error(c);
    X509 *at = X509_STORE_CTX_get_current_cert(c);
    if (good)
        return 1;
    bool goes_on = is_flaw(error);
    if (!goes_on || !p->flaw)
        say(p, error, at ? at : p->shown->leaf);
    if (goes_on && !p->flaw)
        p->flaw = error;
    return goes_on;
}

static void set_rules(X509_STORE_CTX *c, struct path *p)
{
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(c);
    X509_STORE_CTX_set_app_data(c, p);
    X509_STORE_CTX_set_verify_cb(c, take_error);
    X509_VERIFY_PARAM_set_time(param, (time_t)(p->claim->now_us / 1000000));
    X509_VERIFY_PARAM_set_depth(param, X509_CHAIN_MOST);
    X509_VERIFY_PARAM_set_auth_level(param, BITS_112);
    crypt_must(X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT), "X509_VERIFY_PARAM_set_purpose");
    crypt_must(X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN), "X509_VERIFY_PARAM_set_flags");
}

/* By a CRL of its issuer's key: CAs may share a name. One that is old revokes what it says all the same. */
static bool is_revoked(const struct x509_trust *t, X509 *x, X509 *issuer)
{
    bool found = false;
    for (size_t i = 0; i < t->crl_count && !found; i++) {
        X509_CRL *crl X509_CRL_CLEANUP = x509_crl_open(t->crls[i]);
        X509_REVOKED *entry;
        found = crl && x509_crl_is_of(crl, issuer) && X509_CRL_get0_by_cert(crl, &entry, x) == 1;
    }
    return found;
}

/* OpenSSL's own look for CRLs goes by names. */
static void check_revoked(struct path *p, X509_STORE_CTX *c)
{
    STACK_OF(X509) *chain = X509_STORE_CTX_get0_chain(c);
    for (int i = 0; i + 1 < sk_X509_num(chain) && !p->flaw; i++) {
        X509 *x = sk_X509_value(chain, i);
        if (!is_revoked(p->trust, x, sk_X509_value(chain, i + 1)))
            continue;
        p->flaw = X509_V_ERR_CERT_REVOKED;
        say(p, p->flaw, x);
    }
}

/* When the first of them expires. */
static int64_t end_of(STACK_OF(X509) * chain)
{
    int64_t until_us = INT64_MAX;
    for (int i = 0; i < sk_X509_num(chain); i++) {
        int64_t us = x509_cert_until_us(sk_X509_value(chain, i));
        until_us = us < until_us ? us : until_us;
    }
    return until_us;
}

/* Whoever names what it trusts may name nothing that is there. */
static bool names_nobody(const struct x509_trust *t)
{
    size_t i = 0;
    while (i < t->anchor_count && !t->anchors[i].n)
        i++;
    return t->anchor_count && i == t->anchor_count;
}

static void build(struct path *p)
{
    if (names_nobody(p->trust)) {
        err_say(&p->reason, NULL, "the CA certificates that the enrollment names are not there, or not verified");
        return;
    }
    X509_STORE *store STORE_CLEANUP = store_of(p->trust);
    X509_STORE_CTX *c CONTEXT_CLEANUP = X509_STORE_CTX_new();
    crypt_must(c && X509_STORE_CTX_init(c, store, p->shown->leaf, p->shown->above), "X509_STORE_CTX_init");
    set_rules(c, p);
    p->trusted = X509_verify_cert(c) == 1;
    p->distance = X509_STORE_CTX_get_num_untrusted(c);
    if (p->trusted) {
        check_revoked(p, c);
        p->until_us = end_of(X509_STORE_CTX_get0_chain(c));
    }
    ERR_clear_error();
    if (!p->trusted || p->distance > 0)
        return;
    p->trusted = false;
    err_say(&p->reason, NULL, "the certificate is itself a signing certificate");
}

/* The better of two paths: the one that is trusted, the shorter one, the one that fails by less. */
static bool is_better(const struct path *p, const struct path *than)
{
    if (p->trusted != than->trusted)
        return p->trusted;
    return p->trusted ? p->distance < than->distance : p->is_near_miss && !than->is_near_miss;
}

err_t x509_chain_check(struct arena *a, const struct attest_claim *claim, const struct x509_trust *trusts, size_t count,
                       struct err_detail *d, struct err_detail *ret_reasons, size_t *ret, int64_t *ret_until_us)
{
    struct shown shown SHOWN_CLEANUP = {NULL, NULL};
    struct path best = {.trusted = false};
    *ret = count;
    TRY(read_shown(claim->presented, &shown, d));
    err_say(&best.reason, NULL, "there is nobody who trusts certificates");
    for (size_t i = 0; i < count; i++) {
        struct path p = {.trust = &trusts[i], .claim = claim, .shown = &shown, .arena = a};
        build(&p);
        if (ret_reasons)
            ret_reasons[i] = p.reason;
        if (i && !is_better(&p, &best))
            continue;
        best = p;
        *ret = i;
    }
    if (ret_until_us)
        *ret_until_us = best.until_us;
    if (!best.trusted || best.flaw)
        return err_say(d, E(UNAUTHORIZED), "%s", best.reason.text);
    return x509_cert_names(a, shown.leaf, claim->registration_id, d);
}
