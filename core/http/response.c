/* What a caller does with an answer. */
#include <curl/curl.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/http/http.h"

#define MAX_RETRY_AFTER_MS ((int64_t)3600 * 1000)

void es_http_response_fini(struct es_http_response *r)
{
    es_buf_fini(&r->body);
    es_mem_free(r->headers);
    *r = (struct es_http_response){0};
}

const char *es_http_response_header(const struct es_http_response *r, const char *lower_name)
{
    for (size_t i = 0; i < r->header_count; i++)
        if (strcmp(r->headers[i].name, lower_name) == 0)
            return r->headers[i].value;
    return NULL;
}

/* delta-seconds; a number beyond all bounds still means "long". */
static int64_t parse_seconds_ms(const char *text)
{
    int64_t ms = 0;

    for (; *text >= '0' && *text <= '9'; text++)
        if (ms < MAX_RETRY_AFTER_MS)
            ms = ms * 10 + (int64_t)(*text - '0') * 1000;
    return *text ? -1 : ms;
}

/* All three date forms of RFC 9110 section 5.6.7 and more. -1: it is none. */
static int64_t parse_date_ms(const char *text)
{
    time_t when = curl_getdate(text, NULL);
    return when == (time_t)-1 ? -1 : (int64_t)when * 1000;
}

int64_t es_http_date_ms(const struct es_http_response *r)
{
    const char *text = es_http_response_header(r, "date");
    int64_t ms = text ? parse_date_ms(text) : 0;

    return ms > 0 ? ms : 0;
}

int64_t es_http_retry_after_ms(const struct es_http_response *r, int64_t now_unix_ms)
{
    const char *text = es_http_response_header(r, "retry-after");

    if (es_str_empty(text))
        return 0;
    int64_t ms = parse_seconds_ms(text);
    if (ms < 0) {
        int64_t when_ms = parse_date_ms(text);
        if (when_ms < 0)
            return 0;
        ms = when_ms - now_unix_ms;
    }
    if (ms < 0)
        return 0;
    return ms < MAX_RETRY_AFTER_MS ? ms : MAX_RETRY_AFTER_MS;
}
