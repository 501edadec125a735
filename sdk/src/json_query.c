/* #(path op value): taking a query apart, and asking it. */
#include "json_eval.h"

#include <string.h>

/* Behind the quote that ends the string at `at` of a path; its end without one. */
static size_t skip_quoted(esp_bytes path, size_t at)
{
    size_t end = esp_json_string_end(path, at);
    return end ? end : path.len;
}

static bool is_operator(uint8_t c)
{
    return c && strchr("!=<>%", c);
}

/* Finds the bracket that closes the query and where its operator begins (0: none). */
static size_t find_parts(esp_bytes path, size_t *operator_at)
{
    size_t depth = 1;
    *operator_at = 0;
    for (size_t at = 2; at < path.len; at++) {
        uint8_t c = path.ptr[at];
        if (depth == 1 && *operator_at == 0 && is_operator(c)) {
            *operator_at = at;
        } else if (c == '\\') {
            at++;
        } else if (c == '[' || c == '(') {
            depth++;
        } else if (c == ']' || c == ')') {
            depth--;
            if (depth == 0)
                return at;
        } else if (c == '"') {
            at = skip_quoted(path, at) - 1;
        }
    }
    return 0;
}

static void split_operator(struct query *q, esp_bytes text)
{
    static const char *const operators[] = {"==", "!=", "!%", "<=", ">=", "=", "<", ">", "%"};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        if (!esp_starts_with(text, esp_str(operators[i])))
            continue;
        q->op = esp_str(i == 0 ? "=" : operators[i]);
        q->value = esp_json_trim(esp_json_from(text, strlen(operators[i])));
        return;
    }
    /* A lone `!` is an operator that nothing matches. */
    q->op = text.len == 1 ? text : esp_span(NULL, 0);
    q->value = esp_span(NULL, 0);
}

size_t esp_query_parse(struct eval *e, esp_bytes path, struct query *ret)
{
    size_t operator_at;
    size_t end = find_parts(path, &operator_at);
    *ret = (struct query){{NULL, 0}, {NULL, 0}, {NULL, 0}};
    if (end == 0)
        return 0;
    size_t path_end = operator_at ? operator_at : end;
    ret->path = esp_json_trim(esp_span(path.ptr + 2, path_end - 2));
    if (operator_at)
        split_operator(ret, esp_json_trim(esp_span(path.ptr + operator_at, end - operator_at)));
    esp_bytes value = ret->value;
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        ret->value = esp_eval_string(e, &(struct node){ESP_JSON_STRING, value});
    return end + 1;
}

/* Strings that are false, as strconv.ParseBool has them; others are neither. */
static bool is_false_word(struct eval *e, const struct node *node)
{
    esp_bytes text = esp_eval_string(e, node);
    if (text.len == 1)
        return text.ptr[0] == '0' || text.ptr[0] == 'f' || text.ptr[0] == 'F';
    if (text.len != 5)
        return false;
    for (size_t i = 0; i < 5; i++)
        if ((text.ptr[i] | 0x20) != "false"[i])
            return false;
    return true;
}

static bool is_falsy(struct eval *e, const struct node *node)
{
    double number;
    switch (node->kind) {
    case ESP_JSON_NONE:
    case ESP_JSON_NULL:
    case ESP_JSON_FALSE:
        return true;
    case ESP_JSON_NUMBER:
        esp_json_double(node->raw, &number);
        return number == 0;
    case ESP_JSON_STRING:
        return is_false_word(e, node);
    default:
        return false;
    }
}

/* ~word: makes a truth value of the node. False if the word is unknown. */
static bool to_truth(struct eval *e, esp_bytes word, struct node *node)
{
    bool truth;
    if (esp_equal_str(word, "*"))
        truth = node->kind != ESP_JSON_NONE;
    else if (esp_equal_str(word, "null"))
        truth = node->kind == ESP_JSON_NONE || node->kind == ESP_JSON_NULL;
    else if (esp_equal_str(word, "true"))
        truth = esp_eval_truth(e, node);
    else if (esp_equal_str(word, "false"))
        truth = is_falsy(e, node);
    else
        return false;
    node->kind = truth ? ESP_JSON_TRUE : ESP_JSON_FALSE;
    return true;
}

/* Answers an operator from the order of the two sides. */
static bool order_matches(esp_bytes op, int order)
{
    if (esp_equal_str(op, "="))
        return order == 0;
    if (esp_equal_str(op, "!="))
        return order != 0;
    if (esp_equal_str(op, "<"))
        return order < 0;
    if (esp_equal_str(op, "<="))
        return order <= 0;
    if (esp_equal_str(op, ">"))
        return order > 0;
    return esp_equal_str(op, ">=") && order >= 0;
}

static bool string_matches(struct eval *e, const struct query *q, const struct node *node, esp_bytes right)
{
    esp_bytes left = esp_eval_string(e, node);
    if (esp_equal_str(q->op, "%"))
        return esp_eval_match(e, right, left);
    if (esp_equal_str(q->op, "!%"))
        return !esp_eval_match(e, right, left);
    return order_matches(q->op, esp_compare(left, right));
}

/* As the reference has it: >= holds for every true and <= for every false,
 * whatever is on the right; true is never <=, false never >=. */
static bool truth_matches(esp_bytes op, bool left, esp_bytes right)
{
    bool same = esp_equal_str(right, left ? "true" : "false");
    bool opposite = esp_equal_str(right, left ? "false" : "true");
    if (esp_equal_str(op, "="))
        return same;
    if (esp_equal_str(op, "!="))
        return !same;
    if (esp_equal_str(op, left ? ">" : "<"))
        return opposite;
    return esp_equal_str(op, left ? ">=" : "<=");
}

bool esp_query_matches(struct eval *e, const struct query *q, struct node value)
{
    esp_bytes right = q->value;
    if (right.len && right.ptr[0] == '~') {
        if (!to_truth(e, esp_json_from(right, 1), &value))
            return false;
        right = esp_str("true");
    }
    if (e->failed || value.kind == ESP_JSON_NONE)
        return false;
    if (q->op.len == 0)
        return true;
    switch (value.kind) {
    case ESP_JSON_STRING:
        return string_matches(e, q, &value, right);
    case ESP_JSON_NUMBER: {
        double a, b;
        esp_json_double(value.raw, &a);
        esp_json_double(right, &b); /* 0 when it is no number, as in the reference */
        return order_matches(q->op, (a > b) - (a < b));
    }
    case ESP_JSON_TRUE:
    case ESP_JSON_FALSE:
        return truth_matches(q->op, value.kind == ESP_JSON_TRUE, right);
    default:
        return false;
    }
}
