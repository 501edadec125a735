#include "core/plugin/crd.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/regex.h"
#include "core/base/text.h"
#include "core/base/yaml.h"
#include "core/plugin/crd_own.h"

#define NAME_MAX_LEN 63
#define TEXT_MAX_LEN ((size_t)1024 * 1024)

/* Made by esod_embed from crds/. */
#define EMBEDDED(name)                                                                                       \
    extern const char crd_##name[];                                                                          \
    extern const size_t crd_##name##_len
#define TEXT_OF(name) #name, crd_##name, &crd_##name##_len

EMBEDDED(fragments_common);
EMBEDDED(fragments_externalsecret);
EMBEDDED(fragments_store);
EMBEDDED(fragments_cluster);
EMBEDDED(fragments_push);
EMBEDDED(externalsecret);
EMBEDDED(secretstore);
EMBEDDED(clustersecretstore);
EMBEDDED(clusterexternalsecret);
EMBEDDED(pushsecret);
EMBEDDED(clusterpushsecret);

struct text {
    const char *name, *text;
    const size_t *len;
};

static const struct text fragments[] = {
    {TEXT_OF(fragments_common)},  {TEXT_OF(fragments_externalsecret)}, {TEXT_OF(fragments_store)},
    {TEXT_OF(fragments_cluster)}, {TEXT_OF(fragments_push)},
};

/* In the order they are printed: all kinds of the group, also those that this
 * version serves no controller for. The definitions are one set with the
 * reference's, so that a cluster that switches, either way, keeps its objects. */
static const struct text documents[] = {
    {TEXT_OF(externalsecret)},        {TEXT_OF(secretstore)}, {TEXT_OF(clustersecretstore)},
    {TEXT_OF(clusterexternalsecret)}, {TEXT_OF(pushsecret)},  {TEXT_OF(clusterpushsecret)},
};

/* ---- spec.provider */

static bool is_word(const char *name)
{
    size_t len = name ? strlen(name) : 0;
    if (len == 0 || len > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < len; i++) {
        char c = name[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        bool inner = (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!letter && (i == 0 || !inner))
            return false;
    }
    return true;
}

/* Field names that CEL spells differently.
 * Source: kubernetes.io, "Validation rules", "Escaping". */
static void add_cel_name(struct es_buf *out, const char *name)
{
    static const char *const words[] = {"true",   "false",    "null", "in",      "as",        "break",
                                        "const",  "continue", "else", "for",     "function",  "if",
                                        "import", "let",      "loop", "package", "namespace", "return",
                                        "var",    "void",     "while"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i], name) == 0) {
            es_buf_addf(out, "__%s__", name);
            return;
        }
    for (const char *p = name; *p; p++) {
        if (*p == '-')
            es_buf_adds(out, "__dash__");
        else if (p[0] == '_' && p[1] == '_') {
            es_buf_adds(out, "__underscores__");
            p++;
        } else {
            es_buf_addc(out, *p);
        }
    }
}

/* The rule that refuses unknown providers, but only in stores that no operator
 * has looked at yet. A store that was there before its plugin went keeps its
 * block, and can be told in its status what it lacks. */
static json_t *provider_rule(const json_t *properties)
{
    struct es_buf rule, message;
    const char *name;
    json_t *schema;

    es_buf_init(&rule, TEXT_MAX_LEN);
    es_buf_init(&message, TEXT_MAX_LEN);
    es_buf_adds(&rule, "has(self.status) || !has(self.spec) || !has(self.spec.provider)");
    es_buf_adds(&message, "no plugin here has this provider; there ");
    json_object_foreach ((json_t *)properties, name, schema) {
        es_buf_adds(&rule, " || has(self.spec.provider.");
        add_cel_name(&rule, name);
        es_buf_addc(&rule, ')');
        es_buf_addf(&message, "%s%s", strchr(es_buf_str(&message), ':') ? ", " : "are: ", name);
    }
    if (json_object_size(properties) == 0)
        es_buf_adds(&message, "are none");

    json_t *made = NULL;
    if (!es_buf_failed(&rule) && !es_buf_failed(&message))
        made = json_pack("{s:s, s:s, s:s}", "rule", es_buf_str(&rule), "message", es_buf_str(&message),
                         "fieldPath", ".spec.provider");
    es_buf_fini(&rule);
    es_buf_fini(&message);
    return made;
}

/* Unknown blocks are kept, not pruned. */
static json_t *provider_node(const json_t *properties)
{
    return json_pack("{s:s, s:s, s:i, s:i, s:b, s:O}", "type", "object", "description",
                     "The provider that holds the secrets, with its settings. Exactly one is set.",
                     "minProperties", 1, "maxProperties", 1, "x-kubernetes-preserve-unknown-fields", 1,
                     "properties", properties);
}

/* What the documents name #/computed/... */
static json_t *computed_new(const json_t *properties)
{
    return json_pack("{s:o, s:o}", "provider", provider_node(properties), "providerRule",
                     provider_rule(properties));
}

