/* certificate.c: CA certificates of an instance or a hub as resources of the management plane (wire.md 1.8, 2;
 * decisions.md 9): put, listed, deleted, and proved by whoever has the key. It must never take one for verified that
 * nobody vouched for or proved, nor give back another text than was sent. */
#include "db/certificate.h"

#include "api/op/instance.h"
#include "api/op/op.h"
#include "api/op/resource.h"
#include "api/shared.h"
#include "core/attest/x509_ca.h"
#include "core/attest/x509_crl.h"
#include "core/limits.h"
#include "db/hub.h"

enum { CODE_BYTES = 24 };
/* A root's key may lie in a safe. */
#define CODE_IS_GOOD_US (INT64_C(7) * 24 * 3600 * 1000000)

/* --- whose they are ----------------------------------------------------------------------------------------------- */

struct owner {
    enum certificate_of of;
    const char *noun, *type, *certificate_type;
    /* Holds it to the end of the transaction; *ret_key is the certificates' owner. */
    err_t (*hold)(struct call *r, struct db *db, const struct arm_target *t, struct str *ret_key);
    /* What was checked against its certificates is stale; NULL: nothing is. */
    err_t (*touch)(struct call *r, struct db *db, struct str key);
};

static err_t hold_instance(struct call *r, struct db *db, const struct arm_target *t, struct str *ret_key)
{
    struct instance_locked instance = {0};
    TRY(instance_hold(r, db, t, &instance));
    *ret_key = instance.id_scope;
    return NULL;
}

static err_t touch_instance(struct call *r, struct db *db, struct str key)
{
    return db_scope_touch(db, r->arena, key, false);
}

static err_t hold_hub(struct call *r, struct db *db, const struct arm_target *t, struct str *ret_key)
{
    struct hub_locked hub = {0};
    struct place_found found;
    TRY(db_hub_lock(db, r->arena, &t->find, &hub));
    *ret_key = t->find.name_key;
    if (hub.hub_id)
        return NULL;
    TRY(db_place(db, r->arena, &t->find.at, &found));
    TRY(arm_check_place(t, &found));
    return E(RESOURCE_NOT_FOUND);
}

static const struct owner of_instance = {CERTIFICATE_OF_INSTANCE, "instance",
                                         INSTANCE_TYPE,           "Microsoft.Devices/ProvisioningServices/Certificates",
                                         hold_instance,           touch_instance};
static const struct owner of_hub = {CERTIFICATE_OF_HUB, "hub", HUB_TYPE, "Microsoft.Devices/IotHubs/Certificates",
                                    hold_hub,           NULL};

/* --- on the wire -------------------------------------------------------------------------------------------------- */

struct sent {
    struct str certificate;
    enum tri is_verified;
};
struct body { /* bare, or under `properties` */
    struct sent bare;
    struct sent *properties;
};
struct shown {
    struct str subject, expiry, thumbprint, certificate, created, updated, code;
    enum tri is_verified;
};

struct crl_shown {
    struct str issuer, number, this_update, next_update;
    struct opt_i64 revoked;
};

#define SENT_ROWS(type, of)                                                                                            \
    CODEC_TEXT(type, of certificate, "certificate", CERTIFICATE_TEXT_MOST, 0),                                         \
        CODEC_BOOL(type, of is_verified, "isVerified", 0)
static const struct codec sent_codec[] = {SENT_ROWS(struct sent, ), CODEC_END};
static const struct codec body_codec[] = {
    SENT_ROWS(struct body, bare.),
    CODEC_OBJECT(struct body, properties, "properties", sent_codec, struct sent, 0),
    CODEC_END,
};

