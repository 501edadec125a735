/* Reads a variable of the environment that it did not list. */
#define AMBIENT "env:ALLOWED_*"
#define GET_BODY                                                                                             \
    esp_bytes out;                                                                                           \
    return host->ambient(call, ESP_AMBIENT_ENV, bytes("PATH"), &out);
#include "bad.h"
