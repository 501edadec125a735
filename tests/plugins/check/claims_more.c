/* Says that its table of operations is longer than it is. */
#define OPS_SIZE (sizeof(struct esp_store_ops) + 8)
#include "bad.h"
