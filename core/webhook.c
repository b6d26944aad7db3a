/* webhook.c: definitions of custom allocations. It must never put a webhook's address into a sentence: it holds keys.
 */
#include "webhook.h"

#include <ctype.h>

#include "id.h"

#define MEMBER "customAllocationDefinition."

static const struct str scheme = {"https://", 8};
static const struct str first_version = {"2018-09-01", 10};

/* Characters of URLs, and none that would end or split the line of a request. */
static bool is_printable(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isgraph((unsigned char)s.p[i]) || s.p[i] == '#' || s.p[i] == '\\')
            return false;
    return true;
}

/* What stands between the scheme and the path or query. */
static struct str authority_of(struct str url)
{
    struct str rest = {url.p + scheme.n, url.n - scheme.n};
    size_t n = 0;
    while (n < rest.n && rest.p[n] != '/' && rest.p[n] != '?')
        n++;
    return (struct str){rest.p, n};
}

static bool url_valid(struct str url)
{
    struct str host;
    int port;
    return url.n > scheme.n && str_same_nocase((struct str){url.p, scheme.n}, scheme) && is_printable(url) &&
           id_authority(authority_of(url), &host, &port);
}

err_t webhook_check(struct custom_allocation *in, struct err_detail *d)
{
    in->webhook_url = str_trim(in->webhook_url);
    if (!in->webhook_url.n)
        return err_say(d, E(BAD_FIELD), MEMBER "webhookUrl is required.");
    if (!url_valid(in->webhook_url))
        return err_say(d, E(BAD_FIELD), MEMBER "webhookUrl must be an https URL without blanks, user or fragment.");
    if (!in->api_version.n)
        return err_say(d, E(BAD_FIELD), MEMBER "apiVersion is required.");
    if (!id_version_valid(in->api_version) || str_compare(id_version_day(in->api_version), first_version) < 0)
        return err_say(d, E(BAD_FIELD),
                       MEMBER "apiVersion must be a date such as 2021-10-01, from 2018-09-01-preview on.");
    return NULL;
}

static struct bytes identity(struct arena *a, const struct webhook_row *row)
{
    return seal_row(a, row->of_group ? "enrollment_group" : "enrollment", row->id_scope, row->key, "webhook");
}

struct bytes webhook_seal(struct arena *a, const struct webhook_row *row, const struct custom_allocation *in)
{
    struct text t;
    text_init(&t, a, 256);
    codec_encode(&t, custom_allocation_codec, in);
    return seal(a, row->ring, identity(a, row), text_bytes(&t));
}

err_t webhook_open(struct arena *a, const struct webhook_row *row, struct bytes sealed, struct custom_allocation *ret)
{
    struct bytes opened;
    struct err_detail unsaid;
    TRY(unseal(a, row->ring, identity(a, row), sealed, &opened));
    *ret = (struct custom_allocation){.webhook_url = {NULL, 0}};
    return codec_read(a, custom_allocation_codec, CODEC_KEEP_UNKNOWN, bytes_str(opened), ret, &unsaid) ? E(SEAL_BROKEN)
                                                                                                       : NULL;
}
