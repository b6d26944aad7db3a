/* x509_make.h: certificates and CRLs for unit tests, made by OpenSSL at a fixed moment, each after a wish. It must hold
 * no test. */
#ifndef IDSCOPE_X509_MAKE_H
#define IDSCOPE_X509_MAKE_H

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "unit.h"

#define MADE_AT_S INT64_C(1800000000) /* 2027-01-15T08:00:00Z */
#define MADE_AT_US (MADE_AT_S * 1000000)

struct made {
    X509 *x;
    EVP_PKEY *key;
};

/* What a certificate is to be; zeros make a sound leaf for TLS clients, or a sound CA. */
struct wish {
    const char *cn;         /* NULL: no CN, but an O */
    const struct made *by;  /* who signs; NULL: itself */
    const struct made *key; /* whose key it gets; NULL: one of its own */
    int from_days, to_days; /* from that moment on; both 0: -1 and 365 */
    bool ca;
    const char *basic, *usage, *extended; /* instead of the usual extensions; "": none */
    const char *second_cn;
    int rsa_bits; /* 0: P-256 */
    bool sha1;
    int padding; /* bytes */
};

/* What was made in a run is freed at its end. */
static struct made made_all[512];
static size_t made_count;

static inline int made_down(void **state)
{
    (void)state;
    for (; made_count; made_count--) {
        X509_free(made_all[made_count - 1].x);
        EVP_PKEY_free(made_all[made_count - 1].key);
    }
    return 0;
}

static inline void made_extension(X509 *x, X509 *issuer, int nid, const char *usual, const char *wished)
{
    const char *value = wished ? wished : usual;
    X509V3_CTX context;
    if (!value || !*value)
        return;
    X509V3_set_ctx(&context, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    assert_non_null(e);
    assert_true(X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
}

static inline void made_name(X509_NAME *name, const char *kind, const char *value)
{
    if (value)
        assert_true(X509_NAME_add_entry_by_txt(name, kind, MBSTRING_UTF8, (const unsigned char *)value, -1, -1, 0));
}

static inline void made_subject(X509 *x, const struct wish *w)
{
    static long serial = 4096;
    X509_NAME *name = X509_get_subject_name(x);
    time_t now = (time_t)MADE_AT_S;
    bool usual = !w->from_days && !w->to_days;
    made_name(name, "O", w->cn ? NULL : "nobody");
    made_name(name, "CN", w->cn);
    made_name(name, "CN", w->second_cn);
    ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
    assert_non_null(X509_time_adj_ex(X509_getm_notBefore(x), usual ? -1 : w->from_days, 0, &now));
    assert_non_null(X509_time_adj_ex(X509_getm_notAfter(x), usual ? 365 : w->to_days, 0, &now));
}

static inline EVP_PKEY *made_key(const struct wish *w)
{
    if (w->key)
        return EVP_PKEY_up_ref(w->key->key) ? w->key->key : NULL;
    return w->rsa_bits ? EVP_RSA_gen((unsigned)w->rsa_bits) : EVP_EC_gen("P-256");
}

static inline void made_padding(X509 *x, int bytes)
{
    static char zeros[16384];
    memset(zeros, '0', sizeof zeros - 1);
    assert_in_range(bytes, 0, sizeof zeros - 1);
    made_extension(x, x, NID_netscape_comment, NULL, bytes ? zeros + sizeof zeros - 1 - bytes : NULL);
}

static inline const struct made *make(const struct wish w)
{
    struct made *m = &made_all[made_count++];
    assert_true(made_count < sizeof made_all / sizeof *made_all);
    *m = (struct made){X509_new(), made_key(&w)};
    const struct made *by = w.by ? w.by : m;
    assert_true(m->x && m->key && X509_set_version(m->x, X509_VERSION_3) && X509_set_pubkey(m->x, m->key));
    made_subject(m->x, &w);
    assert_true(X509_set_issuer_name(m->x, X509_get_subject_name(by->x)));
    made_extension(m->x, by->x, NID_basic_constraints, w.ca ? "critical,CA:TRUE" : "critical,CA:FALSE", w.basic);
    made_extension(m->x, by->x, NID_key_usage, w.ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature",
                   w.usage);
    made_extension(m->x, by->x, NID_ext_key_usage, w.ca ? NULL : "clientAuth", w.extended);
    made_extension(m->x, by->x, NID_subject_key_identifier, "hash", NULL);
    made_extension(m->x, by->x, NID_authority_key_identifier, w.by ? "keyid:always" : NULL, NULL);
    made_padding(m->x, w.padding);
    assert_true(X509_sign(m->x, by->key, w.sha1 ? EVP_sha1() : EVP_sha256()));
    return m;
}

static inline struct bytes made_der(struct arena *a, const struct made *m)
{
    int n = i2d_X509(m->x, NULL);
    uint8_t *to = arena_alloc(a, (size_t)n), *end = to;
    assert_int_equal(i2d_X509(m->x, &end), n);
    return (struct bytes){to, (size_t)n};
}

/* What a CRL is to be: it revokes one certificate (NULL: none). */
struct crl_wish {
    const struct made *ca, *revoked;
    int from_days, to_days; /* from that moment on */
    long number;            /* 0: none */
    bool is_partial;        /* of users alone */
    bool is_undated;        /* what says when it was made is no time */
};

static inline void made_crl_extensions(X509_CRL *crl, const struct crl_wish *w)
{
    ASN1_INTEGER *number = ASN1_INTEGER_new();
    ISSUING_DIST_POINT *point = ISSUING_DIST_POINT_new();
    assert_true(number && point && ASN1_INTEGER_set(number, w->number));
    if (w->number)
        assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_crl_number, number, 0, 0), 1);
    point->onlyuser = 0xff;
    if (w->is_partial)
        assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_issuing_distribution_point, point, 1, 0), 1);
    ASN1_INTEGER_free(number);
    ISSUING_DIST_POINT_free(point);
}

