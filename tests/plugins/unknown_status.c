/* Returns something that is no status. */
#define GET_BODY return 42;
#include "bad.h"
