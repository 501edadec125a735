/* core/plugin/host.h: the table of services that plugins are given. Private to
 * the room and to esp-check. One constant table serves all plugins: whom an
 * answer is for is in the call. */
#ifndef ES_PLUGIN_HOST_H
#define ES_PLUGIN_HOST_H

#include "core/plugin/call.h"
#include "esp/plugin.h"

/* What a plugin may be handed of the process' environment. */
#define ES_AMBIENT_MAX ((size_t)64 << 10)

extern const struct esp_host es_host_table;

/* host_http.c */
esp_status es_host_http(struct esp_call *c, const struct esp_http_request *request,
                        struct esp_http_response *response);

/* ambient.c */
esp_status es_host_ambient(struct esp_call *c, int32_t what, esp_bytes name, esp_bytes *out);

/* Moves what a service found into the call, where it stays until the end, as
 * something that the plugin is trusted with. */
esp_status es_host_hand_out(struct esp_call *c, const void *data, size_t len, esp_bytes *out);

/* The same of what another function found, or its failure. */
esp_status es_host_hand_out_blob(struct esp_call *c, int rc, struct es_blob *take_blob,
                                 const struct es_error *err, esp_bytes *out);

/* A NUL-terminated copy in the call's arena. NULL, and the call's error set, when
 * it is longer than `max`, holds a control character, or memory is out; `what`
 * names it in that text. */
const char *es_host_text(struct esp_call *c, esp_bytes bytes, size_t max, const char *what);

/* ESP_OK, or why no request may leave now: check and configure are offline,
 * and a call whose time is over starts nothing. */
esp_status es_host_may_talk(struct esp_call *c, const char *service);

#endif
