/* Has nothing to offer. */
#define COMPONENTS NULL
#include "bad.h"
