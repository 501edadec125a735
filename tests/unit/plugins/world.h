/* tests/unit/plugins/world.h: the services of host.h's table that reach the world. */
#ifndef TEST_PLUGIN_WORLD_H
#define TEST_PLUGIN_WORLD_H

#include "host.h"

void test_world_log(struct esp_call *call, int32_t level, esp_bytes line);
int64_t test_world_remaining_ms(struct esp_call *call);
int64_t test_world_now_unix_ms(struct esp_call *call);
esp_status test_world_random(struct esp_call *call, uint8_t *out, size_t len);
esp_status test_world_http(struct esp_call *call, const struct esp_http_request *request,
                           struct esp_http_response *response);
esp_status test_world_kube_read(struct esp_call *call, int32_t what, esp_bytes ns, esp_bytes name,
                                esp_bytes key, esp_bytes *out);
esp_status test_world_sa_token(struct esp_call *call, esp_bytes ns, esp_bytes account,
                               const esp_bytes *audiences, size_t count, uint32_t ttl_s, esp_bytes *out);
esp_status test_world_ambient(struct esp_call *call, int32_t what, esp_bytes name, esp_bytes *out);
esp_status test_world_render(struct esp_call *call, esp_bytes text, esp_bytes data, esp_bytes *out);

#if ESP_ABI_MINOR >= 1
esp_status test_world_wait(struct esp_call *call, uint32_t ms);
#endif

/* Overwrites and frees what was handed out in the call, so that its use afterwards shows. */
void test_world_forget(struct esp_call *call);

#endif
