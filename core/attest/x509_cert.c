/* x509_cert.c: one X.509 certificate, read by OpenSSL. It must never decide whom a certificate admits: that is the
 * business of who knows what is stored (x509.c) or trusted (x509_chain.c). */
#include "core/attest/x509_cert.h"

#include <string.h>

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/pem.h>

#define PEM_BEGIN STR("-----BEGIN CERTIFICATE-----")
#define PEM_END STR("-----END CERTIFICATE-----")
#define PEM_ANY STR("-----BEGIN ")

/* --- out of a text ------------------------------------------------------------------------------------------------ */

/* What stands behind the words, and in *ret_head (NULL: nobody asks) what stands before; absent: they are not there. */
static struct str cut_at(struct str text, struct str words, struct str *ret_head)
{
    const char *at = text.n ? memmem(text.p, text.n, words.p, words.n) : NULL;
    if (!at)
        return (struct str){NULL, 0};
    size_t before = (size_t)(at - text.p);
    if (ret_head)
        *ret_head = (struct str){text.p, before};
    return (struct str){at + words.n, text.n - before - words.n};
}

/* Base64 is broken into lines by whoever likes. */
static bool from_base64(struct arena *a, struct str in, struct bytes *ret)
{
    struct text t;
    text_init(&t, a, in.n + 1);
    for (size_t i = 0; i < in.n; i++)
        if (!strchr(" \t\r\n", in.p[i]) || !in.p[i])
            text_add_char(&t, in.p[i]);
    return dec_base64(a, text_str(&t), ret);
}

/* Each of these gives the rule that the text breaks, or NULL. */
static const char *take_pem(struct arena *a, struct str text, struct bytes *ret)
{
    struct str body, rest = cut_at(text, PEM_BEGIN, NULL);
    if (!rest.p)
        return "is PEM of something else than a certificate";
    if (cut_at(cut_at(text, PEM_ANY, NULL), PEM_ANY, NULL).p)
        return "must hold one certificate and nothing beside it";
    if (!cut_at(rest, PEM_END, &body).p)
        return "is cut off: its END line is missing";
    return from_base64(a, body, ret) ? NULL : "is PEM whose base64 is broken";
}

static const char *take_text(struct arena *a, struct str text, struct bytes *ret)
{
    struct bytes raw;
    if (cut_at(text, PEM_ANY, NULL).p)
        return take_pem(a, text, ret);
    if (!from_base64(a, text, &raw))
        return "must be PEM, or base64 of DER or of PEM";
    struct str inner = bytes_str(raw);
    if (cut_at(inner, PEM_ANY, NULL).p)
        return take_pem(a, inner, ret);
    *ret = raw;
    return NULL;
}

static const char *check_der(struct bytes der)
{
    if (der.n > X509_PRESENTED_MOST)
        return "is larger than 12 KiB";
    X509 *x X509_CLEANUP = x509_cert_open(der);
    if (!x)
        return "is no X.509 certificate";
    bool has_key = X509_get0_pubkey(x);
    ERR_clear_error();
    return has_key ? NULL : "has a public key of an unknown kind";
}

err_t x509_cert_read(struct arena *a, struct str text, const char *member, struct err_detail *d, struct bytes *ret_der)
{
    const char *rule = take_text(a, text, ret_der);
    if (!rule)
        rule = check_der(*ret_der);
    return rule ? err_say(d, E(BAD_FIELD), "%s %s.", member, rule) : NULL;
}

X509 *x509_cert_take(struct bytes *rest)
{
    const unsigned char *at = rest->p;
    X509 *x = rest->n && rest->n <= X509_PRESENTED_MOST ? d2i_X509(NULL, &at, (long)rest->n) : NULL;
    ERR_clear_error(); /* a queue that others read too */
    if (x)
        *rest = (struct bytes){at, rest->n - (size_t)(at - rest->p)};
    return x;
}

X509 *x509_cert_open(struct bytes der)
{
    X509 *x = x509_cert_take(&der);
    if (!x || !der.n)
        return x;
    X509_free(x);
    return NULL;
}

/* --- what is shown ------------------------------------------------------------------------------------------------ */

/* What OpenSSL wrote there. */
static struct str bio_text(struct arena *a, BIO *out)
{
    char *p;
    long n = BIO_get_mem_data(out, &p);
    struct str text = arena_copy(a, p, n > 0 ? (size_t)n : 0);
    BIO_free(out);
    return text;
}

static BIO *bio_new(void)
{
    BIO *out = BIO_new(BIO_s_mem());
    crypt_must(out, "BIO_new");
    return out;
}

