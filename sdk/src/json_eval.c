/* One lookup: its ceilings, the documents it makes, and the public entries. */
#include "json_eval.h"

#include <stdlib.h>

void esp_eval_init(struct eval *e)
{
    *e = (struct eval){0};
    esp_text_init(&e->key, ESP_JSON_MAX_DERIVED);
}

void esp_eval_free(struct eval *e)
{
    while (e->derived) {
        struct derived *d = e->derived;
        e->derived = d->next;
        esp_text_free(&d->text);
        free(d);
    }
    esp_text_free(&e->key);
}

bool esp_eval_work(struct eval *e, size_t bytes)
{
    if (e->failed || bytes > ESP_JSON_MAX_WORK - e->work) {
        e->failed = true;
        return false;
    }
    e->work += bytes;
    return true;
}

bool esp_eval_enter(struct eval *e)
{
    if (e->failed || e->depth == ESP_JSON_MAX_DEPTH) {
        e->failed = true;
        return false;
    }
    e->depth++;
    return true;
}

void esp_eval_leave(struct eval *e)
{
    e->depth--;
}

struct esp_text *esp_eval_text(struct eval *e)
{
    struct derived *d = malloc(sizeof *d);
    if (!d) {
        e->failed = true;
        return NULL;
    }
    esp_text_init(&d->text, ESP_JSON_MAX_DERIVED);
    d->next = e->derived;
    e->derived = d;
    return &d->text;
}

esp_bytes esp_eval_done(struct eval *e, struct esp_text *text)
{
    if (!text || esp_text_failed(text) || text->len > ESP_JSON_MAX_DERIVED - e->derived_len) {
        e->failed = true;
        return esp_span(NULL, 0);
    }
    e->derived_len += text->len;
    return esp_text_bytes(text);
}

static size_t character_length(esp_bytes text, size_t at)
{
    size_t len = 1;
    if (text.ptr[at] >= 0xC0)
        while (len < 4 && at + len < text.len && (text.ptr[at + len] & 0xC0) == 0x80)
            len++;
    return len;
}

/* Compares without recursion: when the pattern fails behind a star, the star takes one
 * character more and the rest is tried again. */
bool esp_eval_match(struct eval *e, esp_bytes pattern, esp_bytes text)
{
    size_t p = 0, t = 0;
    size_t star = SIZE_MAX, star_text = 0;
    while (t < text.len || p < pattern.len) {
        if (!esp_eval_work(e, 1))
            return false;
        uint8_t c = p < pattern.len ? pattern.ptr[p] : 0;
        bool escaped = c == '\\' && p + 1 < pattern.len;
        if (p < pattern.len && c == '*') {
            star = p++;
            star_text = t;
        } else if (p < pattern.len && c == '?' && t < text.len) {
            p++;
            t += character_length(text, t);
        } else if (p < pattern.len && c != '?' && t < text.len && pattern.ptr[p + escaped] == text.ptr[t]) {
            p += 1u + escaped;
            t++;
        } else if (star != SIZE_MAX && star_text < text.len) {
            star_text += character_length(text, star_text);
            t = star_text;
            p = star + 1;
        } else
            return false;
    }
    return true;
}

esp_bytes esp_eval_string(struct eval *e, const struct node *node)
{
    esp_bytes inner = esp_json_inner(node->raw);
    for (size_t i = 0; i < inner.len; i++) {
        if (inner.ptr[i] == '\\') {
            struct esp_text *text = esp_eval_text(e);
            if (text)
                esp_json_unescape(inner, text);
            return esp_eval_done(e, text);
        }
    }
    return inner;
}

bool esp_eval_truth(struct eval *e, const struct node *node)
{
    double number;
    if (node->kind == ESP_JSON_NUMBER)
        return esp_json_double(node->raw, &number) && number != 0;
    if (node->kind != ESP_JSON_STRING)
        return node->kind == ESP_JSON_TRUE;
    esp_bytes text = esp_eval_string(e, node);
    if (text.len == 1)
        return text.ptr[0] == '1' || text.ptr[0] == 't' || text.ptr[0] == 'T';
    if (text.len != 4)
        return false;
    for (size_t i = 0; i < 4; i++)
        if ((text.ptr[i] | 0x20) != "true"[i])
            return false;
    return true;
}

enum want { STRING_FORM, AS_WRITTEN };

static int lookup(esp_bytes json, esp_bytes path, enum want want, struct esp_text *out,
                  enum esp_json_kind *kind)
{
    if (path.len > ESP_JSON_MAX_PATH)
        return -1;
    struct eval e;
    esp_eval_init(&e);
    size_t start = out->len;
    struct node node = esp_eval_path(&e, json, path);
    int rc = -1;
    if (!e.failed) {
        if (want == STRING_FORM)
            esp_json_string_form(&node, out);
        else
            esp_text_add(out, node.raw);
        rc = node.kind != ESP_JSON_NONE;
    }
    if (esp_text_failed(out)) {
        esp_text_cut(out, start);
        rc = -1;
    }
    if (kind)
        *kind = rc == 1 ? node.kind : ESP_JSON_NONE;
    esp_eval_free(&e);
    return rc;
}

/* The property with each dot taken as part of a name. */
static int lookup_escaped(esp_bytes json, esp_bytes property, struct esp_text *out)
{
    struct esp_text path;
    esp_text_init(&path, ESP_JSON_MAX_PATH);
    for (size_t i = 0; i < property.len; i++) {
        if (property.ptr[i] == '.')
            esp_text_addc(&path, '\\');
        esp_text_addc(&path, (char)property.ptr[i]);
    }
    int rc = esp_text_failed(&path) ? -1 : lookup(json, esp_text_bytes(&path), STRING_FORM, out, NULL);
    esp_text_free(&path);
    return rc;
}

int esp_json_get(esp_bytes json, esp_bytes property, enum esp_json_order order, struct esp_text *out)
{
    int rc = 0;
    if (order == ESP_JSON_ESCAPED_FIRST)
        rc = lookup_escaped(json, property, out);
    if (rc == 0)
        rc = lookup(json, property, STRING_FORM, out, NULL);
    if (rc == 0 && order == ESP_JSON_PATH_FIRST)
        rc = lookup_escaped(json, property, out);
    return rc;
}

int esp_json_get_raw(esp_bytes json, esp_bytes path, struct esp_text *out, enum esp_json_kind *kind)
{
    return lookup(json, path, AS_WRITTEN, out, kind);
}
