/* sas.h: shared access signatures: reading, checking and making them. This file decides whether a SAS token is good:
 * signed with the key over `sr` and `se` exactly as sent, not expired, and for the resource that is asked for. Pure:
 * the caller says what time it is. */
#ifndef IDSCOPE_SAS_H
#define IDSCOPE_SAS_H

#include "crypt.h"

enum { SAS_TOKEN_MAX = 4096, SAS_SKEW_S = 300 };

struct sas {
    struct str resource_raw; /* sr exactly as sent: what was signed */
    struct str resource;     /* decoded, trailing slashes cut */
    struct str expiry_raw;   /* se exactly as sent */
    int64_t expiry_s;
    struct str key_name; /* skn, decoded; absent when not sent */
    struct sha256 signature;
};

/* Parses an Authorization header value "SharedAccessSignature sr=…&sig=…&se=…[&skn=…]", members in any order, names
 * ignoring case, each at most once. UNAUTHORIZED (with the reason in `d`, for logs only) when it is garbled. */
err_t sas_parse(struct arena *a, struct str header, struct err_detail *d, struct sas *ret);
/* True when the signature was made with the key (raw bytes). Constant time. */
bool sas_signed_with(const struct sas *s, struct bytes key);
/* True unless `se` is more than SAS_SKEW_S in the past. */
bool sas_alive(const struct sas *s, int64_t now_us);
/* True when the token's resource is a segment-wise, case-insensitive prefix of `audience` ("host/path" or
 * "scope/registrations/id"); a port on the first segment is ignored on either side. */
bool sas_covers(const struct sas *s, struct str audience);
/* A token for calls of our own. */
struct str sas_make(struct arena *a, struct str resource, struct str key_name, struct bytes key, int64_t expiry_s);

#endif
