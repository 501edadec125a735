/* plugins/webhook/duration.h: durations as Go writes them. */
#ifndef HOOK_DURATION_H
#define HOOK_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include <esp/plugin.h>

/* "1m30s", "1.5h", "250ms" in milliseconds, those below one rounded up. False for what is no
 * such text, below 0 or above 24 days. */
bool hook_duration_ms(esp_bytes text, uint32_t *ret);

#endif
