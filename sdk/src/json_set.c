/* Setting a value at a path, with the text around it left as it is. */
#include <esp/json.h>

#include <string.h>

#include "json_scan.h"

#define INDEX_MAX 10000 /* an array does not grow by more than somebody may have meant */

/* One name of the path. */
struct step {
    esp_bytes name;  /* unescaped */
    bool is_literal; /* began with a colon: a name even where it is a number */
};

struct setter {
    struct step steps[ESP_JSON_MAX_DEPTH];
    size_t count;
    struct esp_text names; /* what the steps point into */
    esp_bytes value;
    struct esp_text *out;
};

static bool is_last(const struct step *step)
{
    return !step->is_literal && esp_equal_str(step->name, "-1");
}

static bool is_index(const struct step *step, size_t *index)
{
    *index = 0;
    if (step->is_literal || step->name.len == 0)
        return false;
    for (size_t i = 0; i < step->name.len; i++) {
        if (step->name.ptr[i] < '0' || step->name.ptr[i] > '9')
            return false;
        if (*index <= INDEX_MAX)
            *index = *index * 10 + (size_t)(step->name.ptr[i] - '0');
    }
    return true;
}

static bool opens_array(const struct step *step)
{
    size_t index;
    return is_last(step) || is_index(step, &index);
}

/* The next name of the path, unescaped, behind the others. False for characters that
 * select instead of naming. */
static bool read_step(struct setter *s, esp_bytes path, size_t *at)
{
    bool literal = *at < path.len && path.ptr[*at] == ':';
    size_t start = s->names.len;
    if (s->count == ESP_JSON_MAX_DEPTH)
        return false;
    for (*at += literal; *at < path.len && path.ptr[*at] != '.'; (*at)++) {
        if (strchr("*?#|@!{}[]()", path.ptr[*at]))
            return false;
        if (path.ptr[*at] == '\\' && ++*at == path.len)
            return false;
        esp_text_addc(&s->names, (char)path.ptr[*at]);
    }
    s->steps[s->count++] = (struct step){esp_span(NULL, s->names.len - start), literal};
    return true;
}

/* 1, 0 or -1 as esp_json_set. The names move as their text grows: addresses come last. */
static int read_path(struct setter *s, esp_bytes path)
{
    size_t at = 0;
    if (path.len == 0 || memchr(path.ptr, 0, path.len))
        return 0;
    for (;;) {
        if (!read_step(s, path, &at))
            return 0;
        if (at >= path.len)
            break;
        at++;
    }
    if (esp_text_failed(&s->names))
        return -1;
    size_t start = 0;
    for (size_t i = 0; i < s->count; i++) {
        size_t len = s->steps[i].name.len, index;
        s->steps[i].name = esp_span(s->names.ptr ? s->names.ptr + start : NULL, len);
        start += len;
        if (is_index(&s->steps[i], &index) && index > INDEX_MAX)
            return 0;
    }
    return 1;
}

/* A new value from step `i` on: containers around the value. */
static void build(struct setter *s, size_t i)
{
    if (i == s->count) {
        esp_text_add(s->out, s->value);
        return;
    }
    if (!opens_array(&s->steps[i])) {
        esp_text_addc(s->out, '{');
        esp_json_quote_go(s->steps[i].name, s->out);
        esp_text_addc(s->out, ':');
        build(s, i + 1);
        esp_text_addc(s->out, '}');
        return;
    }
    size_t index = 0;
    is_index(&s->steps[i], &index);
    esp_text_addc(s->out, '[');
    for (; index > 0; index--)
        esp_text_adds(s->out, "null,");
    build(s, i + 1);
    esp_text_addc(s->out, ']');
}

static int place(struct setter *s, esp_bytes json, size_t i);

/* Copies `json` with what stands at [start, end) replaced. */
static int replace(struct setter *s, esp_bytes json, size_t start, size_t end, size_t i)
{
    esp_text_add(s->out, esp_span(json.ptr, start));
    int rc = place(s, esp_span(json.ptr + start, end - start), i + 1);
    esp_text_add(s->out, esp_json_from(json, end));
    return rc;
}

/* Where the closing bracket is, and whether anything stands before it. */
static size_t closing(esp_bytes json, bool *has_content)
{
    size_t end = json.len - 1, last;
    while (json.ptr[end] != '}' && json.ptr[end] != ']')
        end--;
    for (last = end - 1; last > 0 && json.ptr[last] <= ' '; last--)
        ;
    *has_content = last > 0;
    return end;
}

static bool has_name(esp_bytes key, esp_bytes name)
{
    struct esp_text plain;
    esp_text_init(&plain, key.len);
    esp_json_unescape(esp_json_inner(key), &plain);
    bool same = esp_equal(esp_text_bytes(&plain), name);
    esp_text_free(&plain);
    return same;
}

static int into_object(struct setter *s, esp_bytes json, size_t i)
{
    struct esp_json_iter it = {json, 1};
    esp_bytes key, value;
    while (esp_json_next(&it, &key, &value))
        if (has_name(key, s->steps[i].name))
            return replace(s, json, (size_t)(value.ptr - json.ptr),
                           (size_t)(value.ptr - json.ptr) + value.len, i);
    bool more;
    size_t end = closing(json, &more);
    esp_text_add(s->out, esp_span(json.ptr, end));
    esp_text_adds(s->out, more ? "," : "");
    esp_json_quote_go(s->steps[i].name, s->out);
    esp_text_addc(s->out, ':');
    build(s, i + 1);
    esp_text_add(s->out, esp_json_from(json, end));
    return 1;
}

static int into_array(struct setter *s, esp_bytes json, size_t i)
{
    struct node element;
    size_t wanted, count = 0;
    bool at_end = is_last(&s->steps[i]);
    if (!is_index(&s->steps[i], &wanted) && !at_end)
        return 0;
    for (size_t at = 1; esp_json_value(json, &at, &element); count++)
        if (!at_end && count == wanted)
            return replace(s, json, at - element.raw.len, at, i);
    bool more;
    size_t end = closing(json, &more);
    esp_text_add(s->out, esp_span(json.ptr, end));
    esp_text_adds(s->out, more ? "," : "");
    for (; !at_end && count < wanted; count++)
        esp_text_adds(s->out, "null,");
    build(s, i + 1);
    esp_text_add(s->out, esp_json_from(json, end));
    return 1;
}

/* Writes `json`, one value without spaces around it, with the value set from step `i` on. */
static int place(struct setter *s, esp_bytes json, size_t i)
{
    enum esp_json_kind kind = i < s->count ? esp_json_kind(json) : ESP_JSON_NONE;
    if (kind == ESP_JSON_OBJECT)
        return into_object(s, json, i);
    if (kind == ESP_JSON_ARRAY)
        return into_array(s, json, i);
    build(s, i);
    return 1;
}

int esp_json_set(esp_bytes json, esp_bytes path, esp_bytes value, struct esp_text *out)
{
    struct setter s = {.value = value, .out = out};
    size_t before = out->len;
    esp_text_init(&s.names, ESP_JSON_MAX_PATH);
    int rc = read_path(&s, path);
    if (rc == 1)
        rc = place(&s, esp_json_trim(json), 0);
    if (rc == 1 && esp_text_failed(out))
        rc = -1;
    if (rc != 1)
        esp_text_cut(out, before);
    esp_text_free(&s.names);
    return rc;
}
