/* Works as long as it is let. */
#include <time.h>

#define GET_BODY                                                                                             \
    const struct timespec moment = {.tv_nsec = 1000000};                                                     \
    while (host->remaining_ms(call) > 0)                                                                     \
        nanosleep(&moment, NULL);                                                                            \
    return ESP_E_CANCELLED;
#include "bad.h"
