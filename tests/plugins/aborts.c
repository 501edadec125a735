/* Takes a broken promise for a reason to end. */
#include <stdlib.h>
#define GET_BODY                                                                                             \
    abort();                                                                                                 \
    return ESP_OK;
#include "bad.h"
