#include <esp/text.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAP 64
#define SENTENCE_MAX 1000

esp_bytes esp_str(const char *text)
{
    return esp_span(text, text ? strlen(text) : 0);
}

esp_bytes esp_span(const void *ptr, size_t len)
{
    return (esp_bytes){.ptr = ptr, .len = len};
}

bool esp_equal(esp_bytes a, esp_bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

bool esp_equal_str(esp_bytes a, const char *text)
{
    return esp_equal(a, esp_str(text));
}

int esp_compare(esp_bytes a, esp_bytes b)
{
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.ptr, b.ptr, common) : 0;
    if (order != 0)
        return order;
    return (a.len > b.len) - (a.len < b.len);
}

bool esp_starts_with(esp_bytes text, esp_bytes prefix)
{
    return text.len >= prefix.len && esp_equal(esp_span(text.ptr, prefix.len), prefix);
}

esp_bytes esp_dup(esp_bytes bytes)
{
    if (bytes.len == SIZE_MAX)
        return esp_span(NULL, 0);
    uint8_t *copy = malloc(bytes.len + 1);
    if (!copy)
        return esp_span(NULL, 0);
    if (bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    copy[bytes.len] = 0;
    return esp_span(copy, bytes.len);
}

/* The copy is ours, it is only handed out as const. */
static void *writable(const uint8_t *ptr)
{
    return (void *)(uintptr_t)ptr;
}

void esp_dup_free(esp_bytes copy)
{
    void *ptr = writable(copy.ptr);
    esp_wipe(ptr, copy.len);
    free(ptr);
}

void esp_wipe(void *ptr, size_t len)
{
    if (ptr && len)
        explicit_bzero(ptr, len);
}

void esp_text_init(struct esp_text *t, size_t max)
{
    *t = (struct esp_text){.max = max};
}

void esp_text_free(struct esp_text *t)
{
    esp_wipe(t->ptr, t->cap);
    free(t->ptr);
    *t = (struct esp_text){.max = t->max};
}

void esp_text_cut(struct esp_text *t, size_t len)
{
    if (len >= t->len)
        return;
    esp_wipe(t->ptr + len, t->len - len);
    t->len = len;
}

bool esp_text_failed(const struct esp_text *t)
{
    return t->failed;
}

/* Room for `more` bytes and a NUL. Not realloc: it would leave the old bytes
 * behind, unwiped, when it moves them. */
static bool reserve(struct esp_text *t, size_t more)
{
    if (t->failed || more > t->max || t->len > t->max - more) {
        t->failed = true;
        return false;
    }
    size_t need = t->len + more;
    if (need < t->cap)
        return true;
    size_t cap = t->cap ? t->cap : FIRST_CAP;
    while (cap <= need && cap <= SIZE_MAX / 2)
        cap *= 2;
    uint8_t *ptr = cap > need ? malloc(cap) : NULL;
    if (!ptr) {
        t->failed = true;
        return false;
    }
    if (t->len)
        memcpy(ptr, t->ptr, t->len);
    ptr[t->len] = 0;
    esp_wipe(t->ptr, t->cap);
    free(t->ptr);
    t->ptr = ptr;
    t->cap = cap;
    return true;
}

void esp_text_add(struct esp_text *t, esp_bytes bytes)
{
    if (!reserve(t, bytes.len))
        return;
    if (bytes.len)
        memcpy(t->ptr + t->len, bytes.ptr, bytes.len);
    t->len += bytes.len;
    t->ptr[t->len] = 0;
}

void esp_text_addc(struct esp_text *t, char c)
{
    esp_text_add(t, esp_span(&c, 1));
}

void esp_text_adds(struct esp_text *t, const char *text)
{
    esp_text_add(t, esp_str(text));
}

void esp_text_addf(struct esp_text *t, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    if (len < 0)
        t->failed = true;
    else if (reserve(t, (size_t)len)) {
        vsnprintf((char *)t->ptr + t->len, (size_t)len + 1, format, again);
        t->len += (size_t)len;
    }
    va_end(again);
    va_end(args);
}

esp_bytes esp_text_bytes(const struct esp_text *t)
{
    return esp_span(t->ptr, t->len);
}

const char *esp_text_str(const struct esp_text *t)
{
    return t->ptr ? (const char *)t->ptr : "";
}

/* A sentence cut inside a character would no longer be UTF-8. */
static size_t whole_characters(const char *text, size_t len)
{
    while (len > 0 && ((unsigned char)text[len] & 0xC0) == 0x80)
        len--;
    return len;
}

esp_status esp_failf(const struct esp_host *host, struct esp_call *call, esp_status status,
                     const char *format, ...)
{
    char sentence[SENTENCE_MAX + 4];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    size_t used = len < 0 ? 0 : (size_t)len;
    if (used > SENTENCE_MAX)
        used = whole_characters(sentence, SENTENCE_MAX);
    return host->fail(call, status, 0, esp_span(sentence, used));
}
