/* A store has no state to keep. */
#define GET_BODY return host->emit(call, ESP_OUT_STATE, bytes(""), bytes("{}"));
#include "bad.h"
