/* Takes "no memory for it" for "no such secret". */
#include <stdlib.h>

#define GET_BODY                                                                                             \
    char *copy = malloc(100);                                                                                \
    esp_status status = copy ? host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value")) : ESP_E_NOT_FOUND; \
    free(copy);                                                                                              \
    return status;
#include "bad.h"
