/* Lets another process do the work, and does not wait for it. */
#include <unistd.h>

#define GET_BODY                                                                                             \
    if (fork() == 0)                                                                                         \
        _exit(0);                                                                                            \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"
