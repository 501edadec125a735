#include "core/controller/tally.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/kube/obj.h"

#define APP_LABELS 6
#define ROWS_A_PIECE 64

enum state { STATE_UNKNOWN, STATE_FALSE, STATE_TRUE, STATE_GONE };

/* The numbers of one object. */
struct numbers {
    int64_t duration_ns;
    uint32_t calls, errors;
    union {
        uint32_t due_s; /* monotonic; 0: not by itself */
        uint32_t gone;  /* STATE_GONE: which one to go it was; old ones are forgotten first */
    };
    uint8_t state;
};

struct row {
    struct numbers n;
    struct row *next_unused; /* see struct es_tally */
    char key[];              /* "namespace/name", a NUL, then the app labels, a NUL behind each */
};

struct table {
    struct es_map rows; /* by key */
    size_t gone;
};

struct es_tally {
    const struct es_clock *clock;
    bool app_labels;
    struct es_metric_source source;

    pthread_mutex_t lock; /* guards what follows, and the numbers in the rows */
    struct table tables[ES_TALLY_KINDS];
    uint32_t gone_serial;
    /* Pages read keys and labels of rows without the lock, so a row that has been
     * replaced stays until no page is being written. */
    size_t readers;
    struct row *unused;
};

/* ---- rows ---- */

static void drop_row_locked(struct es_tally *t, struct row *r)
{
    if (!t->readers) {
        es_mem_free(r);
        return;
    }
    r->next_unused = t->unused;
    t->unused = r;
}

static void free_unused_locked(struct es_tally *t)
{
    while (t->unused) {
        struct row *next = t->unused->next_unused;
        es_mem_free(t->unused);
        t->unused = next;
    }
}

/* The app.kubernetes.io labels in the order of their columns, a NUL behind each. */
static char *app_labels_of(const json_t *object, size_t *ret_len)
{
    static const char *const names[APP_LABELS] = {
        "app.kubernetes.io/component", "app.kubernetes.io/instance", "app.kubernetes.io/managed-by",
        "app.kubernetes.io/name",      "app.kubernetes.io/part-of",  "app.kubernetes.io/version"};
    const json_t *labels = es_obj_at(object, "metadata", "labels");
    struct es_buf b;

    es_buf_init(&b, (size_t)64 << 10);
    for (size_t i = 0; i < APP_LABELS; i++) {
        const char *value = es_obj_str(labels, names[i]);
        es_buf_add(&b, value, strlen(value) + 1);
    }
    *ret_len = b.len;
    return es_buf_take(&b);
}

static const char *labels_of_row(const struct row *r)
{
    return r->key + strlen(r->key) + 1;
}

static struct row *row_new(const char *key, const char *labels, size_t labels_len)
{
    size_t key_size = strlen(key) + 1;
    struct row *r = es_mem_alloc(sizeof *r + key_size + labels_len);

    if (!r)
        return NULL;
    *r = (struct row){0};
    memcpy(r->key, key, key_size);
    if (labels_len)
        memcpy(r->key + key_size, labels, labels_len);
    return r;
}

static bool has_labels(const struct row *r, const char *labels)
{
    const char *have = labels_of_row(r);

    for (size_t i = 0; i < APP_LABELS; i++) {
        if (strcmp(have, labels) != 0)
            return false;
        have += strlen(have) + 1;
        labels += strlen(labels) + 1;
    }
    return true;
}

/* The row with these labels: what was counted goes along when they have changed. */
static struct row *row_for_locked(struct es_tally *t, struct table *table, const char *key,
                                  const char *labels, size_t labels_len)
{
    static const char no_labels[APP_LABELS] = "";
    struct row *old = es_map_get(&table->rows, key);

    if (old && (!labels || has_labels(old, labels)))
        return old;
    if (!labels && t->app_labels) {
        labels = no_labels;
        labels_len = sizeof no_labels;
    }
    struct row *r = row_new(key, labels, labels_len);
    if (!r || es_map_put(&table->rows, r->key, r, NULL) < 0) {
        es_mem_free(r);
        return old;
    }
    if (old) {
        r->n = old->n;
        drop_row_locked(t, old);
    }
    return r;
}

static void count_locked(struct table *table, struct row *r, const struct es_tally_pass *pass)
{
    static const uint8_t states[] = {
        [ES_TALLY_UNKNOWN] = STATE_UNKNOWN, [ES_TALLY_FALSE] = STATE_FALSE, [ES_TALLY_TRUE] = STATE_TRUE};

    r->n.calls++;
    r->n.errors += pass->failed;
    r->n.duration_ns = pass->duration_ns;
    if (r->n.state == STATE_GONE) {
        table->gone--;
        r->n.state = STATE_UNKNOWN;
        r->n.due_s = 0;
    }
    if (pass->due_ms)
        r->n.due_s = pass->due_ms < 0 ? 0 : (uint32_t)(pass->due_ms / 1000);
    if (pass->ready != ES_TALLY_UNKNOWN)
        r->n.state = states[pass->ready];
}

