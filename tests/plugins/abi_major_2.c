/* The right symbol, and a table of the next major. */
#define ABI_MAJOR 2
#define ABI_MINOR 0
#include "bad.h"
