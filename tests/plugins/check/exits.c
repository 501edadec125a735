/* Ends the process when it does not like something. */
#include <stdlib.h>

#define GET_BODY exit(3);
#include "bad.h"
