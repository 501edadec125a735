/* What the values of an evaluation are, as text, number, truth and key. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "path_eval.h"

struct hook_value hook_of_node(const struct hook_node *node)
{
    return (struct hook_value){.kind = HOOK_NODE, .node = node};
}

enum esp_json_kind hook_kind_of(const struct hook_value *v)
{
    switch (v->kind) {
    case HOOK_NULL:
        return ESP_JSON_NULL;
    case HOOK_BOOL:
        return v->truth ? ESP_JSON_TRUE : ESP_JSON_FALSE;
    case HOOK_NUMBER:
        return ESP_JSON_NUMBER;
    case HOOK_TEXT:
        return ESP_JSON_STRING;
    case HOOK_LIST:
        return ESP_JSON_ARRAY;
    case HOOK_NODE:
        break;
    }
    return v->node->kind;
}

const char *hook_type_name(const struct hook_value *v)
{
    switch (hook_kind_of(v)) {
    case ESP_JSON_TRUE:
    case ESP_JSON_FALSE:
        return "bool";
    case ESP_JSON_NUMBER:
        return "float64";
    case ESP_JSON_STRING:
        return "string";
    case ESP_JSON_OBJECT:
        return "map[string]interface {}";
    case ESP_JSON_ARRAY:
        return "[]interface {}";
    default:
        return "<nil>";
    }
}

/* The text of a string, decoded where it is one of the document. */
bool hook_text_of(struct hook_eval *e, const struct hook_value *v, esp_bytes *ret)
{
    struct esp_text plain;

    if (v->kind == HOOK_TEXT) {
        *ret = v->text;
        return true;
    }
    esp_text_init(&plain, v->node->raw.len + 1);
    esp_json_plain(v->node->raw, &plain);
    uint8_t *copy = hook_path_alloc(e->path, plain.len + 1);
    if (copy && plain.len)
        memcpy(copy, plain.ptr, plain.len);
    *ret = esp_span(copy, plain.len);
    bool good = copy && !esp_text_failed(&plain);
    esp_text_free(&plain);
    return good || hook_eval_exhaust(e, "the path needs too much memory");
}

double hook_number_of(const struct hook_value *v)
{
    char digits[400];

    if (v->kind == HOOK_NUMBER)
        return v->number;
    size_t len = v->node->raw.len < sizeof digits - 1 ? v->node->raw.len : sizeof digits - 1;
    memcpy(digits, v->node->raw.ptr, len);
    digits[len] = '\0';
    double number = strtod(digits, NULL);
    esp_wipe(digits, sizeof digits);
    return number;
}

/* Text that is a number counts as one. */
static bool text_number(esp_bytes text, double *ret)
{
    char digits[64], *end;

    if (text.len == 0 || text.len >= sizeof digits)
        return false;
    memcpy(digits, text.ptr, text.len);
    digits[text.len] = '\0';
    *ret = strtod(digits, &end);
    bool all = *end == '\0' && end == digits + text.len && !strchr(" \t\n", digits[0]);
    esp_wipe(digits, sizeof digits);
    return all;
}

bool hook_to_number(struct hook_eval *e, const struct hook_value *v, double *ret)
{
    esp_bytes text;

    if (hook_kind_of(v) == ESP_JSON_NUMBER) {
        *ret = hook_number_of(v);
        return true;
    }
    return hook_kind_of(v) == ESP_JSON_STRING && hook_text_of(e, v, &text) && text_number(text, ret);
}

/* 1, 0, or -1 for what is neither. */
int hook_to_bool(struct hook_eval *e, const struct hook_value *v)
{
    esp_bytes text;
    double number;

    switch (hook_kind_of(v)) {
    case ESP_JSON_TRUE:
        return 1;
    case ESP_JSON_FALSE:
    case ESP_JSON_NULL:
        return 0;
    case ESP_JSON_STRING:
        if (!hook_text_of(e, v, &text))
            return -1;
        if (esp_equal_str(text, "true") || esp_equal_str(text, "TRUE"))
            return 1;
        if (esp_equal_str(text, "false") || esp_equal_str(text, "FALSE"))
            return 0;
        break;
    default:
        break;
    }
    return hook_to_number(e, v, &number) ? number != 0 : -1;
}

/* ---- keys ---- */

/* As an index: what a key of the path says may be quoted, what the document says may not. */
bool hook_to_index(struct hook_eval *e, const struct hook_expr *key, int64_t *ret)
{
    struct hook_value v;
    double number;

    if (!hook_evaluate(e, key, &v))
        return false;
    if (hook_to_number(e, &v, &number) && number > -2147483648.0 && number < 2147483648.0) {
        *ret = (int64_t)number;
        return true;
    }
    if (key->kind == HOOK_CONSTANT && v.kind == HOOK_TEXT)
        return hook_eval_fail(e, "could not select value, invalid key: expected number but got %.*s (string)",
                              ESP_ARG(v.text));
    return hook_eval_fail(e, "could not select value, invalid key: expected number but got a %s",
                          hook_type_name(&v));
}

/* As a name. */
bool hook_to_name(struct hook_eval *e, const struct hook_value *v, esp_bytes *ret)
{
    char text[40];

    switch (hook_kind_of(v)) {
    case ESP_JSON_STRING:
        return hook_text_of(e, v, ret);
    case ESP_JSON_NUMBER:
        snprintf(text, sizeof text, "%.15g", hook_number_of(v));
        break;
    case ESP_JSON_TRUE:
    case ESP_JSON_FALSE:
        snprintf(text, sizeof text, "%s", hook_kind_of(v) == ESP_JSON_TRUE ? "true" : "false");
        break;
    default:
        return hook_eval_fail(e, "could not select value, invalid key: expected text but got a %s",
                              hook_type_name(v));
    }
    char *copy = hook_path_alloc(e->path, strlen(text) + 1);
    if (!copy)
        return hook_eval_exhaust(e, "the path needs too much memory");
    memcpy(copy, text, strlen(text) + 1);
    *ret = esp_str(copy);
    return true;
}

/* ---- equality ---- */

/* Containers are equal when their members are, in whatever order. */
static bool equal_containers(struct hook_eval *e, const struct hook_value *a, const struct hook_value *b)
{
    struct esp_text left, right;

    if (a->kind != HOOK_NODE || b->kind != HOOK_NODE)
        return false;
    esp_text_init(&left, a->node->raw.len + 1);
    esp_text_init(&right, b->node->raw.len + 1);
    bool sorted = esp_json_sorted(a->node->raw, &left) && esp_json_sorted(b->node->raw, &right);
    bool same = sorted && esp_equal(esp_text_bytes(&left), esp_text_bytes(&right));
    if (!sorted)
        hook_eval_exhaust(e, "the path needs too much memory");
    esp_text_free(&left);
    esp_text_free(&right);
    return same;
}

bool hook_equal(struct hook_eval *e, const struct hook_value *a, const struct hook_value *b)
{
    esp_bytes left, right;

    if (hook_kind_of(a) != hook_kind_of(b))
        return false;
    switch (hook_kind_of(a)) {
    case ESP_JSON_NUMBER:
        return !(hook_number_of(a) < hook_number_of(b)) && !(hook_number_of(a) > hook_number_of(b));
    case ESP_JSON_STRING:
        return hook_text_of(e, a, &left) && hook_text_of(e, b, &right) && esp_equal(left, right);
    case ESP_JSON_OBJECT:
    case ESP_JSON_ARRAY:
        return equal_containers(e, a, b);
    default:
        return true;
    }
}
