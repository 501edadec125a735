/* Does not get as far as its entry. */
#include "bad.h"
__attribute__((constructor)) static void start(void)
{
    volatile int *volatile nowhere = (volatile int *)16;
    *nowhere = 1;
}
