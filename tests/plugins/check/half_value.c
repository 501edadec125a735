/* Without memory, hands out what it has, and calls it a success. */
#include <stdlib.h>

#define GET_BODY                                                                                             \
    char *copy = malloc(100);                                                                                \
    esp_status status = host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(copy ? "value" : "val"));           \
    free(copy);                                                                                              \
    return status;
#include "bad.h"
