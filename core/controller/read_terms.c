#include "core/controller/read_terms.h"

#include <stdio.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/kind.h"
#include "core/kube/obj.h"

const json_t *es_entry_store_ref(const json_t *es, const json_t *entry)
{
    const json_t *source = es_obj_at(entry, "sourceRef");
    const json_t *ref = es_obj_at(source, "storeRef");
    bool only_for_data = es_obj_at(entry, "remoteRef") != NULL;

    return ref || (source && only_for_data) ? ref : es_obj_at(es, "spec", "secretStoreRef");
}

#define STORE_MAX 400 /* a namespace and a name have 316 characters at most */

/* By what names the store: of a SecretStore the consumer's namespace as well. */
static void name_store(char store[STORE_MAX], const json_t *es, const json_t *ref)
{
    bool cluster = es_streq(es_obj_str(ref, "kind"), es_kind_cluster_secret_store.kind);
    snprintf(store, STORE_MAX, "%s/%s", cluster ? "" : es_obj_namespace(es), es_obj_str(ref, "name"));
}

bool es_read_term(char out[ES_READ_TERM_MAX], const json_t *es, const json_t *entry)
{
    const json_t *ref = es_obj_at(entry, "remoteRef"), *find = es_obj_at(entry, "find");
    char store[STORE_MAX];

    if (!ref)
        ref = es_obj_at(entry, "extract");
    if (!ref && !find)
        return false;
    name_store(store, es, es_entry_store_ref(es, entry));
    if (find) {
        char *text = json_dumps(find, JSON_COMPACT | JSON_SORT_KEYS);
        snprintf(out, ES_READ_TERM_MAX, "find:%s|%s", store, text ? text : "");
        es_mem_free(text);
    } else {
        snprintf(out, ES_READ_TERM_MAX, "read:%s|%s|%s|%s", store, es_obj_str(ref, "version"),
                 es_obj_str(ref, "metadataPolicy"), es_obj_str(ref, "key"));
    }
    return true;
}