static int by_name(const void *a, const void *b)
{
    const struct es_crd_provider *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static int add_provider(json_t *properties, const struct es_crd_provider *p, struct es_error *err)
{
    if (json_object_get(properties, p->name))
        return es_error_set(err, ES_E_CONFIG, "two plugins bring a provider \"%s\"", p->name);

    json_t *schema = NULL;
    int rc = es_crd_parse_schema(&schema, p->name, p->schema, err);
    if (rc < 0)
        return rc;
    return json_object_set_new(properties, p->name, schema) < 0 ? es_error_nomem(err) : 0;
}

static int compute(json_t **ret, const struct es_crd_provider *providers, size_t count, struct es_error *err)
{
    const struct es_crd_provider **sorted = es_mem_calloc(count, sizeof *sorted);
    json_t *properties = json_object();
    int rc = 0;

    if (!sorted || !properties)
        rc = es_error_nomem(err);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        sorted[i] = &providers[i];
        if (!is_word(providers[i].name))
            rc = es_error_set(err, ES_E_CONFIG, "\"%.80s\" cannot be the name of a provider",
                              providers[i].name ? providers[i].name : "");
    }
    if (rc == 0 && count > 0)
        qsort(sorted, count, sizeof *sorted, by_name);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = add_provider(properties, sorted[i], err);

    json_t *made = rc == 0 ? computed_new(properties) : NULL;
    if (rc == 0 && !made)
        rc = es_error_nomem(err);
    if (rc == 0)
        *ret = made;
    json_decref(properties);
    es_mem_free(sorted);
    return rc;
}

/* ---- the documents */

static int load(json_t **ret, const struct text *t, struct es_error *err)
{
    struct es_yaml y = {0};
    int rc = es_yaml_parse(&y, t->name, t->text, *t->len, err);

    if (rc < 0)
        return rc;
    if (y.count == 1)
        *ret = json_incref(y.docs[0].root);
    else
        rc = es_error_set(err, ES_E_INTERNAL, "%s: one document expected", t->name);
    es_yaml_fini(&y);
    return rc;
}

static int add_fragments(json_t *all, const struct text *t, struct es_error *err)
{
    json_t *more = NULL, *value;
    const char *name;
    int rc = load(&more, t, err);

    json_object_foreach (more, name, value) {
        if (json_object_get(all, name))
            rc = es_error_set(err, ES_E_INTERNAL, "%s: %s is there twice", t->name, name);
        else if (json_object_set(all, name, value) < 0)
            rc = es_error_nomem(err);
        if (rc < 0)
            break;
    }
    json_decref(more);
    return rc;
}

static int add_document(json_t *list, const struct text *t, const json_t *all, const json_t *computed,
                        struct es_error *err)
{
    json_t *raw = NULL, *resolved = NULL;
    int rc = load(&raw, t, err);

    if (rc == 0)
        rc = es_crd_resolve(&resolved, raw, all, computed, err);
    if (rc == 0 && json_array_append_new(list, resolved) < 0)
        rc = es_error_nomem(err);
    json_decref(raw);
    return rc;
}

static int compile_pattern(struct es_map *patterns, const char *pattern, struct es_error *err)
{
    struct es_regex *re = NULL;

    if (es_map_get(patterns, pattern))
        return 0;
    int rc = es_regex_new(&re, pattern, err);
    if (rc < 0)
        return rc;
    rc = es_map_put(patterns, pattern, re, NULL);
    if (rc < 0) {
        es_regex_free(re);
        return es_error_nomem(err);
    }
    return 0;
}

/* Every "pattern" with a text, wherever it stands. A field of that name is an
 * object in `properties`, so it is not taken for one. */
