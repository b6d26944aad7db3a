/* access.c: who may use the deployment: tenants, subscriptions and service principals, listed, disabled and enabled,
 * and the secret of a service principal, renewed. It must never delete one, nor show a secret but the one that it
 * makes.
 */
#include "admin/run.h"
#include "core/codec.h"
#include "db/admin.h"

enum { PAGE = 500 };

/* --- what is shown ------------------------------------------------------------------------------------------------ */

struct shown {
    struct str tenant_id, subscription_id, client_id, name, state;
    enum tri two_secrets;
    int64_t created_us, disabled_us;
};
static const struct codec shown_codec[] = {
    CODEC_TEXT(struct shown, tenant_id, "tenantId", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, subscription_id, "subscriptionId", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, client_id, "clientId", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, name, "displayName", 0, CODEC_OUT),
    CODEC_TEXT(struct shown, state, "state", 0, CODEC_OUT),
    CODEC_BOOL(struct shown, two_secrets, "secretBefore", CODEC_OUT),
    CODEC_TIME(struct shown, created_us, "createdDateTimeUtc"),
    CODEC_TIME(struct shown, disabled_us, "disabledDateTimeUtc"),
    CODEC_END,
};

static void write_json(struct run *run, enum admitted_kind kind, const struct admitted *one)
{
    struct str id = enc_uuid(run->arena, &one->id), absent = {NULL, 0};
    const struct shown shown = {
        .tenant_id = enc_uuid(run->arena, &one->tenant),
        .subscription_id = kind == ADMITTED_SUBSCRIPTION ? id : absent,
        .client_id = kind == ADMITTED_SERVICE_PRINCIPAL ? id : absent,
        .name = one->name,
        .state = one->disabled_us ? STR("disabled") : STR("enabled"),
        .two_secrets = kind != ADMITTED_SERVICE_PRINCIPAL ? TRI_ABSENT
                       : one->two_secrets                 ? TRI_TRUE
                                                          : TRI_FALSE,
        .created_us = one->created_us,
        .disabled_us = one->disabled_us,
    };
    codec_encode(&run->out, shown_codec, &shown);
}

/* A line of columns, the name last, since it may have anything in it but a tab or an end of line. */
static void write_line(struct run *run, enum admitted_kind kind, const struct admitted *one)
{
    text_printf(&run->out, "%s\t", enc_uuid(run->arena, &one->id).p);
    if (kind != ADMITTED_TENANT)
        text_printf(&run->out, "%s\t", enc_uuid(run->arena, &one->tenant).p);
    text_printf(&run->out, "%s\t", one->disabled_us ? "disabled" : "enabled");
    for (size_t i = 0; i < one->name.n; i++)
        text_add_char(&run->out, (unsigned char)one->name.p[i] < ' ' ? ' ' : one->name.p[i]);
}

static void write_one(struct run *run, enum admitted_kind kind, const struct admitted *one)
{
    if (run_flag(run, "json"))
        write_json(run, kind, one);
    else
        write_line(run, kind, one);
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static err_t list(struct run *run, enum admitted_kind kind)
{
    struct uuid tenant;
    struct str of = run_option(run, "tenant");
    struct admitted *page = NULL;
    const struct uuid *after = NULL;
    size_t count = PAGE;
    if (of.p)
        TRY(run_uuid(run, of, &tenant));
    run_list_begin(run);
    while (count == PAGE) {
        TRY(db_admin_list(run->db, run->arena, kind, of.p ? &tenant : NULL, after, PAGE, &page, &count));
        for (size_t i = 0; i < count; i++) {
            run_list_item(run);
            write_one(run, kind, &page[i]);
        }
        after = count ? &page[count - 1].id : after;
    }
    run_list_end(run);
    return NULL;
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

static err_t find(struct run *run, enum admitted_kind kind, const struct uuid *id, struct admitted *ret)
{
    static const char *const nouns[ADMITTED_KINDS] = {"tenant", "subscription", "service principal"};
    err_t e = db_admin_find(run->db, run->arena, kind, id, ret);
    return e == E(NO_ROW) ? err_say(&run->detail, e, "There is no %s of this id.", nouns[kind]) : e;
}

/* The one that the command's word names; what is done from here on is done to its tenant. */
static err_t find_named(struct run *run, enum admitted_kind kind, struct admitted *ret)
{
    struct uuid id;
    TRY(run_uuid(run, run_word(run, 0), &id));
    TRY(find(run, kind, &id, ret));
    run_act(run, &ret->tenant);
    return NULL;
}

static err_t able(struct run *run, enum admitted_kind kind, bool enabled)
{
    struct admitted one;
    TRY(find_named(run, kind, &one));
    TRY(db_admin_able(run->db, run->arena, kind, &one.id, enabled));
    TRY(find(run, kind, &one.id, &one));
    write_one(run, kind, &one);
    text_add_char(&run->out, '\n');
    return NULL;
}

struct renewed {
    struct str client_id, client_secret;
};
static const struct codec renewed_codec[] = {
    CODEC_TEXT(struct renewed, client_id, "clientId", 0, CODEC_OUT),
    CODEC_TEXT(struct renewed, client_secret, "clientSecret", 0, CODEC_OUT),
    CODEC_END,
};

err_t run_secret_renew(struct run *run)
{
    struct admitted one;
    TRY(find_named(run, ADMITTED_SERVICE_PRINCIPAL, &one));
    struct db_secret_renewal to = {.client = one.id, .keep_before = !run_flag(run, "revoke")};
    struct renewed renewed = {enc_uuid(run->arena, &one.id), run_new_secret(run, &to.hash)};
    TRY(db_admin_secret_renew(run->db, run->arena, &to));
    if (!run_flag(run, "json")) {
        text_printf(&run->out, "IDSCOPE_CLIENT_ID=%s\nIDSCOPE_CLIENT_SECRET=%s\n", renewed.client_id.p,
                    renewed.client_secret.p);
        return NULL;
    }
    codec_encode(&run->out, renewed_codec, &renewed);
    text_add_char(&run->out, '\n');
    return NULL;
}

#define COMMANDS(noun, kind)                                                                                           \
    err_t run_##noun##_list(struct run *run)                                                                           \
    {                                                                                                                  \
        return list(run, kind);                                                                                        \
    }                                                                                                                  \
    err_t run_##noun##_disable(struct run *run)                                                                        \
    {                                                                                                                  \
        return able(run, kind, false);                                                                                 \
    }                                                                                                                  \
    err_t run_##noun##_enable(struct run *run)                                                                         \
    {                                                                                                                  \
        return able(run, kind, true);                                                                                  \
    }
COMMANDS(tenant, ADMITTED_TENANT)
COMMANDS(subscription, ADMITTED_SUBSCRIPTION)
COMMANDS(service_principal, ADMITTED_SERVICE_PRINCIPAL)
