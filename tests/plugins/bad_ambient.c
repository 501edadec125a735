/* Wants the whole file system. */
#define AMBIENT "files:*"
#include "bad.h"
