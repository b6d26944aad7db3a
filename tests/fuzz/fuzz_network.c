/* fuzz_network.c: any bytes as the rules for addresses that are stored, behind an address (up to the first line's end).
 * What is read means the same when it was written and read again, and names the rule by which it refuses. */
#include "fuzz.h"

#include <string.h>

#include "core/ip_filter.h"

static void ranges_hold_their_own(struct str text)
{
    struct cidr c;
    struct address a;
    if (cidr_read(text, &c))
        HOLDS(c.bits >= 0 && c.bits <= 128 && cidr_holds(&c, &c.from));
    if (address_read(text, &a))
        HOLDS(cidr_read(text, &c) && c.bits == 128 && cidr_holds(&c, &a));
}

static void verdicts_come_back(struct arena *a, const struct ip_filter *f, struct str address)
{
    struct ip_filter again;
    struct str text = ip_filter_text(a, f);
    HOLDS(!ip_filter_read(a, text, &again) && str_same(ip_filter_text(a, &again), text));
    for (enum ip_target target = IP_SERVICE; target <= IP_DEVICE; target++) {
        const struct ip_rule *rule, *same;
        bool admits = ip_filter_admits(f, address, target, &rule);
        HOLDS(ip_filter_admits(&again, address, target, &same) == admits && !rule == !same);
        HOLDS(!rule || (rule->action == IP_ACCEPT) == admits);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ARENA_CLEANUP struct arena *a = arena_new();
    struct str address, rest = str_split(arena_copy(a, (const char *)data, size), '\n', &address);
    struct ip_filter f;
    ranges_hold_their_own(address);
    if (rest.p && !ip_filter_read(a, rest, &f))
        verdicts_come_back(a, &f, address);
    return 0;
}
