#include "core/base/metrics.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/map.h"
#include "core/base/metrics_own.h"
#include "core/base/text.h"

/* Registry */

struct es_metrics *es_metrics_new(void)
{
    struct es_metrics *m = calloc(1, sizeof *m);
    if (m)
        pthread_mutex_init(&m->lock, NULL);
    return m;
}

static void free_family(struct es_metric *f)
{
    for (size_t i = 0; i < f->cap; i++)
        free(f->slots[i]);
    free(f->slots);
    pthread_mutex_destroy(&f->lock);
    free(f);
}

void es_metrics_free(struct es_metrics *m)
{
    if (!m)
        return;
    while (m->families) {
        struct es_metric *next = m->families->next;
        free_family(m->families);
        m->families = next;
    }
    pthread_mutex_destroy(&m->lock);
    free(m->hooks);
    free(m);
}

/* The family of that name, or `model` as a new one. */
static struct es_metric *find_or_add(struct es_metrics *m, const struct es_metric *model,
                                     const char *const *labels)
{
    if (!m || model->label_count > ES_METRIC_LABELS_MAX)
        return NULL;
    pthread_mutex_lock(&m->lock);
    struct es_metric **place = &m->families;
    while (*place && strcmp((*place)->name, model->name) < 0)
        place = &(*place)->next;
    struct es_metric *f = *place;
    if (f && strcmp(f->name, model->name) == 0)
        goto out;
    f = malloc(sizeof *f);
    if (!f)
        goto out;
    *f = *model;
    f->next = *place;
    if (f->label_count)
        memcpy(f->labels, labels, f->label_count * sizeof *labels);
    pthread_mutex_init(&f->lock, NULL);
    *place = f;
out:
    pthread_mutex_unlock(&m->lock);
    return f;
}

struct es_metric *es_metrics_family(struct es_metrics *m, enum es_metric_type type, const char *name,
                                    const char *help, const char *const *labels, size_t label_count,
                                    const double *buckets, size_t bucket_count)
{
    const struct es_metric model = {.type = type,
                                    .name = name,
                                    .help = help,
                                    .label_count = label_count,
                                    .buckets = buckets,
                                    .bucket_count = type == ES_HISTOGRAM ? bucket_count : 0,
                                    .value_count = type == ES_HISTOGRAM ? bucket_count + 2 : 1};
    return find_or_add(m, &model, labels);
}

int es_metrics_source_family(struct es_metrics *m, const struct es_metric_source *source, int which,
                             enum es_metric_type type, const char *name, const char *help,
                             const char *const *labels, size_t label_count)
{
    const struct es_metric model = {.type = type,
                                    .name = name,
                                    .help = help,
                                    .label_count = label_count,
                                    .value_count = 1,
                                    .source = source,
                                    .which = which};
    return find_or_add(m, &model, labels) ? 0 : ES_E_NOMEM;
}

int es_metrics_on_collect(struct es_metrics *m, void (*fn)(void *ctx), void *ctx)
{
    int rc = ES_E_NOMEM;

    if (!m)
        return rc;
    pthread_mutex_lock(&m->lock);
    struct es_metric_hook *hooks = realloc(m->hooks, (m->hook_count + 1) * sizeof *hooks);
    if (hooks) {
        m->hooks = hooks;
        m->hooks[m->hook_count++] = (struct es_metric_hook){fn, ctx};
        rc = 0;
    }
    pthread_mutex_unlock(&m->lock);
    return rc;
}

/* Samples */

/* The label values one behind the other, a NUL behind each: no two sets give
 * the same bytes. Points into `small` when it fits there. */
static char *join_values(const struct es_metric *f, const char *const *values, char *small, size_t small_size,
                         size_t *ret_len)
{
    size_t sizes[ES_METRIC_LABELS_MAX], len = 0;

    for (size_t i = 0; i < f->label_count; i++)
        len += sizes[i] = strlen(es_label_at(values, i)) + 1;
    char *joined = len <= small_size ? small : malloc(len);
    if (!joined || len > UINT32_MAX)
        return NULL;
    char *p = joined;
    for (size_t i = 0; i < f->label_count; p += sizes[i++])
        memcpy(p, es_label_at(values, i), sizes[i]);
    *ret_len = len;
    return joined;
}

static struct es_sample **find_slot_locked(struct es_metric *f, uint32_t hash, const char *labels, size_t len)
{
    size_t mask = f->cap - 1;

    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct es_sample *s = f->slots[i];
        if (!s ||
            (s->hash == hash && s->labels_len == len && memcmp(es_sample_labels(f, s), labels, len) == 0))
            return &f->slots[i];
    }
}

