/* No key under spec.provider could be this. */
#define COMPONENT_NAME ""
#include "bad.h"
