/* ip_filter.c: rules for addresses: read, checked, asked. It must never say more than yes, no and by which rule. */
#include "core/ip_filter.h"

#include <ctype.h>
#include <string.h>

#include "core/json.h"

const char *const network_access_words[] = {"Enabled", "Disabled", NULL};
static const char *const action_words[] = {"Accept", "Reject", NULL};
static const char *const target_words[] = {"all", "serviceApi", "deviceApi", NULL};

const struct codec ip_rule_codec[] = {
    CODEC_TEXT(struct ip_rule, name, "filterName", IP_RULE_NAME_MAX, CODEC_MUST),
    CODEC_WORD(struct ip_rule, action, "action", action_words, CODEC_MUST),
    CODEC_TEXT(struct ip_rule, mask, "ipMask", IP_MASK_MAX, CODEC_MUST),
    CODEC_WORD(struct ip_rule, target, "target", target_words, 0),
    CODEC_END,
};
static const struct codec stored_codec[] = {IP_FILTER_ROWS(struct ip_filter, access, rules), CODEC_END};

static bool name_good(struct str name)
{
    for (size_t i = 0; i < name.n; i++)
        if (!isalnum((unsigned char)name.p[i]) && !strchr("-:/\\.+%_#*?!(),=@;'", name.p[i]))
            return false;
    return name.n > 0;
}

static bool stands_before(const struct ip_rule *rules, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (str_same_nocase(rules[j].name, rules[i].name))
            return true;
    return false;
}

err_t ip_filter_check(struct ip_filter *f, const char *at, struct err_detail *d)
{
    struct ip_rule *rules = f->rules.at;
    for (size_t i = 0; i < f->rules.n; i++) {
        if (!name_good(rules[i].name))
            return err_say(d, E(BAD_FIELD),
                           "%s.ipFilterRules[%zu].filterName must have letters, digits and characters of "
                           "-:/\\.+%%_#*?!(),=@;' and at least one.",
                           at, i);
        if (stands_before(rules, i))
            return err_say(d, E(BAD_FIELD), "%s.ipFilterRules[%zu].filterName stands twice.", at, i);
        if (!cidr_read(rules[i].mask, &rules[i].range))
            return err_say(d, E(BAD_FIELD),
                           "%s.ipFilterRules[%zu].ipMask must be an IPv4 or IPv6 address, or a range such as "
                           "10.0.0.0/8.",
                           at, i);
    }
    return NULL;
}

struct str ip_filter_text(struct arena *a, const struct ip_filter *f)
{
    struct text t;
    struct ip_filter said = {.access = f->access == NETWORK_DISABLED ? NETWORK_DISABLED : 0};
    if (f->rules.n)
        said.rules = f->rules;
    text_init(&t, a, 64);
    codec_encode(&t, stored_codec, &said);
    return text_str(&t);
}

err_t ip_filter_read(struct arena *a, struct str stored, struct ip_filter *ret)
{
    *ret = (struct ip_filter){.access = 0};
    TRY(codec_read(a, stored_codec, CODEC_KEEP_UNKNOWN, stored, ret, NULL));
    return ip_filter_check(ret, "stored", NULL);
}

static bool concerns(const struct ip_rule *rule, enum ip_target target)
{
    return !rule->target || rule->target == IP_ALL || rule->target == (int)target;
}

bool ip_filter_admits(const struct ip_filter *f, struct str address, enum ip_target target,
                      const struct ip_rule **ret_rule)
{
    const struct ip_rule *rules = f->rules.at;
    struct address from;
    *ret_rule = NULL;
    if (f->access == NETWORK_DISABLED)
        return false;
    if (!f->rules.n)
        return true;
    if (!address_read(address, &from))
        return false;
    for (size_t i = 0; i < f->rules.n; i++) {
        if (!concerns(&rules[i], target) || !cidr_holds(&rules[i].range, &from))
            continue;
        *ret_rule = &rules[i];
        return rules[i].action == IP_ACCEPT;
    }
    return true;
}
