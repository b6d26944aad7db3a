/* hub_answer.c: reading the answers of hubs. It must never take a status for an answer. */
#include "workers/hub_answer.h"

#include <string.h>

#include "core/id.h"
#include "core/json.h"
#include "core/limits.h"

enum { OK = 200, NO_CONTENT = 204, NOT_FOUND = 404, CONFLICT = 409 };

/* The answer's JSON object, or NULL. */
static json_t *object_of(const struct hub_call *call)
{
    json_t *body = NULL;
    if (call->outcome != HUB_ANSWERED || json_read(call->reply, NULL, &body))
        return NULL;
    if (json_is_object(body))
        return body;
    json_decref(body);
    return NULL;
}

bool hub_answer_names(const struct hub_call *call, struct str device_id)
{
    json_auto_t *body = object_of(call);
    return call->status >= OK && call->status < 300 &&
           str_same(str_of(json_string_value(json_object_get(body, "deviceId"))), device_id);
}

bool hub_answer_counts(const struct hub_call *call)
{
    json_auto_t *body = object_of(call);
    return call->status == OK && json_is_integer(json_object_get(body, "connectedDeviceCount"));
}

int64_t hub_answer_devices(const struct hub_call *call)
{
    json_auto_t *body = object_of(call);
    const json_t *total = json_object_get(body, "totalDeviceCount");
    return call->status == OK && json_is_integer(total) && json_integer_value(total) >= 0 ? json_integer_value(total)
                                                                                          : -1;
}

/* It is kept, and sent back as a header. */
static bool may_continue(struct str continuation)
{
    for (size_t i = 0; i < continuation.n; i++)
        if (continuation.p[i] < ' ' || continuation.p[i] > '~')
            return false;
    return continuation.n <= CONTINUATION_MOST;
}

bool hub_answer_lists(const struct hub_call *call, struct str **ret, size_t *ret_count)
{
    json_auto_t *body = NULL;
    if (call->outcome != HUB_ANSWERED || call->status != OK || json_read(call->reply, NULL, &body) ||
        !json_is_array(body) || json_array_size(body) > (size_t)call->page || !may_continue(call->next_page))
        return false;
    *ret = ARENA_NEW_ARRAY(call->arena, json_array_size(body), struct str);
    *ret_count = 0;
    for (size_t i = 0; i < json_array_size(body); i++) {
        struct str id = str_of(json_string_value(json_object_get(json_array_get(body, i), "deviceId")));
        if (id.p && id_device_valid(id))
            (*ret)[(*ret_count)++] = arena_str(call->arena, id);
    }
    return true;
}

struct str hub_answer_message(const struct hub_call *call)
{
    json_auto_t *body = object_of(call);
    const char *words = json_string_value(json_object_get(body, "Message"));
    if (!words)
        words = json_string_value(json_object_get(body, "message"));
    return arena_str(call->arena, str_of(words));
}

bool hub_answer_is_gone(const struct hub_call *call)
{
    struct str words = hub_answer_message(call);
    return call->status == NO_CONTENT || (call->status == NOT_FOUND && words.p) ||
           (call->status == CONFLICT && words.p && strstr(words.p, "DeviceOfAnotherScope"));
}

struct str hub_answer_if_match(struct arena *a, struct str document)
{
    json_auto_t *body = NULL;
    if (!document.p || json_read(document, NULL, &body))
        return STR("*");
    struct str etag = arena_str(a, str_of(json_string_value(json_object_get(body, "etag"))));
    for (size_t i = 0; i < etag.n; i++)
        if (etag.p[i] <= ' ' || etag.p[i] > '~' || etag.p[i] == '"')
            return STR("*");
    return etag.n ? arena_printf(a, "\"%s\"", etag.p) : STR("*");
}
