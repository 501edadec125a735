/* Takes its time, whatever the deadline says. */
#include <time.h>
#define GET_BODY                                                                                             \
    const struct timespec long_time = {.tv_sec = 600};                                                       \
    nanosleep(&long_time, NULL);                                                                             \
    return get_nothing(instance, call, request);
#include "bad.h"
