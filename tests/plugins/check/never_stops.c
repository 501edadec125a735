/* Does not ask what time is left. */
#include <unistd.h>

#define GET_BODY                                                                                             \
    for (;;)                                                                                                 \
        pause();                                                                                             \
    return ESP_OK;
#include "bad.h"
