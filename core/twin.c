/* twin.c: merging the collections of twins. It must never change a value that a change does not name. */
#include "core/twin.h"

#include <string.h>

#include "core/json.h"

/* What a hub adds to a collection, and clients send back. */
static bool is_added(const char *key)
{
    return strcmp(key, "$metadata") == 0 || strcmp(key, "$version") == 0;
}

static err_t check_key(const char *name, const char *key, struct err_detail *d)
{
    for (const char *p = key; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || *p == '.' || *p == '$')
            return err_say(d, E(BAD_FIELD), "%s: names of members must not hold blanks, control characters, . or $.",
                           name);
    return *key ? NULL : err_say(d, E(BAD_FIELD), "%s: a member must have a name.", name);
}

static err_t check_keys(const char *name, const json_t *v, bool top, struct err_detail *d)
{
    const char *key;
    json_t *inner;
    json_object_foreach((json_t *)v, key, inner)
    {
        if (top && is_added(key))
            continue;
        TRY(check_key(name, key, d));
        TRY(check_keys(name, inner, false, d));
    }
    return NULL;
}

static void merge_object(struct text *out, struct json_in base, struct json_in patch);

/* A value that a change brings: nulls in it name nothing that could go. */
static void add_new(struct text *out, const char *key, struct json_in in)
{
    json_member(out, key);
    if (json_is_object(in.v))
        merge_object(out, (struct json_in){NULL, {NULL, 0}}, in);
    else
        json_value(out, in);
}

static void add_merged(struct text *out, const char *key, struct json_in old, struct json_in fresh)
{
    if (json_is_null(fresh.v))
        return;
    if (!fresh.v || (json_is_object(fresh.v) && json_is_object(old.v))) {
        json_member(out, key);
        if (fresh.v)
            merge_object(out, old, fresh);
        else
            json_value(out, old);
        return;
    }
    add_new(out, key, fresh);
}

static void merge_object(struct text *out, struct json_in base, struct json_in patch)
{
    const char *key;
    json_t *v;
    text_add_char(out, '{');
    json_object_foreach((json_t *)base.v, key, v)
    {
        add_merged(out, key, (struct json_in){v, base.body},
                   (struct json_in){json_object_get(patch.v, key), patch.body});
    }
    json_object_foreach((json_t *)patch.v, key, v)
    {
        if (!json_object_get(base.v, key) && !json_is_null(v) && !is_added(key))
            add_new(out, key, (struct json_in){v, patch.body});
    }
    text_add_char(out, '}');
}

static err_t read_collection(const char *name, struct str text, struct err_detail *d, json_t **ret)
{
    if (!text.p)
        return NULL;
    TRY(json_read(text, d, ret));
    return json_is_object(*ret) ? NULL : err_say(d, E(BAD_FIELD), "%s must be an object.", name);
}

err_t twin_merge(struct arena *a, const char *name, struct str base, struct str patch, struct err_detail *d,
                 struct str *ret)
{
    json_auto_t *old = NULL, *fresh = NULL;
    struct text out;
    TRY(read_collection(name, base, d, &old));
    TRY(read_collection(name, patch, d, &fresh));
    TRY(check_keys(name, fresh, true, d));
    text_init(&out, a, 256);
    merge_object(&out, (struct json_in){old, base}, (struct json_in){fresh, patch});
    *ret = text_str(&out);
    if (ret->n > TWIN_BYTES_MAX)
        return err_say(d, E(BAD_FIELD), "%s must not be larger than %d bytes.", name, TWIN_BYTES_MAX);
    return NULL;
}
