/* signin.c: client credentials → access token, and the documents that tell clients where to sign in (wire.md A2, A3;
 * decisions.md 3, 4). It decides which secrets and scopes get a token. It must never tell whether the id or the secret
 * was wrong, nor answer 400 to either: clients keep and replay that. */
#include <string.h>

#include "api/op/op.h"
#include "api/plane.h"
#include "api/shared.h"
#include "core/json.h"

enum { SECRET_MAX = 512, SCOPE_MAX = 300 };

/* --- documents ---------------------------------------------------------------------------------------------------- */

/* This deployment as the client reached it: https://host[:port] */
static struct str base_url(const struct call *r)
{
    return arena_printf(r->arena, "https://%.*s", STR_ARG(r->host_port));
}

static struct str below(const struct call *r, const char *path)
{
    return arena_printf(r->arena, "%s%s", base_url(r).p, path);
}

/* Are tokens for this URL good on any plane? */
static bool is_audience(const struct call *r, struct str url)
{
    struct str host = id_url_host(url), name;
    bool good = false;
    for (enum plane p = 0; host.p && !good && p < PLANE_COUNT; p++)
        good = plane_audience(r, p, host) ||
               (planes[p].own_audience && plane_on(p, id_plane_of(r->arena, host, r->cfg->domain, &name)));
    return good;
}

/* What a client is to ask tokens for: this deployment as it was reached, where that is a name of ours. */
static struct str own_audience(const struct call *r)
{
    struct str root = below(r, "/");
    return is_audience(r, root) ? root
                                : arena_printf(r->arena, "https://%s/", id_management_host(r->arena, r->cfg->domain).p);
}

struct metadata_authentication {
    struct str login_endpoint, tenant, identity_provider;
    struct str_list audiences;
};
struct metadata_suffixes {
    struct str storage, key_vault, sql;
};
struct metadata {
    struct str name, resource_manager, portal, batch, gallery, graph, graph_audience, gallery_endpoint, graph_endpoint,
        sql_management, image_aliases, media, graph_resource;
    struct metadata_authentication *authentication;
    struct metadata_suffixes *suffixes;
};

static const struct codec authentication_codec[] = {
    CODEC_TEXT(struct metadata_authentication, login_endpoint, "loginEndpoint", 0, CODEC_OUT),
    CODEC_TEXTS(struct metadata_authentication, audiences, "audiences", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata_authentication, tenant, "tenant", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata_authentication, identity_provider, "identityProvider", 0, CODEC_OUT),
    CODEC_END,
};
static const struct codec suffixes_codec[] = {
    CODEC_TEXT(struct metadata_suffixes, storage, "storage", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata_suffixes, key_vault, "keyVaultDns", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata_suffixes, sql, "sqlServerHostname", 0, CODEC_OUT),
    CODEC_END,
};
/* Clients read each of these of the newer forms without a default, so all are there. */
static const struct codec metadata_codec[] = {
    CODEC_TEXT(struct metadata, name, "name", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, resource_manager, "resourceManager", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, portal, "portal", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, batch, "batch", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, gallery, "gallery", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, graph, "graph", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, graph_audience, "graphAudience", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, gallery_endpoint, "galleryEndpoint", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, graph_endpoint, "graphEndpoint", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, sql_management, "sqlManagement", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, image_aliases, "vmImageAliasDoc", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, media, "media", 0, CODEC_OUT),
    CODEC_TEXT(struct metadata, graph_resource, "microsoftGraphResourceId", 0, CODEC_OUT),
    CODEC_OBJECT(struct metadata, authentication, "authentication", authentication_codec,
                 struct metadata_authentication, CODEC_OUT),
    CODEC_OBJECT(struct metadata, suffixes, "suffixes", suffixes_codec, struct metadata_suffixes, CODEC_OUT),
    CODEC_END,
};

static err_t reply_old_metadata(struct call *r, struct metadata_authentication *authentication)
{
    struct str root = below(r, "/");
    struct metadata m = {.gallery_endpoint = root, .graph_endpoint = root, .authentication = authentication};
    return call_reply_codec(r, 200, metadata_codec, &m);
}

