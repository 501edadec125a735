/* plugins/kubernetes/kube.h: what the files of the plugin share. */
#ifndef KUBE_H
#define KUBE_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>
#include <esp/token.h>
#include <esp/tree.h>

/* Ceiling of what is built from one answer: a value, a body, a list of them. */
#define KUBE_MAX_TEXT ((size_t)16 << 20)
#define KUBE_MAX_TOKEN ((size_t)64 << 10)
#define KUBE_MAX_NAME ((size_t)253)

extern const struct esp_host *kube_host; /* set once, by the entry */

/* An opened store. Nothing in it changes until it is closed but the token inside of
 * `issued`, which has a lock of its own: any number of threads may use it. */
struct kube_store {
    struct esp_text url;        /* of the API server, without a slash at its end */
    esp_bytes ca, cert, key;    /* PEM; copies (esp_dup), empty where there is none */
    esp_bytes server_name;      /* checked instead of the URL's host */
    esp_bytes token;            /* a fixed one */
    esp_bytes basic;            /* "user:password" in base64 */
    struct esp_token *issued;   /* tokens of the account below; NULL without one */
    json_t *account;            /* spec.auth.serviceAccount, borrowed from `request` */
    json_t *request;            /* the document that the store was opened with */
    esp_bytes remote_namespace; /* borrowed from `request` */
    bool cluster_wide;          /* a ClusterSecretStore */
    bool insecure;              /* the kubeconfig says that any certificate will do */
};

esp_status kube_no_memory(struct esp_call *call);

/* The operations, each in the file that is named like what it does. */
esp_status kube_check(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status kube_open(struct esp_call *call, const struct esp_request *request, void **instance);
void kube_close(void *instance, struct esp_call *call);
esp_status kube_validate(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status kube_get(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status kube_get_map(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status kube_list(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status kube_push(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status kube_remove(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status kube_exists(void *instance, struct esp_call *call, const struct esp_request *request);

#endif
