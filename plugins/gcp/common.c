#include "gcp.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const struct esp_host *gcp_host;

esp_status gcp_fail(struct esp_call *call, esp_status status, uint64_t retry_after_ms, const char *format,
                    ...)
{
    char why[1001];
    va_list args;

    va_start(args, format);
    int len = vsnprintf(why, sizeof why, format, args);
    va_end(args);
    return gcp_host->fail(call, status, retry_after_ms, esp_str(len < 0 ? "" : why));
}

esp_status gcp_no_memory(struct esp_call *call)
{
    return esp_failf(gcp_host, call, ESP_E_INTERNAL, "out of memory");
}
