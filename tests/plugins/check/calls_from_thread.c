/* Lets another thread speak for it. */
#include <pthread.h>

#include "esp/plugin.h"
static void *speak(void *call);
#define GET_BODY                                                                                             \
    pthread_t thread;                                                                                        \
    if (pthread_create(&thread, NULL, speak, call) == 0)                                                     \
        pthread_join(thread, NULL);                                                                          \
    return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
#include "bad.h"

static void *speak(void *call)
{
    host->log(call, ESP_LOG_INFO, bytes("working"));
    return NULL;
}