struct str x509_name_text(struct arena *a, const X509_NAME *name)
{
    enum { FLAGS = (XN_FLAG_RFC2253 & ~(XN_FLAG_SEP_MASK | ASN1_STRFLGS_ESC_MSB)) | XN_FLAG_SEP_CPLUS_SPC };
    BIO *out = bio_new();
    (void)X509_NAME_print_ex(out, name, 0, FLAGS);
    ERR_clear_error();
    return bio_text(a, out);
}

static struct str time_text(struct arena *a, const ASN1_TIME *t)
{
    struct tm tm;
    if (!ASN1_TIME_to_tm(t, &tm))
        return STR("");
    return arena_printf(a, "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
                        tm.tm_min, tm.tm_sec);
}

struct str x509_serial_text(struct arena *a, const ASN1_INTEGER *serial)
{
    BIGNUM *n = ASN1_INTEGER_to_BN(serial, NULL);
    char *hex = n ? BN_bn2hex(n) : NULL;
    struct str text = arena_str(a, str_of(hex ? hex : ""));
    OPENSSL_free(hex);
    BN_free(n);
    return text;
}

static struct str digest_text(struct arena *a, const EVP_MD *kind, struct bytes der)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    crypt_must(EVP_Digest(der.p, der.n, digest, &n, kind, NULL), "EVP_Digest");
    return enc_hex(a, (struct bytes){digest, n}, true);
}

struct x509_info *x509_cert_info(struct arena *a, X509 *x, struct bytes der)
{
    struct x509_info *ret = ARENA_NEW(a, struct x509_info);
    *ret = (struct x509_info){
        .subject = x509_name_text(a, X509_get_subject_name(x)),
        .sha1 = digest_text(a, EVP_sha1(), der),
        .sha256 = digest_text(a, EVP_sha256(), der),
        .issuer = x509_name_text(a, X509_get_issuer_name(x)),
        .not_before = time_text(a, X509_get0_notBefore(x)),
        .not_after = time_text(a, X509_get0_notAfter(x)),
        .serial = x509_serial_text(a, X509_get0_serialNumber(x)),
        .version = {true, X509_get_version(x) + 1},
    };
    return ret;
}

struct str x509_cert_pem(struct arena *a, struct bytes der)
{
    BIO *out = bio_new();
    crypt_must(PEM_write_bio(out, PEM_STRING_X509, "", der.p, (long)der.n) > 0, "PEM_write_bio");
    return bio_text(a, out);
}

/* --- what is checked ---------------------------------------------------------------------------------------------- */

struct str x509_cert_cn(struct arena *a, const X509 *x)
{
    const X509_NAME *name = X509_get_subject_name(x);
    unsigned char *utf8 = NULL;
    int at = X509_NAME_get_index_by_NID(name, NID_commonName, -1);
    if (at < 0 || X509_NAME_get_index_by_NID(name, NID_commonName, at) >= 0)
        return (struct str){NULL, 0};
    int n = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
    struct str cn = n < 0 ? (struct str){NULL, 0} : arena_copy(a, (const char *)utf8, (size_t)n);
    OPENSSL_free(utf8);
    ERR_clear_error();
    return cn;
}

err_t x509_cert_names(struct arena *a, X509 *x, struct str registration_id, struct err_detail *d)
{
    struct str cn = x509_cert_cn(a, x);
    if (cn.p && str_same_nocase(cn, registration_id))
        return NULL;
    struct str subject = x509_name_text(a, X509_get_subject_name(x));
    return err_say(d, E(UNAUTHORIZED), "the subject of the certificate is %.*s; its CN must be the registration id",
                   STR_ARG(subject));
}

int64_t x509_cert_until_us(const X509 *x)
{
    struct tm tm;
    return ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) ? (int64_t)timegm(&tm) * 1000000 : 0;
}

err_t x509_cert_dates(struct arena *a, X509 *x, int64_t now_us, struct err_detail *d)
{
    time_t now = (time_t)(now_us / 1000000);
    const ASN1_TIME *from = X509_get0_notBefore(x), *until = X509_get0_notAfter(x);
    int before = X509_cmp_time(from, &now), after = X509_cmp_time(until, &now);
    struct str subject = x509_name_text(a, X509_get_subject_name(x));
    if (before > 0)
        return err_say(d, E(UNAUTHORIZED), "the certificate of %.*s is not valid before %s", STR_ARG(subject),
                       time_text(a, from).p);
    if (after < 0)
        return err_say(d, E(UNAUTHORIZED), "the certificate of %.*s has expired at %s", STR_ARG(subject),
                       time_text(a, until).p);
    return before && after ? NULL : err_say(d, E(UNAUTHORIZED), "the dates of the certificate cannot be read");
}
