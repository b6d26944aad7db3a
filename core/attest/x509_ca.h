/* x509_ca.h: the certificate of a CA that vouches for devices: is it one, and who proves to have its key? Pure. */
#ifndef IDSCOPE_X509_CA_H
#define IDSCOPE_X509_CA_H

#include "core/attest/x509_cert.h"

/* x509_cert_read of one that may sign others. BAD_FIELD with `member` and the rule. */
err_t x509_ca_read(struct arena *a, struct str text, const char *member, struct err_detail *d, struct bytes *ret_der);

/* Was the certificate in `text` signed with the CA's key, for the code that its holder was given? BAD_FIELD with
 * `member` and what is missing. */
err_t x509_ca_proved(struct arena *a, struct bytes ca, struct str code, struct str text, const char *member,
                     struct err_detail *d);

#endif
