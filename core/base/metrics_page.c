#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/metrics_own.h"
#include "core/base/text.h"

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
        add_escaped(out, es_label_at(values, i), true);
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

static void add_sample(struct es_buf *out, const struct es_metric *f, struct es_sample *s)
{
    const char *labels[ES_METRIC_LABELS_MAX];
    const char *at = es_sample_labels(f, s);

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
    struct es_sample *sample;
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
            all[n++] =
                (struct sortable){es_sample_labels(f, f->slots[i]), f->slots[i]->labels_len, f->slots[i]};
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

static struct es_metric_hook *copy_hooks(struct es_metrics *m, size_t *ret_count)
{
    pthread_mutex_lock(&m->lock);
    size_t count = m->hook_count;
    struct es_metric_hook *hooks = malloc((count ? count : 1) * sizeof *hooks);
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
    struct es_metric_hook *hooks = copy_hooks(m, &count);
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
