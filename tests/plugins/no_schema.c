/* Does not describe its settings. */
#define SCHEMA NULL
#include "bad.h"
