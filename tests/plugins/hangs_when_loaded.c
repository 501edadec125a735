/* Its entry never returns. */
#include <unistd.h>
#include "bad.h"
__attribute__((constructor)) static void start(void)
{
    for (;;)
        pause();
}
