/* Has an operation that it does not promise. */
#define LIST get_nothing
#include "bad.h"
