/* plugins/aws/retry.h: which failures pass, and how long to wait for that. */
#ifndef AWS_RETRY_H
#define AWS_RETRY_H

#include <jansson.h>
#include <stdbool.h>

#include <esp/plugin.h>

/* How often, and how quickly. */
struct aws_retry {
    unsigned attempts;   /* the first one counts */
    int64_t interval_ms; /* between two; below 0: longer and longer, with chance, as AWS asks for */
};

/* Reads retrySettings of a document; without them it is three attempts, as AWS's own clients do. maxRetries
 * counts attempts, as the reference does. ESP_E_CONFIG: an interval that is none. */
esp_status aws_retry_read(struct esp_call *call, const json_t *settings, struct aws_retry *ret);

/* Whether that answer may be another one in a moment: throttled, overloaded, timed out. */
bool aws_retry_passes(int32_t status, const char *code);

/* Waits after the failed attempt number `attempt`, counted from 1, for `at_least_ms` in any case. ESP_OK: try
 * again. ESP_E_RETRY: that was enough, or the call's time would not do for more. ESP_E_CANCELLED: the end
 * came first. */
esp_status aws_retry_wait(const struct aws_retry *retry, struct esp_call *call, unsigned attempt,
                          uint64_t at_least_ms);

#endif
