/* Does not look whether there was memory. */
#include <stdlib.h>

#define GET_BODY                                                                                             \
    char *copy = malloc(100);                                                                                \
    strcpy(copy, "value");                                                                                   \
    esp_status status = host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(copy));                             \
    free(copy);                                                                                              \
    return status;
#include "bad.h"
