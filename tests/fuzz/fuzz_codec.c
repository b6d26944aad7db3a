/* fuzz_codec.c: any body for any table of the model (the first byte picks one), and any connection string. What is read
 * can be written, and what was written reads as the same. A body's numbers come out as they went in, and nothing is
 * taken for JSON that the parser refuses but numbers that fit no machine. */
#include "fuzz.h"

#include "core/alloc.h"
#include "core/id.h"
#include <string.h>

static const struct subject {
    const struct codec *table;
    size_t size;
} subjects[] = {
    {enrollment_codec, sizeof(struct enrollment)},   {device_registration_codec, sizeof(struct device_registration)},
    {hub_import_codec, sizeof(struct hub_import)},   {hub_device_codec, sizeof(struct hub_device)},
    {attestation_codec, sizeof(struct attestation)}, {operation_status_codec, sizeof(struct operation_status)},
};
enum { SUBJECTS = sizeof subjects / sizeof *subjects };

/* Reads `body` and writes it again; absent when it was refused. */
static struct str again(struct arena *a, const struct subject *s, unsigned mode, struct str body)
{
    void *it = arena_alloc(a, s->size);
    struct err_detail d = {""};
    err_t e = codec_read(a, s->table, mode, body, it, &d);
    if (e) {
        HOLDS((e == E(BAD_JSON) || e == E(BAD_FIELD)) && *d.text);
        return (struct str){NULL, 0};
    }
    struct text t;
    text_init(&t, a, body.n);
    codec_encode(&t, s->table, it);
    return text_str(&t);
}

static void table(struct arena *a, const struct subject *s, unsigned mode, struct str body)
{
    struct str once = again(a, s, mode, body);
    if (once.p)
        HOLDS(str_same(once, again(a, s, 0, once)));
}

static void connection_string(struct arena *a, struct str text)
{
    struct connection_string c = {0}, d = {0};
    err_t e = id_connection_string(a, text, NULL, &c);
    HOLDS(!e || e == E(BAD_CONNECTION_STRING));
    if (e)
        return;
    HOLDS(id_host_valid(c.host) && id_key_name_valid(c.key_name) && c.key.n);
    struct str same =
        arena_printf(a, "HostName=%s;SharedAccessKeyName=%s;SharedAccessKey=%s", c.host.p, c.key_name.p, c.key.p);
    HOLDS(!id_connection_string(a, same, NULL, &d) && str_same(c.key, d.key) && c.masked == d.masked);
}

static void stored_input(struct arena *a, struct str text)
{
    struct alloc_input in, back;
    struct alloc_choice choice;
    if (alloc_input_read(a, text, NULL, &in))
        return;
    alloc_choose(a, &in, STR("0ne0000BEEF"), STR("d"), &choice);
    HOLDS((choice.outcome == ALLOC_CHOSEN) == (choice.hub != NULL) && choice.sentence.n);
    HOLDS(!alloc_input_read(a, alloc_input_write(a, &in), NULL, &back));
    HOLDS(str_same(alloc_input_write(a, &in), alloc_input_write(a, &back)));
    alloc_explain(a, &in, STR("0ne0000BEEF"), STR("d"), STR("hash"));
}

/* The bytes of `body` that are no white space outside of strings. */
static struct str squeezed(struct arena *a, struct str body)
{
    struct text t;
    bool in_text = false;
    text_init(&t, a, body.n);
    for (size_t i = 0; i < body.n; i++) {
        if (in_text && body.p[i] == '\\')
            text_add_char(&t, body.p[i++]);
        else if (body.p[i] == '"')
            in_text = !in_text;
        if (in_text || !memchr(" \t\r\n", body.p[i], 4))
            text_add_char(&t, body.p[i]);
    }
    return text_str(&t);
}

static void document(struct arena *a, struct str body)
{
    json_error_t why;
    json_auto_t *plain = json_loadb(body.p, body.n, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &why);
    json_auto_t *v = NULL;
    struct err_detail d = {""};
    struct text t;
    if (json_read(body, &d, &v)) {
        HOLDS(!plain || strstr(d.text, "nested deeper") || memchr(body.p, '\0', body.n));
        return;
    }
    HOLDS(plain || json_error_code(&why) == json_error_numeric_overflow);
    text_init(&t, a, body.n);
    json_value(&t, (struct json_in){v, body});
    /* Escapes may be spelled in other ways; everything else is kept to the byte. */
    if (!memchr(body.p, '\\', body.n) && !memchr(body.p, 0x7f, body.n))
        HOLDS(str_same(text_str(&t), squeezed(a, body)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str body = arena_copy(a, (const char *)data + 1, size - 1);
    unsigned pick = data[0] % (2 * SUBJECTS + 3);
    if (pick < 2 * SUBJECTS)
        table(a, &subjects[pick / 2], pick % 2 ? CODEC_NO_CASE : CODEC_KEEP_UNKNOWN, body);
    else if (pick == 2 * SUBJECTS)
        connection_string(a, body);
    else if (pick == 2 * SUBJECTS + 2)
        document(a, body);
    else
        stored_input(a, body);
    return 0;
}
