/* Is a provider's schema one that an API server takes? Asked when the plugin is
 * loaded, so that its author hears it and not the person who applies CRDs. */
#include <stdio.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/mem.h"
#include "core/base/regex.h"
#include "core/base/text.h"
#include "core/plugin/crd_own.h"
#include "core/plugin/per_namespace.h"

#define SCHEMA_MAX ((size_t)512 * 1024)
#define PATH_SHOWN 300

struct check {
    const char *provider;
    struct es_buf path; /* properties.data.items */
    struct es_error *err;
};

enum wanted { ANY, TEXT, FLAG, COUNT, NUMBER, LIST, SCHEMA, SCHEMAS, FIELDS, FIELDS_OR_TRUE, ONLY_TRUE };

/* What a structural schema may say. Source: JSONSchemaProps of
 * apiextensions.k8s.io/v1, less what its validation forbids. */
static const struct keyword {
    const char *name;
    enum wanted wants;
} keywords[] = {
    {"type", TEXT},
    {"format", TEXT},
    {"title", TEXT},
    {"description", TEXT},
    {"default", ANY},
    {"example", ANY},
    {"externalDocs", ANY},
    {"nullable", FLAG},
    {"enum", LIST},
    {"pattern", TEXT},
    {"minLength", COUNT},
    {"maxLength", COUNT},
    {"minimum", NUMBER},
    {"maximum", NUMBER},
    {"exclusiveMinimum", FLAG},
    {"exclusiveMaximum", FLAG},
    {"multipleOf", NUMBER},
    {"minItems", COUNT},
    {"maxItems", COUNT},
    {"items", SCHEMA},
    {"minProperties", COUNT},
    {"maxProperties", COUNT},
    {"required", LIST},
    {"properties", FIELDS},
    {"additionalProperties", FIELDS_OR_TRUE},
    {"allOf", SCHEMAS},
    {"anyOf", SCHEMAS},
    {"oneOf", SCHEMAS},
    {"not", SCHEMA},
    {"x-kubernetes-preserve-unknown-fields", ONLY_TRUE},
    {"x-kubernetes-int-or-string", ONLY_TRUE},
    {"x-kubernetes-embedded-resource", FLAG},
    {"x-kubernetes-list-type", TEXT},
    {"x-kubernetes-list-map-keys", LIST},
    {"x-kubernetes-map-type", TEXT},
    {"x-kubernetes-validations", LIST},
};

/* What authors of JSON Schemas reach for, and what to write instead. */
static const struct {
    const char *name, *instead;
} advice[] = {
    {"$ref", "references are not resolved here; write the schema in their place"},
    {"$defs", "references are not resolved here; write the schemas where they are used"},
    {"definitions", "references are not resolved here; write the schemas where they are used"},
    {"const", "use an enum of one value"},
    {"examples", "use example"},
    {"patternProperties", "use additionalProperties"},
    {"propertyNames", "use a rule in x-kubernetes-validations"},
    {"additionalItems", "all items have one schema"},
    {"uniqueItems", "use x-kubernetes-list-type: set"},
    {"contains", "use a rule in x-kubernetes-validations"},
    {"dependencies", "use a rule in x-kubernetes-validations"},
    {"dependentRequired", "use a rule in x-kubernetes-validations"},
    {"dependentSchemas", "use a rule in x-kubernetes-validations"},
    {"if", "use a rule in x-kubernetes-validations"},
    {"then", "use a rule in x-kubernetes-validations"},
    {"else", "use a rule in x-kubernetes-validations"},
};

/* `outer` is NULL for a schema that describes. For one that only judges, inside
 * allOf and the like, it is the describing schema of the same value. */
static int check_node(struct check *c, const json_t *node, const json_t *outer, unsigned depth);

/* Of a long path the end says more than the beginning. */
static int refuse(const struct check *c, const char *what, const char *more)
{
    const char *path = es_buf_str(&c->path);
    size_t skip = c->path.len > PATH_SHOWN ? c->path.len - PATH_SHOWN : 0;

    return es_error_set(c->err, ES_E_CONFIG, "schema of provider \"%s\": %s%s%s%s%s", c->provider,
                        skip ? "..." : "", path + skip, c->path.len ? ": " : "", what, more);
}

