/* plugins/kubernetes/api.h: requests to the API server, and what its refusals are in words. */
#ifndef KUBE_API_H
#define KUBE_API_H

#include "kube.h"
#include "secret.h"

/* One request. All of it is borrowed. */
struct kube_request {
    const char *method;
    const char *api; /* its name in the metrics */
    esp_bytes path;  /* with its query, encoded */
    esp_bytes body;  /* JSON, or empty */
};

/* The answer, whatever its status: it lives as long as the call. With a service account, a
 * token that is not accepted is replaced by a new one, once. */
esp_status kube_ask(const struct kube_store *store, struct esp_call *call, const struct kube_request *request,
                    struct esp_http_response *ret);

/* The token to begin with: whether there is one shows when a store is opened. */
esp_status kube_first_token(const struct kube_store *store, struct esp_call *call);

/* Fails with the sentence for an answer that is no success: "cannot WHAT: ...". */
esp_status kube_refused(struct esp_call *call, const struct esp_http_response *answer, const char *what);

/* Whether a 404 is about the Secret, and not from something else that answers at this URL. */
bool kube_is_missing(const struct esp_http_response *answer);

/* Whether `name` can be the name of a Secret; what cannot is never put into a path. */
bool kube_is_name(esp_bytes name);

/* "get secret \"x\" in namespace \"y\"", for kube_refused. */
#define KUBE_WHAT_MAX 400
void kube_what(char what[KUBE_WHAT_MAX], const char *verb, esp_bytes name, esp_bytes ns);

/* Appends /api/v1/namespaces/NS/secrets, and /NAME unless that is empty. */
void kube_path(struct esp_text *path, esp_bytes ns, esp_bytes name);

/* Reads a Secret. ESP_E_NOT_FOUND, without a sentence, when there is none. To be freed
 * when it is ESP_OK. */
esp_status kube_fetch(const struct kube_store *store, struct esp_call *call, esp_bytes ns, esp_bytes name,
                      struct kube_secret *ret);

#endif
