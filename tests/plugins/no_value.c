/* Succeeds with nothing. */
#define GET_BODY return ESP_OK;
#include "bad.h"
