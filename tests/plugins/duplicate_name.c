/* Offers what plain.so offers. */
#define COMPONENT_NAME "plain"
#include "bad.h"
