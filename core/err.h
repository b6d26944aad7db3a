/* err.h: an error is a value with an address.
 *
 * err_t is a pointer to one constant row of errors.def; NULL means that all is well. A row knows the
 * HTTP status, the public code of each plane and one sentence, so that no handler names a status and
 * the reply for an error is written in one place. Words about one occurrence (the field, the rule) go
 * to an err_detail, never into the row. This file must never allocate or print. */
#ifndef IDSCOPE_ERR_H
#define IDSCOPE_ERR_H

#include <stddef.h>

struct err {
    const char *name;     /* as logs show it: "ENROLLMENT_NOT_FOUND" */
    int http_status;      /* 400…599; 0 for errors that never reach a client */
    int code;             /* data-plane errorCode, six digits, the first three an HTTP status */
    const char *arm_code; /* management plane error.code: "ResourceNotFound" */
    const char *hub_code; /* hub plane, after "ErrorCode:": "DeviceNotFound" */
    const char *sentence; /* for people; a detail may replace it */
};

typedef const struct err *err_t;

#define ERR(name, http, code, arm, hub, sentence) extern const struct err E_##name##_ROW;
#include "errors.def"
#undef ERR

/* E_NAME for each row of errors.def; see the macro list that errors.def documents. */
#define E(name) (&E_##name##_ROW)

/* Returns early with the error of `call`. The only macro that hides control flow. */
#define TRY(call)                                                                                                      \
    do {                                                                                                               \
        err_t try_err_ = (call);                                                                                       \
        if (try_err_)                                                                                                  \
            return try_err_;                                                                                           \
    } while (0)

enum { ERR_DETAIL_MAX = 480 };

/* What is wrong this time: the sentence shown to the client. Empty text means "use the row's sentence".
 * Never holds secrets. */
struct err_detail {
    char text[ERR_DETAIL_MAX];
};

/* Writes the printf-style sentence into `d` (cut at ERR_DETAIL_MAX) and returns `e`, so that
 * `return err_say(d, E(BAD_FIELD), "…")` reads as one thought. `d` may be NULL. */
err_t err_say(struct err_detail *d, err_t e, const char *format, ...) __attribute__((format(printf, 3, 4)));

#endif
