/* Whether a text is well-formed JSON, RFC 8259. Without recursion: which
 * brackets are open is a bit per level. */
#include "json_scan.h"

#include <string.h>

struct checker {
    esp_bytes text;
    size_t at;
    size_t depth;
    uint8_t objects[ESP_JSON_MAX_DEPTH / 8]; /* a set bit: that level is an object */
};

static int peek(const struct checker *c)
{
    return c->at < c->text.len ? c->text.ptr[c->at] : -1;
}

static void skip_space(struct checker *c)
{
    while (c->at < c->text.len && esp_json_is_space(c->text.ptr[c->at]))
        c->at++;
}

static bool accept(struct checker *c, char wanted)
{
    if (peek(c) != wanted)
        return false;
    c->at++;
    return true;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool digits(struct checker *c)
{
    size_t start = c->at;
    while (is_digit(peek(c)))
        c->at++;
    return c->at > start;
}

static bool number(struct checker *c)
{
    accept(c, '-');
    if (!accept(c, '0') && !digits(c))
        return false;
    if (accept(c, '.') && !digits(c))
        return false;
    if (peek(c) == 'e' || peek(c) == 'E') {
        c->at++;
        if (peek(c) == '+' || peek(c) == '-')
            c->at++;
        return digits(c);
    }
    return true;
}

static bool escape(struct checker *c)
{
    if (accept(c, 'u')) {
        for (int i = 0; i < 4; i++) {
            if (!is_hex(peek(c)))
                return false;
            c->at++;
        }
        return true;
    }
    int e = peek(c);
    if (e < 0 || !memchr("\"\\/bfnrt", e, 8))
        return false;
    c->at++;
    return true;
}

static bool string(struct checker *c)
{
    if (!accept(c, '"'))
        return false;
    while (peek(c) >= ' ') {
        if (accept(c, '"'))
            return true;
        if (!accept(c, '\\'))
            c->at++;
        else if (!escape(c))
            return false;
    }
    return false;
}

static bool word(struct checker *c, const char *text)
{
    if (!esp_starts_with(esp_json_from(c->text, c->at), esp_str(text)))
        return false;
    c->at += strlen(text);
    return true;
}

static bool scalar(struct checker *c)
{
    switch (peek(c)) {
    case '"':
        return string(c);
    case 't':
        return word(c, "true");
    case 'f':
        return word(c, "false");
    case 'n':
        return word(c, "null");
    default:
        return number(c);
    }
}

static bool key(struct checker *c)
{
    skip_space(c);
    if (!string(c))
        return false;
    skip_space(c);
    return accept(c, ':');
}

static bool in_object(const struct checker *c)
{
    size_t level = c->depth - 1;
    return c->objects[level / 8] >> (level % 8) & 1;
}

static bool push(struct checker *c, bool object)
{
    if (c->depth == ESP_JSON_MAX_DEPTH)
        return false;
    uint8_t bit = (uint8_t)(1u << (c->depth % 8));
    uint8_t *byte = &c->objects[c->depth / 8];
    *byte = (uint8_t)(object ? *byte | bit : *byte & ~bit);
    c->depth++;
    return true;
}

/* A scalar, or the beginning of a container up to where its first value starts.
 * *complete: a value ended here. */
static bool open_value(struct checker *c, bool *complete)
{
    skip_space(c);
    *complete = true;
    bool object = peek(c) == '{';
    if (!object && peek(c) != '[')
        return scalar(c);
    if (!push(c, object))
        return false;
    c->at++;
    skip_space(c);
    if (accept(c, object ? '}' : ']')) {
        c->depth--;
        return true;
    }
    *complete = false;
    return !object || key(c);
}

/* Behind a complete value: closes what ends here. *more: another value comes. */
static bool close_values(struct checker *c, bool *more)
{
    *more = false;
    for (skip_space(c); c->depth > 0; skip_space(c)) {
        bool object = in_object(c);
        if (accept(c, ',')) {
            *more = true;
            return !object || key(c);
        }
        if (!accept(c, object ? '}' : ']'))
            return false;
        c->depth--;
    }
    return c->at == c->text.len;
}

bool esp_json_check(esp_bytes json, size_t *at)
{
    struct checker c = {.text = json};
    bool ok = true;
    bool more = true;
    while (ok && more) {
        bool complete = false;
        ok = open_value(&c, &complete);
        if (ok && complete)
            ok = close_values(&c, &more);
    }
    if (!ok && at)
        *at = c.at;
    return ok;
}
