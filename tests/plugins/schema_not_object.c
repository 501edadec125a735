/* Its block would be a string. */
#define SCHEMA "{\"type\":\"string\"}"
#include "bad.h"
