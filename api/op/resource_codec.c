/* resource_codec.c: what the JSON of all resources shares: identities, and the members of `properties` that no table
 * names. It must hold no rule about a resource but what may be kept without being understood. */
#include "api/op/resource_codec.h"

#include <string.h>

const struct codec identity_codec[] = {
    CODEC_TEXT(struct managed_identity, type, "type", RESOURCE_TEXT_MAX, 0),
    CODEC_END,
};

/* --- members without a row ---------------------------------------------------------------------------------------- */

static bool has_row(const struct codec *table, const char *name)
{
    for (; table->kind != CODEC_KIND_END; table++)
        if (str_same_nocase(str_of(name), str_of(table->name)))
            return true;
    return false;
}

const json_t *resource_member(const json_t *object, const char *name)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)object, key, v)
    {
        if (str_same_nocase(str_of(key), str_of(name)))
            return v;
    }
    return NULL;
}

static bool names_secret(struct str name)
{
    static const char *const ends[] = {"connectionString", "key", "secret", "password", "token"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (str_ends_nocase(name, str_of(ends[i])))
            return true;
    return false;
}

/* Depth is bounded by the parser (JSON_DEPTH_MAX). */
static err_t refuse_secrets(const char *name, const json_t *v, struct err_detail *d)
{
    const char *key;
    json_t *inner;
    size_t i;
    if (name && json_is_string(v) && json_string_length(v) && names_secret(str_of(name)))
        return err_say(d, E(BAD_FIELD),
                       "properties: a value for %s has no use here yet and is not stored; leave it out.", name);
    json_object_foreach((json_t *)v, key, inner)
    {
        TRY(refuse_secrets(key, inner, d));
    }
    json_array_foreach(v, i, inner)
    {
        TRY(refuse_secrets(name, inner, d));
    }
    return NULL;
}

err_t resource_extra(struct arena *a, const struct codec *table, struct json_in body, struct err_detail *d,
                     struct str *ret)
{
    const json_t *properties = resource_member(body.v, "properties");
    struct text t;
    const char *key;
    json_t *v;
    text_init(&t, a, 256);
    text_add_char(&t, '{');
    json_object_foreach((json_t *)properties, key, v)
    {
        if (has_row(table, key))
            continue;
        TRY(refuse_secrets(key, v, d));
        json_member(&t, key);
        json_value(&t, (struct json_in){v, body.body});
    }
    text_add_char(&t, '}');
    *ret = text_str(&t);
    return NULL;
}

err_t resource_fill(struct arena *a, struct str extra, const struct resource_default *defaults, size_t count,
                    struct str *ret)
{
    json_auto_t *object = NULL;
    struct text t;
    TRY(json_read(extra, NULL, &object));
    text_init(&t, a, extra.n + 1024);
    text_add(&t, (struct str){extra.p, extra.n - 1});
    for (size_t i = 0; i < count; i++) {
        if (resource_member(object, defaults[i].name))
            continue;
        json_member(&t, defaults[i].name);
        text_add(&t, defaults[i].json);
    }
    text_add_char(&t, '}');
    *ret = text_str(&t);
    return NULL;
}

struct str resource_join(struct arena *a, const struct codec *table, const void *from, struct str extra)
{
    struct text t;
    text_init(&t, a, 512);
    codec_encode(&t, table, from);
    if (extra.n <= 2)
        return text_str(&t);
    t.n--; /* the closing brace; the stored object brings its own */
    if (t.p[t.n - 1] != '{')
        text_add_char(&t, ',');
    text_add(&t, (struct str){extra.p + 1, extra.n - 1});
    return text_str(&t);
}
