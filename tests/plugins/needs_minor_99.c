/* Needs services that this core does not have. */
#define NEEDS_MINOR 99
#include "bad.h"
