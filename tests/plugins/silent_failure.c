/* Fails and does not say why. */
#define GET_BODY return ESP_E_DENIED;
#include "bad.h"