err_t op_metadata_endpoints(struct call *r)
{
    struct str root = below(r, "/");
    struct str audience = own_audience(r);
    struct metadata_authentication authentication = {.login_endpoint = below(r, "/adfs"),
                                                     .audiences = {.at = &audience, .n = 1, .set = true}};
    if (r->versions & VERSION_OLD_METADATA)
        return reply_old_metadata(r, &authentication);
    authentication.tenant = STR("adfs");
    authentication.identity_provider = STR("ADFS");
    struct metadata_suffixes suffixes = {r->cfg->domain, r->cfg->domain, r->cfg->domain};
    struct metadata m = {STR("idscope"), root,      root, root, root, root, root,
                         {NULL, 0},      {NULL, 0}, root, root, root, root, &authentication,
                         &suffixes};
    if (!(r->versions & VERSION_LISTED_METADATA))
        return call_reply_codec(r, 200, metadata_codec, &m);
    struct text out;
    text_init(&out, r->arena, 1024);
    text_add_char(&out, '[');
    codec_encode(&out, metadata_codec, &m);
    text_add_char(&out, ']');
    return call_reply(r, 200, text_str(&out));
}

struct openid {
    struct str issuer, authorization_endpoint, token_endpoint, jwks_uri;
    struct str_list response_types, subject_types, algorithms, grant_types, auth_methods;
};
static const struct codec openid_codec[] = {
    CODEC_TEXT(struct openid, issuer, "issuer", 0, CODEC_OUT),
    CODEC_TEXT(struct openid, authorization_endpoint, "authorization_endpoint", 0, CODEC_OUT),
    CODEC_TEXT(struct openid, token_endpoint, "token_endpoint", 0, CODEC_OUT),
    CODEC_TEXT(struct openid, jwks_uri, "jwks_uri", 0, CODEC_OUT),
    CODEC_TEXTS(struct openid, response_types, "response_types_supported", 0, CODEC_OUT),
    CODEC_TEXTS(struct openid, subject_types, "subject_types_supported", 0, CODEC_OUT),
    CODEC_TEXTS(struct openid, algorithms, "id_token_signing_alg_values_supported", 0, CODEC_OUT),
    CODEC_TEXTS(struct openid, grant_types, "grant_types_supported", 0, CODEC_OUT),
    CODEC_TEXTS(struct openid, auth_methods, "token_endpoint_auth_methods_supported", 0, CODEC_OUT),
    CODEC_END,
};

static err_t reply_openid(struct call *r, struct str token_endpoint)
{
    struct str token = STR("token"), subject = STR("pairwise"), algorithm = STR("ES256"),
               grant = STR("client_credentials");
    struct str methods[] = {STR("client_secret_post"), STR("client_secret_basic")};
    struct openid o = {
        id_issuer(r->arena, r->cfg->domain),
        below(r, "/adfs/oauth2/authorize"),
        token_endpoint,
        below(r, "/adfs/discovery/keys"),
        {&token, 1, true},
        {&subject, 1, true},
        {&algorithm, 1, true},
        {&grant, 1, true},
        {methods, 2, true},
    };
    return call_reply_codec(r, 200, openid_codec, &o);
}

err_t op_openid_configuration(struct call *r)
{
    return reply_openid(r, below(r, "/adfs/oauth2/token"));
}

/* Nobody is told which tenants there are. */
err_t op_openid_configuration_of_tenant(struct call *r)
{
    struct str tenant = enc_percent(r->arena, r->segments[SEGMENT_TENANT]);
    return reply_openid(r, arena_printf(r->arena, "%s/adfs/%.*s/oauth2/v2.0/token", base_url(r).p, STR_ARG(tenant)));
}

/* From the process's view, so it answers also when the database does not; a new key stands in it within seconds. */
err_t op_jwks(struct call *r)
{
    const struct token_view *view = token_keys_view(r->shared->tokens);
    struct text out;
    if (!view)
        return call_refuse(r, E(OVERLOADED), "the token keys could not be read yet");
    text_init(&out, r->arena, 512);
    text_add(&out, STR("{\"keys\":["));
    for (size_t i = 0; i < view->own.count; i++) {
        text_add(&out, i ? STR(",") : STR(""));
        text_add(&out, jwt_key_jwk(r->arena, view->own.at[i]));
    }
    text_add(&out, STR("]}"));
    token_keys_release(view);
    return call_reply(r, 200, text_str(&out));
}