static size_t enter(struct check *c, const char *name)
{
    size_t before = c->path.len;
    es_buf_addf(&c->path, "%s%s", before ? "." : "", name);
    return before;
}

static void leave(struct check *c, size_t before)
{
    c->path.len = before;
    if (c->path.ptr)
        c->path.ptr[before] = '\0';
}

static int check_below(struct check *c, const char *name, const json_t *node, const json_t *outer,
                       unsigned depth)
{
    size_t before = enter(c, name);
    int rc = check_node(c, node, outer, depth + 1);
    leave(c, before);
    return rc;
}

static int check_field(struct check *c, const char *name, const json_t *schema, const json_t *outer,
                       unsigned depth)
{
    const json_t *described = json_object_get(json_object_get(outer, "properties"), name);

    if (outer && !described)
        return refuse(c, "a property that only allOf, anyOf, oneOf or not speaks of: ", name);
    return check_below(c, name, schema, described, depth);
}

static int check_fields(struct check *c, const json_t *fields, const json_t *outer, unsigned depth)
{
    size_t before = enter(c, "properties");
    const char *name;
    json_t *schema;
    int rc = 0;

    json_object_foreach ((json_t *)fields, name, schema) {
        rc = check_field(c, name, schema, outer, depth);
        if (rc < 0)
            break;
    }
    leave(c, before);
    return rc;
}

static int check_alternatives(struct check *c, const char *keyword, const json_t *list, const json_t *outer,
                              unsigned depth)
{
    size_t before = enter(c, keyword);
    size_t i;
    json_t *schema;
    int rc = 0;

    json_array_foreach (list, i, schema) {
        char at[32];
        snprintf(at, sizeof at, "%zu", i);
        rc = check_below(c, at, schema, outer, depth);
        if (rc < 0)
            break;
    }
    leave(c, before);
    return rc;
}

static bool has_shape(enum wanted wants, const json_t *value)
{
    switch (wants) {
    case TEXT:
        return json_is_string(value);
    case FLAG:
        return json_is_boolean(value);
    case COUNT:
        return json_is_integer(value) && json_integer_value(value) >= 0;
    case NUMBER:
        return json_is_number(value);
    case LIST:
    case SCHEMAS:
        return json_is_array(value) && json_array_size(value) > 0;
    case SCHEMA:
    case FIELDS:
        return json_is_object(value);
    case FIELDS_OR_TRUE:
        return json_is_object(value) || json_is_true(value);
    case ONLY_TRUE:
        return json_is_true(value);
    case ANY:
        break;
    }
    return true;
}

static int check_keyword(struct check *c, const char *name, const json_t *value)
{
    static const char *const shapes[] = {
        [ANY] = "",
        [TEXT] = " must be a text",
        [FLAG] = " must be true or false",
        [COUNT] = " must be a number from 0",
        [NUMBER] = " must be a number",
        [LIST] = " must be a list with something in it",
        [SCHEMAS] = " must be a list of schemas",
        [SCHEMA] = " must be a schema",
        [FIELDS] = " must be an object of schemas",
        [FIELDS_OR_TRUE] = " must be a schema (unknown fields are refused without it)",
        [ONLY_TRUE] = " must be true or absent",
    };
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strcmp(keywords[i].name, name) == 0)
            return has_shape(keywords[i].wants, value) ? 0 : refuse(c, name, shapes[keywords[i].wants]);
    for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
        if (strcmp(advice[i].name, name) == 0) {
            char what[64];
            snprintf(what, sizeof what, "%s is not possible: ", name);
            return refuse(c, what, advice[i].instead);
        }
    return refuse(c, "unknown keyword ", name);
}

static int check_keywords(struct check *c, const json_t *node)
{
    const char *name;
    json_t *value;

    json_object_foreach ((json_t *)node, name, value) {
        int rc = check_keyword(c, name, value);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Exactly one kind of thing is said about every value: API servers prune by it. */
static int check_type(const struct check *c, const json_t *node)
{
    static const char *const types[] = {"object", "array", "string", "integer", "number", "boolean"};
    const char *type = json_string_value(json_object_get(node, "type"));
    bool open = json_object_get(node, "x-kubernetes-preserve-unknown-fields");

    if (json_object_get(node, "x-kubernetes-int-or-string"))
        return type ? refuse(c, "x-kubernetes-int-or-string stands instead of a type", "") : 0;
    if (!type)
        return open ? 0 : refuse(c, "type is missing", "");
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i], type) == 0) {
            if (open && i != 0)
                return refuse(c, "x-kubernetes-preserve-unknown-fields is for objects", "");
            return 0;
        }
    return refuse(c, "there is no type ", type);
}

