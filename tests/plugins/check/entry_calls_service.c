/* Asks for the time while there is no call yet. */
#define ENTRY_RETURNS (given->now_unix_ms ? ((void)given->now_unix_ms(NULL), &plugin) : &plugin)
#include "bad.h"