void es_tally_count(struct es_tally *t, const struct es_tally_pass *pass)
{
    size_t labels_len = 0;
    char *labels = NULL;

    if (!t)
        return;
    char *key = es_key_of(pass->ns, pass->name);
    if (t->app_labels && pass->object)
        labels = app_labels_of(pass->object, &labels_len);
    struct table *table = &t->tables[pass->kind];
    pthread_mutex_lock(&t->lock);
    struct row *r = key ? row_for_locked(t, table, key, labels, labels_len) : NULL;
    if (r)
        count_locked(table, r, pass);
    pthread_mutex_unlock(&t->lock);
    es_mem_free(labels);
    es_mem_free(key);
}

/* ---- what is gone ---- */

static void remove_row_locked(struct es_tally *t, struct table *table, struct row *r)
{
    es_map_remove(&table->rows, r->key);
    drop_row_locked(t, r);
}

/* A walk for the older half, so that there is one in five hundred deletions. */
static void forget_old_locked(struct es_tally *t, struct table *table)
{
    struct row *old[ES_TALLY_GONE_MAX], *r;
    size_t count = 0;

    for (size_t pos = 0; (r = es_map_next(&table->rows, &pos)) && count < ES_TALLY_GONE_MAX;)
        if (r->n.state == STATE_GONE && t->gone_serial - r->n.gone >= ES_TALLY_GONE_MAX / 2)
            old[count++] = r;
    for (size_t i = 0; i < count; i++)
        remove_row_locked(t, table, old[i]);
    table->gone -= count;
}

static void mark_gone_locked(struct es_tally *t, struct table *table, struct row *r, int64_t duration_ns)
{
    r->n.calls++;
    r->n.duration_ns = duration_ns;
    table->gone += r->n.state != STATE_GONE;
    r->n.state = STATE_GONE;
    r->n.gone = t->gone_serial++;
    if (table->gone > ES_TALLY_GONE_MAX)
        forget_old_locked(t, table);
}

void es_tally_gone(struct es_tally *t, enum es_tally_kind kind, const char *ns, const char *name,
                   int64_t duration_ns)
{
    char *key = t ? es_key_of(ns, name) : NULL;

    if (!key)
        return;
    struct table *table = &t->tables[kind];
    pthread_mutex_lock(&t->lock);
    struct row *r = es_map_get(&table->rows, key);
    if (kind == ES_TALLY_EXTERNAL_SECRET) {
        r = row_for_locked(t, table, key, NULL, 0);
        if (r)
            mark_gone_locked(t, table, r, duration_ns);
    } else if (r) {
        remove_row_locked(t, table, r);
    }
    pthread_mutex_unlock(&t->lock);
    es_mem_free(key);
}

/* ---- pages ---- */

/* The rows as they were when the page began, in the order of their keys. */
struct view {
    const struct row **rows[ES_TALLY_KINDS];
    size_t counts[ES_TALLY_KINDS];
};

static int by_key(const void *a, const void *b)
{
    const struct row *const *x = a, *const *y = b;
    return strcmp((*x)->key, (*y)->key);
}

static const struct row **copy_rows_locked(const struct table *table, size_t *ret_count)
{
    const struct row **rows = malloc((table->rows.count ? table->rows.count : 1) * sizeof *rows);
    const struct row *r;
    size_t n = 0;

    for (size_t pos = 0; rows && (r = es_map_next(&table->rows, &pos));)
        rows[n++] = r;
    *ret_count = n;
    return rows;
}

static void *open_view(void *ctx)
{
    struct es_tally *t = ctx;
    struct view *v = calloc(1, sizeof *v);

    if (!v)
        return NULL;
    pthread_mutex_lock(&t->lock);
    t->readers++;
    for (int k = 0; k < ES_TALLY_KINDS; k++)
        v->rows[k] = copy_rows_locked(&t->tables[k], &v->counts[k]);
    pthread_mutex_unlock(&t->lock);
    for (int k = 0; k < ES_TALLY_KINDS; k++)
        if (v->counts[k])
            qsort(v->rows[k], v->counts[k], sizeof *v->rows[k], by_key);
    return v;
}

static void close_view(void *ctx, void *view)
{
    struct es_tally *t = ctx;
    struct view *v = view;

    pthread_mutex_lock(&t->lock);
    if (--t->readers == 0)
        free_unused_locked(t);
    pthread_mutex_unlock(&t->lock);
    for (int k = 0; k < ES_TALLY_KINDS; k++)
        free(v->rows[k]);
    free(v);
}

