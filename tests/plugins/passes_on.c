/* Right in everything: its value is that of a Secret which its store names. */
#define SCHEMA                                                                                               \
    "{\"type\":\"object\",\"properties\":{\"secretRef\":{\"type\":\"object\",\"properties\":{"               \
    "\"name\":{\"type\":\"string\"},\"key\":{\"type\":\"string\"}}}}}"
#define GET_BODY                                                                                             \
    esp_bytes value = {0};                                                                                   \
    esp_status status =                                                                                      \
        host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("ours"), bytes("token"), &value);            \
    return status == ESP_OK ? host->emit(call, ESP_OUT_VALUE, bytes(""), value) : status;
#include "bad.h"
