/* Its schema is YAML. */
#define SCHEMA "type: object"
#include "bad.h"
