/* Does not like the core it was given. */
#define ENTRY_RETURNS NULL
#include "bad.h"
