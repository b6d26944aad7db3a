/* x509_cert.h: one X.509 certificate: its DER out of whatever text holds it, and what can be said of it. Pure. */
#ifndef IDSCOPE_X509_CERT_H
#define IDSCOPE_X509_CERT_H

#include <openssl/x509.h>

#include "core/crypt.h"
#include "core/model.h"

/* Bytes of DER that a device may present, and so that are worth storing; the edge's own bound. */
enum { X509_PRESENTED_MOST = 12288 };

#define X509_CLEANUP __attribute__((cleanup(x509_cleanup)))
static inline void x509_cleanup(X509 **x)
{
    X509_free(*x);
}

/* NULL: it is no certificate, or more than one. */
X509 *x509_cert_open(struct bytes der);
/* The same of the first of those that stand one behind the other; *rest is what is behind it. */
X509 *x509_cert_take(struct bytes *rest);

/* The one certificate in a text: PEM (in lines or in one), DER in base64, or PEM in base64. BAD_FIELD with `member` and
 * the rule. */
err_t x509_cert_read(struct arena *a, struct str text, const char *member, struct err_detail *d, struct bytes *ret_der);

/* What clients are shown of it, and the certificate itself as PEM. */
struct x509_info *x509_cert_info(struct arena *a, X509 *x, struct bytes der);
struct str x509_cert_pem(struct arena *a, struct bytes der);

/* In hex, upper case. */
struct str x509_serial_text(struct arena *a, const ASN1_INTEGER *serial);
/* A name as people read it: CN=line7, O=Plant. */
struct str x509_name_text(struct arena *a, const X509_NAME *name);

/* The value of the one CN of its subject; absent when there is none, or more than one. */
struct str x509_cert_cn(struct arena *a, const X509 *x);

/* Its last moment; 0: that cannot be read. */
int64_t x509_cert_until_us(const X509 *x);
/* Is it the certificate of this registration id, is it good at this moment? UNAUTHORIZED, with the reason in `d`. */
err_t x509_cert_names(struct arena *a, X509 *x, struct str registration_id, struct err_detail *d);
err_t x509_cert_dates(struct arena *a, X509 *x, int64_t now_us, struct err_detail *d);

#endif