/* --- the token endpoint ------------------------------------------------------------------------------------------- */

struct token_request {
    struct str grant_type, client_id, client_secret, scope, resource;
};

/* One pair of the form; a name that stands twice is an error (RFC 6749 3.2). */
static err_t take_pair(struct call *r, struct str pair, struct token_request *to)
{
    const struct {
        const char *name;
        struct str *value;
    } known[] = {{"grant_type", &to->grant_type},
                 {"client_id", &to->client_id},
                 {"client_secret", &to->client_secret},
                 {"scope", &to->scope},
                 {"resource", &to->resource}};
    struct str name, value = str_split(pair, '=', &name);
    if (!dec_percent(r->arena, name, true, &name) || !dec_percent(r->arena, value.p ? value : STR(""), true, &value))
        return call_fail(r, E(BAD_REQUEST), "The form holds a bad percent escape.");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!str_same(name, str_of(known[i].name)))
            continue;
        if (known[i].value->p)
            return call_fail(r, E(BAD_REQUEST), "%s stands twice in the form.", known[i].name);
        *known[i].value = value;
    }
    return NULL;
}

static err_t read_form(struct call *r, struct token_request *to)
{
    struct str rest = r->body.n ? r->body : (struct str){NULL, 0}, pair;
    while (rest.p) {
        rest = str_split(rest, '&', &pair);
        TRY(take_pair(r, pair, to));
    }
    return NULL;
}

/* HTTP Basic (RFC 6749 2.3.1): both parts form-encoded, joined by a colon, in base64. */
static err_t read_basic(struct call *r, struct token_request *to)
{
    static const struct str basic = {"Basic ", 6};
    struct bytes raw;
    struct str head = {r->presented.authorization.p,
                       r->presented.authorization.n < basic.n ? r->presented.authorization.n : basic.n};
    if (!r->presented.authorization.n)
        return NULL;
    if (to->client_secret.p)
        return call_fail(r, E(BAD_REQUEST),
                         "Send the client secret in the form or in the Authorization header, not in both.");
    if (!str_same_nocase(head, basic) || !dec_base64(r->arena,
                                                     str_trim((struct str){r->presented.authorization.p + basic.n,
                                                                           r->presented.authorization.n - basic.n}),
                                                     &raw))
        return call_refuse(r, E(INVALID_CLIENT), "the Authorization header is no Basic credential");
    struct str id, secret = str_split(bytes_str(raw), ':', &id);
    if (!secret.p || !dec_percent(r->arena, id, true, &id) || !dec_percent(r->arena, secret, true, &to->client_secret))
        return call_refuse(r, E(INVALID_CLIENT), "the Authorization header is no Basic credential");
    if (to->client_id.p && !str_same_nocase(to->client_id, id))
        return call_fail(r, E(BAD_REQUEST), "client_id differs between the form and the Authorization header.");
    to->client_id = id;
    return NULL;
}

/* Where the path names a tenant, it is the client's (decisions.md 4). */
static err_t check_tenant(struct call *r)
{
    struct uuid tenant;
    struct str named = r->segments[SEGMENT_TENANT];
    if (!named.p || (dec_uuid(named, &tenant) && memcmp(&tenant, &r->client->tenant_id, sizeof tenant) == 0))
        return NULL;
    return call_refuse(r, E(INVALID_CLIENT), "the path names another tenant than the client's");
}

/* The client of the request. An unknown id costs the same hash as a wrong secret. */
static err_t check_secret(struct call *r, const struct token_request *t)
{
    struct uuid id;
    static const struct sha256 nobody = {{0}};
    struct str secret = str_trim(t->client_secret);
    if (str_has_space(secret))
        return call_fail(r, E(BAD_REQUEST), "client_secret must have no white space within.");
    if (!dec_uuid(str_trim(t->client_id), &id) || !secret.n || secret.n > SECRET_MAX)
        return call_refuse(r, E(INVALID_CLIENT), "client_id is no guid, or there is no client_secret");
    err_t e = gate_client_by_id(r->shared->gate, r->db, &id, r->now_us, &r->client);
    if (e && e != E(INVALID_CLIENT))
        return e;
    const struct sha256 *wanted = e ? &nobody : &r->client->secret;
    struct sha256 given = crypt_sha256(str_bytes(secret));
    const struct bytes hash = {given.b, sizeof given.b};
    bool same = crypt_same(hash, (struct bytes){wanted->b, sizeof wanted->b});
    same = (!e && crypt_same(hash, r->client->secret_before)) || same;
    if (e || !same)
        return call_refuse(r, E(INVALID_CLIENT), e ? "there is no such client" : "the client secret is wrong");
    return check_tenant(r);
}

