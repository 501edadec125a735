#include "kubeyaml.h"

#include <yaml.h>

#include <esp/json.h>

#define MAX_DEPTH 32

/* Where the writer is: how many values each open container has. */
struct writer {
    struct esp_text *out, *why;
    struct level {
        bool mapping;
        size_t values; /* of a mapping, names count too */
    } levels[MAX_DEPTH];
    size_t depth;
    bool over; /* the document has ended */
};

static bool fail_at(struct writer *w, const yaml_mark_t *mark, const char *what)
{
    esp_text_addf(w->why, "the kubeconfig is no YAML that can be read: line %zu: %s", mark->line + 1, what);
    return false;
}

/* What stands before the next value. */
static void separate(struct writer *w)
{
    if (w->depth == 0)
        return;
    struct level *l = &w->levels[w->depth - 1];
    if (l->values)
        esp_text_addc(w->out, l->mapping && l->values % 2 ? ':' : ',');
    l->values++;
}

static bool is_name(const struct writer *w)
{
    return w->depth && w->levels[w->depth - 1].mapping && w->levels[w->depth - 1].values % 2 == 0;
}

static bool open_level(struct writer *w, const yaml_event_t *e, bool mapping)
{
    if (w->depth == MAX_DEPTH)
        return fail_at(w, &e->start_mark, "nested too deeply");
    if (is_name(w))
        return fail_at(w, &e->start_mark, "a name that is no text");
    separate(w);
    esp_text_addc(w->out, mapping ? '{' : '[');
    w->levels[w->depth++] = (struct level){.mapping = mapping};
    return true;
}

static bool close_level(struct writer *w)
{
    esp_text_addc(w->out, w->levels[--w->depth].mapping ? '}' : ']');
    return true;
}

static bool add_scalar(struct writer *w, const yaml_event_t *e)
{
    esp_bytes text = esp_span(e->data.scalar.value, e->data.scalar.length);
    bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
    bool none = plain && (text.len == 0 || esp_equal_str(text, "null") || esp_equal_str(text, "~"));

    if (e->data.scalar.anchor)
        return fail_at(w, &e->start_mark, "an anchor");
    bool name = is_name(w);
    separate(w);
    if (none && !name)
        esp_text_adds(w->out, "null");
    else
        esp_json_quote(text, w->out);
    return true;
}

static bool handle(struct writer *w, const yaml_event_t *e)
{
    switch (e->type) {
    case YAML_SCALAR_EVENT:
        return add_scalar(w, e);
    case YAML_MAPPING_START_EVENT:
        return e->data.mapping_start.anchor ? fail_at(w, &e->start_mark, "an anchor")
                                            : open_level(w, e, true);
    case YAML_SEQUENCE_START_EVENT:
        return e->data.sequence_start.anchor ? fail_at(w, &e->start_mark, "an anchor")
                                             : open_level(w, e, false);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return close_level(w);
    case YAML_ALIAS_EVENT:
        return fail_at(w, &e->start_mark, "an alias");
    case YAML_DOCUMENT_END_EVENT:
    case YAML_STREAM_END_EVENT:
        w->over = true;
        return true;
    default:
        return true;
    }
}

/* libyaml frees without wiping: what it gave out, and where it kept the text, is wiped here. */
static void drop_event(yaml_event_t *e)
{
    if (e->type == YAML_SCALAR_EVENT)
        esp_wipe(e->data.scalar.value, e->data.scalar.length);
    yaml_event_delete(e);
}

static void drop_parser(yaml_parser_t *p)
{
    if (p->raw_buffer.start)
        esp_wipe(p->raw_buffer.start, (size_t)(p->raw_buffer.end - p->raw_buffer.start));
    if (p->buffer.start)
        esp_wipe(p->buffer.start, (size_t)(p->buffer.end - p->buffer.start));
    yaml_parser_delete(p);
}

/* libyaml's own `problem` is one of its constants and quotes nothing. */
static bool next(yaml_parser_t *p, struct writer *w)
{
    yaml_event_t e;

    if (!yaml_parser_parse(p, &e))
        return fail_at(w, &p->problem_mark, p->problem ? p->problem : "out of memory");
    bool good = handle(w, &e);
    drop_event(&e);
    return good;
}

bool kube_yaml_json(esp_bytes yaml, struct esp_text *out, struct esp_text *why)
{
    struct writer w = {.out = out, .why = why};
    yaml_parser_t parser;
    bool good = true;

    if (!yaml_parser_initialize(&parser)) {
        esp_text_adds(why, "out of memory");
        return false;
    }
    yaml_parser_set_input_string(&parser, yaml.ptr, yaml.len);
    while (good && !w.over)
        good = next(&parser, &w);
    drop_parser(&parser);
    if (good && (out->len == 0 || out->ptr[0] != '{')) {
        esp_text_adds(why, "the kubeconfig is no mapping of names to values");
        good = false;
    }
    return good && !esp_text_failed(out);
}
