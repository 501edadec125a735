#include <esp/codec.h>
#include <esp/json.h>

#include <string.h>

static const char standard[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char for_urls[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static void encode(struct esp_text *out, esp_bytes bytes, const char *alphabet, bool pad)
{
    for (size_t i = 0; i < bytes.len && !esp_text_failed(out); i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        const uint8_t *p = bytes.ptr + i;
        uint32_t bits = (uint32_t)p[0] << 16 | (n > 1 ? (uint32_t)p[1] << 8 : 0) | (n > 2 ? p[2] : 0u);
        char quad[4] = {alphabet[bits >> 18 & 63], alphabet[bits >> 12 & 63], alphabet[bits >> 6 & 63],
                        alphabet[bits & 63]};
        esp_text_add(out, esp_span(quad, n + 1));
        for (; pad && n < 3; n++)
            esp_text_addc(out, '=');
        esp_wipe(quad, sizeof quad);
    }
}

void esp_base64_add(struct esp_text *out, esp_bytes bytes)
{
    encode(out, bytes, standard, true);
}

void esp_base64url_add(struct esp_text *out, esp_bytes bytes)
{
    encode(out, bytes, for_urls, false);
}

static int digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+' || c == '-')
        return 62;
    return c == '/' || c == '_' ? 63 : -1;
}

/* Whether nothing but padding and line breaks stands behind `at`, and no more padding than fits. */
static bool is_tail(esp_bytes text, size_t at, size_t digits)
{
    size_t padding = 0;
    for (; at < text.len; at++) {
        if (text.ptr[at] == '=')
            padding++;
        else if (text.ptr[at] != '\n' && text.ptr[at] != '\r')
            return false;
    }
    return digits % 4 != 1 && (padding == 0 || padding + digits % 4 == 4);
}

bool esp_base64_decode(esp_bytes text, struct esp_text *out)
{
    size_t before = out->len, digits = 0, at = 0;
    uint32_t bits = 0;
    for (; at < text.len && text.ptr[at] != '='; at++) {
        uint8_t c = text.ptr[at];
        if (c == '\n' || c == '\r')
            continue;
        int value = digit(c);
        if (value < 0)
            break;
        bits = bits << 6 | (uint32_t)value;
        if (digits++ % 4 != 0)
            esp_text_addc(out, (char)(bits >> (6 - 2 * ((digits - 1) % 4)) & 0xff));
    }
    if (is_tail(text, at, digits) && !esp_text_failed(out))
        return true;
    esp_text_cut(out, before);
    return false;
}

void esp_hex_add(struct esp_text *out, esp_bytes bytes)
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < bytes.len && !esp_text_failed(out); i++) {
        esp_text_addc(out, digits[bytes.ptr[i] >> 4]);
        esp_text_addc(out, digits[bytes.ptr[i] & 15]);
    }
}

static bool is_unreserved(uint8_t c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void esp_percent_add(struct esp_text *out, esp_bytes bytes, const char *also_plain)
{
    static const char digits[] = "0123456789ABCDEF";
    for (size_t i = 0; i < bytes.len && !esp_text_failed(out); i++) {
        uint8_t c = bytes.ptr[i];
        if (is_unreserved(c) || (c && also_plain && strchr(also_plain, c))) {
            esp_text_addc(out, (char)c);
            continue;
        }
        esp_text_addc(out, '%');
        esp_text_addc(out, digits[c >> 4]);
        esp_text_addc(out, digits[c & 15]);
    }
}

void esp_query_add(struct esp_text *out, esp_bytes bytes)
{
    while (bytes.len) {
        const uint8_t *space = memchr(bytes.ptr, ' ', bytes.len);
        size_t len = space ? (size_t)(space - bytes.ptr) : bytes.len;
        esp_percent_add(out, esp_span(bytes.ptr, len), NULL);
        if (!space)
            return;
        esp_text_addc(out, '+');
        bytes = esp_span(space + 1, bytes.len - len - 1);
    }
}

bool esp_jwt_claims(esp_bytes token, struct esp_text *out)
{
    const uint8_t *first = token.len ? memchr(token.ptr, '.', token.len) : NULL;
    if (!first)
        return false;
    esp_bytes rest = esp_span(first + 1, token.len - (size_t)(first + 1 - token.ptr));
    const uint8_t *second = rest.len ? memchr(rest.ptr, '.', rest.len) : NULL;
    size_t before = out->len;
    if (!second || !esp_base64_decode(esp_span(rest.ptr, (size_t)(second - rest.ptr)), out))
        return false;
    esp_bytes claims = esp_span(out->ptr + before, out->len - before);
    if (esp_json_check(claims, NULL) && esp_json_kind(claims) == ESP_JSON_OBJECT)
        return true;
    esp_text_cut(out, before);
    return false;
}
