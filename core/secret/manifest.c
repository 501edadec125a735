#include "core/secret/manifest.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/base/yaml.h"
#include "core/kube/obj.h"
#include "core/secret/gotext.h"
#include "core/secret/hash.h"
#include "core/secret/ownership.h"
#include "core/secret/path.h"
#include "core/secret/tree.h"

#define VALUE_MAX ((size_t)4 * 1024 * 1024)

/* ---- steps ----
 *
 * {"field": "data", "key", "text"} or {"path", "value", "merge"}. */

static const char *const fields[] = {"data", "spec", "labels", "annotations"};

/* One of the four names, or NULL: a path. */
static const char *field_of(const char *target)
{
    if (!*target)
        return fields[0];
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (es_strieq(target, fields[i]))
            return fields[i];
    return NULL;
}

static int add_step(json_t *steps, json_t *take_step, struct es_error *err)
{
    return json_array_append_new(steps, take_step) < 0 ? es_error_nomem(err) : 0;
}

/* Only a Secret has room for bytes that are no text. */
static int text_of(json_t **ret, const char *key, const struct es_blob *blob, struct es_error *err)
{
    const char *text = blob->ptr ? (const char *)blob->ptr : "";

    if (!es_utf8_valid(text, blob->len))
        return es_error_set(err, ES_E_CONFIG,
                            "the value of key %s is not UTF-8, which only a Secret can hold", key);
    *ret = json_stringn_nocheck(text, blob->len);
    return *ret ? 0 : es_error_nomem(err);
}

static int add_text(json_t *steps, const char *field, const char *key, const struct es_blob *blob,
                    struct es_error *err)
{
    json_t *text = NULL;
    int rc = text_of(&text, key, blob, err);

    return rc < 0
               ? rc
               : add_step(steps, json_pack("{s:s,s:s,s:o}", "field", field, "key", key, "text", text), err);
}

/* The first document of a text; null when there is none. */
static int read_yaml(json_t **ret, const char *what, const struct es_blob *text, struct es_error *err)
{
    struct es_yaml yaml = {0};
    int rc = es_yaml_parse_rendered(&yaml, what, text->ptr ? (const char *)text->ptr : "", text->len, err);

    if (rc == 0)
        *ret = yaml.count ? json_incref(yaml.docs[0].root) : json_null();
    es_yaml_fini(&yaml);
    return rc;
}

int es_manifest_add_value(json_t *steps, const char *target, const char *key, const struct es_blob *text,
                          struct es_error *err)
{
    const char *field = field_of(target);
    json_t *value = NULL;

    if (field)
        return add_text(steps, field, key, text, err);
    /* What is no YAML is a text. */
    int rc = read_yaml(&value, key, text, NULL);
    if (rc < 0)
        rc = rc == ES_E_NOMEM ? es_error_nomem(err) : text_of(&value, key, text, err);
    if (rc < 0)
        return rc;
    return add_step(steps, json_pack("{s:s,s:o,s:b}", "path", target, "value", value, "merge", 0), err);
}

/* The text of a scalar, as the reference's reader of YAML has it where a text is wanted: `port: 5432` and
 * `on: true` need no quotes, and nothing is an empty text. */
static int scalar_text(struct es_blob *ret, const char *key, const json_t *value, struct es_error *err)
{
    char text[ES_GO_FLOAT_MAX] = "";
    int rc;

    if (json_is_string(value)) {
        rc = es_blob_set(ret, json_string_value(value), json_string_length(value));
    } else if (json_is_object(value) || json_is_array(value)) {
        return es_error_set(
            err, ES_E_CONFIG,
            "could not unmarshal template to 'map[string][]byte': the value of %s is a %s, not a text", key,
            json_is_object(value) ? "map" : "list");
    } else {
        if (json_is_real(value))
            es_go_float(text, json_real_value(value), ES_GO_GENERAL);
        else if (json_is_integer(value))
            snprintf(text, sizeof text, "%lld", (long long)json_integer_value(value));
        else if (json_is_boolean(value))
            snprintf(text, sizeof text, "%s", json_is_true(value) ? "true" : "false");
        rc = es_blob_set(ret, text, strlen(text));
        OPENSSL_cleanse(text, sizeof text);
    }
    return rc < 0 ? es_error_nomem(err) : 0;
}

