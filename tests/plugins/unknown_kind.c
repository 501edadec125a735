/* A kind of component that nobody knows. */
#define KIND 7
#include "bad.h"
