/* router.c: matches requests with the lines of routes.def. Path words ignore case; each segment is decoded once, after
 * splitting, so that an encoded slash makes no new segment (but where locks are asked for by scope). It must never
 * decide who may call. */
#include "api/router.h"

#include <assert.h>
#include <ctype.h>
#include <string.h>

#include "api/op/op.h"
#include "api/plane.h"
#include "core/json.h"

enum { KIB = 1024, MIB = 1024 * KIB, PATH_SEGMENTS_MAX = 16 };

#define RUN_OP(name_) .op = op_##name_
#define RUN_INLINE(name_) .op = op_##name_
#define RUN_BATCH(name_) .batch = &op_##name_
#define ROUTE(kind_, name_, method_, path_, ...)                                                                       \
    {.kind = ROUTE_##kind_, .name = #name_, .method = METHOD_##method_, .path = path_, RUN_##kind_(name_), __VA_ARGS__},
static const struct route routes[] = {
#include "api/routes.def"
};
#undef ROUTE

_Static_assert(sizeof routes / sizeof *routes == ROUTE_COUNT, "the table has as many rows as they are counted");

static const struct str segment_words[SEGMENT_COUNT] = {
    [SEGMENT_TENANT] = {"{tenant}", 8}, [SEGMENT_SUBSCRIPTION] = {"{sub}", 5}, [SEGMENT_PROVIDER] = {"{provider}", 10},
    [SEGMENT_GROUP] = {"{rg}", 4},      [SEGMENT_NAME] = {"{name}", 6},        [SEGMENT_KEY] = {"{key}", 5},
    [SEGMENT_HOST] = {"{host}", 6},     [SEGMENT_CERTIFICATE] = {"{cert}", 6}, [SEGMENT_SCOPE] = {"{scope}", 7},
    [SEGMENT_ID] = {"{id}", 4},         [SEGMENT_OPERATION] = {"{op}", 4},     [SEGMENT_LOCK] = {"{lock}", 6},
    [SEGMENT_TYPE] = {"{type}", 6},
};
static const char *const method_words[METHOD_OTHER] = {"GET", "PUT", "POST", "DELETE", "HEAD", "PATCH"};

const struct route *router_at(size_t index)
{
    return &routes[index];
}

size_t router_index(const struct route *route)
{
    return (size_t)(route - routes);
}

struct path {
    struct str raw[PATH_SEGMENTS_MAX], decoded[PATH_SEGMENTS_MAX];
    size_t n;
};

/* The path of the target: without the query, and for the absolute form (RFC 9112 3.2.2) without scheme and authority.
 */
static struct str path_of(struct call *r, struct str target)
{
    struct str path;
    r->query = str_split(target, '?', &path);
    if (path.n && path.p[0] == '/')
        return path;
    struct str head, rest = str_split(path, '/', &head);
    if (!str_ends_nocase(head, STR(":")) || !rest.n)
        return path;
    struct str authority, behind = str_split((struct str){rest.p + 1, rest.n - 1}, '/', &authority);
    return behind.p ? (struct str){behind.p - 1, behind.n + 1} : STR("/");
}

static bool begins_nocase(struct str s, struct str head)
{
    return s.n >= head.n && str_same_nocase((struct str){s.p, head.n}, head);
}

/* Clients of locks send the scope as one segment with its slashes encoded, "%2Fsubscriptions%2F…/providers/
 * Microsoft.Authorization/locks/…": it is opened there, and nowhere else. */
static struct str open_scope(struct arena *a, struct str path)
{
    struct str root, scope, rest = str_split(path, '/', &root);
    rest = str_split(rest, '/', &scope);
    if (root.n || !begins_nocase(scope, STR("%2F")) ||
        !begins_nocase(rest, STR("providers/Microsoft.Authorization/locks")))
        return path;
    struct text t;
    text_init(&t, a, path.n);
    for (size_t i = 0; i < scope.n; i++) {
        bool slash = begins_nocase((struct str){scope.p + i, scope.n - i}, STR("%2F"));
        text_add_char(&t, slash ? '/' : scope.p[i]);
        i += slash ? 2 : 0;
    }
    text_add_char(&t, '/');
    text_add(&t, rest);
    return text_str(&t);
}

/* Several leading slashes count as one, trailing ones as none (clients send both). */
static err_t split_path(struct call *r, struct str path, struct path *ret)
{
    while (path.n && path.p[0] == '/')
        path = (struct str){path.p + 1, path.n - 1};
    while (path.n && path.p[path.n - 1] == '/')
        path.n--;
    struct text readable;
    text_init(&readable, r->arena, path.n + 1);
    while (path.n) {
        struct str raw, decoded;
        path = str_split(path, '/', &raw);
        if (ret->n == PATH_SEGMENTS_MAX)
            return E(NOT_FOUND);
        if (!dec_percent(r->arena, raw, false, &decoded) || !json_is_text(decoded))
            return call_fail(r, E(BAD_REQUEST), "The path is no percent-encoded UTF-8 text.");
        ret->raw[ret->n] = raw;
        ret->decoded[ret->n++] = decoded;
        text_add_char(&readable, '/');
        text_add(&readable, decoded);
    }
    r->path = text_str(&readable);
    return NULL;
}

/* What is between two slashes counts as nothing, as clients that put a resource's path together write it. */
static void skip_empty(struct path *path)
{
    size_t n = 0;
    for (size_t i = 0; i < path->n; i++) {
        if (!path->decoded[i].n)
            continue;
        path->raw[n] = path->raw[i];
        path->decoded[n++] = path->decoded[i];
    }
    path->n = n;
}

/* Which segment a word in braces names; SEGMENT_COUNT for none, which no row has: the unit test
 * walks the table. */
static enum segment segment_of(struct str word)
{
    enum segment i = 0;
    while (i < SEGMENT_COUNT && !str_same(word, segment_words[i]))
        i++;
    return i;
}

/* How many words the pattern has, when the path begins as it says; else 0. */
static size_t words_fitting(const char *pattern, const struct path *path)
{
    struct str word, rest = str_of(pattern + 1);
    size_t at = 0;
    for (; rest.p; at++) {
        rest = str_split(rest, '/', &word);
        if (at == path->n || !path->decoded[at].n)
            return 0;
        if (word.p[0] != '{' && !str_same_nocase(word, path->decoded[at]))
            return 0;
    }
    return at;
}

static bool matches(const struct route *route, const struct path *path)
{
    return path->n && words_fitting(route->path, path) == path->n;
}

/* Takes the values that the pattern names into the call. */
static void take_segments(struct call *r, const struct path *path)
{
    struct str word, rest = str_of(r->route->path + 1);
    for (size_t at = 0; rest.p; at++) {
        rest = str_split(rest, '/', &word);
        if (word.p[0] != '{')
            continue;
        enum segment named = segment_of(word);
        assert(named < SEGMENT_COUNT);
        r->segments[named] = path->decoded[at];
        r->raw_segments[named] = path->raw[at];
    }
}

/* The plane in whose shape a path is answered that no route matches: the one that it reads like, else the host's. */
static enum plane plane_of(enum id_plane host, const struct path *path)
{
    for (enum plane p = 0; p < PLANE_COUNT; p++) {
        const char *pattern = planes[p].scoped_paths;
        if (pattern && plane_on(p, host) && words_fitting(pattern, path) && id_scope_valid(path->decoded[0]))
            return p;
    }
    return plane_of_host(host);
}

/* The route of path and method; or, with the path alone matching, the methods that would do (one bit each) in
 * *ret_allowed. */
static const struct route *find_route(struct call *r, enum id_plane host, const struct path *path,
                                      unsigned *ret_allowed)
{
    *ret_allowed = 0;
    for (size_t i = 0; i < ROUTE_COUNT; i++) {
        if (!plane_on(routes[i].plane, host) || !matches(&routes[i], path))
            continue;
        r->plane = routes[i].plane;
        if (routes[i].method == r->method)
            return &routes[i];
        *ret_allowed |= 1U << routes[i].method;
    }
    return NULL;
}

static err_t not_routed(struct call *r, unsigned allowed)
{
    if (!allowed)
        return E(NOT_FOUND);
    struct text words;
    text_init(&words, r->arena, 40);
    for (unsigned i = 0; i < METHOD_OTHER; i++)
        if (allowed & 1U << i)
            text_printf(&words, "%s%s", words.n ? ", " : "", method_words[i]);
    call_header(r, "Allow", text_str(&words));
    return E(METHOD_NOT_ALLOWED);
}

/* Clients of hubs ask for modules, which a built-in hub has not. */
static bool is_of_modules(const struct call *r, const struct path *path)
{
    return r->plane == PLANE_HUB && path->n > 2 && str_same_nocase(path->decoded[2], STR("modules"));
}

/* Compared as dates, never for equality (decisions.md 29): dates of this form are in the order of their texts. */
static unsigned versions_of(struct str v)
{
    struct str day = id_version_day(v);
    unsigned all = 0;
#define VERSION(name, last) all |= str_compare(day, STR(last)) <= 0 ? VERSION_##name : 0U;
#include "api/versions.def"
#undef VERSION
    return all;
}

static err_t check_version(struct call *r)
{
    r->api_version = call_query(r, "api-version");
    r->versions = versions_of(r->api_version);
    if (!r->route->api_version)
        return NULL;
    if (!r->api_version.n)
        return E(MISSING_API_VERSION);
    return id_version_valid(r->api_version) ? NULL : E(BAD_API_VERSION);
}

/* A name or an address, perhaps with a port (RFC 9110 7.2). Anything else names nothing that we have, and would come
 * back in URLs. */
static bool host_readable(struct str host)
{
    for (size_t i = 0; i < host.n; i++)
        if (!isalnum((unsigned char)host.p[i]) && (!host.p[i] || !strchr("-._:[]", host.p[i])))
            return false;
    return true;
}

static enum method method_of(struct str word)
{
    enum method i = 0;
    while (i < METHOD_OTHER && !str_same(word, str_of(method_words[i])))
        i++;
    return i;
}

/* Without a name it is the one that URLs in answers may hold. */
static void take_host(struct call *r, struct str host)
{
    r->host_port = host.n ? arena_str(r->arena, host) : id_management_host(r->arena, r->cfg->domain);
    r->host = arena_lower(r->arena, id_host_without_port(r->host_port));
}

err_t router_resolve(struct call *r, struct str method, struct str host_port, struct str target)
{
    struct path path = {0};
    unsigned allowed;
    r->method = method_of(method);
    take_host(r, host_port);
    enum id_plane host = id_plane_of(r->arena, r->host, r->cfg->domain, &r->name);
    r->plane = plane_of_host(host);
    if (!host_readable(r->host_port))
        return call_fail(r, E(BAD_REQUEST),
                         "The Host header must be a host name or an address, with or without a port.");
    struct str text = path_of(r, target);
    TRY(split_path(r, r->plane == PLANE_MANAGEMENT ? open_scope(r->arena, text) : text, &path));
    r->plane = plane_of(host, &path);
    if (r->plane == PLANE_MANAGEMENT)
        skip_empty(&path);
    r->route = find_route(r, host, &path, &allowed);
    if (!r->route && is_of_modules(r, &path))
        return call_fail(r, E(NOT_FOUND), "A built-in hub has devices and no modules.");
    if (!r->route)
        return not_routed(r, allowed);
    take_segments(r, &path);
    return check_version(r);
}
