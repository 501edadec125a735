/* Nothing is wrong with this one. */
#include "bad.h"
