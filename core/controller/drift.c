#include "core/controller/drift.h"

#include <string.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/secret/hash.h"
#include "core/secret/target.h"

/* The times are UTC, to the second and of one form: as texts they are in order. An edit within
 * our second counts as later, since it was the last one. */
static const char *last_manager(const json_t *existing, const char *own)
{
    const char *manager = own, *latest = "";
    json_t *entry;
    size_t i;

    json_array_foreach (es_obj_at(existing, "metadata", "managedFields"), i, entry) {
        const char *name = es_obj_str(entry, "manager"), *time = es_obj_str(entry, "time");
        int order = strcmp(time, latest);
        if (order > 0 || (order == 0 && !es_streq(name, own))) {
            manager = name;
            latest = time;
        }
    }
    return manager;
}

void es_drift_tell(const struct es_pass *p, const json_t *existing)
{
    const char *noted = es_obj_str(existing, "metadata", "annotations", ES_ANNOTATION_DATA_HASH);
    char hash[ES_SHA3_224_HEX_MAX];

    if (!*noted || es_hash_secret_data(hash, es_obj_at(existing, "data"), NULL) < 0 || es_streq(noted, hash))
        return;
    const char *manager = last_manager(existing, p->manager);
    es_log(ES_WARN, "controllers.ExternalSecret",
           es_streq(manager, p->manager)
               ? "the target was changed under esod's own name and is put right: does another operator run?"
               : "the target was changed by somebody else and is put right",
           ES_F_STR("namespace", p->ns), ES_F_STR("name", p->name), ES_F_STR("target", p->target_name),
           ES_F_STR("manager", manager));
}
