#include "core/secret/target.h"

#include <string.h>

#include "core/base/codec.h"
#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/secret/gotext.h"
#include "core/secret/hash.h"
#include "core/secret/ownership.h"
#include "core/secret/tree.h"

/* What the API server takes for all values of a Secret together. It would say so
 * itself, but neither how large this one is nor what to do. */
#define SECRET_MAX ((size_t)1024 * 1024)

/* One pass over one target. */
struct shaping {
    const json_t *es, *existing;
    const struct es_creation_policy *policy;
    const struct es_values *values;
    const struct es_rendered_template *rendered;
    json_t *object;
    enum es_target_fault fault;
    struct es_error *err;
};

static const struct es_creation_policy policies[] = {
    {.name = "Owner", .creates = true, .owns = true, .writes = true},
    {.name = "Orphan", .creates = true, .writes = true},
    {.name = "CreateOrMerge", .creates = true, .keeps_others = true, .writes = true},
    {.name = "Merge", .keeps_others = true, .writes = true},
    {.name = "None"},
};

const struct es_creation_policy *es_creation_policy_of(const json_t *external_secret)
{
    const char *name = es_obj_str(external_secret, "spec", "target", "creationPolicy");

    if (!*name)
        return &policies[0];
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++)
        if (es_streq(policies[i].name, name))
            return &policies[i];
    return NULL;
}

const char *es_target_name(const json_t *external_secret)
{
    const char *name = es_obj_str(external_secret, "spec", "target", "name");
    return *name ? name : es_obj_name(external_secret);
}

bool es_target_is_frozen(const json_t *external_secret, const json_t *existing)
{
    return existing && es_obj_bool(external_secret, "spec", "target", "immutable");
}

bool es_target_is_valid(const json_t *external_secret, const json_t *secret_meta, const char *data_hash)
{
    const struct es_creation_policy *policy = es_creation_policy_of(external_secret);

    if (policy && es_streq(policy->name, "Orphan"))
        return true;
    return secret_meta && es_streq(es_obj_str(secret_meta, "metadata", "labels", ES_LABEL_MANAGED), "true") &&
           !es_str_empty(data_hash) &&
           es_streq(es_obj_str(secret_meta, "metadata", "annotations", ES_ANNOTATION_DATA_HASH), data_hash);
}

static bool has_target_annotations(const json_t *template)
{
    size_t i;
    const json_t *from;

    json_array_foreach (es_obj_at(template, "templateFrom"), i, from)
        if (es_strieq(es_obj_str(from, "target"), "Annotations"))
            return true;
    return false;
}

/* Types by which the cluster hands out credentials: minting them would lend
 * the operator's rights to whoever may write an ExternalSecret. */
static void add_privileged(struct es_buf *out, const json_t *template)
{
    static const char account_type[] = "kubernetes.io/service-account-token";
    static const char account_name[] = "kubernetes.io/service-account.name";
    const char *type = es_obj_str(template, "type");

    if (es_streq(type, "bootstrap.kubernetes.io/token"))
        es_buf_addf(out, "template.type=\"%s\" is not allowed\n", type);
    if (!es_streq(type, account_type))
        return;
    if (json_object_get(es_obj_at(template, "metadata", "annotations"), account_name))
        es_buf_addf(out, "template.type=\"%s\" with annotation \"%s\" is not allowed\n", type, account_name);
    else if (has_target_annotations(template))
        es_buf_addf(out, "template.type=\"%s\" with templateFrom target=\"Annotations\" is not allowed\n",
                    type);
}

static void add_foreign_targets(struct es_buf *out, const json_t *template)
{
    size_t i;
    const json_t *from;

    json_array_foreach (es_obj_at(template, "templateFrom"), i, from) {
        const char *target = es_obj_str(from, "target");
        if (!*target || es_strieq(target, "Data") || es_strieq(target, "Labels") ||
            es_strieq(target, "Annotations"))
            continue;
        es_buf_adds(out, "templateFrom target=");
        es_go_quote(out, target);
        es_buf_adds(out, " is not allowed when targeting a Secret, "
                         "must be one of \"Data\", \"Annotations\" or \"Labels\"\n");
    }
}

int es_target_check_template(const json_t *external_secret, struct es_error *err)
{
    const json_t *template = es_obj_at(external_secret, "spec", "target", "template");
    struct es_buf refusals;
    int rc = 0;

    es_buf_init(&refusals, (size_t)1 << 20);
    add_privileged(&refusals, template);
    add_foreign_targets(&refusals, template);
    if (es_buf_failed(&refusals))
        rc = es_error_set(err, ES_E_TOO_LARGE, "too many refusals of the template to tell");
    else if (refusals.len)
        rc = es_error_set(err, ES_E_CONFIG, "%.*s", (int)refusals.len - 1, es_buf_str(&refusals));
    es_buf_fini(&refusals);
    return rc;
}

