/* plugins/webhook/hook.h: what the files of the plugin share. */
#ifndef HOOK_H
#define HOOK_H

#include <stdbool.h>
#include <stdint.h>

#include <esp/plugin.h>
#include <esp/text.h>
#include <esp/tree.h>

/* Ceiling of a value, a body, the data of a template. */
#define HOOK_MAX_TEXT ((size_t)16 << 20)

extern const struct esp_host *hook_host; /* set once, by the entry */

/* An opened store. Nothing in it changes until it is closed, so any number of threads may use
 * it. All of it points into `request`. */
struct hook_store {
    json_t *request; /* the document that the store was opened with */
    esp_bytes url, method, body, json_path, ca;
    const json_t *headers, *secrets, *ntlm;
    uint32_t timeout_ms; /* 0: none of its own */
    bool cluster_wide;   /* a ClusterSecretStore */
};

esp_status hook_no_memory(struct esp_call *call);

/* The operations, each in the file that is named like what it does. */
esp_status hook_check(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status hook_open(struct esp_call *call, const struct esp_request *request, void **instance);
void hook_close(void *instance, struct esp_call *call);
esp_status hook_validate(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status hook_get(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status hook_get_map(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status hook_list(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status hook_push(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status hook_remove(void *instance, struct esp_call *call, const struct esp_request *request);
esp_status hook_exists(void *instance, struct esp_call *call, const struct esp_request *request);

#endif
