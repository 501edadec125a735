/** @file esp/duration.h
 * Spans of time as manifests write them.
 * Part of the toolkit (esp::toolkit). Safe on any thread. */
#ifndef ESP_DURATION_H
#define ESP_DURATION_H

#include <stdbool.h>
#include <stdint.h>

#include <esp/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup toolkit_duration Toolkit: durations
 * "10s" in retrySettings, in timeouts: esp/duration.h.
 * @{ */

/** Reads what Go's time.ParseDuration reads, unless it is negative: 500ms, 1.5h, 1m30s, 0. *ret_ms is in
 * milliseconds, a rest of one cut off. False, and *ret_ms as it was, when it is none, or more than a thousand
 * years. */
bool esp_duration_ms(esp_bytes text, int64_t *ret_ms);

/** @} */

#ifdef __cplusplus
}
#endif
#endif
