/* Writes into descriptors that are not its own. */
#include <unistd.h>
#define GET_BODY                                                                                             \
    for (int fd = 4; fd < 64; fd++) {                                                                        \
        ssize_t ignored = write(fd, "this is no frame of any kind, is it?", 36);                             \
        (void)ignored;                                                                                       \
    }                                                                                                        \
    return get_nothing(instance, call, request);
#include "bad.h"
