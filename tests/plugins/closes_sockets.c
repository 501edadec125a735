/* Tidies up what it has not opened. */
#include <unistd.h>
#define GET_BODY                                                                                             \
    for (int fd = 3; fd < 64; fd++)                                                                          \
        close(fd);                                                                                           \
    return get_nothing(instance, call, request);
#include "bad.h"
