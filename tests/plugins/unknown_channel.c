/* A channel that nobody knows. */
#define GET_BODY return host->emit(call, 99, bytes(""), bytes("value"));
#include "bad.h"
