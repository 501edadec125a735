/* What the API server means when it says no. */
#include <string.h>

#include "core/base/text.h"
#include "core/kube/call.h"
#include "core/kube/obj.h"

static const struct {
    int status, code;
} meanings[] = {
    {400, ES_E_INVALID},     {401, ES_E_DENIED},      {403, ES_E_DENIED},      {404, ES_E_NOT_FOUND},
    {405, ES_E_UNSUPPORTED}, {406, ES_E_UNSUPPORTED}, {408, ES_E_RETRY},       {409, ES_E_CONFLICT},
    {410, ES_E_GONE},        {413, ES_E_TOO_LARGE},   {415, ES_E_UNSUPPORTED}, {422, ES_E_INVALID},
    {429, ES_E_RETRY},
};

static int code_of(int http_status, const char *reason)
{
    if (http_status == 409 && es_streq(reason, "AlreadyExists"))
        return ES_E_EXISTS;
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].status == http_status)
            return meanings[i].code;
    if (http_status >= 500)
        return ES_E_RETRY;
    /* A redirect, or an answer no API server gives: something else is there. */
    return http_status >= 400 ? ES_E_INVALID : ES_E_CONFIG;
}

/* Older API servers quote the request where decoding it failed, and a
 * request may hold a secret. */
static int quotable(const char *message)
{
    const char *quote = strstr(message, "error found in #");
    size_t len = quote ? (size_t)(quote - message) : strlen(message);

    while (len && (message[len - 1] == ' ' || message[len - 1] == ','))
        len--;
    return (int)(len < ES_ERROR_TEXT_MAX ? len : ES_ERROR_TEXT_MAX);
}

int es_kube_refusal(const json_t *status, int http_status, int64_t retry_after_ms, struct es_error *err)
{
    const char *message = es_obj_str(status, "message");
    int code = code_of(http_status, es_obj_str(status, "reason"));

    if (retry_after_ms == 0 && code == ES_E_RETRY)
        retry_after_ms = 1000 * es_obj_int(status, "details", "retryAfterSeconds");
    if (http_status == 401)
        es_error_set(err, code, "the API server does not accept the credential (401 Unauthorized)");
    else if (!es_streq(es_obj_str(status, "kind"), "Status") || !*message)
        es_error_set(err, code, "the API server answered %d", http_status);
    else
        es_error_set(err, code, "%.*s", quotable(message), message);
    if (err) {
        err->http_status = http_status;
        err->retry_after_ms = retry_after_ms > 0 ? retry_after_ms : 0;
    }
    return code;
}

int es_kube_parse(json_t **ret, const char *text, size_t len, struct es_error *err)
{
    json_error_t where;

    if (es_kube_depth(text, len) > ES_KUBE_JSON_DEPTH)
        return es_error_set(err, ES_E_TOO_LARGE, "the API server's answer is nested above %d levels",
                            ES_KUBE_JSON_DEPTH);
    json_t *value = json_loadb(text, len, JSON_ALLOW_NUL | JSON_DECODE_ANY, &where);
    if (!value && json_error_code(&where) == json_error_out_of_memory)
        return es_error_nomem(err);
    /* jansson's text quotes the place, so it stays here. */
    if (!value)
        return es_error_set(err, ES_E_INTERNAL, "the API server's answer is no JSON (byte %d)",
                            where.position);
    *ret = value;
    return 0;
}
