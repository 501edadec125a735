/* Refreshes in the background. */
#include <pthread.h>
#include <unistd.h>

#include "esp/plugin.h"
static void *wait_forever(void *arg);
#define GET_BODY                                                                                             \
    pthread_t thread;                                                                                        \
    if (pthread_create(&thread, NULL, wait_forever, NULL) == 0)                                              \
        pthread_detach(thread);                                                                              \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"

static void *wait_forever(void *arg)
{
    for (;;)
        pause();
    return arg;
}
