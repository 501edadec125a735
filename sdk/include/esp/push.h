/** @file esp/push.h
 * What every push reads the same way: the value, and the metadata of a PushSecret.
 * Part of the toolkit (esp::toolkit). All functions are safe on any thread. */
#ifndef ESP_PUSH_H
#define ESP_PUSH_H

#include <esp/plugin.h>
#include <esp/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup toolkit_push Toolkit: pushes
 * The documents of `push` and `remove`: esp/push.h.
 * @{ */

/** Appends what is to be pushed: the value that secretKey names, or, without one, the whole
 * Secret as a JSON object of strings (esp_json_values). Fails, with a sentence, when the
 * key is not among the values or `out` is full. */
esp_status esp_push_value(const struct esp_host *host, struct esp_call *call,
                          const struct esp_request *request, struct esp_text *out);

/** Appends the `spec` of the request's metadata, JSON text: {} when there is none. The metadata
 * is a document of kind PushSecretMetadata, kubernetes.external-secrets.io/v1alpha1; of
 * any other, and for members it does not have, ESP_E_CONFIG with a sentence. Members of
 * the spec that are not among `known` (NULL at the end) are refused as well. */
esp_status esp_push_spec(const struct esp_host *host, struct esp_call *call,
                         const struct esp_request *request, const char *const known[], struct esp_text *out);

/** The same; sentences begin with `before`, as "unable to parse metadata parameters: ". */
esp_status esp_push_spec_of(const struct esp_host *host, struct esp_call *call,
                            const struct esp_request *request, const char *const known[], const char *before,
                            struct esp_text *out);

/** @} */

#ifdef __cplusplus
}
#endif
#endif
