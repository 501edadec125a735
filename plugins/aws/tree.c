#include "tree.h"

#include <stdlib.h>
#include <string.h>

#include <esp/json.h>

#include "session.h"

#define MAX_STRING ((size_t)16 << 20)

static json_t *grow(esp_bytes raw, int depth);

/* Strings come with a NUL that is not counted. */
static json_t *string_of(esp_bytes raw)
{
    struct esp_text plain;

    esp_text_init(&plain, MAX_STRING);
    esp_json_plain(raw, &plain);
    json_t *string = esp_text_failed(&plain) ? NULL : json_stringn(esp_text_str(&plain), plain.len);
    esp_text_free(&plain);
    return string;
}

/* Documents have small whole numbers; dates of AWS have fractions. */
static json_t *number_of(esp_bytes raw)
{
    char text[64], *end;

    if (raw.len >= sizeof text)
        return NULL;
    memcpy(text, raw.ptr, raw.len);
    text[raw.len] = 0;
    long long whole = strtoll(text, &end, 10);
    return *end ? json_real(strtod(text, NULL)) : json_integer(whole);
}

static int add_member(json_t *object, esp_bytes key, esp_bytes value, int depth)
{
    struct esp_text name;

    esp_text_init(&name, MAX_STRING);
    esp_json_plain(key, &name);
    bool sound = !esp_text_failed(&name) && !memchr(esp_text_str(&name), 0, name.len);
    int rc = sound ? json_object_set_new(object, esp_text_str(&name), grow(value, depth)) : -1;
    esp_text_free(&name);
    return rc;
}

static json_t *object_of(esp_bytes raw, int depth)
{
    struct esp_json_iter it;
    esp_bytes key, value;
    json_t *object = json_object();
    int rc = object && esp_json_members(&it, raw) ? 0 : -1;

    while (rc == 0 && esp_json_next(&it, &key, &value))
        rc = add_member(object, key, value, depth);
    if (rc == 0)
        return object;
    json_decref(object);
    return NULL;
}

static json_t *array_of(esp_bytes raw, int depth)
{
    struct esp_json_iter it;
    esp_bytes value;
    json_t *array = json_array();
    int rc = array && esp_json_elements(&it, raw) ? 0 : -1;

    while (rc == 0 && esp_json_element(&it, &value))
        rc = json_array_append_new(array, grow(value, depth));
    if (rc == 0)
        return array;
    json_decref(array);
    return NULL;
}

static json_t *grow(esp_bytes raw, int depth)
{
    if (depth == 0)
        return NULL;
    switch (esp_json_kind(raw)) {
    case ESP_JSON_NULL:
        return json_null();
    case ESP_JSON_FALSE:
        return json_false();
    case ESP_JSON_TRUE:
        return json_true();
    case ESP_JSON_NUMBER:
        return number_of(raw);
    case ESP_JSON_STRING:
        return string_of(raw);
    case ESP_JSON_OBJECT:
        return object_of(raw, depth - 1);
    case ESP_JSON_ARRAY:
        return array_of(raw, depth - 1);
    default:
        return NULL;
    }
}

json_t *aws_tree(esp_bytes json)
{
    return esp_json_check(json, NULL) ? grow(json, ESP_JSON_MAX_DEPTH) : NULL;
}

json_t *aws_document(struct esp_call *call, const struct esp_request *req)
{
    json_t *document = aws_tree(req->json);
    if (!document)
        aws_no_memory(call);
    return document;
}
