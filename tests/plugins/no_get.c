/* Promises to read and cannot. */
#define GET NULL
#include "bad.h"
