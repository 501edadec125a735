/* Says that a gigabyte follows. */
#include <unistd.h>
#define GET_BODY                                                                                             \
    static const uint8_t head[8] = {0, 0, 0, 0x40, 32};                                                      \
    for (int fd = 4; fd < 64; fd++) {                                                                        \
        ssize_t ignored = write(fd, head, sizeof head);                                                      \
        (void)ignored;                                                                                       \
    }                                                                                                        \
    return get_nothing(instance, call, request);
#include "bad.h"
