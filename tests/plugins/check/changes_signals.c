/* Does not want to be disturbed. */
#include <signal.h>

#define GET_BODY                                                                                             \
    signal(SIGUSR1, SIG_IGN);                                                                                \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"
