/* Promises that threads may share an instance, and keeps a note in static data. */
#include <time.h>

#include "esp/plugin.h"
static const char *who_is_there(void);
#define CAPS (ESP_CAP_READ | ESP_CAP_CONCURRENT)
#define GET_BODY return host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(who_is_there()));
#include "bad.h"

static const char *who_is_there(void)
{
    static volatile int inside;
    const struct timespec moment = {.tv_nsec = 100000};
    inside++;
    nanosleep(&moment, NULL);
    const char *found = inside == 1 ? "one" : "many";
    inside--;
    return found;
}
