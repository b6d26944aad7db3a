/* hub_messages.c: what clients read back of how a built-in hub passes messages: they take it for granted when they
 * change a part of it, or compare all of it with what they want. It must never promise an address where one could be
 * read. */
#include "api/op/hub_messages.h"

enum { RETENTION_DAYS = 1, RETENTION_DAYS_MAX = 7, PARTITIONS = 4, PARTITIONS_MAX = 128 };

static const struct codec event_hub_codec[] = {
    CODEC_I64(struct event_hub, retention_days, "retentionTimeInDays", 1, RETENTION_DAYS_MAX, 0),
    CODEC_I64(struct event_hub, partitions, "partitionCount", 1, PARTITIONS_MAX, 0),
    CODEC_JSON(struct event_hub, partition_ids, "partitionIds", RESOURCE_JSON_MAX, CODEC_OUT),
    CODEC_TEXT(struct event_hub, path, "path", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_TEXT(struct event_hub, endpoint, "endpoint", RESOURCE_TEXT_MAX, CODEC_OUT),
    CODEC_END,
};
const struct codec event_hubs_codec[] = {
    CODEC_OBJECT(struct event_hubs, events, "events", event_hub_codec, struct event_hub, 0),
    CODEC_END,
};

struct stored {
    struct event_hubs *event_hubs;
};
static const struct codec stored_codec[] = {
    CODEC_OBJECT(struct stored, event_hubs, "eventHubEndpoints", event_hubs_codec, struct event_hubs, 0),
    CODEC_END,
};

#define EXPIRY "\"lockDurationAsIso8601\":\"PT1M\",\"ttlAsIso8601\":\"PT1H\",\"maxDeliveryCount\":10"
static const struct resource_default unsent[] = {
    {"routing", STR("{\"endpoints\":{\"serviceBusQueues\":[],\"serviceBusTopics\":[],\"eventHubs\":[],"
                    "\"storageContainers\":[]},\"routes\":[],\"fallbackRoute\":{\"name\":\"$fallback\","
                    "\"source\":\"DeviceMessages\",\"condition\":\"true\",\"endpointNames\":[\"events\"],"
                    "\"isEnabled\":true}}")},
    {"storageEndpoints",
     STR("{\"$default\":{\"sasTtlAsIso8601\":\"PT1H\",\"connectionString\":\"\",\"containerName\":\"\"}}")},
    {"messagingEndpoints", STR("{\"fileNotifications\":{" EXPIRY "}}")},
    {"enableFileUploadNotifications", STR("false")},
    {"cloudToDevice", STR("{\"maxDeliveryCount\":10,\"defaultTtlAsIso8601\":\"PT1H\",\"feedback\":{" EXPIRY "}}")},
    {"features", STR("\"None\"")},
};

static struct str partition_ids(struct arena *a, int64_t count)
{
    struct text t;
    text_init(&t, a, 512);
    for (int64_t i = 0; i < count; i++)
        text_printf(&t, "%s\"%lld\"", i ? "," : "[", (long long)i);
    text_add_char(&t, ']');
    return text_str(&t);
}

err_t hub_messages(struct arena *a, struct str hub_key, const struct event_hubs *sent, struct str extra,
                   struct str *ret)
{
    struct event_hub events = {0};
    if (sent && sent->events)
        events = *sent->events;
    if (!events.retention_days.set)
        events.retention_days = (struct opt_i64){true, RETENTION_DAYS};
    if (!events.partitions.set)
        events.partitions = (struct opt_i64){true, PARTITIONS};
    events.partition_ids = partition_ids(a, events.partitions.n);
    events.path = hub_key;
    events.endpoint = STR("sb://none.invalid/");
    TRY(resource_fill(a, extra, unsent, sizeof unsent / sizeof *unsent, &extra));
    *ret = resource_join(a, stored_codec, &(struct stored){&(struct event_hubs){&events}}, extra);
    return NULL;
}
