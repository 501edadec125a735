/* Does not wait to be asked. */
#include <pthread.h>
#include <unistd.h>
#include "bad.h"
static void *idle(void *nothing)
{
    pause();
    return nothing;
}
__attribute__((constructor)) static void start(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, idle, NULL);
}