static int nomem(struct shaping *s)
{
    s->fault = ES_TARGET_INTERNAL;
    return es_error_nomem(s->err);
}

static json_t *new_secret(const json_t *es)
{
    return json_pack("{s:s, s:s, s:{s:s, s:s}, s:s}", "apiVersion", "v1", "kind", "Secret", "metadata",
                     "name", es_target_name(es), "namespace", es_obj_namespace(es), "type", "Opaque");
}

/* Items of a list come without apiVersion and kind. */
static json_t *copy_secret(const json_t *existing)
{
    json_t *copy = es_tree_copy_sendable(existing);

    if (json_object_set_new_nocheck(copy, "apiVersion", json_string("v1")) < 0 ||
        json_object_set_new_nocheck(copy, "kind", json_string("Secret")) < 0) {
        json_decref(copy);
        return NULL;
    }
    return copy;
}

static int add_finalizers(struct shaping *s, json_t *meta)
{
    const json_t *wanted = es_obj_at(s->es, "spec", "target", "template", "metadata", "finalizers");
    size_t i;
    json_t *one;

    if (es_obj_deleting(s->object))
        return 0;
    json_array_foreach (wanted, i, one) {
        json_t *have = json_object_get(meta, "finalizers");
        if (!json_is_string(one) || es_obj_has_finalizer(s->object, json_string_value(one)))
            continue;
        if (!json_is_array(have)) {
            have = json_array();
            if (json_object_set_new(meta, "finalizers", have) < 0)
                return -1;
        }
        if (json_array_append(have, one) < 0)
            return -1;
    }
    return 0;
}

static int apply_metadata(struct shaping *s)
{
    json_t *meta = es_obj_at(s->object, "metadata");
    const json_t *labels = es_obj_at(s->es, "metadata", "labels");
    const json_t *annotations = es_obj_at(s->es, "metadata", "annotations");

    if (s->rendered) {
        labels = s->rendered->labels;
        annotations = s->rendered->annotations;
    }
    if (es_tree_add_strings(meta, "labels", labels) < 0 ||
        es_tree_add_strings(meta, "annotations", annotations) < 0)
        return nomem(s);
    return s->rendered && add_finalizers(s, meta) < 0 ? nomem(s) : 0;
}

static int refuse_size(struct shaping *s, size_t size, const char *largest, size_t largest_size)
{
    s->fault = ES_TARGET_TEMPLATE;
    return es_error_set(
        s->err, ES_E_TOO_LARGE,
        "secret %s would hold %zu bytes, and Kubernetes takes %zu at most: ask for fewer keys, "
        "or spread them over several ExternalSecrets (largest: %s with %zu bytes)",
        es_target_name(s->es), size, SECRET_MAX, largest, largest_size);
}

static int put_value(struct shaping *s, json_t *data, const struct es_value *v, struct es_buf *text)
{
    if (v->blob.len > SECRET_MAX)
        return refuse_size(s, v->blob.len, v->key, v->blob.len);
    if (!es_utf8_valid(v->key, strlen(v->key))) {
        s->fault = ES_TARGET_TEMPLATE;
        return es_error_set(s->err, ES_E_CONFIG, "a key of the secret is not UTF-8");
    }
    es_buf_reset(text);
    es_base64_encode(text, v->blob.ptr, v->blob.len);
    if (es_buf_failed(text) ||
        json_object_set_new_nocheck(data, v->key, json_stringn_nocheck(es_buf_str(text), text->len)) < 0)
        return nomem(s);
    return 0;
}

static int put_values(struct shaping *s, json_t *data, const struct es_values *values)
{
    struct es_buf text;
    int rc = 0;

    es_buf_init(&text, SECRET_MAX / 3 * 4 + 8);
    for (size_t i = 0; i < values->count && rc == 0; i++)
        rc = put_value(s, data, &values->items[i], &text);
    es_buf_fini(&text);
    return rc;
}

static int apply_data(struct shaping *s)
{
    json_t *data = NULL;

    if (s->policy->keeps_others)
        data = es_tree_member(s->object, "data");
    else if (json_object_set_new(s->object, "data", json_object()) == 0)
        data = json_object_get(s->object, "data");
    if (!data)
        return nomem(s);

    int rc = 0;
    if (!s->rendered || s->rendered->includes_values)
        rc = put_values(s, data, s->values);
    if (rc == 0 && s->rendered)
        rc = put_values(s, data, &s->rendered->data);
    return rc;
}

/* How many bytes a value in base64 stands for. */
static size_t decoded_size(const json_t *value)
{
    const char *text = json_is_string(value) ? json_string_value(value) : "";
    size_t len = json_string_length(value), size = len / 4 * 3;

    for (; len && text[len - 1] == '=' && size; len--)
        size--;
    return size;
}