static struct str without_end(struct str s, struct str end)
{
    return str_ends_nocase(s, end) ? (struct str){s.p, s.n - end.n} : s;
}

/* "https://management.D//.default" → "https://management.D"; absent unless tokens are issued for that address. */
static struct str audience_of(struct call *r, const struct token_request *t)
{
    struct str wanted = without_end(str_trim(t->scope.n ? t->scope : t->resource), STR("/.default"));
    while (wanted.n && wanted.p[wanted.n - 1] == '/')
        wanted.n--;
    return wanted.n <= SCOPE_MAX && is_audience(r, wanted) ? wanted : (struct str){NULL, 0};
}

static err_t sign(struct call *r, struct str audience, struct str *ret_token)
{
    const struct token_view *view;
    int64_t now_s = r->now_us / 1000000;
    struct jwt_claims claims = {
        .issuer = id_issuer(r->arena, r->cfg->domain),
        .audience = audience,
        .subject = enc_uuid(r->arena, &r->client->client_id),
        .tenant_id = enc_uuid(r->arena, &r->client->tenant_id),
        .issued_s = now_s,
        .not_before_s = now_s,
        .expires_s = now_s + r->cfg->token_lifetime_s,
    };
    TRY(token_keys_get(r->shared->tokens, r->db, r->now_us, &view));
    err_t e = jwt_sign(r->arena, view->own.at[0], &claims, ret_token);
    token_keys_release(view);
    return e;
}

struct token_reply {
    struct str token_type, access_token, resource, error, error_description;
    struct opt_i64 expires_in, ext_expires_in;
};
static const struct codec token_reply_codec[] = {
    CODEC_TEXT(struct token_reply, token_type, "token_type", 0, CODEC_OUT),
    CODEC_I64(struct token_reply, expires_in, "expires_in", 0, 0, CODEC_OUT),
    CODEC_I64(struct token_reply, ext_expires_in, "ext_expires_in", 0, 0, CODEC_OUT),
    CODEC_TEXT(struct token_reply, resource, "resource", 0, CODEC_OUT),
    CODEC_TEXT(struct token_reply, access_token, "access_token", 0, CODEC_OUT),
    CODEC_TEXT(struct token_reply, error, "error", 0, CODEC_OUT),
    CODEC_TEXT(struct token_reply, error_description, "error_description", 0, CODEC_OUT),
    CODEC_END,
};

static err_t refuse_grant(struct call *r)
{
    struct token_reply reply = {.error = STR("unsupported_grant_type"),
                                .error_description = STR("grant_type must be client_credentials.")};
    call_refuse(r, NULL, "grant_type is not client_credentials");
    return call_reply_codec(r, 400, token_reply_codec, &reply);
}

err_t op_token(struct call *r)
{
    struct token_request t = {0};
    struct token_reply reply = {.token_type = STR("Bearer")};
    call_header(r, "Cache-Control", STR("no-store"));
    TRY(read_form(r, &t));
    if (!str_same(t.grant_type, STR("client_credentials")))
        return refuse_grant(r);
    TRY(read_basic(r, &t));
    TRY(check_secret(r, &t));
    struct str audience = audience_of(r, &t);
    if (!audience.p)
        return call_refuse(r, E(INVALID_SCOPE), "the scope is not one that tokens are issued for");
    TRY(sign(r, audience, &reply.access_token));
    reply.resource = audience;
    reply.expires_in = reply.ext_expires_in = (struct opt_i64){true, r->cfg->token_lifetime_s};
    return call_reply_codec(r, 200, token_reply_codec, &reply);
}

err_t op_token_of_tenant(struct call *r)
{
    return op_token(r);
}
