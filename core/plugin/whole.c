#include "core/plugin/whole.h"

#include <string.h>

#include "esp/json.h"
#include "esp/text.h"

#define MAX_RESULT ((size_t)16 << 20)

static esp_bytes bytes_of(const struct es_blob *b)
{
    return (esp_bytes){b->ptr, b->len};
}

/* 1: taken over; 0: there is no such property. */
static int look_up(const struct es_blob *value, esp_bytes property, enum esp_json_order order,
                   struct es_blob *ret_blob, struct es_error *err)
{
    struct esp_text found;

    esp_text_init(&found, MAX_RESULT);
    int rc = esp_json_get(bytes_of(value), property, order, &found);
    if (rc < 0)
        rc = es_error_set(err, ES_E_TOO_LARGE,
                          "looking up a property took more memory, depth or time than is allowed");
    else if (rc == 1 && es_blob_set(ret_blob, found.ptr, found.len) < 0)
        rc = es_error_nomem(err);
    esp_text_free(&found);
    return rc;
}

int es_whole_property(const struct es_blob *value, const char *property, size_t len, struct es_blob *ret_blob,
                      struct es_error *err)
{
    int rc = look_up(value, esp_span(property, len), ESP_JSON_ESCAPED_FIRST, ret_blob, err);
    return rc ? (rc < 0 ? rc : 0) : es_error_set(err, ES_E_NOT_FOUND, "Secret does not exist");
}

/* The text of the last member of that name; false if there is none. */
static bool find_member(esp_bytes value, esp_bytes name, esp_bytes *ret)
{
    struct esp_json_iter members;
    struct esp_text plain;
    esp_bytes key, member;
    bool found = false;

    if (!esp_json_members(&members, value))
        return false;
    esp_text_init(&plain, MAX_RESULT);
    while (esp_json_next(&members, &key, &member)) {
        esp_text_cut(&plain, 0);
        esp_json_plain(key, &plain);
        if (!esp_equal(esp_text_bytes(&plain), name))
            continue;
        found = true;
        *ret = member;
    }
    esp_text_free(&plain);
    return found;
}

/* "labels.app.kubernetes.io/name": the member labels, and in it one whose name has dots. */
static bool find_below(esp_bytes value, esp_bytes name, esp_bytes *ret)
{
    const uint8_t *dot = name.len ? memchr(name.ptr, '.', name.len) : NULL;
    esp_bytes member;

    if (!dot)
        return false;
    size_t head = (size_t)(dot - name.ptr);
    return find_member(value, esp_span(name.ptr, head), &member) &&
           find_member(member, esp_span(dot + 1, name.len - head - 1), ret);
}

static int take_plain(esp_bytes member, struct es_blob *ret_blob, struct es_error *err)
{
    struct esp_text plain;

    esp_text_init(&plain, MAX_RESULT);
    esp_json_plain(member, &plain);
    int rc =
        esp_text_failed(&plain) || es_blob_set(ret_blob, plain.ptr, plain.len) < 0 ? es_error_nomem(err) : 0;
    esp_text_free(&plain);
    return rc;
}

static int not_an_object(esp_bytes text, struct es_error *err)
{
    size_t at = 0;

    if (!esp_json_check(text, &at))
        return es_error_set(err, ES_E_CONFIG, "unable to unmarshal secret: not valid JSON at byte %zu of %zu",
                            at, text.len);
    return es_error_set(err, ES_E_CONFIG, "unable to unmarshal secret: the JSON value is not an object");
}

int es_whole_field(const struct es_blob *value, const char *property, size_t len, struct es_blob *ret_blob,
                   struct es_error *err)
{
    const esp_bytes name = esp_span(property, len);
    esp_bytes member;

    if (find_member(bytes_of(value), name, &member))
        return take_plain(member, ret_blob, err);
    int rc = look_up(value, name, ESP_JSON_PATH, ret_blob, err);
    if (rc)
        return rc < 0 ? rc : 0;
    if (find_below(bytes_of(value), name, &member))
        return take_plain(member, ret_blob, err);
    if (!esp_json_check(bytes_of(value), NULL))
        return not_an_object(bytes_of(value), err);
    return es_error_set(err, ES_E_CONFIG, "cannot find secret data for key: \"%.*s\"", (int)len, property);
}

static int add_member(struct es_values *ret, esp_bytes key, esp_bytes value, struct esp_text *name,
                      struct esp_text *plain, struct es_error *err)
{
    esp_text_cut(name, 0);
    esp_text_cut(plain, 0);
    esp_json_plain(key, name);
    esp_json_plain(value, plain);
    if (esp_text_failed(name) || esp_text_failed(plain))
        return es_error_nomem(err);
    if (name->len && memchr(name->ptr, '\0', name->len))
        return es_error_set(err, ES_E_CONFIG,
                            "unable to unmarshal secret: a member's name holds a NUL character");
    if (ret->count >= ES_WHOLE_MAX_MEMBERS)
        return es_error_set(err, ES_E_TOO_LARGE, "the secret has more than %zu members",
                            ES_WHOLE_MAX_MEMBERS);
    return es_values_set(ret, esp_text_str(name), plain->ptr, plain->len) < 0 ? es_error_nomem(err) : 0;
}

int es_whole_members(const struct es_blob *value, struct es_values *ret, struct es_error *err)
{
    struct esp_json_iter members;
    struct esp_text name, plain;
    esp_bytes key, member;
    int rc = 0;

    if (!esp_json_members(&members, bytes_of(value)))
        return not_an_object(bytes_of(value), err);
    esp_text_init(&name, MAX_RESULT);
    esp_text_init(&plain, MAX_RESULT);
    while (rc == 0 && esp_json_next(&members, &key, &member))
        rc = add_member(ret, key, member, &name, &plain, err);
    esp_text_free(&name);
    esp_text_free(&plain);
    return rc;
}
