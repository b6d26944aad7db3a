/* kind.c: the table of hub kinds. It must never know of links or jobs. */
#include "workers/hub/kind.h"

#include "core/enc.h"

const struct hub_kind hub_iothub = {
    .name = "iothub",
    .api_version = "2021-04-12",
    .asks =
        {
            [HUB_STATISTICS] = {.method = "GET", .path = "/statistics/service"},
            [HUB_MAKE] = {.method = "PUT", .path = "/devices/"},
            [HUB_MAKE_MANY] = {.method = "POST", .path = "/devices"},
            [HUB_READ] = {.method = "GET", .path = "/devices/"},
            [HUB_UPDATE] = {.method = "PUT", .path = "/devices/", .matched = true},
            [HUB_REMOVE] = {.method = "DELETE", .path = "/devices/", .matched = true},
            [HUB_TWIN_READ] = {.method = "GET", .path = "/twins/"},
            [HUB_TWIN_WRITE] = {.method = "PUT", .path = "/twins/", .matched = true},
            [HUB_COUNT] = {.method = "GET", .path = "/statistics/devices"},
            [HUB_LIST] = {.method = "POST",
                          .path = "/devices/query",
                          .body = STR("{\"query\":\"SELECT deviceId FROM devices\"}"),
                          .page = 1000},
        },
};

void hub_ask(const struct hub_kind *kind, enum hub_ask what, struct str device_id, struct arena *a,
             struct hub_call *ret)
{
    struct str id = device_id.p ? enc_percent(a, device_id) : STR("");
    ret->method = kind->asks[what].method;
    ret->path = arena_printf(a, "%s%.*s?api-version=%s", kind->asks[what].path, STR_ARG(id), kind->api_version);
    if (kind->asks[what].body.p)
        ret->body = kind->asks[what].body;
    ret->page = kind->asks[what].page;
    ret->if_match = kind->asks[what].matched ? STR("*") : (struct str){NULL, 0};
}
