/* device.c: what the operations of the device plane have in common: whom a call is of, and what its body may say
 * (wire.md 4.2). It must never tell a stranger what is wrong with a body's members. */
#include "api/op/device.h"

#include "core/attest/tpm_public.h"

/* What a deleted instance had stands in the database for a while. To its devices it is a scope that never was. */
struct db_device device_of(struct call *r)
{
    struct str id_scope = r->instance->version ? r->instance->id_scope : STR("");
    return (struct db_device){id_scope, arena_lower(r->arena, r->segments[SEGMENT_ID])};
}

/* What is of another form is nobody's key, and refused as such: then no key is presented. */
static void present_tpm(struct call *r, const struct tpm_keys *in)
{
    struct tpm_public endorsement, root = {0};
    r->presented.tpm_sent = true;
    if (tpm_public_read(r->arena, in->endorsement, "tpm.endorsementKey", &r->log_detail, &endorsement) ||
        (in->root.n && tpm_public_read(r->arena, in->root, "tpm.storageRootKey", &r->log_detail, &root)))
        return;
    r->presented.tpm_endorsement = endorsement.area;
    r->presented.tpm_root = root.area;
}

err_t device_body(struct call *r, struct device_registration *ret)
{
    if (r->body.n)
        TRY(call_decode(r, device_registration_codec, CODEC_KEEP_UNKNOWN, ret));
    if (ret->registration_id.p && !str_same_nocase(ret->registration_id, r->segments[SEGMENT_ID]))
        return call_fail(r, E(BAD_FIELD), "registrationId: must be the registration id of the path.");
    if (ret->tpm)
        present_tpm(r, ret->tpm);
    return NULL;
}

err_t device_refuse_members(struct call *r, const struct device_registration *body, const struct attest_stored *stored)
{
    if (body->csr.p && !(r->versions & VERSION_BEFORE_CSR))
        return call_fail(r, E(BAD_FIELD), "csr: certificates are not issued here; leave it out.");
    return attest_body(stored, &r->presented, &r->detail);
}
