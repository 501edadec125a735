#include "duration.h"

#include <esp/text.h>

/* The longest names first: m begins ms. */
static const struct unit {
    const char *name;
    double ms;
} units[] = {
    {"ns", 1e-6}, {"us", 1e-3}, {"\xC2\xB5s", 1e-3}, {"ms", 1}, {"s", 1e3}, {"m", 6e4}, {"h", 3.6e6},
};

static bool read_number(esp_bytes *text, double *ret)
{
    double value = 0, place = 1;
    bool any = false, point = false;

    for (; text->len; text->ptr++, text->len--) {
        uint8_t c = text->ptr[0];
        if (c == '.' && !point) {
            point = true;
            continue;
        }
        if (c < '0' || c > '9')
            break;
        any = true;
        value = value * 10 + (c - '0');
        place = point ? place * 10 : place;
    }
    *ret = value / place;
    return any;
}

static const struct unit *read_unit(esp_bytes *text)
{
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        esp_bytes name = esp_str(units[i].name);
        if (!esp_starts_with(*text, name))
            continue;
        text->ptr += name.len;
        text->len -= name.len;
        return &units[i];
    }
    return NULL;
}

bool hook_duration_ms(esp_bytes text, uint32_t *ret)
{
    double total = 0;

    if (text.len == 0)
        return false;
    if (esp_equal_str(text, "0")) {
        *ret = 0;
        return true;
    }
    while (text.len) {
        double number;
        if (!read_number(&text, &number))
            return false;
        const struct unit *unit = read_unit(&text);
        if (!unit)
            return false;
        total += number * unit->ms;
    }
    if (total > INT32_MAX)
        return false;
    uint32_t whole = (uint32_t)total;
    *ret = whole < total ? whole + 1 : whole;
    return true;
}
