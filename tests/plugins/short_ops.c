/* The same for the operations. */
#define OPS_SIZE offsetof(struct esp_store_ops, push)
#include "bad.h"
