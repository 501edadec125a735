/* Reads a Secret that its store does not name. */
#define GET_BODY                                                                                             \
    esp_bytes out;                                                                                           \
    return host->kube_read(call, ESP_KUBE_SECRET, bytes(""), bytes("somebody-elses"), bytes("token"), &out);
#include "bad.h"
