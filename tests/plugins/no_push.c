/* Promises to write and cannot. */
#define CAPS (ESP_CAP_READ | ESP_CAP_WRITE)
#include "bad.h"
