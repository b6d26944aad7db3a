/* webhook.h: the definition of an enrollment's custom allocation: who is asked for a device's hub, and in which form.
 * Checked when it is written, and sealed for its row, since addresses of webhooks hold keys. Nobody is called here. */
#ifndef IDSCOPE_WEBHOOK_H
#define IDSCOPE_WEBHOOK_H

#include "model.h"
#include "seal.h"

/* BAD_FIELD names the member and the rule: an https URL, and an api-version from 2018-09-01-preview on. What was pasted
 * with white space around it loses that. */
err_t webhook_check(struct custom_allocation *in, struct err_detail *d);

/* Whose definition it is. */
struct webhook_row {
    const struct key_ring *ring;
    struct str id_scope, key; /* registration id or group id, in lower case */
    bool of_group;
};
struct bytes webhook_seal(struct arena *a, const struct webhook_row *row, const struct custom_allocation *in);
/* SEAL_BROKEN as in seal.h, and when what opens is no definition. */
err_t webhook_open(struct arena *a, const struct webhook_row *row, struct bytes sealed, struct custom_allocation *ret);

#endif
