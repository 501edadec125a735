/* A name that is a path. */
#define COMPONENT_NAME "../plain"
#include "bad.h"
