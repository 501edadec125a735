/* core/kube/client.h: requests to the API server. Objects are JSON.
 *
 * Every function blocks and may be called on any thread. Failures: NOT_FOUND
 * (404), EXISTS and CONFLICT (409), GONE (410), INVALID (400, 422, and names
 * that would change the path, which are not sent), DENIED (403, and 401 after
 * one retry with a fresh credential), UNSUPPORTED (405, 406, 415), TOO_LARGE
 * (413, and answers above a ceiling), RETRY (408, 429, 5xx, lost connections;
 * Retry-After in retry_after_ms), CONFIG (a redirect: that is no API server),
 * CANCELLED. The text is the message of the API server's Status, without what
 * it quotes of the request. Nothing is tried again here but a GET whose
 * connection was reset, once and at once. */
#ifndef ES_KUBE_CLIENT_H
#define ES_KUBE_CLIENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/gate.h"
#include "core/http/http.h"
#include "core/kube/config.h"
#include "core/kube/kind.h"

struct es_kube;

struct es_kube_opts {
    int64_t timeout_ms;     /* of a request; 0: 30 s */
    double qps;             /* client-side throttle; 0: none */
    int burst;              /* requests that may go at once; 0: 1 */
    const char *user_agent; /* NULL: the transport's */
    bool prompt;            /* requests pass those of others; see http.h */
};

/* `http` must outlive the client; the config is consumed even on failure.
 * `opts` may be NULL. */
int es_kube_new(struct es_kube **ret, struct es_http *http, struct es_kube_config *take_config,
                const struct es_kube_opts *opts, struct es_error *err);
void es_kube_free(struct es_kube *k); /* NULL is fine; no call and no watch may be left */
struct es_kube_config *es_kube_config_of(struct es_kube *k); /* borrowed */

/* From now on `gate` is asked for each request that is no GET, at the last
 * moment; barred, it fails with ES_E_CANCELLED and the gate's sentence. The gate
 * must outlive the client. Before the first call. */
void es_kube_set_gate(struct es_kube *k, const struct es_gate *gate);

enum es_patch_type { ES_PATCH_MERGE, ES_PATCH_APPLY, ES_PATCH_JSON };

int es_kube_get(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name, json_t **ret,
                struct es_error *err);

/* `ret` may be NULL when the answer is of no interest: it is not parsed then.
 * The answer to a write comes without its managedFields.
 * `subresource` ("status") may be NULL. `manager`: the field manager, or NULL;
 * ES_PATCH_APPLY needs one, and takes over fields of other managers (force). */
int es_kube_create(struct es_kube *k, const struct es_kind *kind, const char *ns, const json_t *obj,
                   const char *manager, json_t **ret, struct es_error *err);
int es_kube_update(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                   const char *subresource, const json_t *obj, const char *manager, json_t **ret,
                   struct es_error *err);
/* PUT of the status, and a merge patch of the object. The answer is not parsed: its
 * text, without managedFields, is to be freed with es_mem_free. */
int es_kube_patch_unparsed(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                           const json_t *patch, char **ret_text, size_t *ret_len, struct es_error *err);
int es_kube_update_status(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                          const json_t *obj, char **ret_text, size_t *ret_len, struct es_error *err);
int es_kube_patch(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                  const char *subresource, enum es_patch_type type, const json_t *patch, const char *manager,
                  json_t **ret, struct es_error *err);

/* uid: precondition, or NULL. NOT_FOUND is reported like any failure. */
int es_kube_delete(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                   const char *uid, struct es_error *err);

/* POST to a subresource, e.g. serviceaccounts/NAME/token. */
int es_kube_create_sub(struct es_kube *k, const struct es_kind *kind, const char *ns, const char *name,
                       const char *subresource, const json_t *obj, json_t **ret, struct es_error *err);

/* Calls `each` for every object, page by page (500). `each` returns 0 to go
 * on; another value ends the list and is returned. Pages of an expired
 * continue token start over: `restart` (may be NULL) says so, and what was
 * handed over before is void. Pages above 16 MiB are asked for again in half
 * the size; objects nested above 256 levels are left out. *ret_resource_version
 * (may be NULL) is to be freed with es_mem_free. `obj` is borrowed by `each`. */
struct es_kube_list_opts {
    const char *label_selector, *field_selector; /* or NULL */
    bool metadata_only;                          /* PartialObjectMetadata */
    int page;                                    /* 0: 500 */
    const bool *cancelled;                       /* polled instead of es_kube_stop's flag; or NULL */
};
int es_kube_list(struct es_kube *k, const struct es_kind *kind, const char *ns,
                 const struct es_kube_list_opts *opts, int (*each)(void *ctx, json_t *obj),
                 void (*restart)(void *ctx), void *ctx, char **ret_resource_version, struct es_error *err);

/* GET of an absolute path ("/version", "/readyz"); the answer's JSON or, for
 * other content types, a JSON string. */
int es_kube_get_path(struct es_kube *k, const char *path, json_t **ret, struct es_error *err);

/* Everything fails with ES_E_CANCELLED from now on. Any thread. */
void es_kube_stop(struct es_kube *k);

#endif
