/* core/base/error.h: a decision for the caller and a sentence for people.
 *
 * Fallible functions return 0 or a negative es_code and fill the caller's
 * es_error. The code says what to do next, the text says why. Texts never
 * hold a secret value, a response body or a header. */
#ifndef ES_BASE_ERROR_H
#define ES_BASE_ERROR_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Codes down to INTERNAL equal the plugin ABI's statuses, so that one passes
 * for the other; those below are the core's own. */
enum es_code {
    ES_OK = 0,
    ES_E_NOT_FOUND = -1,   /* the thing asked for does not exist */
    ES_E_CONFIG = -2,      /* somebody has to edit something first */
    ES_E_DENIED = -3,      /* the other side refused our credentials or rights */
    ES_E_RETRY = -4,       /* transient: back off, or wait retry_after_ms */
    ES_E_CANCELLED = -5,   /* deadline passed or shutdown asked */
    ES_E_UNSUPPORTED = -6, /* the other side cannot do this */
    ES_E_UNDECIDED = -7,   /* validation only: cannot tell */
    ES_E_INTERNAL = -8,    /* a defect, here or in a plugin */
    ES_E_CONFLICT = -16,   /* the object changed meanwhile: look again at once */
    ES_E_EXISTS = -17,     /* create: there is one already */
    ES_E_GONE = -18,       /* watch: the resourceVersion is too old; create: the namespace is being deleted */
    ES_E_INVALID = -19,    /* the API server refused the object's content */
    ES_E_TOO_LARGE = -20,  /* above a ceiling */
    ES_E_NOMEM = -21,
};

#define ES_ERROR_TEXT_MAX 1200

struct es_error {
    int code;
    int http_status;        /* 0 unless an HTTP answer was the cause */
    int64_t retry_after_ms; /* 0: the caller's own backoff */
    char text[ES_ERROR_TEXT_MAX];
};

#define ES_ERROR_INIT                                                                                        \
    {                                                                                                        \
        0, 0, 0, ""                                                                                          \
    }

/* Sets code and text (cut at ES_ERROR_TEXT_MAX, on a UTF-8 boundary) and
 * returns `code`. `err` may be NULL. */
int es_error_set(struct es_error *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts a prefix before the text that is there; keeps the code and returns it.
 * NULL is fine and returns ES_E_INTERNAL. */
int es_error_wrap(struct es_error *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* "out of memory" with ES_E_NOMEM. */
int es_error_nomem(struct es_error *err);

/* A constant word for a code: "not found", "conflict", ... */
const char *es_code_name(int code);

#endif