static int take_pair(es_manifest_pair *take, void *ctx, const char *key, const json_t *value,
                     const char *decoding, struct es_error *err)
{
    struct es_blob blob = {0};

    int rc = scalar_text(&blob, key, value, err);
    if (rc < 0)
        return rc;
    if (es_blob_decode(&blob, decoding, err) < 0)
        rc = es_error_wrap(err, "failed to decode rendered template value for key %s: ", key);
    else
        rc = take(ctx, key, &blob, err);
    es_blob_fini(&blob);
    return rc;
}

int es_manifest_pairs(const char *what, const struct es_blob *text, const char *decoding,
                      es_manifest_pair *take, void *ctx, struct es_error *err)
{
    const char *key;
    json_t *map = NULL, *value;
    int rc = read_yaml(&map, what, text, err);

    if (rc < 0)
        return es_error_wrap(err, "could not unmarshal template to 'map[string][]byte': ");
    if (!json_is_object(map) && !json_is_null(map))
        rc = es_error_set(err, ES_E_CONFIG,
                          "could not unmarshal template to 'map[string][]byte': it is no map");
    json_object_foreach (map, key, value) {
        rc = take_pair(take, ctx, key, value, decoding, err);
        if (rc < 0)
            break;
    }
    json_decref(map);
    return rc;
}

struct field_steps {
    json_t *steps;
    const char *field;
};

static int add_pair(void *ctx, const char *key, struct es_blob *value, struct es_error *err)
{
    const struct field_steps *to = ctx;
    return add_text(to->steps, to->field, key, value, err);
}

int es_manifest_add_document(json_t *steps, const char *target, const char *what, const struct es_blob *text,
                             const char *decoding, struct es_error *err)
{
    struct field_steps to = {steps, field_of(target)};
    json_t *value = NULL;

    if (to.field && !es_streq(to.field, "spec"))
        return es_manifest_pairs(what, text, decoding, add_pair, &to, err);
    int rc = read_yaml(&value, what, text, err);
    if (rc < 0)
        return es_error_wrap(err, "could not unmarshal template YAML: ");
    rc = add_step(
        steps, json_pack("{s:s,s:O,s:b}", "path", to.field ? to.field : target, "value", value, "merge", 1),
        err);
    json_decref(value);
    return rc;
}

/* ---- shaping ---- */

struct shaping {
    const json_t *es, *existing, *steps;
    const struct es_kind *kind;
    const struct es_creation_policy *policy;
    const struct es_values *values;
    json_t *object;
    enum es_target_fault fault;
    struct es_error *err;
};

static int nomem(struct shaping *s)
{
    return es_error_nomem(s->err);
}

static bool is_secret(const struct shaping *s)
{
    return es_kind_same(s->kind, &es_kind_secret);
}

/* Where the content of a kind goes. */
static const char *home_of(const struct shaping *s)
{
    return es_streq(s->kind->kind, "ConfigMap") || es_streq(s->kind->kind, "Secret") ? "data" : "spec";
}

/* Who the object is. Templates cannot change it: they would write into another
 * namespace with the operator's rights. */
static int put_identity(struct shaping *s)
{
    char api_version[128];
    json_t *meta = es_tree_member(s->object, "metadata");

    es_kind_api_version(s->kind, api_version);
    if (!meta || json_object_set_new(s->object, "apiVersion", json_string(api_version)) < 0 ||
        json_object_set_new(s->object, "kind", json_string(s->kind->kind)) < 0 ||
        json_object_set_new(meta, "name", json_string(es_target_name(s->es))) < 0 ||
        json_object_set_new(meta, "namespace", json_string(es_obj_namespace(s->es))) < 0)
        return nomem(s);
    return 0;
}

static bool has_identity(const struct shaping *s)
{
    static const char *const server_set[] = {"uid", "resourceVersion"};
    char api_version[128];
    const json_t *o = s->object;
    bool same = es_streq(es_obj_str(o, "apiVersion"), es_kind_api_version(s->kind, api_version)) &&
                es_streq(es_obj_str(o, "kind"), s->kind->kind) &&
                es_streq(es_obj_name(o), es_target_name(s->es)) &&
                es_streq(es_obj_namespace(o), es_obj_namespace(s->es));

    for (size_t i = 0; i < sizeof server_set / sizeof *server_set; i++)
        same = same && es_streq(es_obj_str(o, "metadata", server_set[i]),
                                es_obj_str(s->existing, "metadata", server_set[i]));
    return same;
}

