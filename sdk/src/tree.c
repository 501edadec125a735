#include <esp/tree.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <esp/json.h>

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

static json_t *number_of(esp_bytes raw)
{
    struct esp_text text;
    char *end;

    esp_text_init(&text, MAX_STRING);
    esp_text_add(&text, raw);
    errno = 0;
    long long whole = strtoll(esp_text_str(&text), &end, 10);
    bool is_whole = *end == 0 && errno == 0;
    double real = is_whole ? 0 : strtod(esp_text_str(&text), NULL);
    bool sound = !esp_text_failed(&text);
    esp_text_free(&text);
    if (!sound)
        return NULL;
    return is_whole ? json_integer(whole) : json_real(real);
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

json_t *esp_tree_read(esp_bytes json)
{
    return esp_json_check(json, NULL) ? grow(json, ESP_JSON_MAX_DEPTH) : NULL;
}

static int add_piece(const char *piece, size_t len, void *out)
{
    struct esp_text *text = out;

    esp_text_add(text, esp_span(piece, len));
    return esp_text_failed(text) ? -1 : 0;
}

/* Piece by piece: where the buffer of json_dumps() cannot grow, it leaves out a part and says nothing. */
bool esp_tree_write(const json_t *value, struct esp_text *out)
{
    size_t before = out->len;

    if (json_dump_callback(value, add_piece, out, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY) == 0)
        return true;
    if (!esp_text_failed(out))
        esp_text_cut(out, before);
    return false;
}

json_t *esp_tree_copy(const json_t *object)
{
    json_t *copy = json_object();

    if (!copy || !json_is_object(object) || json_object_update(copy, (json_t *)object) == 0)
        return copy;
    json_decref(copy);
    return NULL;
}

esp_bytes esp_tree_text(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return esp_span(json_string_value(value), json_string_length(value));
}
