/* Operations, and no way to come to them. */
#define OPEN NULL
#include "bad.h"
