/* The same for a component. */
#define COMPONENT_SIZE offsetof(struct esp_component, store)
#include "bad.h"
