/* Its struct does not even hold a version. */
#define PLUGIN_SIZE 6
#include "bad.h"
