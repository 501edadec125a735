#include "core/secret/ownership.h"

#include <string.h>

#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/secret/hash.h"

#define GROUP "external-secrets.io"
#define API_VERSION GROUP "/v1"
#define KIND "ExternalSecret"

/* The version may change over time, the group does not. */
static bool is_external_secret(const json_t *owner)
{
    return es_str_starts(es_obj_str(owner, "apiVersion"), GROUP "/") &&
           es_streq(es_obj_str(owner, "kind"), KIND);
}

/* By name and not by uid, so that an ExternalSecret that was deleted and
 * applied again has its Secret back. */
static bool is_same(const json_t *owner, const json_t *external_secret)
{
    return is_external_secret(owner) && es_streq(es_obj_str(owner, "name"), es_obj_name(external_secret));
}

static json_t *make_reference(const json_t *external_secret)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:b, s:b}", "apiVersion", API_VERSION, "kind", KIND, "name",
                     es_obj_name(external_secret), "uid", es_obj_str(external_secret, "metadata", "uid"),
                     "controller", 1, "blockOwnerDeletion", 1);
}

static int put_reference(json_t *object, const json_t *external_secret)
{
    json_t *owners = es_obj_at(object, "metadata", "ownerReferences");
    json_t *reference = make_reference(external_secret);
    size_t i;
    const json_t *one;

    if (!json_is_array(owners)) {
        owners = json_array();
        if (es_obj_set(object, owners, "metadata", "ownerReferences") < 0) {
            json_decref(reference);
            return ES_E_NOMEM;
        }
    }
    json_array_foreach (owners, i, one)
        if (is_same(one, external_secret))
            return json_array_set_new(owners, i, reference) < 0 ? ES_E_NOMEM : 0;
    return json_array_append_new(owners, reference) < 0 ? ES_E_NOMEM : 0;
}

static void drop_reference(json_t *object, const json_t *external_secret)
{
    json_t *owners = es_obj_at(object, "metadata", "ownerReferences");

    for (size_t i = json_array_size(owners); i-- > 0;)
        if (is_same(json_array_get(owners, i), external_secret))
            json_array_remove(owners, i);
    if (json_array_size(owners) == 0)
        es_obj_unset(object, "metadata", "ownerReferences");
}

static int own(json_t *object, const json_t *external_secret, const json_t *owner,
               enum es_target_fault *fault, struct es_error *err)
{
    char hash[ES_SHA3_224_HEX_MAX];

    if (owner && !is_same(owner, external_secret)) {
        *fault = ES_TARGET_FOREIGN_OWNER;
        return es_error_set(err, ES_E_CONFIG,
                            "could not set controller reference on secret: "
                            "Object %s/%s is already owned by another %s controller %s",
                            es_obj_namespace(object), es_obj_name(object), es_obj_str(owner, "kind"),
                            es_obj_str(owner, "name"));
    }
    int rc = es_owner_hash(hash, es_obj_namespace(external_secret), es_obj_name(external_secret), err);
    if (rc < 0)
        return rc;
    if (put_reference(object, external_secret) < 0 ||
        es_obj_set(object, json_string(hash), "metadata", "labels", ES_LABEL_CREATED_BY) < 0)
        return es_error_nomem(err);
    return 0;
}

int es_ownership_apply(json_t *object, const json_t *external_secret, const struct es_creation_policy *policy,
                       enum es_target_fault *fault, struct es_error *err)
{
    const json_t *owner = es_obj_controller(object);

    *fault = ES_TARGET_INTERNAL;
    if (owner && is_external_secret(owner) && !is_same(owner, external_secret)) {
        *fault = ES_TARGET_OTHER_OWNER;
        return es_error_set(err, ES_E_CONFIG, "secret is owned by another ExternalSecret: %s",
                            es_obj_str(owner, "name"));
    }
    if (policy->owns) {
        int rc = own(object, external_secret, owner, fault, err);
        if (rc < 0)
            return rc;
    } else {
        if (owner && is_same(owner, external_secret))
            drop_reference(object, external_secret);
        es_obj_unset(object, "metadata", "labels", ES_LABEL_CREATED_BY);
    }
    *fault = ES_TARGET_OK;
    return 0;
}
