/* What a PushSecret pushes: the Secrets of spec.selector, and what spec.template makes of
 * them (specification: push-and-cluster, section 1.3, steps 6 and 9). */
#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/pushsecret_own.h"
#include "core/controller/stamp.h"
#include "core/controller/template.h"
#include "core/kube/obj.h"

/* kubectl keeps the whole manifest of a Secret here, values included: that is nothing to
 * hand out as an annotation. */
#define LAST_APPLIED "kubectl.kubernetes.io/last-applied-configuration"

/* ---- reading ---- */

/* An empty list is something that was seen, too. */
static void stamp(struct es_push_pass *p, struct es_push_sources *s)
{
    struct es_template_seen texts = {0};
    json_t *secret;
    size_t i;

    if (!json_array_size(s->items))
        es_stamp_add_missing(&texts.stamp);
    json_array_foreach (s->items, i, secret)
        es_stamp_add(&texts.stamp, secret);
    /* What cannot be read now is told of when the template is rendered. */
    es_template_look(p->env, p->ns, es_obj_at(p->ps, "spec", "template"), &texts, NULL);
    s->stamp = texts.stamp.number;
    s->changed_unix_ms = texts.stamp.written_unix_ms;
}

static int read_named(struct es_push_pass *p, const char *name, struct es_push_sources *ret,
                      struct es_error *err)
{
    json_t *secret = NULL;
    int rc = es_cluster_get(p->env->cluster, &es_kind_secret, p->ns, name, &secret, err);

    if (rc == ES_E_NOT_FOUND) {
        ret->missing = true;
        stamp(p, ret);
    }
    if (rc < 0)
        return rc;
    ret->items = json_pack("[o]", secret);
    return ret->items ? 0 : es_error_nomem(err);
}

static int refuse_generator(const json_t *ref, struct es_error *err)
{
    return es_error_set(err, ES_E_UNSUPPORTED,
                        "could not resolve secret from generator ref %s: unable to resolve generator: no "
                        "loaded plugin serves generators of kind %s",
                        es_obj_str(ref, "name"), es_obj_str(ref, "kind"));
}

int es_push_sources_read(struct es_push_pass *p, struct es_push_sources *ret, struct es_error *err)
{
    const json_t *selector = es_obj_at(p->ps, "spec", "selector");
    const json_t *secret = es_obj_at(selector, "secret"), *labels = es_obj_at(secret, "selector");
    const json_t *generator = es_obj_at(selector, "generatorRef");
    const char *name = es_obj_str(secret, "name");
    int rc;

    *ret = (struct es_push_sources){0};
    if (*name)
        rc = read_named(p, name, ret, err);
    else if (generator)
        rc = refuse_generator(generator, err);
    else if (labels)
        rc = es_cluster_list(p->env->cluster, &es_kind_secret, p->ns, labels, &ret->items, err);
    else
        rc = es_error_set(err, ES_E_CONFIG, "no secret selector provided");
    if (rc == 0)
        stamp(p, ret);
    return rc;
}

void es_push_sources_fini(struct es_push_sources *s)
{
    json_decref(s->items);
    *s = (struct es_push_sources){0};
}

/* ---- one source ---- */

void es_push_source_fini(struct es_push_source *s)
{
    es_values_fini(&s->values);
    json_decref(s->labels);
    json_decref(s->annotations);
    es_mem_free(s->type);
    *s = (struct es_push_source){0};
}

static int decode_data(const json_t *secret, struct es_values *ret, struct es_error *err)
{
    const char *key;
    json_t *value;

    json_object_foreach (json_object_get(secret, "data"), key, value) {
        struct es_blob blob = {0};
        const char *text = json_is_string(value) ? json_string_value(value) : "";
        int rc = es_base64_decode(&blob, ES_BASE64_STD, text, json_string_length(value), NULL);
        if (rc == 0)
            rc = es_values_move(ret, key, &blob);
        es_blob_fini(&blob);
        if (rc == ES_E_NOMEM)
            return es_error_nomem(err);
        if (rc < 0)
            return es_error_set(err, ES_E_INTERNAL, "the Secret %s/%s holds no base64 at key %s",
                                es_obj_namespace(secret), es_obj_name(secret), key);
    }
    return 0;
}

static json_t *copy_strings(const json_t *from)
{
    json_t *copy = from ? json_copy((json_t *)(uintptr_t)from) : json_object();
    if (copy)
        json_object_del(copy, LAST_APPLIED);
    return copy;
}

/* What es_template_render reads: an ExternalSecret with this template. Its type is left
 * out, since the refusals are about Secrets that are written to the cluster. */
static json_t *as_external_secret(const json_t *ps, const json_t *template)
{
    json_t *copy = json_copy((json_t *)(uintptr_t) template);

    if (copy)
        json_object_del(copy, "type");
    return json_pack("{s:{s:s,s:s},s:{s:{s:o}}}", "metadata", "namespace", es_obj_namespace(ps), "name",
                     es_obj_name(ps), "spec", "target", "template", copy);
}

/* Rendered pairs go over the values that are there: nothing is cleared, whatever
 * mergePolicy says. */
static int merge_rendered(struct es_push_source *s, struct es_rendered_template *t, const char *type,
                          struct es_error *err)
{
    es_mem_free(s->type);
    s->type = es_mem_strdup(type);
    if (!s->type || es_values_merge(&s->values, &t->data) < 0 ||
        (t->labels && json_object_update(s->labels, t->labels) < 0) ||
        (t->annotations && json_object_update(s->annotations, t->annotations) < 0))
        return es_error_nomem(err);
    return 0;
}

static int apply_template(struct es_push_pass *p, struct es_push_source *s, struct es_error *err)
{
    const json_t *template = es_obj_at(p->ps, "spec", "template");
    struct es_rendered_template rendered = {0};
    bool has = false;

    if (!template)
        return 0;
    json_t *es = as_external_secret(p->ps, template);
    int rc =
        es ? es_template_render(p->env, es, &s->values, NULL, &rendered, &has, err) : es_error_nomem(err);
    if (rc == 0 && has)
        rc = merge_rendered(s, &rendered, es_obj_str(template, "type"), err);
    es_template_fini(&rendered);
    json_decref(es);
    return rc;
}

int es_push_source_make(struct es_push_pass *p, const json_t *secret, struct es_push_source *ret,
                        struct es_error *err)
{
    struct es_push_source s = {.labels = copy_strings(es_obj_at(secret, "metadata", "labels")),
                               .annotations = copy_strings(es_obj_at(secret, "metadata", "annotations")),
                               .type = es_mem_strdup(es_obj_str(secret, "type"))};
    int rc = s.labels && s.annotations && s.type ? 0 : es_error_nomem(err);

    if (rc == 0)
        rc = decode_data(secret, &s.values, err);
    if (rc == 0)
        rc = apply_template(p, &s, err);
    if (rc < 0)
        es_push_source_fini(&s);
    else
        *ret = s;
    return rc;
}
