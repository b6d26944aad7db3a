/* service.h: the service plane of one provisioning service, ours or anybody's that speaks the same protocol (wire.md
 * 3), as a client sees it: HTTPS, certificates checked, signed with the key of a connection string. A call waits as
 * long as the service asks for (429, Retry-After) and tries again what was lost on the way; one at a time. */
#ifndef IDSCOPE_ADMIN_SERVICE_H
#define IDSCOPE_ADMIN_SERVICE_H

#include "core/err.h"
#include "core/process/log_sink.h"

struct service_settings {
    const char *side;             /* in sentences: "--from" */
    struct str connection_string; /* may stand between white space; never shown */
    struct str ca_pem;            /* empty: the system's */
    const struct log_sink *say;   /* is told what is waited for */
};

struct service;

/* BAD_CONFIG names the member of the connection string and the rule. Frees nothing of `s`, which is copied. */
err_t service_open(struct arena *a, const struct service_settings *s, struct err_detail *d, struct service **ret);
void service_close(struct service *s); /* NULL is allowed */

struct service_call {
    const char *method;
    struct str path;         /* begins with '/'; percent-encoded, without a query */
    const char *query;       /* behind the api-version: "&mode=create"; NULL: none */
    struct str body;         /* absent: none */
    const char *media_type;  /* of the body; NULL: JSON */
    struct str continuation; /* of a list; absent: its first page */
    const char *right;       /* that the policy needs, for the sentence of a 401 */
};

struct service_answer {
    int status; /* 2xx, or a 4xx that is about what was asked: never 401, 403, 408 or 429 */
    struct str body;
    struct str continuation; /* absent: the last page */
};

/* What is asked and answered lives in `a`. An error ends the command: the service could not be reached in time, or does
 * not let us in; `d` says which. */
err_t service_ask(struct service *s, struct arena *a, const struct service_call *call, struct err_detail *d,
                  struct service_answer *ret);
/* An answer that was not to be expected: its status and words as an error. */
err_t service_unfit(const struct service *s, struct arena *a, const struct service_call *call,
                    const struct service_answer *answer, struct err_detail *d);
/* What an error's body says of itself, else its status. */
struct str service_words(struct arena *a, const struct service_answer *answer);

/* Until something that it is busy with may have ended. */
void service_wait(int64_t ms);
bool service_same(const struct service *a, const struct service *b);
/* So far: calls that were made, and those of them that the service put off. */
int64_t service_calls(const struct service *s);
int64_t service_put_off(const struct service *s);

#endif