#define P_ struct shown
static const struct codec properties_codec[] = {
    CODEC_TEXT(P_, subject, "subject", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(P_, expiry, "expiry", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(P_, thumbprint, "thumbprint", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_BOOL(P_, is_verified, "isVerified", CODEC_OUT),
    CODEC_TEXT(P_, certificate, "certificate", CERTIFICATE_TEXT_MOST, CODEC_OUT),
    CODEC_TEXT(P_, created, "created", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(P_, updated, "updated", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(P_, code, "verificationCode", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_END,
};
#undef P_

#define P_ struct crl_shown
static const struct codec crl_codec[] = {
    CODEC_TEXT(P_, issuer, "issuer", RESOURCE_URL_MAX, CODEC_OUT),
    CODEC_TEXT(P_, number, "number", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(P_, this_update, "thisUpdate", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(P_, next_update, "nextUpdate", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_I64(P_, revoked, "revoked", 0, INT64_MAX, CODEC_OUT),
    CODEC_END,
};
#undef P_

static const struct codec resource_codec[] = {
    RESOURCE_ROWS,
    CODEC_TEXT(struct resource, etag, "etag", RESOURCE_TEXT_MAX, CODEC_OUT),
    PROPERTIES_ROW,
    CODEC_END,
};

/* --- reading ------------------------------------------------------------------------------------------------------ */

static struct shown shown_of(struct arena *a, const struct certificate_row *row)
{
    X509 *x X509_CLEANUP = x509_cert_open(row->der);
    struct shown ret = {
        .certificate = row->certificate,
        .created = enc_time_http(a, row->created_us),
        .updated = enc_time_http(a, row->updated_us),
        .is_verified = row->is_verified ? TRI_TRUE : TRI_FALSE,
    };
    if (!x)
        return ret;
    const struct x509_info *info = x509_cert_info(a, x, row->der);
    int64_t expiry_us;
    ret.subject = info->subject;
    ret.thumbprint = info->sha1;
    if (dec_time_iso(info->not_after, &expiry_us))
        ret.expiry = enc_time_http(a, expiry_us);
    return ret;
}

/* One that is shown, or all. */
struct seen {
    const struct owner *owner;
    struct arm_target target;
};

static struct str id_of(struct call *r, const struct seen *s, const struct certificate_row *row)
{
    const struct arm_target *t = &s->target;
    struct str of = arm_resource_id(r->arena, &t->find.at.subscription_id, t->group, s->owner->type, t->name);
    return arena_printf(r->arena, "%s/certificates/%.*s", of.p, STR_ARG(row->name));
}

/* The code is shown in the answer to who asked for it. */
static void write_certificate(struct call *r, const struct seen *s, const struct certificate_row *row, struct str code,
                              struct text *out)
{
    struct shown shown = shown_of(r->arena, row);
    shown.code = code;
    const struct resource res = {
        .id = id_of(r, s, row),
        .name = row->name,
        .type = str_of(s->owner->certificate_type),
        .etag = arm_etag(r->arena, &row->etag),
        .properties = resource_join(r->arena, properties_codec, &shown, STR("{}")),
    };
    codec_encode(out, resource_codec, &res);
}

static err_t reply_certificate(struct call *r, const struct seen *s, const struct certificate_row *row, struct str code)
{
    struct text out;
    text_init(&out, r->arena, 4096);
    write_certificate(r, s, row, code, &out);
    return call_reply(r, 200, text_str(&out));
}

static err_t no_such(struct call *r, const struct owner *owner)
{
    return call_fail(r, E(RESOURCE_NOT_FOUND), "The %s has no certificate of this name.", owner->noun);
}

static err_t find(struct call *r, struct str name_key, struct seen *s, struct certificate_row **ret, size_t *ret_count)
{
    struct place_found found;
    bool there;
    TRY(arm_resource(r, &s->target));
    TRY(db_certificate_find(r->db, r->arena, s->owner->of, &s->target.find, name_key, &found, &there, ret, ret_count));
    TRY(arm_check_place(&s->target, &found));
    return there ? NULL : E(RESOURCE_NOT_FOUND);
}

static err_t list(struct call *r, const struct owner *owner)
{
    struct seen s = {.owner = owner};
    struct certificate_row *rows;
    size_t count;
    struct text out;
    TRY(find(r, (struct str){NULL, 0}, &s, &rows, &count));
    arm_list_begin(r, &out);
    for (size_t i = 0; i < count; i++) {
        arm_list_item(&out);
        write_certificate(r, &s, &rows[i], (struct str){NULL, 0}, &out);
    }
    return arm_list_end(r, &out, (struct str){NULL, 0});
}

static err_t find_one(struct call *r, struct seen *s, struct certificate_row **ret)
{
    size_t count;
    TRY(find(r, arena_lower(r->arena, r->segments[SEGMENT_CERTIFICATE]), s, ret, &count));
    return count ? arm_check_match(r, &(*ret)->etag) : no_such(r, s->owner);
}

static err_t get(struct call *r, const struct owner *owner)
{
    struct seen s = {.owner = owner};
    struct certificate_row *row;
    TRY(find_one(r, &s, &row));
    return reply_certificate(r, &s, row, (struct str){NULL, 0});
}

static err_t reply_crl(struct call *r, const struct seen *s, const struct certificate_row *row)
{
    struct x509_crl_info info;
    struct text out;
    if (!x509_crl_info(r->arena, row->crl, &info))
        return call_fail(r, E(RESOURCE_NOT_FOUND), "The certificate has no CRL.");
    const struct crl_shown shown = {
        .issuer = info.issuer,
        .number = info.number,
        .this_update = enc_time_http(r->arena, info.this_us),
        .next_update = info.next_us ? enc_time_http(r->arena, info.next_us) : (struct str){NULL, 0},
        .revoked = {true, info.revoked},
    };
    const struct resource res = {
        .id = arena_printf(r->arena, "%s/crl", id_of(r, s, row).p),
        .name = STR("crl"),
        .type = STR("Microsoft.Devices/ProvisioningServices/Certificates/crl"),
        .etag = arm_etag(r->arena, &row->etag),
        .properties = resource_join(r->arena, crl_codec, &shown, STR("{}")),
    };
    text_init(&out, r->arena, 1024);
    codec_encode(&out, resource_codec, &res);
    return call_reply(r, 200, text_str(&out));
}

err_t op_certificate_crl_get(struct call *r)
{
    struct seen s = {.owner = &of_instance};
    struct certificate_row *row;
    TRY(find_one(r, &s, &row));
    return reply_crl(r, &s, row);
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* A change of one certificate, in one transaction with what it is made of. */
struct change {
    struct call *r;
    struct seen of;
    struct certificate_key at;
    struct sent sent;
    struct bytes der;           /* of what was sent */
    const char *member;         /* where it was sent */
    bool there;                 /* there was one */
    struct certificate_row row; /* as it stands: before the change, then behind it */
    err_t (*work)(struct db *db, struct change *c);
    bool touches; /* whom it vouches for is another thing now */
};

static err_t change_work(struct db *db, void *context)
{
    struct change *c = context;
    const struct owner *owner = c->of.owner;
    TRY(owner->hold(c->r, db, &c->of.target, &c->at.owner));
    c->at.of = owner->of;
    c->at.tenant_id = c->of.target.find.at.tenant_id;
    TRY(db_certificate_lock(db, c->r->arena, &c->at, &c->there, &c->row));
    TRY(c->work(db, c));
    return c->touches && owner->touch ? owner->touch(c->r, db, c->at.owner) : NULL;
}

static err_t change(struct change *c)
{
    struct call *r = c->r;
    c->at.name_key = arena_lower(r->arena, r->segments[SEGMENT_CERTIFICATE]);
    TRY(arm_resource(r, &c->of.target));
    TRY(db_tx(r->db, change_work, c));
    if (c->of.owner->touch)
        gate_forget_instance(r->shared->gate, c->at.owner, c->of.target.find.name_key);
    return NULL;
}

/* wire.md 1.6 */
static err_t require_match(struct call *r)
{
    return arm_if_match(r).p ? NULL
                             : call_fail(r, E(BAD_REQUEST), "If-Match is required: the certificate's etag, or *.");
}

static err_t check_there(struct change *c)
{
    return c->there ? arm_check_match(c->r, &c->row.etag) : no_such(c->r, c->of.owner);
}

/* The certificate of a body, in either shape. */
static err_t read_body(struct change *c)
{
    struct body body = {0};
    TRY(call_decode(c->r, body_codec, CODEC_NO_CASE, &body));
    c->sent = body.properties ? *body.properties : body.bare;
    c->member = body.properties ? "properties.certificate" : "certificate";
    return c->sent.certificate.n ? NULL : call_fail(c->r, E(BAD_FIELD), "%s is required.", c->member);
}

static err_t create(struct db *db, struct change *c)
{
    struct call *r = c->r;
    bool written;
    c->row = (struct certificate_row){.name = r->segments[SEGMENT_CERTIFICATE],
                                      .certificate = c->sent.certificate,
                                      .der = c->der,
                                      .is_verified = c->sent.is_verified == TRI_TRUE};
    TRY(db_certificate_insert(db, r->arena, &c->at, &c->row, &written));
    if (!written)
        return call_fail(r, E(QUOTA_EXCEEDED), "The %s has %d certificates, as many as it may have.", c->of.owner->noun,
                         CERTIFICATES_MOST);
    return NULL;
}

/* The key may be the old one: then what it revoked stays so. */
static void forget_proofs(struct certificate_row *row)
{
    X509 *ca X509_CLEANUP = x509_cert_open(row->der);
    X509_CRL *crl X509_CRL_CLEANUP = x509_crl_open(row->crl);
    row->code = (struct str){NULL, 0};
    row->code_until_us = 0;
    if (crl && !(ca && x509_crl_is_of(crl, ca)))
        row->crl = (struct bytes){NULL, 0};
}

/* What was proved of a certificate says nothing of another one in its place. One that is as it was keeps its etag. */
static err_t put_work(struct db *db, struct change *c)
{
    struct certificate_row *row = &c->row;
    if (!c->there)
        return create(db, c);
    TRY(arm_check_match(c->r, &row->etag));
    bool same = crypt_same(row->der, c->der);
    bool verified = c->sent.is_verified == TRI_TRUE || (!c->sent.is_verified && same && row->is_verified);
    c->touches = verified != row->is_verified || !str_same(row->certificate, c->sent.certificate);
    row->is_verified = verified;
    row->certificate = c->sent.certificate;
    row->der = c->der;
    if (!same)
        forget_proofs(row);
    return db_certificate_update(db, c->r->arena, &c->at, c->touches ? "updated" : CERTIFICATE_UNCHANGED, row);
}

static err_t put(struct call *r, const struct owner *owner)
{
    struct change c = {.r = r, .of.owner = owner, .work = put_work, .touches = true};
    if (!id_certificate_name_valid(r->segments[SEGMENT_CERTIFICATE]))
        return call_fail(
            r, E(BAD_ID),
            "name: the name of a certificate must have %d to %d letters, digits and characters of -._ (no blanks).",
            CERTIFICATE_NAME_LEAST, CERTIFICATE_NAME_MOST);
    TRY(read_body(&c));
    TRY(x509_ca_read(r->arena, c.sent.certificate, c.member, &r->detail, &c.der));
    TRY(change(&c));
    return reply_certificate(r, &c.of, &c.row, (struct str){NULL, 0});
}

/* Its devices would be strangers. */
static err_t check_unnamed(struct db *db, struct change *c)
{
    struct certificate_named_by by = {0};
    TRY(db_certificate_named_by(db, c->r->arena, &c->at, &by));
    if (!by.registration_id.p)
        return NULL;
    return call_fail(c->r, E(CERTIFICATE_IN_USE), "The certificate is named by the enrollment%s \"%.*s\".",
                     by.of_group ? " group" : "", STR_ARG(by.registration_id));
}

static err_t delete_work(struct db *db, struct change *c)
{
    c->touches = c->there;
    if (!c->there)
        return arm_bare_match(c->r).p ? E(PRECONDITION_FAILED) : NULL;
    TRY(arm_check_match(c->r, &c->row.etag));
    if (c->of.owner->of == CERTIFICATE_OF_INSTANCE)
        TRY(check_unnamed(db, c));
    return db_certificate_delete(db, c->r->arena, &c->at);
}

static err_t erase(struct call *r, const struct owner *owner)
{
    struct change c = {.r = r, .of.owner = owner, .work = delete_work};
    TRY(require_match(r));
    TRY(change(&c));
    return call_reply_empty(r, 204);
}

static err_t code_work(struct db *db, struct change *c)
{
    uint8_t code[CODE_BYTES];
    TRY(check_there(c));
    crypt_random(code, sizeof code);
    c->row.code = enc_hex(c->r->arena, (struct bytes){code, sizeof code}, true);
    c->row.code_until_us = c->r->now_us + CODE_IS_GOOD_US;
    return db_certificate_update(db, c->r->arena, &c->at, "code", &c->row);
}

static err_t make_code(struct call *r, const struct owner *owner)
{
    struct change c = {.r = r, .of.owner = owner, .work = code_work};
    TRY(require_match(r));
    TRY(change(&c));
    return reply_certificate(r, &c.of, &c.row, c.row.code);
}

static err_t verify_work(struct db *db, struct change *c)
{
    struct call *r = c->r;
    struct certificate_row *row = &c->row;
    TRY(check_there(c));
    if (!row->code.p)
        return call_fail(r, E(BAD_REQUEST), "There is no verification code to prove: generate one.");
    if (row->code_until_us <= r->now_us)
        return call_fail(r, E(BAD_REQUEST), "The verification code has expired: generate another one.");
    TRY(x509_ca_proved(r->arena, row->der, row->code, c->sent.certificate, c->member, &r->detail));
    row->is_verified = true;
    row->code = (struct str){NULL, 0};
    row->code_until_us = 0;
    return db_certificate_update(db, r->arena, &c->at, "verified", row);
}

static err_t verify(struct call *r, const struct owner *owner)
{
    struct change c = {.r = r, .of.owner = owner, .work = verify_work, .touches = true};
    TRY(require_match(r));
    TRY(read_body(&c));
    TRY(change(&c));
    return reply_certificate(r, &c.of, &c.row, (struct str){NULL, 0});
}

static err_t crl_work(struct db *db, struct change *c)
{
    struct call *r = c->r;
    TRY(check_there(c));
    TRY(x509_crl_read(r->arena, r->body, c->row.der, c->row.crl, &r->detail, &c->row.crl));
    return db_certificate_update(db, r->arena, &c->at, "crl", &c->row);
}

err_t op_certificate_crl_put(struct call *r)
{
    struct change c = {.r = r, .of.owner = &of_instance, .work = crl_work, .touches = true};
    TRY(change(&c));
    return reply_crl(r, &c.of, &c.row);
}

/* --- the operations ----------------------------------------------------------------------------------------------- */

#define CERTIFICATE_OP(noun, owner, word, run)                                                                         \
    err_t op_##noun##_##word(struct call *r)                                                                           \
    {                                                                                                                  \
        return run(r, &(owner));                                                                                       \
    }
#define CERTIFICATE_OPS(noun, owner)                                                                                   \
    CERTIFICATE_OP(noun, owner, list, list)                                                                            \
    CERTIFICATE_OP(noun, owner, get, get)                                                                              \
    CERTIFICATE_OP(noun, owner, put, put)                                                                              \
    CERTIFICATE_OP(noun, owner, delete, erase)                                                                         \
    CERTIFICATE_OP(noun, owner, code, make_code)                                                                       \
    CERTIFICATE_OP(noun, owner, verify, verify)

CERTIFICATE_OPS(certificate, of_instance)
CERTIFICATE_OPS(hub_certificate, of_hub)
