#include "text.h"

#include <string.h>
#include <time.h>

static bool is_space(uint8_t c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

esp_bytes aws_trim(esp_bytes text)
{
    while (text.len && is_space(text.ptr[0]))
        text = esp_span(text.ptr + 1, text.len - 1);
    while (text.len && is_space(text.ptr[text.len - 1]))
        text.len--;
    return text;
}

esp_bytes aws_cut(esp_bytes *text, char end)
{
    const uint8_t *at = text->len ? memchr(text->ptr, end, text->len) : NULL;
    if (!at) {
        esp_bytes all = *text;
        *text = esp_str("");
        return all;
    }
    esp_bytes before = esp_span(text->ptr, (size_t)(at - text->ptr));
    *text = esp_span(at + 1, text->len - before.len - 1);
    return before;
}

/* `text` as a C string of less than `size` bytes; false when it does not fit or holds a NUL. */
static bool copy(esp_bytes text, char *out, size_t size)
{
    if (text.len == 0 || text.len >= size || memchr(text.ptr, 0, text.len))
        return false;
    memcpy(out, text.ptr, text.len);
    out[text.len] = '\0';
    return true;
}

bool aws_time(esp_bytes text, int64_t *ret_unix_ms)
{
    char buffer[48];
    struct tm utc = {0};
    if (!copy(text, buffer, sizeof buffer))
        return false;
    const char *rest = strptime(buffer, "%Y-%m-%dT%H:%M:%S", &utc);
    if (rest && *rest == '.')
        rest += 1 + strspn(rest + 1, "0123456789");
    if (!rest || strcmp(rest, "Z") != 0)
        return false;
    *ret_unix_ms = (int64_t)timegm(&utc) * 1000;
    return true;
}
