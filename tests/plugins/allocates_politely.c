/* Asks for memory without end, and looks whether it gets it. */
#include <stdlib.h>
#define GET_BODY                                                                                             \
    for (;;) {                                                                                               \
        void *more = malloc((size_t)1 << 20);                                                                \
        if (!more)                                                                                           \
            return host->fail(call, ESP_E_INTERNAL, 0, bytes("no memory"));                                  \
        memset(more, 1, (size_t)1 << 20);                                                                    \
    }
#include "bad.h"
