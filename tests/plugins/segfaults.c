/* Writes where nothing is. */
#define GET_BODY                                                                                             \
    volatile int *volatile nowhere = (volatile int *)16;                                                     \
    *nowhere = 1;                                                                                            \
    return ESP_OK;
#include "bad.h"
