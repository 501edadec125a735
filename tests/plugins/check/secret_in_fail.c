/* Quotes the credential that was refused. */
#define SCHEMA "{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}"
#define GET_BODY                                                                                             \
    esp_bytes secret = {0};                                                                                  \
    if (host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("login"), bytes("token"), &secret) < 0)      \
        return ESP_E_CONFIG;                                                                                 \
    return host->fail(call, ESP_E_DENIED, 0, secret);
#include "bad.h"
