/* What the API server means when it says no. */
#include <stdio.h>
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

/* A create in a namespace that is being deleted is forbidden, but no rights would
 * help. Other refusals with that status are about those. */
static bool is_namespace_ending(const json_t *status)
{
    json_t *cause;
    size_t i;

    json_array_foreach (es_obj_at(status, "details", "causes"), i, cause)
        if (es_streq(es_obj_str(cause, "reason"), "NamespaceTerminating"))
            return true;
    return false;
}

static int code_of(int http_status, const json_t *status)
{
    if (http_status == 409 && es_streq(es_obj_str(status, "reason"), "AlreadyExists"))
        return ES_E_EXISTS;
    if (http_status == 403 && is_namespace_ending(status))
        return ES_E_GONE;
    for (size_t i = 0; i < sizeof meanings / sizeof *meanings; i++)
        if (meanings[i].status == http_status)
            return meanings[i].code;
    if (http_status >= 500)
        return ES_E_RETRY;
    /* A redirect, or an answer no API server gives: something else is there. */
    return http_status >= 400 ? ES_E_INVALID : ES_E_CONFIG;
}

/* Where a message quotes what was sent, in the ways API servers do that. A
 * request may hold a secret, so nothing from there on is passed on. */
static const char *const quotes[] = {
    "error found in #",          /* json-iterator, before Kubernetes 1.23 */
    "&value.valueUnstructured{", /* server-side apply */
    "Invalid value: map[",       /* whole objects, printed by Go */
    "Invalid value: []",         "Invalid value: {",
};

static size_t before_quotes(const char *message)
{
    size_t len = strlen(message);

    for (size_t i = 0; i < sizeof quotes / sizeof *quotes; i++) {
        const char *quote = strstr(message, quotes[i]);
        if (quote && (size_t)(quote - message) < len)
            len = (size_t)(quote - message);
    }
    while (len < strlen(message) && len && strchr(" ,:", message[len - 1]))
        len--;
    return len;
}

/* Behind the closing quote of a text in Go's %q. */
static size_t quoted_len(const char *text, size_t len)
{
    size_t at = 0;

    while (at < len && text[at] != '"')
        at += text[at] == '\\' ? 2 : 1;
    return at < len ? at + 1 : len;
}

/* Field errors name the value: a key or a name is of use, a patched object
 * printed whole is not, and may be a Secret. */
static void add_message(struct es_buf *out, const char *message)
{
    static const char lead[] = "Invalid value: \"";
    const size_t name_max = 253;
    size_t len = before_quotes(message);

    while (len) {
        const char *value = memmem(message, len, lead, sizeof lead - 1);
        size_t plain = value ? (size_t)(value - message) + sizeof lead - 1 : len;
        es_buf_add(out, message, plain);
        message += plain;
        len -= plain;
        if (!value)
            break;
        size_t skip = quoted_len(message, len);
        if (*message == '{' || *message == '[' || skip > name_max)
            es_buf_adds(out, "(not shown)\"");
        else
            es_buf_add(out, message, skip);
        message += skip;
        len -= skip;
    }
}

static void set_message(struct es_error *err, int code, const char *message)
{
    struct es_buf text;

    es_buf_init(&text, 256 * 1024);
    add_message(&text, message);
    es_error_set(err, code, "%s", es_buf_str(&text));
    es_buf_fini(&text);
}

int es_kube_refusal(const json_t *status, int http_status, int64_t retry_after_ms, struct es_error *err)
{
    const char *message = es_obj_str(status, "message");
    int code = code_of(http_status, status);

    if (retry_after_ms == 0 && code == ES_E_RETRY)
        retry_after_ms = 1000 * es_obj_int(status, "details", "retryAfterSeconds");
    if (http_status == 401)
        es_error_set(err, code, "the API server does not accept the credential (401 Unauthorized)");
    else if (!es_streq(es_obj_str(status, "kind"), "Status") || !*message)
        es_error_set(err, code, "the API server answered %d", http_status);
    else
        set_message(err, code, message);
    if (err) {
        err->http_status = http_status;
        err->retry_after_ms = retry_after_ms > 0 ? retry_after_ms : 0;
    }
    return code;
}

static void add_causes(struct es_buf *out, const json_t *status)
{
    json_t *cause;
    size_t i;

    json_array_foreach (es_obj_at(status, "details", "causes"), i, cause) {
        const char *field = es_obj_str(cause, "field"), *reason = es_obj_str(cause, "reason");
        es_buf_addf(out, "%s%s (%s)", i ? ", " : ": ", *field ? field : "the object",
                    *reason ? reason : "no reason");
    }
}

/* Go says of which type the field is: "... into Go struct field ConfigMap.data of
 * type string". What stands before that may be the value. */
static void add_type(struct es_buf *out, const char *message)
{
    static const char lead[] = " into Go struct field ", middle[] = " of type ";
    const char *field = strstr(message, lead);
    const char *type = field ? strstr(field, middle) : NULL;

    if (!type)
        return;
    field += sizeof lead - 1;
    type += sizeof middle - 1;
    es_buf_addf(out, ": %.*s has to be of type %.*s", (int)strcspn(field, " "), field,
                (int)strspn(type, "abcdefghijklmnopqrstuvwxyz0123456789[]"), type);
}

void es_kube_refusal_by_fields(const json_t *status, struct es_error *err)
{
    static const char gate[] = "admission webhook \"";
    const char *message = es_obj_str(status, "message");
    struct es_buf text;

    bool webhook = es_str_starts(message, gate);
    if (!err || (err->code != ES_E_INVALID && !webhook))
        return;
    es_buf_init(&text, ES_ERROR_TEXT_MAX);
    if (webhook)
        es_buf_addf(&text, "admission webhook \"%.*s\" denied the request",
                    (int)strcspn(message + sizeof gate - 1, "\""), message + sizeof gate - 1);
    else
        es_buf_addf(&text, "the API server refused the content (%s)", es_obj_str(status, "reason"));
    add_causes(&text, status);
    add_type(&text, message);
    snprintf(err->text, sizeof err->text, "%s", es_buf_str(&text));
    es_buf_fini(&text);
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
