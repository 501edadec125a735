#include "core/cmd/secret_view.h"

#include <stdio.h>

#include "core/base/codec.h"
#include "core/base/text.h"
#include "core/kube/obj.h"

#define VALUE_MAX ((size_t)4 << 20)
#define LEVELS_MAX 512

static json_t *hidden(size_t bytes)
{
    char text[48];

    snprintf(text, sizeof text, "(hidden, %zu bytes)", bytes);
    return json_string(text);
}

json_t *es_view_hidden(const json_t *value)
{
    struct es_blob blob = {0};

    if (es_base64_decode(&blob, ES_BASE64_STD, json_string_value(value), json_string_length(value), NULL) < 0)
        return json_string("(hidden)");
    json_t *text = hidden(blob.len);
    es_blob_fini(&blob);
    return text;
}

static int hide_data(json_t *data)
{
    const char *key;
    json_t *value;
    void *next;

    json_object_foreach_safe (data, next, key, value)
        if (json_object_set_new(data, key, es_view_hidden(value)) < 0)
            return -1;
    return 0;
}

/* The same tree with no text, no number and no word of it. NULL without memory. */
static json_t *hide_tree(const json_t *value, int level)
{
    const char *key;
    json_t *one, *copy = json_is_object(value) ? json_object() : json_array();
    size_t i;
    int failed = copy && level < LEVELS_MAX ? 0 : -1;

    if (!json_is_object(value) && !json_is_array(value)) {
        json_decref(copy);
        return json_is_string(value) ? hidden(json_string_length(value)) : json_string("(hidden)");
    }
    if (json_is_object(value) && !failed)
        json_object_foreach ((json_t *)(uintptr_t)value, key, one)
            failed |= json_object_set_new(copy, key, hide_tree(one, level + 1));
    if (json_is_array(value) && !failed)
        json_array_foreach (value, i, one)
            failed |= json_array_append_new(copy, hide_tree(one, level + 1));
    if (!failed)
        return copy;
    json_decref(copy);
    return NULL;
}

int es_view_hide(json_t *object)
{
    const char *key;
    json_t *value;
    void *next;
    int failed = 0;

    if (es_streq(es_obj_str(object, "kind"), "Secret"))
        return hide_data(json_object_get(object, "data")) < 0 ? ES_E_NOMEM : 0;
    json_object_foreach_safe (object, next, key, value)
        if (!es_streq(key, "apiVersion") && !es_streq(key, "kind") && !es_streq(key, "metadata"))
            failed |= json_object_set_new(object, key, hide_tree(value, 0));
    return failed ? ES_E_NOMEM : 0;
}

/* NULL: the value is no text. */
static json_t *text_of(const json_t *value)
{
    struct es_blob blob = {0};
    json_t *text = NULL;

    if (es_base64_decode(&blob, ES_BASE64_STD, json_string_value(value), json_string_length(value), NULL) ==
        0)
        text = json_stringn(blob.ptr ? (const char *)blob.ptr : "", blob.len);
    es_blob_fini(&blob);
    return text;
}

int es_view_plain(json_t *secret)
{
    json_t *data = json_object_get(secret, "data"), *value, *plain = json_object();
    const char *key;
    void *next;
    int failed = plain ? 0 : -1;

    if (!failed)
        json_object_foreach_safe (data, next, key, value) {
            json_t *text = text_of(value);
            if (text && (failed |= json_object_set_new(plain, key, text)) == 0)
                json_object_del(data, key);
        }
    if (data && !json_object_size(data))
        json_object_del(secret, "data");
    if (json_object_size(plain))
        failed |= json_object_set(secret, "stringData", plain);
    json_decref(plain);
    return failed ? ES_E_NOMEM : 0;
}

int es_view_encode(json_t *secret)
{
    const json_t *plain = json_object_get(secret, "stringData");
    const char *key;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)plain, key, value) {
        struct es_buf b64;
        es_buf_init(&b64, VALUE_MAX);
        if (json_is_string(value))
            es_base64_encode(&b64, json_string_value(value), json_string_length(value));
        int rc = es_buf_failed(&b64)
                     ? ES_E_NOMEM
                     : es_obj_set(secret, json_stringn(es_buf_str(&b64), b64.len), "data", key);
        es_buf_fini(&b64);
        if (rc < 0)
            return rc;
    }
    json_object_del(secret, "stringData");
    return 0;
}
