/* Quotes what it was trusted with. */
#define GET_BODY                                                                                             \
    esp_bytes token = {0};                                                                                   \
    char text[256] = "the backend does not like ";                                                           \
    esp_status status =                                                                                      \
        host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("ours"), bytes("token"), &token);            \
    if (status != ESP_OK)                                                                                    \
        return status;                                                                                       \
    memcpy(text + strlen(text), token.ptr, token.len);                                                       \
    host->log(call, ESP_LOG_ERROR, bytes(text));                                                             \
    return host->fail(call, ESP_E_DENIED, 0, bytes(text));
#include "bad.h"