static inline struct bytes make_crl(struct arena *a, const struct crl_wish w)
{
    X509_CRL *crl = X509_CRL_new();
    time_t now = (time_t)MADE_AT_S;
    ASN1_TIME *from = X509_time_adj_ex(NULL, w.from_days, 0, &now), *to = X509_time_adj_ex(NULL, w.to_days, 0, &now);
    if (w.is_undated)
        assert_true(ASN1_STRING_set(from, "27", 2));
    assert_true(crl && X509_CRL_set_version(crl, X509_CRL_VERSION_2) &&
                X509_CRL_set_issuer_name(crl, X509_get_subject_name(w.ca->x)) && X509_CRL_set1_lastUpdate(crl, from) &&
                X509_CRL_set1_nextUpdate(crl, to));
    if (w.revoked) {
        X509_REVOKED *r = X509_REVOKED_new();
        assert_true(r && X509_REVOKED_set_serialNumber(r, X509_get_serialNumber(w.revoked->x)) &&
                    X509_REVOKED_set_revocationDate(r, from) && X509_CRL_add0_revoked(crl, r));
    }
    made_crl_extensions(crl, &w);
    assert_true(X509_CRL_sign(crl, w.ca->key, EVP_sha256()));
    int n = i2d_X509_CRL(crl, NULL);
    uint8_t *p = arena_alloc(a, (size_t)n), *end = p;
    assert_int_equal(i2d_X509_CRL(crl, &end), n);
    X509_CRL_free(crl);
    ASN1_TIME_free(from);
    ASN1_TIME_free(to);
    return (struct bytes){p, (size_t)n};
}

/* A plain one. */
static inline struct bytes made_crl(struct arena *a, const struct made *ca, const struct made *revoked, int to_days)
{
    return make_crl(a, (struct crl_wish){.ca = ca, .revoked = revoked, .from_days = -10, .to_days = to_days});
}

#endif
