#include "core/base/metrics.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/error.h"
#include "core/base/map.h"
#include "core/base/text.h"

/* One label set: 24 bytes and its label values for a counter or gauge, which
 * is what a hundred thousand objects cost. A histogram has its buckets' counts
 * in values[1..]; values[0] is the sum. */
struct sample {
    uint32_t hash;
    uint32_t labels_len;
    double values[]; /* then the label values, a NUL behind each */
};

struct es_metric {
    struct es_metric *next; /* sorted by name */
    enum es_metric_type type;
    const char *name, *help;
    const char *labels[ES_METRIC_LABELS_MAX];
    size_t label_count;
    const double *buckets;
    size_t bucket_count;
    size_t value_count;                    /* doubles in a sample */
    const struct es_metric_source *source; /* has the samples; NULL: they are below */
    int which;

    pthread_mutex_t lock;  /* guards all below */
    struct sample **slots; /* open addressing; NULL is empty */
    size_t count, cap;
};

struct hook {
    void (*fn)(void *ctx);
    void *ctx;
};

struct es_metrics {
    pthread_mutex_t lock; /* guards the lists, not the families in them */
    struct es_metric *families;
    struct hook *hooks;
    size_t hook_count;
};

static char *labels_of(const struct es_metric *f, struct sample *s)
{
    return (char *)(s->values + f->value_count);
}

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
    struct hook *hooks = realloc(m->hooks, (m->hook_count + 1) * sizeof *hooks);
    if (hooks) {
        m->hooks = hooks;
        m->hooks[m->hook_count++] = (struct hook){fn, ctx};
        rc = 0;
    }
    pthread_mutex_unlock(&m->lock);
    return rc;
}

/* Samples */

static const char *value_at(const char *const *values, size_t i)
{
    return values && values[i] ? values[i] : "";
}

/* The label values one behind the other, a NUL behind each: no two sets give
 * the same bytes. Points into `small` when it fits there. */
static char *join_values(const struct es_metric *f, const char *const *values, char *small, size_t small_size,
                         size_t *ret_len)
{
    size_t sizes[ES_METRIC_LABELS_MAX], len = 0;

    for (size_t i = 0; i < f->label_count; i++)
        len += sizes[i] = strlen(value_at(values, i)) + 1;
    char *joined = len <= small_size ? small : malloc(len);
    if (!joined || len > UINT32_MAX)
        return NULL;
    char *p = joined;
    for (size_t i = 0; i < f->label_count; p += sizes[i++])
        memcpy(p, value_at(values, i), sizes[i]);
    *ret_len = len;
    return joined;
}

static struct sample **find_slot_locked(struct es_metric *f, uint32_t hash, const char *labels, size_t len)
{
    size_t mask = f->cap - 1;

    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct sample *s = f->slots[i];
        if (!s || (s->hash == hash && s->labels_len == len && memcmp(labels_of(f, s), labels, len) == 0))
            return &f->slots[i];
    }
}

/* Puts the samples into a table of `cap` slots (a power of two above count). */
static int rehash_locked(struct es_metric *f, size_t cap)
{
    struct sample **old = f->slots;
    size_t old_cap = f->cap;
    struct sample **slots = calloc(cap, sizeof *slots);

    if (!slots)
        return ES_E_NOMEM;
    f->slots = slots;
    f->cap = cap;
    for (size_t i = 0; i < old_cap; i++)
        if (old[i])
            *find_slot_locked(f, old[i]->hash, labels_of(f, old[i]), old[i]->labels_len) = old[i];
    free(old);
    return 0;
}

static struct sample *find_sample_locked(struct es_metric *f, const char *labels, size_t len)
{
    uint32_t hash = (uint32_t)es_hash64(labels, len);

    if (f->count + 1 > f->cap / 4 * 3 && rehash_locked(f, f->cap ? f->cap * 2 : 8) < 0)
        return NULL;
    struct sample **slot = find_slot_locked(f, hash, labels, len);
    if (*slot)
        return *slot;
    size_t values = f->value_count * sizeof(double);
    struct sample *s = malloc(sizeof *s + values + len);
    if (!s)
        return NULL;
    s->hash = hash;
    s->labels_len = (uint32_t)len;
    for (size_t i = 0; i < f->value_count; i++)
        s->values[i] = 0;
    if (len)
        memcpy(labels_of(f, s), labels, len);
    *slot = s;
    f->count++;
    return s;
}

enum change { CHANGE_ADD, CHANGE_SET, CHANGE_OBSERVE };

