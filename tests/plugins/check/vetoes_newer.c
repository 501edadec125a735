/* Believes that it knows which cores it works with. */
#define ENTRY_RETURNS (given->abi_minor <= ESP_ABI_MINOR ? &plugin : NULL)
#include "bad.h"