/* Puts the samples into a table of `cap` slots (a power of two above count). */
static int rehash_locked(struct es_metric *f, size_t cap)
{
    struct es_sample **old = f->slots;
    size_t old_cap = f->cap;
    struct es_sample **slots = calloc(cap, sizeof *slots);

    if (!slots)
        return ES_E_NOMEM;
    f->slots = slots;
    f->cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i])
            *find_slot_locked(f, old[i]->hash, es_sample_labels(f, old[i]), old[i]->labels_len) = old[i];
    free(old);
    return 0;
}

static struct es_sample *find_sample_locked(struct es_metric *f, const char *labels, size_t len)
{
    uint32_t hash = (uint32_t)es_hash64(labels, len);

    if (f->count + 1 > f->cap / 4 * 3 && rehash_locked(f, f->cap ? f->cap * 2 : 8) < 0)
        return NULL;
    struct es_sample **slot = find_slot_locked(f, hash, labels, len);
    if (*slot)
        return *slot;
    size_t values = f->value_count * sizeof(double);
    struct es_sample *s = malloc(sizeof *s + values + len);
    if (!s)
        return NULL;
    s->hash = hash;
    s->labels_len = (uint32_t)len;
    for (size_t i = 0; i < f->value_count; i++)
        s->values[i] = 0;
    if (len)
        memcpy(es_sample_labels(f, s), labels, len);
    *slot = s;
    f->count++;
    return s;
}

enum change { CHANGE_ADD, CHANGE_SET, CHANGE_OBSERVE };

static void change_locked(const struct es_metric *f, struct es_sample *s, enum change change, double v)
{
    if (change == CHANGE_SET) {
        s->values[0] = v;
        return;
    }
    s->values[0] += v;
    if (change == CHANGE_ADD)
        return;
    /* Each bucket holds its own count here and is summed up when written; the
     * one behind the last bound is +Inf, where NaN ends up as well. */
    size_t i = 0;
    while (i < f->bucket_count && !(v <= f->buckets[i]))
        i++;
    s->values[1 + i]++;
}

static void apply(struct es_metric *f, const char *const *values, enum change change, double v)
{
    char small[256];
    size_t len = 0;

    if (!f || (f->type == ES_HISTOGRAM) != (change == CHANGE_OBSERVE))
        return;
    char *labels = join_values(f, values, small, sizeof small, &len);
    if (!labels)
        return;
    pthread_mutex_lock(&f->lock);
    struct es_sample *s = find_sample_locked(f, labels, len);
    if (s)
        change_locked(f, s, change, v);
    pthread_mutex_unlock(&f->lock);
    if (labels != small)
        free(labels);
}

void es_metric_add(struct es_metric *f, const char *const *values, double delta)
{
    apply(f, values, CHANGE_ADD, delta);
}

void es_metric_set(struct es_metric *f, const char *const *values, double value)
{
    apply(f, values, CHANGE_SET, value);
}

void es_metric_observe(struct es_metric *f, const char *const *values, double value)
{
    apply(f, values, CHANGE_OBSERVE, value);
}

static bool matches(const char *labels, const char *const *values, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(labels, es_label_at(values, i)) != 0)
            return false;
        labels += strlen(labels) + 1;
    }
    return true;
}

/* Empties one slot and moves followers up, so that no probe ends early. */
static void drop_slot_locked(struct es_metric *f, size_t hole)
{
    size_t mask = f->cap - 1;

    free(f->slots[hole]);
    f->slots[hole] = NULL;
    f->count--;
    for (size_t i = (hole + 1) & mask; f->slots[i]; i = (i + 1) & mask) {
        size_t home = f->slots[i]->hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue; /* its home lies behind the hole */
        f->slots[hole] = f->slots[i];
        f->slots[i] = NULL;
        hole = i;
    }
}

static void forget_one_locked(struct es_metric *f, const char *labels, size_t len)
{
    struct es_sample **slot = find_slot_locked(f, (uint32_t)es_hash64(labels, len), labels, len);
    if (*slot)
        drop_slot_locked(f, (size_t)(slot - f->slots));
}

static void forget_prefix_locked(struct es_metric *f, const char *const *values, size_t count)
{
    for (size_t i = 0; i < f->cap;) {
        if (f->slots[i] && matches(es_sample_labels(f, f->slots[i]), values, count))
            drop_slot_locked(f, i); /* look at what moved up, too */
        else
            i++;
    }
}

void es_metric_forget(struct es_metric *f, const char *const *values, size_t count)
{
    char small[256];
    size_t len = 0;
    char *labels = NULL;

    if (!f || count > f->label_count)
        return;
    /* The usual case, all labels known, needs no walk. */
    if (count == f->label_count)
        labels = join_values(f, values, small, sizeof small, &len);
    pthread_mutex_lock(&f->lock);
    if (f->cap && labels)
        forget_one_locked(f, labels, len);
    else
        forget_prefix_locked(f, values, count);
    pthread_mutex_unlock(&f->lock);
    if (labels != small)
        free(labels);
}
