/* Asks for memory without end, and believes that it gets it. */
#include <stdlib.h>
#define GET_BODY                                                                                             \
    static void *volatile last;                                                                              \
    do {                                                                                                     \
        last = malloc((size_t)1 << 20);                                                                      \
        memset(last, 1, (size_t)1 << 20);                                                                    \
    } while (last);                                                                                          \
    return ESP_OK;
#include "bad.h"
