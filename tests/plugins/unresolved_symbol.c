/* Calls a function that no library has. */
int esod_does_not_exist(void);
#define GET_BODY return esod_does_not_exist();
#include "bad.h"
