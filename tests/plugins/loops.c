/* Never looks up. */
#define GET_BODY                                                                                             \
    for (volatile unsigned i = 1; i; i |= 1)                                                                 \
        ;                                                                                                    \
    return ESP_OK;
#include "bad.h"
