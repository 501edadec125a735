/* Has been debugged with printf. */
#include <stdio.h>

#define SCHEMA "{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}"
#define GET_BODY                                                                                             \
    esp_bytes secret = {0};                                                                                  \
    if (host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("login"), bytes("token"), &secret) < 0)      \
        return ESP_E_CONFIG;                                                                                 \
    fprintf(stderr, "token=%.*s\n", (int)secret.len, (const char *)secret.ptr);                              \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"
