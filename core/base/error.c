#include "core/base/error.h"

#include <stdio.h>
#include <string.h>

/* Drops a multi-byte character that the cut at the end of the text split. */
static void trim_partial_utf8(char *text)
{
    size_t len = strlen(text);
    size_t back = 0;

    while (back < len && back < 4 && ((unsigned char)text[len - 1 - back] & 0xC0) == 0x80)
        back++;
    if (back == len)
        return;
    unsigned char lead = (unsigned char)text[len - 1 - back];
    size_t want = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : lead >= 0xC0 ? 1 : 0;
    if (want > back)
        text[len - 1 - back] = '\0';
}

int es_error_set(struct es_error *err, int code, const char *fmt, ...)
{
    if (!err)
        return code;
    va_list ap;
    va_start(ap, fmt);
    /* Through a second buffer: an argument may be the old text itself. */
    char text[ES_ERROR_TEXT_MAX];
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (n < 0)
        text[0] = '\0';
    if (n >= (int)sizeof text)
        trim_partial_utf8(text);
    memcpy(err->text, text, strlen(text) + 1);
    err->code = code;
    err->http_status = 0;
    err->retry_after_ms = 0;
    return code;
}

int es_error_wrap(struct es_error *err, const char *fmt, ...)
{
    if (!err)
        return ES_E_INTERNAL;
    char prefix[ES_ERROR_TEXT_MAX];
    char text[ES_ERROR_TEXT_MAX];
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(prefix, sizeof prefix, fmt, ap);
    va_end(ap);
    if (n < 0)
        return err->code;
    size_t used = strlen(prefix);
    size_t room = sizeof text - 1 - used;
    size_t old = strlen(err->text);
    size_t take = old < room ? old : room;

    memcpy(text, prefix, used);
    memcpy(text + used, err->text, take);
    text[used + take] = '\0';
    if (take < old)
        trim_partial_utf8(text);
    memcpy(err->text, text, strlen(text) + 1);
    return err->code;
}

int es_error_nomem(struct es_error *err)
{
    return es_error_set(err, ES_E_NOMEM, "out of memory");
}

const char *es_code_name(int code)
{
    switch (code) {
    case ES_OK:
        return "ok";
    case ES_E_NOT_FOUND:
        return "not found";
    case ES_E_CONFIG:
        return "configuration";
    case ES_E_DENIED:
        return "denied";
    case ES_E_RETRY:
        return "transient";
    case ES_E_CANCELLED:
        return "cancelled";
    case ES_E_UNSUPPORTED:
        return "unsupported";
    case ES_E_UNDECIDED:
        return "undecided";
    case ES_E_CONFLICT:
        return "conflict";
    case ES_E_EXISTS:
        return "already exists";
    case ES_E_GONE:
        return "gone";
    case ES_E_INVALID:
        return "invalid";
    case ES_E_TOO_LARGE:
        return "too large";
    case ES_E_NOMEM:
        return "out of memory";
    default:
        return "internal";
    }
}
