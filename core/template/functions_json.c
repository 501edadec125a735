/* JSON and YAML. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/yaml.h"
#include "core/template/data.h"
#include "core/template/functions.h"
#include "core/template/json.h"
#include "core/template/yaml_write.h"

/* The plain functions give nothing where the must ones fail. */
static void from_json(struct es_tcall *c)
{
    char error[ES_TJSON_ERROR_MAX];

    if (!es_tjson_read(es_tcall_arena(c), c->args[0].s.ptr, c->args[0].s.len, &c->ret, error))
        c->ret = es_tnil();
}

static void must_from_json(struct es_tcall *c)
{
    char error[ES_TJSON_ERROR_MAX];

    if (!es_tjson_read(es_tcall_arena(c), c->args[0].s.ptr, c->args[0].s.len, &c->ret, error))
        es_tcall_fail(c, "%s", error);
}

static void to_json_as(struct es_tcall *c, struct es_tjson_style style, bool must)
{
    struct es_buf out;

    es_tcall_buf(&out);
    const char *error = es_tjson_write(&out, &c->args[0], &style);
    if (!error) {
        es_tcall_return_buf(c, &out);
        return;
    }
    es_buf_fini(&out);
    if (must)
        es_tcall_fail(c, "%s", error);
    else
        es_tcall_return_text(c, "");
}

static void to_json(struct es_tcall *c)
{
    to_json_as(c, (struct es_tjson_style){.escape_html = true}, false);
}

static void must_to_json(struct es_tcall *c)
{
    to_json_as(c, (struct es_tjson_style){.escape_html = true}, true);
}

static void to_pretty_json(struct es_tcall *c)
{
    to_json_as(c, (struct es_tjson_style){.escape_html = true, .indent = true}, false);
}

static void must_to_pretty_json(struct es_tcall *c)
{
    to_json_as(c, (struct es_tjson_style){.escape_html = true, .indent = true}, true);
}

static void to_raw_json(struct es_tcall *c)
{
    to_json_as(c, (struct es_tjson_style){0}, true);
}

static void to_yaml(struct es_tcall *c)
{
    struct es_buf out;

    es_tcall_buf(&out);
    if (!es_tyaml_write(&out, &c->args[0]))
        es_buf_reset(&out);
    if (out.len)
        out.len--; /* the line end */
    es_tcall_return_buf(c, &out);
}

static void return_yaml_error(struct es_tcall *c, const char *text)
{
    struct es_tmap *map = es_tcall_map(c, 1);
    struct es_tvalue key = es_tstring("Error", 5);

    es_tcall_return_copy(c, text, strlen(text));
    struct es_tvalue message = c->ret;
    es_tcall_map_set(c, map, &key, &message);
    es_tcall_return_map(c, ES_T_MAP_ANY, map);
}

/* "fromYaml:3: what is wrong while parsing a block" in the words of the reference's library, which
 * templates may look at. It leaves out a first line, and where it was it counts from 0. */
static void return_syntax_error(struct es_tcall *c, const char *text)
{
    static const char file[] = "fromYaml:";
    char said[ES_ERROR_TEXT_MAX + 64];
    long line = 0;

    if (strncmp(text, file, sizeof file - 1) == 0) {
        char *behind;
        line = strtol(text + sizeof file - 1, &behind, 10);
        text = behind + strspn(behind, ": ");
    }
    const char *where = strstr(text, " while ");
    int len = (int)(where ? (size_t)(where - text) : strlen(text));
    bool parsing = where && strncmp(where, " while parsing ", 15) == 0;
    if (line > 1)
        snprintf(said, sizeof said, "error converting YAML to JSON: yaml: line %ld: %.*s", line - parsing,
                 len, text);
    else
        snprintf(said, sizeof said, "error converting YAML to JSON: yaml: %.*s", len, text);
    return_yaml_error(c, said);
}

static void return_type_error(struct es_tcall *c, const json_t *root)
{
    const char *kind = json_is_array(root)     ? "array"
                       : json_is_string(root)  ? "string"
                       : json_is_boolean(root) ? "bool"
                                               : "number";
    char said[160];

    snprintf(said, sizeof said,
             "error unmarshaling JSON: while decoding JSON: json: cannot unmarshal %s into Go value of type "
             "map[string]interface {}",
             kind);
    return_yaml_error(c, said);
}

/* A text that is copied: the tree goes before the value does. */
static bool keep_texts(struct es_tcall *c, struct es_tvalue *v)
{
    if (v->type == ES_T_STRING) {
        struct es_tcall inner = {.exec = c->exec, .name = c->name};
        es_tcall_return_copy(&inner, v->s.ptr, v->s.len);
        if (inner.ret.type != ES_T_STRING)
            return false;
        *v = inner.ret;
    }
    for (size_t i = 0; v->type == ES_T_LIST_ANY && i < v->list->count; i++)
        if (!keep_texts(c, &v->list->items[i]))
            return false;
    for (size_t i = 0; v->type == ES_T_MAP_ANY && i < v->map->count; i++)
        if (!keep_texts(c, &v->map->entries[i].key) || !keep_texts(c, &v->map->entries[i].value))
            return false;
    return true;
}

static void from_yaml(struct es_tcall *c)
{
    struct es_yaml doc = {0};
    struct es_error err = ES_ERROR_INIT;
    int rc = es_yaml_parse_rendered(&doc, "fromYaml", c->args[0].s.ptr, c->args[0].s.len, &err);

    if (rc < 0) {
        return_syntax_error(c, err.text);
    } else if (doc.count == 0) {
        es_tcall_return_map(c, ES_T_MAP_ANY, es_tcall_map(c, 0));
    } else if (!json_is_object(doc.docs[0].root)) {
        return_type_error(c, doc.docs[0].root);
    } else if (!es_tdata_any(es_tcall_arena(c), doc.docs[0].root, &c->ret) || !keep_texts(c, &c->ret)) {
        c->ret = es_tnil();
        es_tcall_nomem(c);
    }
    es_yaml_fini(&doc);
}

static const struct es_tfunction functions[] = {
    {"fromJson", "s", from_json},
    {"mustFromJson", "s", must_from_json},
    {"toJson", "a", to_json},
    {"mustToJson", "a", must_to_json},
    {"toPrettyJson", "a", to_pretty_json},
    {"mustToPrettyJson", "a", must_to_pretty_json},
    {"toRawJson", "a", to_raw_json},
    {"mustToRawJson", "a", to_raw_json},
    {"toYaml", "a", to_yaml},
    {"fromYaml", "s", from_yaml},
};

const struct es_tfunction_table es_tfunctions_json = ES_TFUNCTION_TABLE(functions);
