#include "retry.h"

#include <string.h>

#include <esp/duration.h>

#include "session.h"

#define ATTEMPTS 3
#define MAX_INTERVAL_MS ((int64_t)3600000) /* retryInterval */
#define MAX_WAIT_MS ((int64_t)20000)
#define LEAST_TIME_MS ((int64_t)500) /* an attempt that has less than this would be cut off */

esp_status aws_retry_read(struct esp_call *call, const json_t *settings, struct aws_retry *ret)
{
    const json_t *most = json_object_get(settings, "maxRetries");
    esp_bytes interval = esp_tree_text(settings, "retryInterval");
    *ret = (struct aws_retry){ATTEMPTS, -1};
    if (json_is_integer(most)) {
        json_int_t n = json_integer_value(most);
        ret->attempts = n < 1 ? 1 : n > 100 ? 100 : (unsigned)n;
    }
    if (interval.len && (!esp_duration_ms(interval, &ret->interval_ms) || ret->interval_ms > MAX_INTERVAL_MS))
        return esp_failf(aws_host, call, ESP_E_CONFIG,
                         "retrySettings.retryInterval: \"%.*s\" is no duration of at most an hour; "
                         "write it as 500ms, 10s or 1m30s",
                         ESP_ARG(interval));
    return ESP_OK;
}

/* What AWS's clients take for throttling or for a moment's trouble, in all services. */
static const char *const passing[] = {
    "BandwidthLimitExceeded",
    "EC2ThrottledException",
    "IDPCommunicationError",
    "InternalFailure",
    "InternalServerError",
    "InternalServiceError",
    "LimitExceededException",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "ServiceUnavailable",
    "ServiceUnavailableException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
};

bool aws_retry_passes(int32_t status, const char *code)
{
    for (size_t i = 0; i < sizeof passing / sizeof *passing; i++)
        if (strcmp(passing[i], code) == 0)
            return true;
    return status == 429 || status >= 500;
}

/* Somewhere between nothing and 1 s, 2 s, 4 s: clients that failed together come back apart. */
static int64_t by_chance(struct esp_call *call, unsigned attempt)
{
    uint32_t chance = UINT32_MAX / 2;
    int64_t most = attempt < 5 ? INT64_C(1000) << (attempt - 1) : MAX_WAIT_MS;
    (void)aws_host->random(call, (uint8_t *)&chance, sizeof chance);
    return (int64_t)((double)most * chance / UINT32_MAX);
}

esp_status aws_retry_wait(const struct aws_retry *retry, struct esp_call *call, unsigned attempt,
                          uint64_t at_least_ms)
{
    if (attempt >= retry->attempts)
        return ESP_E_RETRY;
    int64_t ms = retry->interval_ms < 0 ? by_chance(call, attempt) : retry->interval_ms;
    if (at_least_ms > (uint64_t)ms)
        ms = at_least_ms > MAX_INTERVAL_MS ? MAX_INTERVAL_MS : (int64_t)at_least_ms;
    if (aws_host->remaining_ms(call) - ms < LEAST_TIME_MS)
        return ESP_E_RETRY;
    return ms > 0 ? aws_host->wait(call, (uint32_t)ms) : ESP_OK;
}