static void change_locked(const struct es_metric *f, struct sample *s, enum change change, double v)
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
    struct sample *s = find_sample_locked(f, labels, len);
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
        if (strcmp(labels, value_at(values, i)) != 0)
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
    struct sample **slot = find_slot_locked(f, (uint32_t)es_hash64(labels, len), labels, len);
    if (*slot)
        drop_slot_locked(f, (size_t)(slot - f->slots));
}

static void forget_prefix_locked(struct es_metric *f, const char *const *values, size_t count)
{
    for (size_t i = 0; i < f->cap;) {
        if (f->slots[i] && matches(labels_of(f, f->slots[i]), values, count))
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

/* Text format: https://prometheus.io/docs/instrumenting/exposition_formats/ */

static void add_escaped(struct es_buf *out, const char *text, bool label_value)
{
    uint32_t rune;

    for (size_t left = strlen(text); left;) {
        size_t n = es_utf8_decode(text, left, &rune);
        if (!n) /* one bad byte would cost the whole scrape */
            es_buf_adds(out, "\xEF\xBF\xBD");
        else if (*text == '\\')
            es_buf_adds(out, "\\\\");
        else if (*text == '\n')
            es_buf_adds(out, "\\n");
        else if (*text == '"' && label_value)
            es_buf_adds(out, "\\\"");
        else
            es_buf_add(out, text, n);
        text += n ? n : 1;
        left -= n ? n : 1;
    }
}

static void add_number(struct es_buf *out, double v)
{
    char text[ES_FLOAT_TEXT_MAX];
    es_buf_adds(out, es_float_format(v, 64, 21, text));
}

/* name_suffix{a="1",le="5"}, up to the space before the value. */
static void add_series(struct es_buf *out, const struct es_metric *f, const char *suffix,
                       const char *const *values, const double *le)
{
    es_buf_adds(out, f->name);
    es_buf_adds(out, suffix);
    if (f->label_count || le)
        es_buf_addc(out, '{');
    for (size_t i = 0; i < f->label_count; i++) {
        if (i)
            es_buf_addc(out, ',');
        es_buf_adds(out, f->labels[i]);
        es_buf_adds(out, "=\"");
        add_escaped(out, value_at(values, i), true);
        es_buf_addc(out, '"');
    }
    if (le) {
        es_buf_adds(out, f->label_count ? ",le=\"" : "le=\"");
        add_number(out, *le);
        es_buf_addc(out, '"');
    }
    es_buf_adds(out, f->label_count || le ? "} " : " ");
}

static void add_line(struct es_buf *out, const struct es_metric *f, const char *suffix,
                     const char *const *values, const double *le, double v)
{
    add_series(out, f, suffix, values, le);
    add_number(out, v);
    es_buf_addc(out, '\n');
}

static void add_sample(struct es_buf *out, const struct es_metric *f, struct sample *s)
{
    const char *labels[ES_METRIC_LABELS_MAX];
    const char *at = labels_of(f, s);

    for (size_t i = 0; i < f->label_count; at += strlen(at) + 1)
        labels[i++] = at;
    if (f->type != ES_HISTOGRAM) {
        add_line(out, f, "", labels, NULL, s->values[0]);
        return;
    }
    double so_far = 0;
    for (size_t i = 0; i <= f->bucket_count; i++) {
        double bound = i < f->bucket_count ? f->buckets[i] : __builtin_inf();
        so_far += s->values[1 + i];
        add_line(out, f, "_bucket", labels, &bound, so_far);
    }
    add_line(out, f, "_sum", labels, NULL, s->values[0]);
    add_line(out, f, "_count", labels, NULL, so_far);
}

void es_metric_sample(const struct es_metric *f, struct es_buf *out, const char *const *values, double value)
{
    add_line(out, f, "", values, NULL, value);
}

struct sortable {
    const char *labels;
    size_t len;
    struct sample *sample;
};

/* Byte order of the joined values is the order label by label: the NUL
 * between them sorts before every other byte. */
static int compare_samples(const void *a, const void *b)
{
    const struct sortable *x = a, *y = b;
    int order = memcmp(x->labels, y->labels, x->len < y->len ? x->len : y->len);
    return order ? order : (x->len > y->len) - (x->len < y->len);
}

static void add_samples_locked(struct es_buf *out, struct es_metric *f)
{
    struct sortable *all = malloc((f->count ? f->count : 1) * sizeof *all);
    size_t n = 0;

    if (!all) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < f->cap; i++)
        if (f->slots[i])
            all[n++] = (struct sortable){labels_of(f, f->slots[i]), f->slots[i]->labels_len, f->slots[i]};
    qsort(all, n, sizeof *all, compare_samples);
    for (size_t i = 0; i < n; i++)
        add_sample(out, f, all[i].sample);
    free(all);
}

static void add_head(struct es_buf *out, const struct es_metric *f)
{
    static const char *const types[] = {
        [ES_COUNTER] = "counter", [ES_GAUGE] = "gauge", [ES_HISTOGRAM] = "histogram"};

    es_buf_addf(out, "# HELP %s ", f->name);
    add_escaped(out, f->help ? f->help : "", false);
    es_buf_addf(out, "\n# TYPE %s %s\n", f->name, types[f->type]);
}

static void write_family(struct es_buf *out, struct es_metric *f)
{
    pthread_mutex_lock(&f->lock);
    if (f->count) {
        add_head(out, f);
        add_samples_locked(out, f);
    }
    pthread_mutex_unlock(&f->lock);
}

/* Pages */

struct view {
    const struct es_metric_source *source;
    void *view;
};

struct es_metrics_page {
    struct es_metrics *metrics;
    struct es_metric *at; /* the family whose turn it is; NULL: all were written */
    size_t pos;           /* in a source's samples */
    bool headed;          /* its HELP and TYPE are written */
    struct view views[ES_METRIC_SOURCES_MAX];
    size_t view_count;
};

static struct hook *copy_hooks(struct es_metrics *m, size_t *ret_count)
{
    pthread_mutex_lock(&m->lock);
    size_t count = m->hook_count;
    struct hook *hooks = malloc((count ? count : 1) * sizeof *hooks);
    if (hooks && count)
        memcpy(hooks, m->hooks, count * sizeof *hooks);
    pthread_mutex_unlock(&m->lock);
    *ret_count = hooks ? count : 0;
    return hooks;
}

static struct es_metric *next_family(struct es_metrics *m, const struct es_metric *after)
{
    pthread_mutex_lock(&m->lock);
    struct es_metric *f = after ? after->next : m->families;
    pthread_mutex_unlock(&m->lock);
    return f;
}

/* What the source gave for this page. */
static void *view_of(struct es_metrics_page *p, const struct es_metric_source *source)
{
    for (size_t i = 0; i < p->view_count; i++)
        if (p->views[i].source == source)
            return p->views[i].view;
    if (p->view_count == ES_METRIC_SOURCES_MAX)
        return NULL;
    void *view = source->open(source->ctx);
    p->views[p->view_count++] = (struct view){source, view};
    return view;
}

/* Some samples of a source's family; false: it is done. */
static bool write_some(struct es_metrics_page *p, struct es_buf *out)
{
    const struct es_metric *f = p->at;
    void *view = view_of(p, f->source);
    size_t before = out->len;

    if (!view)
        return false;
    if (!p->headed)
        add_head(out, f);
    size_t headed = out->len;
    bool more = f->source->write(f->source->ctx, view, f->which, &p->pos, f, out);
    p->headed = p->headed || out->len > headed;
    if (!p->headed && !out->failed) { /* no head without a sample; one may be among those to come */
        out->len = before;
        out->ptr[before] = '\0';
    }
    return more;
}

struct es_metrics_page *es_metrics_page_open(struct es_metrics *m)
{
    struct es_metrics_page *p = m ? calloc(1, sizeof *p) : NULL;
    size_t count = 0;

    if (!p)
        return NULL;
    p->metrics = m;
    /* A hook sets metrics and may take locks of its own: none of ours is held. */
    struct hook *hooks = copy_hooks(m, &count);
    for (size_t i = 0; i < count; i++)
        hooks[i].fn(hooks[i].ctx);
    free(hooks);
    p->at = next_family(m, NULL);
    return p;
}

bool es_metrics_page_next(struct es_metrics_page *p, struct es_buf *out)
{
    if (!p->at)
        return false;
    if (p->at->source && write_some(p, out))
        return true;
    if (!p->at->source)
        write_family(out, p->at);
    p->at = next_family(p->metrics, p->at);
    p->pos = 0;
    p->headed = false;
    return true;
}

void es_metrics_page_close(struct es_metrics_page *p)
{
    if (!p)
        return;
    for (size_t i = 0; i < p->view_count; i++)
        if (p->views[i].view)
            p->views[i].source->close(p->views[i].source->ctx, p->views[i].view);
    free(p);
}

void es_metrics_write(struct es_metrics *m, struct es_buf *out)
{
    struct es_metrics_page *p = es_metrics_page_open(m);

    if (!p && m)
        out->failed = true;
    while (p && es_metrics_page_next(p, out))
        ;
    es_metrics_page_close(p);
}
