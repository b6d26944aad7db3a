/* ip_filter.h: which addresses may call an instance or a built-in hub (wire.md 1.5): none at all, or as rules say, the
 * first that fits. The same rows read what clients send and what is stored. Pure. */
#ifndef IDSCOPE_IP_FILTER_H
#define IDSCOPE_IP_FILTER_H

#include "core/cidr.h"
#include "core/codec.h"

enum { IP_RULES_MAX = 100, IP_RULE_NAME_MAX = 128, IP_MASK_MAX = 64 };

enum network_access { NETWORK_ENABLED = 1, NETWORK_DISABLED };
enum ip_action { IP_ACCEPT = 1, IP_REJECT };
enum ip_target { IP_ALL = 1, IP_SERVICE, IP_DEVICE };

struct ip_rule {
    struct str name, mask;
    int action;        /* enum ip_action */
    int target;        /* enum ip_target; 0: all */
    struct cidr range; /* of the mask, once it was checked */
};
struct ip_filter {
    int access;            /* enum network_access; 0: enabled */
    struct obj_list rules; /* struct ip_rule */
};

extern const char *const network_access_words[]; /* Enabled Disabled */
extern const struct codec ip_rule_codec[];

/* clang-format off */
/* Its rows in a table: `access` and `rules` are the members of `type` where it stands. */
#define IP_FILTER_ROWS(type, access, rules) \
    CODEC_WORD(type, access, "publicNetworkAccess", network_access_words, 0), \
    CODEC_OBJECTS(type, rules, "ipFilterRules", ip_rule_codec, struct ip_rule, IP_RULES_MAX, 0)
/* clang-format on */

/* Names and masks of rules that were read, and the ranges of the masks. BAD_FIELD names the member below `at`. */
err_t ip_filter_check(struct ip_filter *f, const char *at, struct err_detail *d);
/* As it is stored: what is as it would be without saying is not said, so two that mean the same are the same text. */
struct str ip_filter_text(struct arena *a, const struct ip_filter *f);
/* What ip_filter_text wrote, with its ranges; texts go to the arena. */
err_t ip_filter_read(struct arena *a, struct str stored, struct ip_filter *ret);

/* May this address call? *ret_rule: which rule says no; NULL: there is none for it, nobody may call. What no rule fits
 * is admitted; an address that is none is not, where there are rules. */
bool ip_filter_admits(const struct ip_filter *f, struct str address, enum ip_target target,
                      const struct ip_rule **ret_rule);

#endif
