#include <esp/duration.h>

#include <stddef.h>
#include <string.h>

#include <esp/text.h>

#define MAX_MS 31557600000000.0 /* a thousand years */

static const struct {
    const char *name;
    double ms;
} units[] = {{"ms", 1},    {"us", 1e-3},         {"\xc2\xb5s", 1e-3}, {"\xce\xbcs", 1e-3},
             {"ns", 1e-6}, {"h", 3600 * 1000.0}, {"m", 60 * 1000.0},  {"s", 1000.0}};

static esp_bytes after(esp_bytes text, size_t count)
{
    return esp_span(text.ptr + count, text.len - count);
}

static bool has_digit(esp_bytes text)
{
    return text.len && text.ptr[0] >= '0' && text.ptr[0] <= '9';
}

/* Digits, a dot, digits: one digit at least. */
static bool take_number(esp_bytes *text, double *ret)
{
    double number = 0, place = 1;
    bool any = false;
    for (; has_digit(*text); *text = after(*text, 1), any = true)
        number = number * 10 + (text->ptr[0] - '0');
    if (text->len && text->ptr[0] == '.')
        for (*text = after(*text, 1); has_digit(*text); *text = after(*text, 1), any = true)
            number += (text->ptr[0] - '0') * (place /= 10);
    *ret = number;
    return any;
}

static bool take_unit(esp_bytes *text, double *ret_ms)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        const esp_bytes name = esp_str(units[i].name);
        if (!esp_starts_with(*text, name))
            continue;
        *text = after(*text, name.len);
        *ret_ms = units[i].ms;
        return true;
    }
    return false;
}

bool esp_duration_ms(esp_bytes text, int64_t *ret_ms)
{
    double sum = 0, number, unit;
    if (text.len && text.ptr[0] == '+')
        text = after(text, 1);
    if (text.len == 0)
        return false;
    if (esp_equal_str(text, "0"))
        text = esp_str("0s");
    while (text.len) {
        if (!take_number(&text, &number) || !take_unit(&text, &unit))
            return false;
        sum += number * unit;
        if (!(sum <= MAX_MS))
            return false;
    }
    *ret_ms = (int64_t)(sum + 1e-7); /* 0.57 s is a little less in binary */
    return true;
}