/* ---- samples ---- */

/* The labels of a series. In the order of their names, as the reference has them. */
struct line {
    const struct es_metric *family;
    struct es_buf *out;
    const char *app[APP_LABELS];
    size_t app_count;
    char ns[256];
    const char *name;
    int64_t now_s; /* monotonic */
};

static void set_labels(struct line *l, const struct es_tally *t, const struct row *r)
{
    const char *at = labels_of_row(r);

    l->name = es_key_split(r->key, l->ns);
    l->app_count = t->app_labels ? APP_LABELS : 0;
    for (size_t i = 0; i < l->app_count; at += strlen(at) + 1)
        l->app[i++] = at;
}

static void write_plain(const struct line *l, double value)
{
    const char *values[ES_METRIC_LABELS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < l->app_count; i++)
        values[n++] = l->app[i];
    values[n++] = l->name;
    values[n++] = l->ns;
    es_metric_sample(l->family, l->out, values, value);
}

static void write_condition(const struct line *l, const char *condition, const char *status, double value)
{
    const char *values[ES_METRIC_LABELS_MAX];
    size_t n = 0;

    for (size_t i = 0; i < l->app_count; i++)
        values[n++] = l->app[i];
    values[n++] = condition;
    values[n++] = l->name;
    values[n++] = l->ns;
    values[n++] = status;
    es_metric_sample(l->family, l->out, values, value);
}

enum figure { FIGURE_CALLS, FIGURE_ERRORS, FIGURE_CONDITION, FIGURE_DURATION, FIGURE_OVERDUE, FIGURES };

static void write_state(const struct line *l, enum state state)
{
    if (state == STATE_GONE) {
        write_condition(l, "Deleted", "False", 1);
    } else if (state != STATE_UNKNOWN) {
        write_condition(l, "Ready", "False", state == STATE_FALSE);
        write_condition(l, "Ready", "True", state == STATE_TRUE);
    }
}

/* Only of what is late: on most days there is no such series, and it costs nothing. */
static void write_overdue(const struct line *l, const struct numbers *n)
{
    int64_t late_s = l->now_s - n->due_s;

    if (n->state != STATE_GONE && n->due_s && late_s > ES_TALLY_OVERDUE_S)
        write_plain(l, (double)late_s);
}

static void write_row(const struct line *l, enum figure figure, const struct numbers *n)
{
    switch (figure) {
    case FIGURE_CALLS:
        write_plain(l, n->calls);
        break;
    case FIGURE_ERRORS:
        if (n->errors) /* the reference has no series before the first */
            write_plain(l, n->errors);
        break;
    case FIGURE_CONDITION:
        write_state(l, n->state);
        break;
    case FIGURE_OVERDUE:
        write_overdue(l, n);
        break;
    default:
        write_plain(l, (double)n->duration_ns);
    }
}

static bool write_rows(void *ctx, void *view, int which, size_t *pos, const struct es_metric *f,
                       struct es_buf *out)
{
    struct es_tally *t = ctx;
    const struct view *v = view;
    int kind = which / FIGURES;
    const struct row **rows = v->rows[kind] + *pos;
    struct line line = {.family = f, .out = out, .now_s = t->clock->mono_ms(t->clock->ctx) / 1000};
    struct numbers numbers[ROWS_A_PIECE];
    size_t count = v->counts[kind] - *pos;

    if (count > ROWS_A_PIECE)
        count = ROWS_A_PIECE;
    pthread_mutex_lock(&t->lock);
    for (size_t i = 0; i < count; i++)
        numbers[i] = rows[i]->n;
    pthread_mutex_unlock(&t->lock);
    for (size_t i = 0; i < count; i++) {
        set_labels(&line, t, rows[i]);
        write_row(&line, (enum figure)(which % FIGURES), &numbers[i]);
    }
    *pos += count;
    return *pos < v->counts[kind];
}

/* ---- life ---- */

#define APP_LABEL_NAMES                                                                                      \
    "app_kubernetes_io_component", "app_kubernetes_io_instance", "app_kubernetes_io_managed_by",             \
        "app_kubernetes_io_name", "app_kubernetes_io_part_of", "app_kubernetes_io_version"

