/* Reading several secrets in one call, before each of them is asked for. */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/instance_own.h"
#include "core/plugin/reads.h"

#define BATCH ((size_t)200) /* as many answers as surely have room in one call */

struct ahead {
    struct es_instance *instance;
    const struct es_authority *who;
    struct es_read_item *items;
    const json_t **refs; /* of each item */
    size_t count;
    struct es_map by_key;
    const bool *unfit;
};

/* ---- what is read ---- */

/* What several entries want is one read; what others want it for counts for all. */
static void add(struct ahead *a, const struct es_wanted *w)
{
    char *key = es_instance_get_key(a->instance, a->who, w->ref, &a->unfit);
    struct es_read_item *same = key ? es_map_get(&a->by_key, key) : NULL, *item = &a->items[a->count];

    if (same)
        same->others = same->others || w->others;
    if (!key || same || es_map_put(&a->by_key, key, item, NULL) < 0) {
        es_mem_free(key); /* without memory it is read by itself */
        return;
    }
    *item = (struct es_read_item){.key = key, .others = w->others};
    a->refs[a->count++] = w->ref;
}

/* ---- the calls ---- */

/* `how` the plugin broke the rules: all that it said is in doubt. */
static void blame(const struct esp_call *c, struct es_read_item *const *items, size_t count, const char *how)
{
    for (size_t i = 0; i < count; i++)
        items[i]->rc = es_error_set(&items[i]->why, ES_E_INTERNAL, "the %s plugin %s", c->plugin->name, how);
}

/* Whatever the plugin said of a reference; nothing at all is a defect of its own. */
static void take_answers(struct esp_call *c, struct es_read_item *const *items, size_t count)
{
    blame(c, items, count, "left a reference of get_batch without an answer");
    for (size_t i = 0; i < c->output_count; i++) {
        struct es_output *out = &c->outputs[i];
        int64_t index;
        if (es_parse_i64(out->key ? out->key : "", &index) < 0 || index < 0 || (uint64_t)index >= count) {
            blame(c, items, count, "answered get_batch for a reference that was not asked for");
            return;
        }
        es_values_fini(&items[index]->values);
        items[index]->rc = es_values_move(&items[index]->values, "", &out->value) < 0
                               ? es_error_nomem(&items[index]->why)
                               : 0;
    }
    for (const struct es_fault *f = c->faults; f; f = f->next)
        items[f->index]->rc = es_call_fault_error(c, f, &items[f->index]->why);
}

/* A call that failed as a whole. Who is throttled, or has no time left, does not ask
 * again for each; otherwise that is what tells whether the secret, or the right to read
 * several at once, is missing. */
static bool take_failure(struct ahead *a, int rc, const struct es_error *why,
                         struct es_read_item *const *items, size_t count)
{
    if (rc == ES_E_DENIED || rc == ES_E_UNSUPPORTED)
        es_instance_no_batch(a->instance);
    if (rc != ES_E_RETRY && rc != ES_E_CANCELLED)
        return rc != ES_E_DENIED && rc != ES_E_UNSUPPORTED;
    for (size_t i = 0; i < count; i++) {
        items[i]->rc = rc;
        items[i]->why = *why;
    }
    return false;
}

static bool read_some(struct ahead *a, struct es_read_item *const *items, size_t count)
{
    struct es_error why = ES_ERROR_INIT;
    const json_t *refs[BATCH];
    struct esp_call call;

    for (size_t i = 0; i < count; i++)
        refs[i] = a->refs[items[i] - a->items];
    int rc = es_instance_get_refs(a->instance, &call, a->who, refs, count, &why);
    if (rc == 0)
        take_answers(&call, items, count);
    es_call_end(&call);
    return rc == 0 || take_failure(a, rc, &why, items, count);
}

static void read_all(void *ctx, struct es_read_item **items, size_t count)
{
    bool goes_on = true;

    for (size_t i = 0; i < count && goes_on; i += BATCH)
        goes_on = read_some(ctx, items + i, count - i < BATCH ? count - i : BATCH);
}

bool es_instance_reads_ahead(const struct es_instance *i, const struct es_authority *who)
{
    return who->reading && who->reading->reads && es_instance_has_batch(i);
}

void es_instance_read_ahead(struct es_instance *i, const struct es_authority *who,
                            const struct es_wanted *wanted, size_t count)
{
    struct ahead a = {.instance = i, .who = who};

    if (count < 2 || !es_instance_reads_ahead(i, who))
        return;
    a.items = es_mem_calloc(count, sizeof *a.items);
    a.refs = es_mem_calloc(count, sizeof *a.refs);
    for (size_t n = 0; a.items && a.refs && n < count; n++)
        if (!wanted[n].map || es_instance_is_whole(i))
            add(&a, &wanted[n]);
    if (a.count >= 2)
        es_reads_ahead(who->reading, &(struct es_read_ahead){
                                         .items = a.items,
                                         .count = a.count,
                                         .deadline_ms = who->deadline_ms ? who->deadline_ms
                                                                         : es_mono_ms() + ES_CALL_DEFAULT_MS,
                                         .cancelled = who->cancelled,
                                         .unfit = a.unfit,
                                         .read = read_all,
                                         .ctx = &a});
    es_map_fini(&a.by_key);
    for (size_t n = 0; n < a.count; n++)
        es_mem_free((void *)(uintptr_t)a.items[n].key);
    es_mem_free(a.items);
    es_mem_free((void *)a.refs);
}
