/* Logs the credential, in hexadecimal, which hides nothing. */
#include <stdio.h>

#include "esp/plugin.h"
static void log_hex(struct esp_call *call, esp_bytes secret);
#define SCHEMA "{\"type\":\"object\",\"x-kubernetes-preserve-unknown-fields\":true}"
#define GET_BODY                                                                                             \
    esp_bytes secret = {0};                                                                                  \
    if (host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("login"), bytes("token"), &secret) < 0)      \
        return ESP_E_CONFIG;                                                                                 \
    log_hex(call, secret);                                                                                   \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"

static void log_hex(struct esp_call *call, esp_bytes secret)
{
    char line[201] = "";
    for (size_t i = 0; i < secret.len && i < 100; i++)
        snprintf(line + 2 * i, 3, "%02X", secret.ptr[i]);
    host->log(call, ESP_LOG_DEBUG, bytes(line));
}