static int check_identity(struct shaping *s)
{
    if (has_identity(s))
        return 0;
    return es_error_set(s->err, ES_E_CONFIG,
                        "templateFrom must not change the target's apiVersion, kind, name, namespace, uid or "
                        "resourceVersion");
}

/* Policies that replace what is there keep what others put beside spec and data. */
static int drop_own_content(struct shaping *s)
{
    char manager[ES_FIELD_MANAGER_MAX];
    const char *name;
    json_t *value;
    void *next;
    int rc = es_field_manager(manager, es_obj_name(s->es), s->err);

    if (rc < 0)
        return rc;
    json_object_foreach_safe (s->object, next, name, value)
        if (es_streq(name, "spec") || es_streq(name, "data") ||
            (!es_streq(name, "metadata") && !es_streq(name, "status") &&
             es_tree_wrote(s->existing, manager, name)))
            json_object_del(s->object, name);
    return 0;
}

static int begin(struct shaping *s)
{
    int rc = 0;

    s->object = s->existing ? es_tree_copy_sendable(s->existing) : json_object();
    if (!s->object)
        return nomem(s);
    if (s->existing)
        rc = es_tree_drop_stale(s->object, s->existing, s->es, s->err);
    if (rc == 0 && s->existing && !s->policy->keeps_others)
        rc = drop_own_content(s);
    if (rc == 0)
        rc = put_identity(s);
    if (rc == 0 && (!s->existing || !s->policy->keeps_others) && !es_tree_member(s->object, home_of(s)))
        rc = nomem(s);
    return rc;
}

/* Labels and annotations are those of the template, as they stand there, or with
 * no template those of the ExternalSecret. */
static int add_metadata(struct shaping *s)
{
    const json_t *source =
        s->steps ? es_obj_at(s->es, "spec", "target", "template", "metadata") : es_obj_at(s->es, "metadata");
    json_t *meta = json_object_get(s->object, "metadata");

    if (es_tree_add_strings(meta, "labels", json_object_get(source, "labels")) < 0 ||
        es_tree_add_strings(meta, "annotations", json_object_get(source, "annotations")) < 0)
        return nomem(s);
    return 0;
}

/* A ConfigMap takes texts, a Secret base64, others texts. */
static int value_of(struct shaping *s, json_t **ret, const struct es_value *v)
{
    struct es_buf text;

    if (v->blob.len > VALUE_MAX)
        return es_error_set(s->err, ES_E_TOO_LARGE, "value of key %s is above %zu bytes", v->key, VALUE_MAX);
    if (!is_secret(s))
        return text_of(ret, v->key, &v->blob, s->err);
    es_buf_init(&text, VALUE_MAX / 3 * 4 + 8);
    es_base64_encode(&text, v->blob.ptr, v->blob.len);
    *ret = es_buf_failed(&text) ? NULL : json_stringn_nocheck(es_buf_str(&text), text.len);
    es_buf_fini(&text);
    return *ret ? 0 : nomem(s);
}

/* Without a template: data of ConfigMaps and Secrets, spec.data of all others. */
static int put_values(struct shaping *s)
{
    bool direct = es_streq(home_of(s), "data");
    json_t *parent = direct ? s->object : es_tree_member(s->object, "spec");
    json_t *data = parent ? es_tree_member(parent, "data") : NULL;
    int rc = data ? 0 : nomem(s);

    for (size_t i = 0; rc == 0 && i < s->values->count; i++) {
        json_t *value = NULL;
        rc = value_of(s, &value, &s->values->items[i]);
        if (rc == 0 && json_object_set_new(data, s->values->items[i].key, value) < 0)
            rc = nomem(s);
    }
    return rc;
}

