#include "tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHUNK 256

struct hook_chunk {
    struct hook_chunk *next;
    size_t used;
    struct hook_node nodes[CHUNK];
};

struct reader {
    struct hook_tree *tree;
    esp_bytes text;
    size_t at;
    struct esp_text *why;
};

static struct hook_node *new_node(struct reader *r)
{
    struct hook_chunk *c = r->tree->chunks;

    if (r->tree->nodes++ == HOOK_MAX_NODES) {
        esp_text_addf(r->why, "more than %zu values", HOOK_MAX_NODES);
        return NULL;
    }
    if (!c || c->used == CHUNK) {
        c = calloc(1, sizeof *c);
        if (!c) {
            esp_text_adds(r->why, "out of memory");
            return NULL;
        }
        c->next = r->tree->chunks;
        r->tree->chunks = c;
    }
    return &c->nodes[c->used++];
}

void hook_tree_free(struct hook_tree *t)
{
    for (struct hook_chunk *c = t->chunks, *next; c; c = next) {
        next = c->next;
        free(c);
    }
    *t = (struct hook_tree){0};
}

/* ---- what is wrong ---- */

/* One character of an answer, and never more, is quoted. */
static void add_character(struct esp_text *why, uint8_t c)
{
    if (c == '\'' || c == '\\')
        esp_text_addf(why, "'\\%c'", c);
    else if (c == '\n' || c == '\r' || c == '\t')
        esp_text_addf(why, "'\\%c'", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    else if (c < 0x20 || c >= 0x7F)
        esp_text_addf(why, "'\\x%02x'", c);
    else
        esp_text_addf(why, "'%c'", c);
}

static bool unexpected(struct reader *r, const char *where)
{
    if (r->at >= r->text.len) {
        esp_text_adds(r->why, "unexpected end of JSON input");
        return false;
    }
    esp_text_adds(r->why, "invalid character ");
    add_character(r->why, r->text.ptr[r->at]);
    esp_text_addf(r->why, " %s", where);
    return false;
}

/* ---- characters ---- */

/* The character at hand, -1 at the end. */
static int peek(const struct reader *r)
{
    return r->at < r->text.len ? r->text.ptr[r->at] : -1;
}

static void skip_space(struct reader *r)
{
    while (peek(r) == ' ' || peek(r) == '\t' || peek(r) == '\n' || peek(r) == '\r')
        r->at++;
}

static bool is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static bool is_hex(int c)
{
    return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool read_escape(struct reader *r)
{
    r->at++;
    int c = peek(r);
    if (c == 'u') {
        for (int i = 0; i < 4; i++) {
            r->at++;
            if (!is_hex(peek(r)))
                return unexpected(r, "in \\u hexadecimal character escape");
        }
    } else if (c <= 0 || !strchr("\"\\/bfnrt", c)) {
        return unexpected(r, "in string escape code");
    }
    r->at++;
    return true;
}

static bool read_string(struct reader *r)
{
    for (r->at++; peek(r) != '"';) {
        if (peek(r) < 0x20) /* the end as well */
            return unexpected(r, "in string literal");
        if (peek(r) != '\\')
            r->at++;
        else if (!read_escape(r))
            return false;
    }
    r->at++;
    return true;
}

static bool read_digits(struct reader *r, const char *where)
{
    if (!is_digit(peek(r)))
        return unexpected(r, where);
    while (is_digit(peek(r)))
        r->at++;
    return true;
}

static bool read_number(struct reader *r)
{
    if (peek(r) == '-')
        r->at++;
    if (peek(r) == '0')
        r->at++;
    else if (!read_digits(r, "in numeric literal"))
        return false;
    if (peek(r) == '.') {
        r->at++;
        if (!read_digits(r, "after decimal point in numeric literal"))
            return false;
    }
    if (peek(r) == 'e' || peek(r) == 'E') {
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        return read_digits(r, "in exponent of numeric literal");
    }
    return true;
}

static bool read_word(struct reader *r, const char *word)
{
    char where[64];

    for (const char *c = word; *c; c++, r->at++) {
        if (peek(r) == *c)
            continue;
        snprintf(where, sizeof where, "in literal %s (expecting '%c')", word, *c);
        return unexpected(r, where);
    }
    return true;
}

/* ---- values ---- */

static struct hook_node *read_value(struct reader *r, int depth);

/* The children of a container; `close` ends it. */
struct children {
    struct hook_node *parent, *last;
};

static void add_child(struct children *c, struct hook_node *node)
{
    if (c->last)
        c->last->next = node;
    else
        c->parent->first = node;
    c->last = node;
    c->parent->count++;
}

static bool read_member(struct reader *r, struct children *c, int depth)
{
    if (peek(r) != '"')
        return unexpected(r, "looking for beginning of object key string");
    size_t start = r->at;
    if (!read_string(r))
        return false;
    esp_bytes name = esp_span(r->text.ptr + start, r->at - start);
    skip_space(r);
    if (peek(r) != ':')
        return unexpected(r, "after object key");
    r->at++;
    struct hook_node *value = read_value(r, depth);
    if (!value)
        return false;
    value->name = name;
    add_child(c, value);
    return true;
}

static bool read_element(struct reader *r, struct children *c, int depth)
{
    struct hook_node *value = read_value(r, depth);
    if (value)
        add_child(c, value);
    return value != NULL;
}

static bool read_container(struct reader *r, struct hook_node *node, int depth)
{
    bool object = node->kind == ESP_JSON_OBJECT;
    const int close = object ? '}' : ']';
    struct children c = {.parent = node};

    r->at++;
    skip_space(r);
    if (peek(r) == close) {
        r->at++;
        return true;
    }
    for (;;) {
        skip_space(r);
        if (!(object ? read_member(r, &c, depth) : read_element(r, &c, depth)))
            return false;
        skip_space(r);
        int next = peek(r);
        if (next != ',' && next != close)
            return unexpected(r, object ? "after object key:value pair" : "after array element");
        r->at++;
        if (next == close)
            return true;
    }
}

static enum esp_json_kind kind_of(int c)
{
    switch (c) {
    case '{':
        return ESP_JSON_OBJECT;
    case '[':
        return ESP_JSON_ARRAY;
    case '"':
        return ESP_JSON_STRING;
    case 't':
        return ESP_JSON_TRUE;
    case 'f':
        return ESP_JSON_FALSE;
    case 'n':
        return ESP_JSON_NULL;
    default:
        return c == '-' || is_digit(c) ? ESP_JSON_NUMBER : ESP_JSON_NONE;
    }
}

static bool read_into(struct reader *r, struct hook_node *node, int depth)
{
    switch (node->kind) {
    case ESP_JSON_OBJECT:
    case ESP_JSON_ARRAY:
        if (depth == 0) {
            esp_text_addf(r->why, "nested deeper than %d", HOOK_MAX_DEPTH);
            return false;
        }
        return read_container(r, node, depth - 1);
    case ESP_JSON_STRING:
        return read_string(r);
    case ESP_JSON_NUMBER:
        return read_number(r);
    case ESP_JSON_TRUE:
        return read_word(r, "true");
    case ESP_JSON_FALSE:
        return read_word(r, "false");
    case ESP_JSON_NULL:
        return read_word(r, "null");
    case ESP_JSON_NONE:
        break;
    }
    return unexpected(r, "looking for beginning of value");
}

static struct hook_node *read_value(struct reader *r, int depth)
{
    skip_space(r);
    size_t start = r->at;
    struct hook_node *node = new_node(r);
    if (!node)
        return NULL;
    node->kind = kind_of(peek(r));
    if (!read_into(r, node, depth))
        return NULL;
    node->raw = esp_span(r->text.ptr + start, r->at - start);
    return node;
}

bool hook_tree_read(struct hook_tree *ret, esp_bytes text, struct esp_text *why)
{
    struct reader r = {.tree = ret, .text = text, .why = why};

    *ret = (struct hook_tree){0};
    ret->root = read_value(&r, HOOK_MAX_DEPTH);
    if (!ret->root)
        return false;
    skip_space(&r);
    return r.at == text.len || unexpected(&r, "after top-level value");
}