static int check_parts(const struct check *c, const json_t *node)
{
    const char *type = json_string_value(json_object_get(node, "type"));
    const json_t *items = json_object_get(node, "items");
    const json_t *fields = json_object_get(node, "properties");
    const json_t *rest = json_object_get(node, "additionalProperties");

    if (es_streq(type, "array") != (items != NULL))
        return refuse(c, items ? "items are for a list" : "a list needs items", "");
    if ((fields || rest) && !es_streq(type, "object"))
        return refuse(c, fields ? "properties are for an object" : "additionalProperties are for an object",
                      "");
    if (fields && rest)
        return refuse(c, "properties and additionalProperties exclude each other", "");
    if (fields && json_object_get(node, "x-kubernetes-preserve-unknown-fields") == NULL) {
        size_t i;
        json_t *name;
        json_array_foreach (json_object_get(node, "required"), i, name)
            if (!json_is_string(name) || !json_object_get(fields, json_string_value(name)))
                return refuse(c, "required, but no property: ",
                              json_is_string(name) ? json_string_value(name) : "(not a text)");
    }
    return 0;
}

/* Inside allOf, anyOf, oneOf and not, values are judged but not described. A
 * type is allowed there in the one idiom that spells out int-or-string. */
static int check_judgement(const struct check *c, const json_t *node, const json_t *outer)
{
    static const char *const outside[] = {"description",
                                          "default",
                                          "additionalProperties",
                                          "nullable",
                                          "x-kubernetes-preserve-unknown-fields",
                                          "x-kubernetes-int-or-string",
                                          "x-kubernetes-validations"};
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        if (json_object_get(node, outside[i]))
            return refuse(c, outside[i], " must stand outside allOf, anyOf, oneOf and not");
    if (json_object_get(node, "type") && !json_object_get(outer, "x-kubernetes-int-or-string"))
        return refuse(c, "type", " must stand outside allOf, anyOf, oneOf and not");
    if (json_object_get(node, "items") && !json_object_get(outer, "items"))
        return refuse(c, "items", " must stand outside allOf, anyOf, oneOf and not as well");
    return 0;
}

static bool one_of(const char *text, const char *a, const char *b, const char *c)
{
    return !text || es_streq(text, a) || es_streq(text, b) || es_streq(text, c);
}

static int check_extensions(const struct check *c, const json_t *node)
{
    const char *list_type = json_string_value(json_object_get(node, "x-kubernetes-list-type"));
    const char *map_type = json_string_value(json_object_get(node, "x-kubernetes-map-type"));
    size_t i;
    json_t *rule;

    if (!one_of(list_type, "atomic", "set", "map") || !one_of(map_type, "atomic", "granular", NULL))
        return refuse(c, "x-kubernetes-list-type or -map-type is none that exists", "");
    if (es_streq(list_type, "map") != (json_object_get(node, "x-kubernetes-list-map-keys") != NULL))
        return refuse(c, "x-kubernetes-list-type: map and x-kubernetes-list-map-keys belong together", "");
    json_array_foreach (json_object_get(node, "x-kubernetes-validations"), i, rule)
        if (!json_is_string(json_object_get(rule, "rule")))
            return refuse(c, "x-kubernetes-validations needs a rule in each entry", "");
    return 0;
}

static int check_pattern(const struct check *c, const json_t *node)
{
    const char *pattern = json_string_value(json_object_get(node, "pattern"));
    struct es_regex *re = NULL;
    struct es_error why = ES_ERROR_INIT;

    if (!pattern)
        return 0;
    if (es_regex_new(&re, pattern, &why) < 0)
        return refuse(c, "pattern: ", why.text);
    es_regex_free(re);
    return 0;
}

