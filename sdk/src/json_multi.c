/* {path,"name":path} and [path,path]: new documents out of several paths. */
#include "json_eval.h"

#include <string.h>

/* One selector: [start, end) of the path, and where its colon is (0: none). */
struct selector {
    size_t start, colon, end;
};

struct parser {
    esp_bytes path;
    size_t at;
    bool closed;
};

/* The selector that starts at p->at; moves behind the comma or bracket that ends it.
 * False if the path ends before. A colon in a modifier's argument names nothing. */
static bool next_selector(struct parser *p, struct selector *ret)
{
    size_t depth = 1;
    bool modifier = false;
    *ret = (struct selector){.start = p->at};
    for (; p->at < p->path.len; p->at++) {
        uint8_t c = p->path.ptr[p->at];
        uint8_t before = p->path.ptr[p->at - 1];
        if (c == '\\') {
            p->at++;
        } else if (c == '@') {
            modifier = modifier || before == '.' || before == '|';
        } else if (c == ':') {
            if (!modifier && ret->colon == 0 && depth == 1)
                ret->colon = p->at;
        } else if (c == '"') {
            size_t end = esp_json_string_end(p->path, p->at);
            if (end == 0)
                return false;
            p->at = end - 1;
        } else if (c == '[' || c == '(' || c == '{') {
            depth++;
        } else if (c == ']' || c == ')' || c == '}') {
            depth--;
        }
        if (depth == 0 || (depth == 1 && c == ',')) {
            ret->end = p->at++;
            p->closed = depth == 0;
            return true;
        }
    }
    return false;
}

size_t esp_multipath_end(esp_bytes path)
{
    struct parser p = {path, 1, false};
    struct selector s;
    while (!p.closed)
        if (!next_selector(&p, &s))
            return 0;
    return p.at;
}

static esp_bytes part(esp_bytes path, size_t start, size_t end)
{
    return esp_span(path.ptr + start, end - start);
}

/* The last step of a path, as the name of what it selects. */
static esp_bytes last_step(esp_bytes path)
{
    for (size_t at = path.len; at > 0; at--) {
        uint8_t c = path.ptr[at - 1];
        if ((c == '|' || c == '.') && (at < 2 || path.ptr[at - 2] != '\\'))
            return part(path, at, path.len);
    }
    return path;
}

static bool is_simple_name(esp_bytes name)
{
    for (size_t i = 0; i < name.len; i++)
        if (name.ptr[i] < ' ' || strchr("[]{}()#|!", name.ptr[i]))
            return false;
    return true;
}

static void add_name(struct esp_text *out, esp_bytes name, esp_bytes path)
{
    if (name.len == 0) {
        name = last_step(path);
        if (!is_simple_name(name))
            name = esp_str("_");
    } else if (name.ptr[0] == '"' && esp_json_check(name, NULL)) {
        esp_text_add(out, name);
        return;
    }
    esp_json_quote_html(name, out);
}

static void add_selected(struct eval *e, struct esp_text *out, esp_bytes json, esp_bytes path,
                         const struct selector *s)
{
    esp_bytes name = s->colon ? part(path, s->start, s->colon) : esp_span(NULL, 0);
    esp_bytes inner = part(path, s->colon ? s->colon + 1 : s->start, s->end);
    struct node found = esp_eval_path(e, json, inner);
    if (found.kind == ESP_JSON_NONE)
        return;
    if (out->len > 1)
        esp_text_addc(out, ',');
    if (path.ptr[0] == '{') {
        add_name(out, name, inner);
        esp_text_addc(out, ':');
    }
    esp_text_add(out, found.raw);
}

esp_bytes esp_multipath(struct eval *e, esp_bytes json, esp_bytes path)
{
    struct parser p = {path, 1, false};
    struct selector s;
    struct esp_text *out = esp_eval_text(e);
    if (!out)
        return esp_span(NULL, 0);
    esp_text_addc(out, (char)path.ptr[0]);
    while (!e->failed && !p.closed && next_selector(&p, &s))
        add_selected(e, out, json, path, &s);
    esp_text_addc(out, path.ptr[0] == '{' ? '}' : ']');
    return esp_eval_done(e, out);
}
