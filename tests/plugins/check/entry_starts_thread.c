/* Keeps a thread from the first moment on. */
#include <pthread.h>
#include <unistd.h>

#include "esp/plugin.h"
static const struct esp_plugin *start(const struct esp_plugin *mine);
#define ENTRY_RETURNS start(&plugin)
#include "bad.h"

static void *wait_forever(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static const struct esp_plugin *start(const struct esp_plugin *mine)
{
    static pthread_t thread;
    if (!thread)
        pthread_create(&thread, NULL, wait_forever, NULL);
    return mine;
}
