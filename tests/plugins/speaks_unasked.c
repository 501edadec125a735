/* Writes into the link on which it is only listened to at the start, and waits
 * for an answer. */
#include <unistd.h>
#define GET_BODY                                                                                             \
    ssize_t ignored = write(3, "hello?", 6);                                                                 \
    (void)ignored;                                                                                           \
    pause();                                                                                                 \
    return get_nothing(instance, call, request);
#include "bad.h"
