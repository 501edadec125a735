/* Returns in the name of a call that it has not been asked. */
#include <unistd.h>
#define GET_BODY                                                                                             \
    /* u32 length, u16 RETURN, u16 call, u32 ESP_OK, u64 instance */                                         \
    static const uint8_t frame[20] = {12, 0, 0, 0, 19, 0, 0x34, 0x12};                                       \
    for (int fd = 4; fd < 64; fd++) {                                                                        \
        ssize_t ignored = write(fd, frame, sizeof frame);                                                    \
        (void)ignored;                                                                                       \
    }                                                                                                        \
    return get_nothing(instance, call, request);
#include "bad.h"
