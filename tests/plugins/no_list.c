/* Promises to list and cannot. */
#define CAPS (ESP_CAP_READ | ESP_CAP_LIST)
#include "bad.h"