static int compile_patterns(struct es_map *patterns, const json_t *node, unsigned depth, struct es_error *err)
{
    const char *key;
    json_t *value;
    size_t i;
    int rc = 0;

    if (depth > 4 * ES_CRD_MAX_DEPTH)
        return es_error_set(err, ES_E_CONFIG, "schemas nest too deep");
    json_object_foreach ((json_t *)node, key, value) {
        if (strcmp(key, "pattern") == 0 && json_is_string(value))
            rc = compile_pattern(patterns, json_string_value(value), err);
        else
            rc = compile_patterns(patterns, value, depth + 1, err);
        if (rc < 0)
            return rc;
    }
    json_array_foreach (node, i, value) {
        rc = compile_patterns(patterns, value, depth + 1, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int assemble(struct es_crds *crds, const json_t *computed, struct es_error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof fragments / sizeof *fragments; i++)
        rc = add_fragments(crds->fragments, &fragments[i], err);
    for (size_t i = 0; rc == 0 && i < sizeof documents / sizeof *documents; i++)
        rc = add_document(crds->documents, &documents[i], crds->fragments, computed, err);
    if (rc == 0)
        rc = es_crd_resolve(&crds->meta, json_object_get(crds->fragments, "objectMeta"), crds->fragments,
                            computed, err);
    if (rc == 0)
        rc = compile_patterns(&crds->patterns, crds->documents, 0, err);
    if (rc == 0)
        rc = compile_patterns(&crds->patterns, crds->meta, 0, err);
    return rc;
}

static struct es_crds *crds_alloc(void)
{
    struct es_crds *crds = es_mem_calloc(1, sizeof *crds);

    if (!crds)
        return NULL;
    crds->documents = json_array();
    crds->fragments = json_object();
    if (crds->documents && crds->fragments)
        return crds;
    es_crds_free(crds);
    return NULL;
}

int es_crds_new(struct es_crds **ret, const struct es_crd_provider *providers, size_t count,
                struct es_error *err)
{
    json_t *computed = NULL;
    int rc = compute(&computed, providers, count, err);

    if (rc < 0)
        return rc;
    struct es_crds *crds = crds_alloc();
    rc = crds ? assemble(crds, computed, err) : es_error_nomem(err);
    json_decref(computed);
    if (rc < 0) {
        es_crds_free(crds);
        return rc;
    }
    *ret = crds;
    return 0;
}

void es_crds_free(struct es_crds *crds)
{
    if (!crds)
        return;
    size_t pos = 0;
    for (struct es_regex *re; (re = es_map_next(&crds->patterns, &pos));)
        es_regex_free(re);
    es_map_fini(&crds->patterns);
    json_decref(crds->meta);
    json_decref(crds->documents);
    json_decref(crds->fragments);
    es_mem_free(crds);
}

int es_crds_stamp(struct es_crds *crds, const char *version, struct es_error *err)
{
    json_t *document;
    size_t i;

    json_array_foreach (crds->documents, i, document) {
        json_t *meta = json_object_get(document, "metadata");
        json_t *annotations = json_object_get(meta, "annotations");
        if (!annotations) {
            annotations = json_object();
            json_object_set_new(meta, "annotations", annotations);
        }
        if (json_object_set_new(annotations, ES_CRD_ANNOTATION_VERSION, json_string(version)) < 0)
            return es_error_nomem(err);
    }
    return 0;
}

/* ---- what comes out */

static int add_bytes(const char *data, size_t len, void *out)
{
    es_buf_add(out, data, len);
    return 0;
}

static void write_yaml(struct es_buf *out, const struct es_crds *crds)
{
    json_t *document;
    size_t i;

    json_array_foreach (crds->documents, i, document) {
        es_buf_adds(out, "---\n");
        es_yaml_write(out, document, false);
    }
}

static int write_json(struct es_buf *out, const struct es_crds *crds)
{
    json_t *list = json_pack("{s:s, s:s, s:O}", "apiVersion", "v1", "kind", "List", "items", crds->documents);
    int rc = list ? json_dump_callback(list, add_bytes, out, JSON_INDENT(1)) : -1;
    json_decref(list);
    es_buf_addc(out, '\n');
    return rc == 0 ? 0 : ES_E_NOMEM;
}

int es_crds_write(struct es_buf *out, const struct es_crds *crds, enum es_crd_format format,
                  struct es_error *err)
{
    if (format == ES_CRD_YAML)
        write_yaml(out, crds);
    else if (write_json(out, crds) < 0)
        return es_error_nomem(err);
    if (es_buf_failed(out))
        return es_error_set(err, ES_E_TOO_LARGE, "the definitions do not fit into %zu bytes", out->max);
    return 0;
}

int es_crd_render(struct es_buf *out, const struct es_crd_provider *providers, size_t count,
                  enum es_crd_format format, struct es_error *err)
{
    struct es_crds *crds = NULL;
    int rc = es_crds_new(&crds, providers, count, err);

    if (rc == 0)
        rc = es_crds_write(out, crds, format, err);
    es_crds_free(crds);
    return rc;
}

/* ---- look-ups */

const json_t *es_crds_documents(const struct es_crds *crds)
{
    return crds->documents;
}

static const json_t *version_schema(const json_t *spec, const char *version)
{
    size_t i;
    const json_t *v;

    json_array_foreach (json_object_get(spec, "versions"), i, v)
        if (es_streq(json_string_value(json_object_get(v, "name")), version))
            return json_object_get(json_object_get(v, "schema"), "openAPIV3Schema");
    return NULL;
}

const json_t *es_crds_schema(const struct es_crds *crds, const char *api_version, const char *kind)
{
    const char *slash = api_version ? strchr(api_version, '/') : NULL;
    size_t i;
    const json_t *crd;

    if (!slash || !kind)
        return NULL;
    json_array_foreach (crds->documents, i, crd) {
        const json_t *spec = json_object_get(crd, "spec");
        const char *group = json_string_value(json_object_get(spec, "group"));
        const char *named = json_string_value(json_object_get(json_object_get(spec, "names"), "kind"));
        if (es_streq(named, kind) && group && strlen(group) == (size_t)(slash - api_version) &&
            es_str_starts(api_version, group))
            return version_schema(spec, slash + 1);
    }
    return NULL;
}
