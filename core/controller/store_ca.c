#include "core/controller/store_ca.h"

#include "core/base/text.h"
#include "core/controller/source_read.h"
#include "core/kube/obj.h"
#include "core/secret/ca_bundle.h"

/* A caProvider that names no object is some provider's own, and its plugin reads it
 * (Yandex' and Nebius' have a certSecretRef there). */
static bool is_reference(const json_t *ca_provider)
{
    return json_is_string(json_object_get(ca_provider, "name")) ||
           json_is_string(json_object_get(ca_provider, "type"));
}

static bool has_ca(const json_t *place)
{
    return *es_obj_str(place, "caBundle") || is_reference(json_object_get(place, "caProvider"));
}

/* The object with caBundle or caProvider, or NULL. */
static const json_t *place_of(const struct es_store *s)
{
    const json_t *const places[] = {s->block, es_obj_at(s->block, "server"),
                                    es_obj_at(s->block, "auth", "mtls")};

    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        if (has_ca(places[i]))
            return places[i];
    return NULL;
}

static int open_bundle(const json_t *place, struct es_blob *ret, struct es_error *err)
{
    const json_t *text = json_object_get(place, "caBundle");

    if (es_blob_set(ret, json_string_value(text), json_string_length(text)) < 0)
        return es_error_nomem(err);
    int rc = es_ca_bundle_open(ret, err);
    if (rc < 0)
        es_blob_fini(ret);
    return rc < 0 ? es_error_wrap(err, "failed to decode ca bundle: ") : 0;
}

int es_store_ca_bundle(const struct es_store *s, struct es_blob *ret, struct es_error *err)
{
    const json_t *place = place_of(s);
    return *es_obj_str(place, "caBundle") ? open_bundle(place, ret, err) : 0;
}

/* Where a caProvider of this store points. It belongs to the store, never to a
 * consumer: whoever reads through it trusts the same. */
static int namespace_of(const struct es_store *s, const json_t *ref, const char **ret, struct es_error *err)
{
    const char *ns = es_obj_str(ref, "namespace");

    if (!s->kind->namespaced && !*ns)
        return es_error_set(err, ES_E_CONFIG, "missing namespace on caProvider secret");
    if (s->kind->namespaced && *ns && !es_streq(ns, s->ns))
        return es_error_set(err, ES_E_CONFIG,
                            "namespace should either be empty or match the namespace of the SecretStore for "
                            "a namespaced SecretStore");
    *ret = s->kind->namespaced ? s->ns : ns;
    return 0;
}

static int kind_of(const json_t *ref, enum es_kube_read *ret, struct es_error *err)
{
    const char *type = es_obj_str(ref, "type");

    if (es_streq(type, "Secret"))
        *ret = ES_READ_SECRET;
    else if (es_streq(type, "ConfigMap"))
        *ret = ES_READ_CONFIG_MAP;
    else
        return es_error_set(err, ES_E_CONFIG, "unsupported CA provider type: %s", type);
    return 0;
}

static int explain(const json_t *ref, enum es_kube_read what, struct es_error *err)
{
    const char *name = es_obj_str(ref, "name"), *key = es_obj_str(ref, "key");

    /* NOT_FOUND is about remote secrets from here on. */
    if (err->code == ES_E_NOT_FOUND)
        err->code = ES_E_CONFIG;
    return what == ES_READ_SECRET
               ? es_error_wrap(err, "failed to get cert from secret: failed to resolve secret key ref: ")
               : es_error_wrap(
                     err,
                     "failed to get cert from configmap: failed to get caProvider configMap %s -> %s: ", name,
                     key);
}

static int read_provider(struct es_env *env, const struct es_store *s, const json_t *ref,
                         struct es_reader *reader, struct es_blob *ret, struct es_error *err)
{
    const char *ns = NULL, *name = es_obj_str(ref, "name"), *key = es_obj_str(ref, "key");
    enum es_kube_read what = ES_READ_SECRET;
    int rc = namespace_of(s, ref, &ns, err);

    if (rc == 0)
        rc = kind_of(ref, &what, err);
    if (rc < 0)
        return rc;
    rc = es_source_read(env, reader, what, ns, name, key, ret, err);
    if (rc < 0)
        return explain(ref, what, err);
    rc = es_ca_bundle_open(ret, err);
    if (rc == 0)
        return 0;
    es_blob_fini(ret);
    return es_error_wrap(err, "the %s %s/%s holds no CA certificate at key \"%s\": ", es_obj_str(ref, "type"),
                         ns, name, key);
}

int es_store_ca(struct es_env *env, const struct es_store *s, struct es_reader *reader, struct es_blob *ret,
                struct es_error *err)
{
    const json_t *place = place_of(s);

    if (!place)
        return 0;
    if (*es_obj_str(place, "caBundle"))
        return open_bundle(place, ret, err);
    return read_provider(env, s, json_object_get(place, "caProvider"), reader, ret, err);
}
