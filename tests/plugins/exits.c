/* Believes that the process is its own. */
#include <stdlib.h>
#define GET_BODY                                                                                             \
    exit(3);                                                                                                 \
    return ESP_OK;
#include "bad.h"
