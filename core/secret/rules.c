#include "core/secret/rules.h"

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/kube/obj.h"

#define TEXT_MAX ((size_t)64 * 1024)

static void refuse(struct es_buf *out, const char *text)
{
    es_buf_addf(out, "%s%s", out->len ? "; " : "", text);
}

static void check_policies(struct es_buf *out, const json_t *target)
{
    const char *creation = es_obj_str(target, "creationPolicy"),
               *deletion = es_obj_str(target, "deletionPolicy");
    bool none = es_streq(creation, "None");

    if (es_streq(deletion, "Delete") &&
        (none || es_streq(creation, "Merge") || es_streq(creation, "CreateOrMerge")))
        refuse(out,
               "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please "
               "set creationPolicy=Owner");
    if (es_streq(deletion, "Merge") && none)
        refuse(out, "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to "
                    "merge with");
}

static void check_data_from(struct es_buf *out, const json_t *entry)
{
    const json_t *source = es_obj_at(entry, "sourceRef");
    bool generator = es_obj_at(source, "generatorRef") != NULL;
    bool extract = es_obj_at(entry, "extract") != NULL, find = es_obj_at(entry, "find") != NULL;

    if (extract + find + generator > 1)
        refuse(out, "extract, find, or generatorRef cannot be set at the same time");
    if (!extract && !find && !source)
        refuse(out, "either extract, find, or sourceRef must be set to dataFrom");
    if (!extract && !find && source && !generator && !es_obj_at(source, "storeRef"))
        refuse(out, "generatorRef or storeRef must be set when using sourceRef in dataFrom");
}

/* Which of two values would stay is nothing to rely on. Under the other
 * policies the reference takes it, since one of the two may not exist. */
static int check_duplicates(struct es_buf *out, const json_t *spec)
{
    const char *deletion = es_obj_str(spec, "target", "deletionPolicy");
    json_t *seen = json_object();
    json_t *entry;
    size_t i;
    int failed = seen ? 0 : -1;

    if (*deletion && !es_streq(deletion, "Retain")) {
        json_decref(seen);
        return 0;
    }
    json_array_foreach (json_object_get(spec, "data"), i, entry) {
        const char *key = es_obj_str(entry, "secretKey");
        if (json_object_get(seen, key))
            es_buf_addf(out, "%sduplicate secretKey found: %s", out->len ? "; " : "", key);
        else
            failed |= json_object_set_new(seen, key, json_true());
    }
    json_decref(seen);
    return failed;
}

int es_external_secret_check(const json_t *external_secret, struct es_error *err)
{
    const json_t *spec = es_obj_at(external_secret, "spec");
    const json_t *from = es_obj_at(spec, "dataFrom");
    struct es_buf refusals;
    json_t *entry;
    size_t i;
    int rc = 0;

    es_buf_init(&refusals, TEXT_MAX);
    check_policies(&refusals, es_obj_at(spec, "target"));
    if (!json_array_size(es_obj_at(spec, "data")) && !json_array_size(from))
        refuse(&refusals, "either data or dataFrom should be specified");
    json_array_foreach (from, i, entry)
        check_data_from(&refusals, entry);
    if (check_duplicates(&refusals, spec) < 0)
        rc = es_error_nomem(err);
    else if (es_buf_failed(&refusals))
        rc = es_error_set(err, ES_E_CONFIG, "more is wrong with this ExternalSecret than can be told");
    else if (refusals.len)
        rc = es_error_set(err, ES_E_CONFIG, "%s", es_buf_str(&refusals));
    es_buf_fini(&refusals);
    return rc;
}
