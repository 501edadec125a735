#include "answer.h"

#include <string.h>

#include <esp/json.h>

#include "text.h"
#include "xml.h"

#define MAX_ERROR ((size_t)64 << 10) /* bytes of an error that are read */

static esp_bytes header(const struct esp_http_response *response, const char *name)
{
    for (size_t i = 0; i < response->header_count; i++)
        if (esp_equal_str(response->headers[i].name, name))
            return response->headers[i].value;
    return esp_str("");
}

static void copy(esp_bytes text, char *out, size_t size)
{
    size_t len = text.len < size ? text.len : size - 1;
    if (len)
        memcpy(out, text.ptr, len);
    out[len] = '\0';
}

static bool is_name(esp_bytes text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = (char)text.ptr[i];
        if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' ||
              c == '_'))
            return false;
    }
    return text.len > 0;
}

/* "com.amazonaws.ssm#ParameterNotFound" and "ThrottlingException:http://...": the name alone. What is no name
 * is no code: it is shown to people. */
static void take_code(esp_bytes text, struct aws_answer *ret)
{
    esp_bytes name = aws_cut(&text, ':');
    while (memchr(name.ptr, '#', name.len))
        (void)aws_cut(&name, '#');
    if (is_name(name))
        copy(name, ret->code, sizeof ret->code);
}

/* The string at one of two names of a JSON object, or of an XML element of the first. */
static bool member(esp_bytes body, const char *name, const char *other, const char *element,
                   struct esp_text *out)
{
    esp_text_cut(out, 0);
    if (body.len && body.ptr[0] == '<')
        return aws_xml_text(body, element, out);
    return esp_json_get(body, esp_str(name), ESP_JSON_PATH, out) == 1 ||
           esp_json_get(body, esp_str(other), ESP_JSON_PATH, out) == 1;
}

/* "120": seconds. A date in its place is rare, and the core's own pause does as well. */
static uint64_t retry_after_ms(const struct esp_http_response *response)
{
    esp_bytes text = header(response, "retry-after");
    uint64_t seconds = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9' || seconds > UINT32_MAX)
            return 0;
        seconds = seconds * 10 + (uint64_t)(text.ptr[i] - '0');
    }
    return seconds * 1000;
}

static void read_error(const struct esp_http_response *response, struct aws_answer *ret)
{
    struct esp_text text;
    esp_bytes type = header(response, "x-amzn-errortype"), body = aws_trim(response->body);
    esp_text_init(&text, MAX_ERROR);
    if (type.len)
        take_code(type, ret);
    else if (member(body, "__type", "code", "Code", &text) && text.len)
        take_code(esp_text_bytes(&text), ret);
    if (member(body, "message", "Message", "Message", &text))
        copy(esp_text_bytes(&text), ret->message, sizeof ret->message);
    esp_text_free(&text);
}

void aws_answer_read(const struct esp_http_response *response, struct aws_answer *ret)
{
    *ret = (struct aws_answer){.status = response->status, .body = response->body};
    if (response->status == 200)
        return;
    ret->retry_after_ms = retry_after_ms(response);
    read_error(response, ret);
}