/* Of ours and of what others have put there. */
static int check_size(struct shaping *s)
{
    size_t total = 0, largest_size = 0;
    const char *key, *largest = "";
    json_t *value;

    json_object_foreach (json_object_get(s->object, "data"), key, value) {
        size_t size = decoded_size(value);
        total += size;
        if (size > largest_size) {
            largest_size = size;
            largest = key;
        }
    }
    return total > SECRET_MAX ? refuse_size(s, total, largest, largest_size) : 0;
}

static int apply_type(struct shaping *s)
{
    const char *type = es_obj_str(s->es, "spec", "target", "template", "type");

    if (*type && json_object_set_new(s->object, "type", json_string(type)) < 0)
        return nomem(s);
    return 0;
}

static int apply_content(struct shaping *s)
{
    int rc = s->existing ? es_tree_drop_stale(s->object, s->existing, s->es, s->err) : 0;

    if (rc == 0)
        rc = apply_metadata(s);
    if (rc == 0)
        rc = apply_type(s);
    if (rc == 0)
        rc = apply_data(s);
    if (rc == 0)
        rc = check_size(s);
    return rc;
}

static int apply_marks(struct shaping *s, char hash[ES_SHA3_224_HEX_MAX])
{
    int rc = es_hash_secret_data(hash, json_object_get(s->object, "data"), s->err);

    if (rc < 0)
        return rc;
    if (es_obj_set(s->object, json_string("true"), "metadata", "labels", ES_LABEL_MANAGED) < 0 ||
        es_obj_set(s->object, json_string(hash), "metadata", "annotations", ES_ANNOTATION_DATA_HASH) < 0)
        return nomem(s);
    return 0;
}

static bool is_same_metadata(const json_t *a, const json_t *b)
{
    static const char *const except[] = {"managedFields", NULL};
    return es_tree_same_members(es_obj_at(a, "metadata"), es_obj_at(b, "metadata"), except);
}

static bool is_same_content(const json_t *a, const json_t *b)
{
    static const char *const except[] = {"apiVersion", "kind", "metadata", NULL};
    return es_tree_same_members(a, b, except);
}

static int compare(struct shaping *s, bool *differs)
{
    bool content = is_same_content(s->object, s->existing);

    *differs = !content || !is_same_metadata(s->object, s->existing);
    if (!content && es_obj_bool(s->existing, "immutable")) {
        s->fault = ES_TARGET_IMMUTABLE;
        return es_error_set(s->err, ES_E_CONFIG, "secret is immutable");
    }
    return 0;
}

static int check_input(struct shaping *s)
{
    if (!s->policy)
        return es_error_set(s->err, ES_E_CONFIG, "unknown creationPolicy %s",
                            es_obj_str(s->es, "spec", "target", "creationPolicy"));
    if (!s->policy->writes)
        return es_error_set(s->err, ES_E_INTERNAL, "creationPolicy %s writes no Secret", s->policy->name);
    if (!s->existing && !s->policy->creates)
        return es_error_set(s->err, ES_E_NOT_FOUND, "secret will not be created due to CreationPolicy=%s",
                            s->policy->name);
    if (s->existing && !es_obj_at(s->existing, "metadata"))
        return es_error_set(s->err, ES_E_INVALID, "the existing object is no Secret");
    if (!es_target_is_frozen(s->es, s->existing) && !s->rendered &&
        es_obj_at(s->es, "spec", "target", "template"))
        return es_error_set(s->err, ES_E_INTERNAL, "target.template was not rendered");
    return 0;
}

static int build(struct shaping *s, char hash[ES_SHA3_224_HEX_MAX])
{
    s->object = s->existing ? copy_secret(s->existing) : new_secret(s->es);
    if (!s->object)
        return nomem(s);
    if (es_obj_bool(s->es, "spec", "target", "immutable") &&
        json_object_set_new(s->object, "immutable", json_true()) < 0)
        return nomem(s);
    int rc = es_target_is_frozen(s->es, s->existing) ? 0 : apply_content(s);
    if (rc == 0)
        rc = es_ownership_apply(s->object, s->es, s->policy, &s->fault, s->err);
    if (rc == 0)
        rc = apply_marks(s, hash);
    return rc;
}

int es_target_shape(struct es_target_change *ret, const json_t *external_secret, const json_t *existing,
                    const struct es_values *values, const struct es_rendered_template *rendered,
                    enum es_target_fault *fault, struct es_error *err)
{
    struct shaping s = {.es = external_secret,
                        .existing = existing,
                        .policy = es_creation_policy_of(external_secret),
                        .values = values,
                        .rendered = rendered,
                        .err = err};
    struct es_target_change change = {.create = !existing, .differs = true};
    int rc = check_input(&s);

    if (rc == 0)
        rc = build(&s, change.data_hash);
    if (rc == 0 && existing)
        rc = compare(&s, &change.differs);
    if (rc < 0) {
        json_decref(s.object);
        *fault = s.fault ? s.fault : ES_TARGET_INTERNAL;
        return rc;
    }
    change.object = s.object;
    *ret = change;
    *fault = ES_TARGET_OK;
    return 0;
}
