/* The right symbol, and a table of the next major. */
#define ABI_MAJOR 2
#include "bad.h"