static int register_families(struct es_tally *t, struct es_metrics *m)
{
    static const char *const plain[] = {APP_LABEL_NAMES, "name", "namespace"};
    static const char *const condition[] = {APP_LABEL_NAMES, "condition", "name", "namespace", "status"};
    static const struct {
        enum es_tally_kind kind;
        enum figure figure;
        const char *name, *help;
    } families[] = {
        {ES_TALLY_EXTERNAL_SECRET, FIGURE_CALLS, "externalsecret_sync_calls_total",
         "Passes over an ExternalSecret, those that had nothing to do among them."},
        {ES_TALLY_EXTERNAL_SECRET, FIGURE_ERRORS, "externalsecret_sync_calls_error",
         "Passes over an ExternalSecret that failed."},
        {ES_TALLY_EXTERNAL_SECRET, FIGURE_CONDITION, "externalsecret_status_condition",
         "1 for the status that a condition of an ExternalSecret has."},
        {ES_TALLY_EXTERNAL_SECRET, FIGURE_DURATION, "externalsecret_reconcile_duration",
         "Nanoseconds of the last pass over an ExternalSecret."},
        {ES_TALLY_EXTERNAL_SECRET, FIGURE_OVERDUE, "esod_externalsecret_overdue_seconds",
         "How long ago an ExternalSecret was due whose pass has not ended well since; from a minute on."},
        {ES_TALLY_SECRET_STORE, FIGURE_CONDITION, "secretstore_status_condition",
         "1 for the status that a condition of a SecretStore has."},
        {ES_TALLY_SECRET_STORE, FIGURE_DURATION, "secretstore_reconcile_duration",
         "Nanoseconds of the last pass over a SecretStore."},
        {ES_TALLY_CLUSTER_SECRET_STORE, FIGURE_CONDITION, "clustersecretstore_status_condition",
         "1 for the status that a condition of a ClusterSecretStore has."},
        {ES_TALLY_CLUSTER_SECRET_STORE, FIGURE_DURATION, "clustersecretstore_reconcile_duration",
         "Nanoseconds of the last pass over a ClusterSecretStore."},
        {ES_TALLY_PUSH_SECRET, FIGURE_CONDITION, "pushsecret_status_condition",
         "1 for the status that a condition of a PushSecret has."},
        {ES_TALLY_PUSH_SECRET, FIGURE_DURATION, "pushsecret_reconcile_duration",
         "Nanoseconds of the last pass over a PushSecret."},
        {ES_TALLY_CLUSTER_EXTERNAL_SECRET, FIGURE_CONDITION, "clusterexternalsecret_status_condition",
         "1 for the status that a condition of a ClusterExternalSecret has."},
        {ES_TALLY_CLUSTER_EXTERNAL_SECRET, FIGURE_DURATION, "clusterexternalsecret_reconcile_duration",
         "Nanoseconds of the last pass over a ClusterExternalSecret."},
        {ES_TALLY_CLUSTER_PUSH_SECRET, FIGURE_CONDITION, "clusterpushsecret_status_condition",
         "1 for the status that a condition of a ClusterPushSecret has."},
        {ES_TALLY_CLUSTER_PUSH_SECRET, FIGURE_DURATION, "clusterpushsecret_reconcile_duration",
         "Nanoseconds of the last pass over a ClusterPushSecret."},
    };
    size_t skip = t->app_labels ? 0 : APP_LABELS;
    int rc = 0;

    for (size_t i = 0; i < sizeof families / sizeof *families && rc == 0; i++) {
        bool counter = families[i].figure == FIGURE_CALLS || families[i].figure == FIGURE_ERRORS;
        bool conditions = families[i].figure == FIGURE_CONDITION;
        const char *const *labels = conditions ? condition : plain;
        size_t count = conditions ? sizeof condition / sizeof *condition : sizeof plain / sizeof *plain;
        rc = es_metrics_source_family(
            m, &t->source, (int)families[i].kind * FIGURES + (int)families[i].figure,
            counter ? ES_COUNTER : ES_GAUGE, families[i].name, families[i].help, labels + skip, count - skip);
    }
    return rc;
}

int es_tally_new(struct es_tally **ret, struct es_metrics *metrics, const struct es_clock *clock,
                 bool label_objects, struct es_error *err)
{
    struct es_tally *t = calloc(1, sizeof *t);

    if (!t)
        return es_error_nomem(err);
    t->clock = clock;
    t->app_labels = label_objects;
    t->source =
        (struct es_metric_source){.open = open_view, .write = write_rows, .close = close_view, .ctx = t};
    pthread_mutex_init(&t->lock, NULL);
    if (metrics && register_families(t, metrics) < 0) {
        es_tally_free(t);
        return es_error_nomem(err);
    }
    *ret = t;
    return 0;
}

void es_tally_free(struct es_tally *t)
{
    struct row *r;

    if (!t)
        return;
    for (int k = 0; k < ES_TALLY_KINDS; k++) {
        for (size_t pos = 0; (r = es_map_next(&t->tables[k].rows, &pos));)
            es_mem_free(r);
        es_map_fini(&t->tables[k].rows);
    }
    free_unused_locked(t);
    pthread_mutex_destroy(&t->lock);
    free(t);
}
