/* kind.h: the kinds of hubs that devices may be assigned to, a row each: by which call of its API a hub is probed, an
 * identity made, read, changed and removed, a twin read and written, its devices counted and listed. No call is made
 * here, and no answer read. */
#ifndef IDSCOPE_HUB_KIND_H
#define IDSCOPE_HUB_KIND_H

#include "workers/hub_client.h"

enum hub_ask {
    HUB_STATISTICS, /* needs ServiceConnect; with HUB_REMOVE, which needs RegistryWrite, it is the probe */
    HUB_MAKE,
    HUB_MAKE_MANY, /* makes and changes */
    HUB_READ,
    HUB_UPDATE,
    HUB_REMOVE,
    HUB_TWIN_READ,
    HUB_TWIN_WRITE,
    HUB_COUNT,
    HUB_LIST, /* of device ids, in pages */
    HUB_ASKS
};

struct hub_kind {
    const char *name, *api_version;
    struct {
        const char *method, *path; /* the path is followed by the device id, where it ends in '/' */
        bool matched;              /* with If-Match */
        struct str body;           /* absent: the caller's */
        int page;                  /* of a list: entries of a page at most */
    } asks[HUB_ASKS];
};

extern const struct hub_kind hub_iothub;

/* Says method and path of a call about a device (absent: about none), If-Match `*` where one is wanted, and the body
 * and the length of a page where these are always the same. */
void hub_ask(const struct hub_kind *kind, enum hub_ask what, struct str device_id, struct arena *a,
             struct hub_call *ret);

#endif
