/* Does its work, and never lets go of it. */
#include "esp/plugin.h"

static void hang(void *instance, struct esp_call *call)
{
    (void)instance;
    (void)call;
    for (volatile unsigned i = 1; i; i |= 1)
        ;
}
#define CLOSE hang
#include "bad.h"
