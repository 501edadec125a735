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

json_t *gcp_parse(esp_bytes json)
{
    return json_loadb((const char *)json.ptr, json.len, JSON_ALLOW_NUL, NULL);
}

/* Into memory of our own: where that of json_dumps cannot grow, it leaves out a part and says nothing. */
bool gcp_write(const json_t *value, struct esp_text *out)
{
    const size_t flags = JSON_COMPACT | JSON_SORT_KEYS;
    size_t size = json_dumpb(value, NULL, 0, flags);
    char *text = size ? malloc(size) : NULL;
    bool done = text && json_dumpb(value, text, size, flags) == size;

    if (done)
        esp_text_add(out, esp_span(text, size));
    free(text);
    return done && !esp_text_failed(out);
}

esp_bytes gcp_text(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return esp_span(json_string_value(value), json_string_length(value));
}

esp_status gcp_no_memory(struct esp_call *call)
{
    return esp_failf(gcp_host, call, ESP_E_INTERNAL, "out of memory");
}