/* A pair of one of the four named targets. */
static int put_pair(struct shaping *s, const json_t *step)
{
    const char *field = es_obj_str(step, "field");
    bool metadata = es_streq(field, "labels") || es_streq(field, "annotations");
    json_t *parent = metadata ? json_object_get(s->object, "metadata") : s->object;
    const json_t *have = json_object_get(parent, field);

    if (have && !json_is_object(have) && !json_is_null(have))
        return es_error_set(s->err, ES_E_CONFIG, "failed to set %s field on object: it is no map", field);
    json_t *into = es_tree_member(parent, field);
    if (!into || json_object_set(into, es_obj_str(step, "key"), json_object_get(step, "text")) < 0)
        return nomem(s);
    return 0;
}

static int put_step(struct shaping *s, const json_t *step)
{
    if (json_object_get(step, "field"))
        return put_pair(s, step);
    /* A copy: a later step may write into it, and the steps serve again. */
    json_t *value = es_tree_copy(json_object_get(step, "value"));
    int rc = value
                 ? es_path_put(s->object, es_obj_str(step, "path"), value, es_obj_bool(step, "merge"), s->err)
                 : nomem(s);
    json_decref(value);
    return rc;
}

static int put_steps(struct shaping *s)
{
    const json_t *step;
    size_t i;
    int rc = 0;

    json_array_foreach (s->steps, i, step) {
        rc = put_step(s, step);
        if (rc < 0)
            break;
    }
    return rc < 0 ? rc : check_identity(s);
}

static int mark(struct shaping *s)
{
    char hash[ES_SHA3_224_HEX_MAX];
    int rc = es_hash_object(hash, s->object, s->err);

    if (rc < 0)
        return es_error_wrap(s->err, "failed to hash target \"%s\" content: ", es_target_name(s->es));
    if (es_obj_set(s->object, json_string("true"), "metadata", "labels", ES_LABEL_MANAGED) < 0 ||
        es_obj_set(s->object, json_string(hash), "metadata", "annotations", ES_ANNOTATION_DATA_HASH) < 0)
        return nomem(s);
    return 0;
}

static int build(struct shaping *s)
{
    int rc = begin(s);

    if (rc == 0)
        rc = add_metadata(s);
    if (rc == 0)
        rc = s->steps ? put_steps(s) : put_values(s);
    if (rc == 0)
        rc = mark(s);
    if (rc == 0)
        rc = es_ownership_apply(s->object, s->es, s->policy, &s->fault, s->err);
    return rc;
}

static bool is_same(const json_t *a, const json_t *b)
{
    static const char *const metadata[] = {"managedFields", NULL}, *const top[] = {"metadata", NULL};
    return es_tree_same_members(es_obj_at(a, "metadata"), es_obj_at(b, "metadata"), metadata) &&
           es_tree_same_members(a, b, top);
}

int es_manifest_shape(struct es_manifest_change *ret, const json_t *external_secret,
                      const struct es_kind *kind, const json_t *existing, const struct es_values *values,
                      const json_t *steps, enum es_target_fault *fault, struct es_error *err)
{
    struct shaping s = {.es = external_secret,
                        .existing = existing,
                        .steps = steps,
                        .kind = kind,
                        .policy = es_creation_policy_of(external_secret),
                        .values = values,
                        .fault = ES_TARGET_TEMPLATE,
                        .err = err};
    int rc = s.policy ? build(&s) : es_error_set(err, ES_E_INTERNAL, "unknown creationPolicy");

    *fault = s.fault;
    if (rc < 0) {
        json_decref(s.object);
        return rc;
    }
    *ret =
        (struct es_manifest_change){.object = s.object, .differs = !existing || !is_same(s.object, existing)};
    return 0;
}

/* ---- what is there ---- */

void es_manifest_hash(char out[ES_SHA3_224_HEX_MAX], const json_t *object)
{
    if (es_hash_object(out, object, NULL) < 0)
        out[0] = '\0';
}

bool es_manifest_is_managed(const json_t *object)
{
    return es_streq(es_obj_str(object, "metadata", "labels", ES_LABEL_MANAGED), "true");
}

bool es_manifest_is_intact(const json_t *object)
{
    char hash[ES_SHA3_224_HEX_MAX];

    es_manifest_hash(hash, object);
    return *hash && es_manifest_is_managed(object) &&
           es_streq(es_obj_str(object, "metadata", "annotations", ES_ANNOTATION_DATA_HASH), hash);
}
