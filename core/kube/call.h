/* core/kube/call.h: one request to the API server, for client.c and watch.c.
 *
 * What every request needs is here: the URL, the login and its renewal after
 * a 401, the throttle, and turning a refusal into a code and a sentence. */
#ifndef ES_KUBE_CALL_H
#define ES_KUBE_CALL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/http/http.h"
#include "core/kube/client.h"
#include "core/kube/kind.h"

/* Deeper JSON is not parsed: nothing in the API needs it, and a tenant's
 * object must not exhaust the small stack of the thread that reads it. */
#define ES_KUBE_JSON_DEPTH 256

struct es_kube_call {
    const char *method;
    const struct es_kind *kind; /* with the four below makes the path */
    const char *ns, *name, *subresource;
    const char *path;  /* instead of a kind: absolute */
    const char *query; /* escaped, without '?'; or NULL */
    const char *accept;
    const char *content_type; /* of the body */
    const char *body;
    size_t body_len;
    const bool *cancelled; /* instead of es_kube_stop's flag while the call is in flight */
    /* Told the stream as soon as there is one, so that another thread can
     * cancel it, and NULL before it is closed here. Or NULL. */
    void (*publish)(void *ctx, struct es_http_stream *stream);
    void *publish_ctx;
};

/* 0 for an answer of 2xx. *ret is to be passed to es_http_response_fini in
 * any case. Errors as client.h has them. */
int es_kube_call(struct es_kube *k, const struct es_kube_call *call, struct es_http_response *ret,
                 struct es_error *err);

/* The same for an answer that is read as it arrives; the caller closes it. */
int es_kube_call_stream(struct es_kube *k, const struct es_kube_call *call,
                        const struct es_http_stream_opts *opts, struct es_http_stream **ret,
                        struct es_error *err);

/* Appends name=value, escaped, after an '&' where one is needed. A NULL value
 * adds nothing. */
void es_query_add(struct es_buf *query, const char *name, const char *value);

/* Parses an answer; ES_E_INTERNAL when it is no JSON, ES_E_TOO_LARGE when it
 * is nested above ES_KUBE_JSON_DEPTH. */
int es_kube_parse(json_t **ret, const char *text, size_t len, struct es_error *err);

/* What a refusal means. `status`: the metav1.Status, or NULL. */
int es_kube_refusal(const json_t *status, int http_status, int64_t retry_after_ms, struct es_error *err);

/* The same about an object that holds secrets in the clear: when its content was
 * refused, the text names fields and reasons, and nothing that was sent. */
void es_kube_refusal_by_fields(const json_t *status, struct es_error *err);

/* Walks the elements of "items" in the text of a List without parsing the
 * whole of it. Start with *at = 0. Returns 1 and the element's place, 0 at the
 * end, ES_E_INTERNAL when the text is no such list. `ret_depth`: how deep the
 * element is nested. */
int es_kube_next_item(const char *text, size_t len, size_t *at, const char **ret_item, size_t *ret_len,
                      int *ret_depth);

/* The place of a member's value at the top level of an object's text; NULL
 * when there is none. */
const char *es_kube_member(const char *text, size_t len, const char *name, size_t *ret_len);

/* A member that is a plain string, without its quotes. False, and "", when it is
 * absent, does not fit, or holds an escape (names and versions never do). */
bool es_kube_plain_member(const char *text, size_t len, const char *name, char *out, size_t size);

/* Takes metadata.managedFields out of an object's text, in place, by moving what
 * stands before it: half of an object's bytes, which hardly anybody reads.
 * Returns where the text begins now, and its length in *len. */
char *es_kube_drop_managed_fields(char *object, size_t *len);

/* How deep a JSON text is nested (counting brackets, not checking them). */
int es_kube_depth(const char *text, size_t len);

/* Runs `fn` once when es_kube_stop is called, or now if it was already. `fn`
 * runs under the client's lock: it sets flags and cancels, nothing else. */
struct es_kube_stop_hook {
    struct es_kube_stop_hook *next, **prev_next;
    void (*fn)(void *ctx);
    void *ctx;
};
void es_kube_on_stop(struct es_kube *k, struct es_kube_stop_hook *hook);
void es_kube_off_stop(struct es_kube *k, struct es_kube_stop_hook *hook);

#endif
