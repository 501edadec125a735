#include "scan.h"

static int byte_at(const struct hook_scanner *s, size_t at)
{
    return at < s->text.len ? s->text.ptr[at] : -1;
}

int hook_scan_peek(const struct hook_scanner *s)
{
    return byte_at(s, s->at);
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Letters beyond ASCII make names as well; none of their bytes is anything else here. */
static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c >= 0x80;
}

static void skip_digits(struct hook_scanner *s)
{
    while (is_digit(byte_at(s, s->at)))
        s->at++;
}

static int scan_number(struct hook_scanner *s)
{
    int token = HOOK_INT;

    skip_digits(s);
    if (byte_at(s, s->at) == '.') {
        token = HOOK_FLOAT;
        s->at++;
        skip_digits(s);
    }
    int e = byte_at(s, s->at), sign = byte_at(s, s->at + 1);
    size_t digits = s->at + (sign == '+' || sign == '-' ? 2 : 1);
    if ((e == 'e' || e == 'E') && is_digit(byte_at(s, digits))) {
        token = HOOK_FLOAT;
        s->at = digits;
        skip_digits(s);
    }
    return token;
}

/* Up to the closing quote, or to the end of the text if there is none: then the token does not end
 * with its quote, and whoever reads it sees that. */
static int scan_quoted(struct hook_scanner *s, int quote, int token)
{
    for (s->at++; byte_at(s, s->at) >= 0 && byte_at(s, s->at) != quote; s->at++)
        if (byte_at(s, s->at) == '\\' && quote != '`' && byte_at(s, s->at + 1) >= 0)
            s->at++;
    if (byte_at(s, s->at) == quote)
        s->at++;
    return token;
}

int hook_scan(struct hook_scanner *s)
{
    int c = byte_at(s, s->at);

    while (c == ' ' || c == '\t' || c == '\n' || c == '\r')
        c = byte_at(s, ++s->at);
    s->start = s->at;
    if (c < 0)
        return HOOK_END;
    if (is_letter(c)) {
        while (is_letter(byte_at(s, s->at)) || is_digit(byte_at(s, s->at)))
            s->at++;
        return HOOK_IDENT;
    }
    if (is_digit(c) || (c == '.' && is_digit(byte_at(s, s->at + 1))))
        return scan_number(s);
    if (c == '"')
        return scan_quoted(s, '"', HOOK_STRING);
    if (c == '\'')
        return scan_quoted(s, '\'', HOOK_CHAR);
    if (c == '`')
        return scan_quoted(s, '`', HOOK_RAW);
    s->at++;
    return c;
}

size_t hook_scan_column(const struct hook_scanner *s, size_t at)
{
    size_t column = 1;

    for (size_t i = 0; i < at && i < s->text.len; i++)
        column += (s->text.ptr[i] & 0xC0) != 0x80;
    return column;
}

void hook_token_name(int token, struct esp_text *out)
{
    static const char *const names[] = {"", "EOF", "Ident", "Int", "Float", "Char", "String", "RawString"};

    if (token < 0)
        esp_text_adds(out, names[-token]);
    else if (token == '"' || token == '\\')
        esp_text_addf(out, "\"\\%c\"", token);
    else if (token < 0x20 || token == 0x7F)
        esp_text_addf(out, "\"\\x%02x\"", (unsigned)token);
    else
        esp_text_addf(out, "\"%c\"", token);
}