static int check_default(const struct check *c, const json_t *node)
{
    const json_t *value = json_object_get(node, "default");
    struct es_error why = ES_ERROR_INIT;

    if (value && es_crd_check_value(node, value, &why) < 0)
        return refuse(c, "default: ", why.text);
    return 0;
}

static int check_children(struct check *c, const json_t *node, const json_t *outer, unsigned depth)
{
    static const char *const lists[] = {"allOf", "anyOf", "oneOf"};
    const json_t *rest = json_object_get(node, "additionalProperties");
    const json_t *items = json_object_get(node, "items");
    const json_t *not = json_object_get(node, "not");
    const json_t *describing = outer ? outer : node;
    int rc = check_fields(c, json_object_get(node, "properties"), outer, depth);

    if (rc == 0 && json_is_object(rest))
        rc = check_below(c, "additionalProperties", rest, NULL, depth);
    if (rc == 0 && items)
        rc = check_below(c, "items", items, json_object_get(outer, "items"), depth);
    if (rc == 0 && not )
        rc = check_below(c, "not", not, describing, depth);
    for (size_t i = 0; rc == 0 && i < sizeof lists / sizeof *lists; i++)
        rc = check_alternatives(c, lists[i], json_object_get(node, lists[i]), describing, depth);
    return rc;
}

static int check_description(const struct check *c, const json_t *node)
{
    int rc = check_type(c, node);

    if (rc == 0)
        rc = check_parts(c, node);
    if (rc == 0)
        rc = check_extensions(c, node);
    return rc;
}

static int check_node(struct check *c, const json_t *node, const json_t *outer, unsigned depth)
{
    if (!json_is_object(node))
        return refuse(c, "must be a schema", "");
    if (depth > ES_CRD_MAX_DEPTH)
        return refuse(c, "nests too deep", "");

    int rc = check_keywords(c, node);
    if (rc == 0)
        rc = outer ? check_judgement(c, node, outer) : check_description(c, node);
    if (rc == 0)
        rc = check_pattern(c, node);
    if (rc == 0)
        rc = check_children(c, node, outer, depth);
    if (rc == 0)
        rc = check_default(c, node);
    return rc;
}

static int check_root(struct check *c, json_t *schema)
{
    static const char *const for_editors[] = {"$schema", "$id", "$comment"};

    for (size_t i = 0; i < sizeof for_editors / sizeof *for_editors; i++)
        json_object_del(schema, for_editors[i]);
    /* This one is for the core. */
    const json_t *apart = json_object_get(schema, ES_PER_NAMESPACE);
    if (apart && !es_per_namespace_is_sound(apart))
        return refuse(c, ES_PER_NAMESPACE, " must be an object of arrays of strings");
    json_object_del(schema, ES_PER_NAMESPACE);
    if (!es_streq(json_string_value(json_object_get(schema, "type")), "object"))
        return refuse(c, "type must be object", "");
    return check_node(c, schema, NULL, 0);
}

int es_crd_parse_schema(json_t **ret, const char *name, const char *schema, struct es_error *err)
{
    struct check c = {.provider = name, .err = err};
    json_error_t where;

    es_buf_init(&c.path, 4096);
    if (!schema)
        return refuse(&c, "there is none", "");
    size_t len = strnlen(schema, SCHEMA_MAX + 1);
    if (len > SCHEMA_MAX)
        return refuse(&c, "it is above 512 KiB", "");

    json_t *root = json_loadb(schema, len, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(root)) {
        json_decref(root);
        if (!root && where.text[0] == '\0') /* how jansson says it has no memory */
            return es_error_nomem(err);
        return es_error_set(err, ES_E_CONFIG, "schema of provider \"%s\": line %d: %s", name,
                            root ? 1 : where.line, root ? "must be an object" : where.text);
    }
    int rc = check_root(&c, root);
    es_buf_fini(&c.path);
    if (rc < 0) {
        json_decref(root);
        return rc;
    }
    *ret = root;
    return 0;
}

int es_crd_check_schema(const char *name, const char *schema, struct es_error *err)
{
    json_t *parsed = NULL;
    int rc = es_crd_parse_schema(&parsed, name, schema, err);
    json_decref(parsed);
    return rc;
}
