/* presented.h: what a device shows to prove who it is, as it arrived and before anybody judged it. Each door fills it
 * from what it believes: HTTP from the request's headers, and from those of the edge only on the listener that the edge
 * alone can reach (api/peer.c). */
#ifndef IDSCOPE_PRESENTED_H
#define IDSCOPE_PRESENTED_H

#include "core/enc.h"

struct presented {
    struct str authorization; /* the Authorization header as sent; absent: none */
    struct bytes leaf;        /* DER of the client certificate whose key the device proved to have; p NULL: none */
    struct bytes chain;       /* DER of the certificates that it sent above the leaf, one behind the other */
    /* Member `tpm` of a register's body: is it there, and the public areas of its endorsement key and storage root key;
     * p NULL: there is none, or it is of another form. */
    bool tpm_sent;
    struct bytes tpm_endorsement, tpm_root;
    struct str address; /* where it connects from, as text: from the edge, or of the socket */
};

/* Did it show anything that could prove who it is? False is a refusal that needs no look at an enrollment. A chain
 * without a leaf proves nothing, an address neither. */
static inline bool presented_any(const struct presented *p)
{
    return p->authorization.n || p->leaf.n || p->tpm_endorsement.n;
}

#endif
