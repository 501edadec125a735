/* Two components, one name. */
#define COMPONENTS &component, &component, NULL
#include "bad.h"
