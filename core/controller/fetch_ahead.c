#include "core/controller/fetch_ahead.h"

#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/read_terms.h"
#include "core/kube/obj.h"

/* Does the entry name this store? One whose kind is none names no store at all. */
static bool is_served_by(const json_t *es, const json_t *entry, const struct es_store *s)
{
    const json_t *ref = es_entry_store_ref(es, entry);
    const char *kind = es_obj_str(ref, "kind");

    return es_streq(*kind ? kind : es_kind_secret_store.kind, s->kind->kind) &&
           es_streq(es_obj_str(ref, "name"), s->name);
}

static bool others_want(struct es_env *env, const json_t *es, const json_t *entry)
{
    char term[ES_READ_TERM_MAX];

    return es_read_term(term, es, entry) &&
           es_cache_has_other(env->external_secrets, term, es_obj_namespace(es), es_obj_name(es));
}

void es_fetch_ahead(struct es_env *env, const json_t *es, const struct es_open_store *store)
{
    static const struct {
        const char *list, *ref;
    } sources[] = {{"dataFrom", "extract"}, {"data", "remoteRef"}};
    const json_t *spec = es_obj_at(es, "spec");
    size_t most = json_array_size(es_obj_at(spec, "data")) + json_array_size(es_obj_at(spec, "dataFrom"));
    bool worth = most > 1 && es_instance_reads_ahead(store->instance, &store->authority);
    struct es_wanted *wanted = worth ? es_mem_calloc(most, sizeof *wanted) : NULL;
    size_t count = 0, i;
    json_t *entry;

    /* Without memory each is read by itself. */
    for (size_t n = 0; wanted && n < sizeof sources / sizeof *sources; n++)
        json_array_foreach (es_obj_at(spec, sources[n].list), i, entry) {
            const json_t *ref = es_obj_at(entry, sources[n].ref);
            if (ref && is_served_by(es, entry, store->store))
                wanted[count++] =
                    (struct es_wanted){.ref = ref, .map = n == 0, .others = others_want(env, es, entry)};
        }
    if (count > 1)
        es_instance_read_ahead(store->instance, &store->authority, wanted, count);
    es_mem_free(wanted);
}
