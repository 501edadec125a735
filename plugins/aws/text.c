#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MAX_MS ((double)INT64_MAX / 4)

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

static const struct unit {
    const char *name;
    double ms;
} units[] = {{"ms", 1}, {"us", 1e-3}, {"µs", 1e-3}, {"ns", 1e-6}, {"h", 36e5}, {"m", 6e4}, {"s", 1e3}};

static const struct unit *unit_of(const char *text)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strncmp(text, units[i].name, strlen(units[i].name)) == 0)
            return &units[i];
    return NULL;
}

bool aws_duration(esp_bytes text, int64_t *ret_ms)
{
    char buffer[64];
    double sum = 0;
    if (!copy(text, buffer, sizeof buffer))
        return false;
    for (char *at = buffer; *at;) {
        size_t digits = strspn(at, "0123456789.");
        const struct unit *unit = unit_of(at + digits);
        char *end = at;
        double number = digits ? strtod(at, &end) : 0;
        if (end != at + digits || !unit || digits == 0)
            break;
        sum += number * unit->ms;
        at = end + strlen(unit->name);
        if (*at)
            continue;
        if (sum > MAX_MS)
            return false;
        *ret_ms = (int64_t)ceil(sum);
        return true;
    }
    if (strcmp(buffer, "0") != 0)
        return false;
    *ret_ms = 0;
    return true;
}
