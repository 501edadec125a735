#include "core/kube/watch.h"

#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/call.h"
#include "core/kube/obj.h"

#define LINE_MAX_BYTES (8u * 1024 * 1024)
#define WINDOW (256u * 1024)
#define STACK (256u * 1024)
#define QUERY_MAX (16 * 1024)
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 30000
/* Bookmarks come about once a minute; two of them missing is a dead line. */
#define IDLE_MS 150000
/* A stream that lived so long was not refused. */
#define HEALTHY_MS 1000
#define METADATA "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"

struct es_watch {
    struct es_kube *kube;
    struct es_watch_opts opts; /* texts are ours */
    struct es_watch_sink sink;
    struct es_kube_stop_hook hook;
    pthread_t thread;
    bool stopping; /* atomic; set under the lock */

    pthread_mutex_t lock;          /* guards the stream pointer */
    pthread_cond_t wake;           /* stopping, for the backoff */
    struct es_http_stream *stream; /* what a stop has to cancel, or NULL */

    /* Only the watch thread's from here on. */
    char rv[128];   /* where to resume; "": a full list is needed */
    bool paged;     /* the API server cannot stream the first list */
    bool troubled;  /* the sink was told of trouble last */
    bool healthy;   /* this round's stream did what a watch does */
    bool cut;       /* and its connection was lost */
    int gone_count; /* 410 in a row */
    int64_t backoff_ms;
    struct es_error err;
};

static bool stopping(struct es_watch *w)
{
    return __atomic_load_n(&w->stopping, __ATOMIC_ACQUIRE);
}

static void publish_stream(void *ctx, struct es_http_stream *stream)
{
    struct es_watch *w = ctx;

    pthread_mutex_lock(&w->lock);
    w->stream = stream;
    if (stream && w->stopping)
        es_http_stream_cancel(stream);
    pthread_mutex_unlock(&w->lock);
}

static void stop(void *ctx)
{
    struct es_watch *w = ctx;

    pthread_mutex_lock(&w->lock);
    __atomic_store_n(&w->stopping, true, __ATOMIC_RELEASE);
    if (w->stream)
        es_http_stream_cancel(w->stream);
    pthread_cond_broadcast(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

static void nap(struct es_watch *w, int64_t ms)
{
    int64_t until = es_mono_ns() + ms * 1000000;
    struct timespec ts = {until / 1000000000, (long)(until % 1000000000)};

    pthread_mutex_lock(&w->lock);
    while (!w->stopping && es_mono_ns() < until)
        pthread_cond_timedwait(&w->wake, &w->lock, &ts);
    pthread_mutex_unlock(&w->lock);
}

static int64_t random_below(int64_t limit)
{
    return limit > 0 ? (int64_t)es_system_clock.random(es_system_clock.ctx) % limit : 0;
}

static void back_off(struct es_watch *w, int64_t at_least_ms)
{
    int64_t base = w->backoff_ms;
    int64_t ms = base + random_below(base / 2 + 1);

    w->backoff_ms = base * 2 < BACKOFF_MAX_MS ? base * 2 : BACKOFF_MAX_MS;
    if (ms > BACKOFF_MAX_MS)
        ms = BACKOFF_MAX_MS;
    nap(w, ms > at_least_ms ? ms : at_least_ms);
}

static void report(struct es_watch *w, struct es_error *err)
{
    const struct es_kind *kind = w->opts.kind;

    if (err)
        es_error_wrap(err, "watching %s%s%s: ", kind->plural, *kind->group ? "." : "", kind->group);
    if (err || w->troubled)
        w->sink.trouble(w->sink.ctx, err);
    w->troubled = err != NULL;
}

/* A version too long for its place is as good as none: the next round lists. */
static void note_version(struct es_watch *w, const char *rv)
{
    size_t len = strlen(rv);

    if (len >= sizeof w->rv)
        len = 0;
    memcpy(w->rv, rv, len);
    w->rv[len] = '\0';
}

static void synced(struct es_watch *w, const char *rv)
{
    note_version(w, rv);
    w->gone_count = 0;
    w->sink.synced(w->sink.ctx);
}

/* The first list in pages, where it cannot be streamed. */
struct paging {
    struct es_watch *w;
    bool begun;
};

static void page_restart(void *ctx)
{
    struct paging *p = ctx;
    p->begun = true;
    p->w->sink.restart(p->w->sink.ctx);
}

static int page_object(void *ctx, json_t *obj)
{
    struct paging *p = ctx;

    if (stopping(p->w))
        return ES_E_CANCELLED;
    if (!p->begun)
        page_restart(p);
    p->w->sink.event(p->w->sink.ctx, ES_WATCH_SET, obj);
    return 0;
}

static int list_pages(struct es_watch *w, struct es_error *err)
{
    struct paging p = {.w = w};
    struct es_kube_list_opts opts = {.label_selector = w->opts.label_selector,
                                     .field_selector = w->opts.field_selector,
                                     .metadata_only = w->opts.metadata_only,
                                     .cancelled = &w->stopping};
    char *rv = NULL;
    int rc = es_kube_list(w->kube, w->opts.kind, w->opts.ns, &opts, page_object, page_restart, &p, &rv, err);

    if (rc == 0) {
        if (!p.begun)
            page_restart(&p);
        synced(w, rv ? rv : "");
    }
    es_mem_free(rv);
    return rc;
}

/* The object of an ERROR event is a Status. */
static int on_error_event(const json_t *object, struct es_error *err)
{
    int64_t code = es_obj_int(object, "code");
    return es_kube_refusal(object, code >= 400 && code < 600 ? (int)code : 500, 0, err);
}

static void on_bookmark(struct es_watch *w, const json_t *object, bool *listing)
{
    const char *rv = es_obj_str(object, "metadata", "resourceVersion");
    const char *end = es_obj_str(object, "metadata", "annotations", "k8s.io/initial-events-end");

    if (!*listing) {
        note_version(w, rv);
    } else if (es_streq(end, "true")) {
        *listing = false;
        synced(w, rv);
    }
}

static int on_event(struct es_watch *w, const char *type, json_t *object, bool *listing, struct es_error *err)
{
    if (es_streq(type, "ERROR"))
        return on_error_event(object, err);
    w->healthy = true;
    if (es_streq(type, "BOOKMARK")) {
        on_bookmark(w, object, listing);
        return 0;
    }
    bool set = es_streq(type, "ADDED") || es_streq(type, "MODIFIED");
    if (!json_is_object(object) || (!set && !es_streq(type, "DELETED")))
        return es_error_set(err, ES_E_INTERNAL, "the API server sent an event of no known type");
    /* While the first list streams, versions come in no order: a break then
     * means the list begins anew. Noted before the sink has the object, since
     * it may take members out. */
    if (!*listing)
        note_version(w, es_obj_str(object, "metadata", "resourceVersion"));
    w->sink.event(w->sink.ctx, set ? ES_WATCH_SET : ES_WATCH_GONE, object);
    return 0;
}

/* Does the line only say what the sink has from the answer to a write? */
static bool is_known(struct es_watch *w, const char *line, size_t len, bool listing)
{
    char type[16], ns[256], name[256], rv[64];
    size_t object_len, metadata_len;

    if (!w->sink.known)
        return false;
    es_kube_plain_member(line, len, "type", type, sizeof type);
    const char *object = es_kube_member(line, len, "object", &object_len);
    const char *metadata = object ? es_kube_member(object, object_len, "metadata", &metadata_len) : NULL;
    if (!metadata || (!es_streq(type, "ADDED") && !es_streq(type, "MODIFIED")))
        return false;
    es_kube_plain_member(metadata, metadata_len, "namespace", ns, sizeof ns);
    es_kube_plain_member(metadata, metadata_len, "name", name, sizeof name);
    es_kube_plain_member(metadata, metadata_len, "resourceVersion", rv, sizeof rv);
    if (!*name || !*rv || !w->sink.known(w->sink.ctx, ns, name, rv))
        return false;
    w->healthy = true;
    if (!listing)
        note_version(w, rv);
    return true;
}

/* The event's line without its object's managedFields. */
static char *shorten(char *line, size_t *len)
{
    size_t object_len;
    const char *found = es_kube_member(line, *len, "object", &object_len);

    if (!found)
        return line;
    char *object = line + (found - line);
    size_t before = (size_t)(object - line), old_len = object_len;
    char *begin = es_kube_drop_managed_fields(object, &object_len);
    memmove(line + (begin - object), line, before);
    *len -= old_len - object_len;
    return line + (begin - object);
}

/* `line` may be changed: it is read once. */
static int on_line(struct es_watch *w, char *line, size_t len, bool *listing, struct es_error *err)
{
    json_t *event = NULL;

    /* First of all: they are half of the text and stand in front of the name, so
     * that each look for a member would walk over them. */
    line = shorten(line, &len);
    if (is_known(w, line, len, *listing))
        return 0;
    /* Nested beyond reason: left out, as in lists. */
    if (es_kube_depth(line, len) > ES_KUBE_JSON_DEPTH)
        return 0;
    int rc = es_kube_parse(&event, line, len, err);
    if (rc == 0)
        rc = on_event(w, es_obj_str(event, "type"), json_object_get(event, "object"), listing, err);
    json_decref(event);
    return rc;
}

/* Handles the complete lines at the front of `buf`; *scanned is how much of
 * the rest is known to hold no line end. */
static int on_bytes(struct es_watch *w, struct es_buf *buf, size_t *scanned, bool *listing,
                    struct es_error *err)
{
    size_t done = 0;
    int rc = 0;

    while (rc == 0 && buf->len > *scanned && !stopping(w)) {
        const char *end = memchr(buf->ptr + *scanned, '\n', buf->len - *scanned);
        if (!end)
            break;
        size_t line_len = (size_t)(end - buf->ptr) - done;
        if (line_len)
            rc = on_line(w, buf->ptr + done, line_len, listing, err);
        done += line_len + 1;
        *scanned = done;
    }
    es_buf_consume(buf, done);
    *scanned = buf->len;
    /* Objects may be secret, and most of the time nothing comes: the memory
     * goes back, wiped. */
    if (buf->len == 0)
        es_buf_fini(buf);
    return rc;
}

static int follow(struct es_watch *w, struct es_http_stream *stream, bool *listing, struct es_error *err)
{
    struct es_buf buf;
    size_t scanned = 0;
    int rc;

    es_buf_init(&buf, LINE_MAX_BYTES + WINDOW);
    do {
        rc = es_http_stream_read(stream, &buf, err);
        int more = rc;
        w->cut = rc < 0;
        if (rc > 0)
            rc = on_bytes(w, &buf, &scanned, listing, err);
        if (rc == 0)
            rc = more;
    } while (rc > 0 && !stopping(w));
    es_buf_fini(&buf);
    return rc > 0 ? 0 : rc;
}

static void add_window(struct es_watch *w, struct es_buf *query)
{
    char seconds[24];
    int64_t ms = w->opts.window_ms > 0 ? w->opts.window_ms : 300000 + random_below(300000);

    snprintf(seconds, sizeof seconds, "%lld", (long long)(ms < 1000 ? 1 : ms / 1000));
    es_query_add(query, "timeoutSeconds", seconds);
}

static void build_query(struct es_watch *w, struct es_buf *query, bool listing)
{
    es_query_add(query, "watch", "true");
    es_query_add(query, "allowWatchBookmarks", "true");
    if (listing) {
        es_query_add(query, "sendInitialEvents", "true");
        es_query_add(query, "resourceVersionMatch", "NotOlderThan");
    } else {
        es_query_add(query, "resourceVersion", w->rv);
    }
    add_window(w, query);
    es_query_add(query, "labelSelector", w->opts.label_selector);
    es_query_add(query, "fieldSelector", w->opts.field_selector);
}

static int open_stream(struct es_watch *w, bool listing, struct es_http_stream **ret, struct es_error *err)
{
    struct es_http_stream_opts opts = {.idle_timeout_ms = IDLE_MS, .window = WINDOW};
    struct es_buf query;

    es_buf_init(&query, QUERY_MAX);
    build_query(w, &query, listing);
    struct es_kube_call call = {.method = "GET",
                                .kind = w->opts.kind,
                                .ns = w->opts.ns,
                                .query = es_buf_str(&query),
                                .accept = w->opts.metadata_only ? METADATA : NULL,
                                .cancelled = &w->stopping,
                                .publish = publish_stream,
                                .publish_ctx = w};
    int rc = es_buf_failed(&query)
                 ? es_error_set(err, ES_E_TOO_LARGE, "the watch's selectors are above %d bytes", QUERY_MAX)
                 : es_kube_call_stream(w->kube, &call, &opts, ret, err);
    es_buf_fini(&query);
    return rc;
}

static int watch_stream(struct es_watch *w, struct es_error *err)
{
    struct es_http_stream *stream = NULL;
    bool listing = !w->rv[0];
    int rc = open_stream(w, listing, &stream, err);

    if (rc == ES_E_INVALID && listing) {
        /* API servers before 1.32, or with the feature turned off, refuse the
         * parameters (400, 422). */
        w->paged = true;
        return 0;
    }
    if (rc < 0)
        return rc;
    int64_t begun_ms = es_mono_ms();
    report(w, NULL);
    if (listing)
        w->sink.restart(w->sink.ctx);
    rc = follow(w, stream, &listing, err);
    publish_stream(w, NULL);
    es_http_stream_close(stream);

    if (es_mono_ms() - begun_ms >= HEALTHY_MS)
        w->healthy = true;
    if (rc == 0 && listing && !stopping(w))
        return es_error_set(err, ES_E_RETRY, "the API server ended the list before it was complete");
    return rc;
}

/* One list if needed, one watch until it ends. */
static int run_round(struct es_watch *w, struct es_error *err)
{
    if (!w->rv[0] && w->paged) {
        int rc = list_pages(w, err);
        if (rc != 0)
            return rc;
    }
    return watch_stream(w, err);
}

/* Decides how to go on after a round. */
static void recover(struct es_watch *w, int rc, bool changed_way, struct es_error *err)
{
    if (w->healthy)
        w->backoff_ms = BACKOFF_MIN_MS;
    if (rc == ES_E_GONE) {
        /* The version was too old: normal after a long absence. Twice in a
         * row it is not, and lists are expensive. */
        w->rv[0] = '\0';
        if (++w->gone_count > 1) {
            report(w, err);
            back_off(w, 0);
        }
        return;
    }
    if (rc == 0) {
        /* Its time was over, or the way of listing was changed. An API server
         * that ends each watch at once must not be asked without a pause. */
        if (!w->healthy && !changed_way)
            back_off(w, 0);
        return;
    }
    bool lost = rc == ES_E_RETRY && w->cut && w->healthy && w->rv[0];
    if (!lost)
        report(w, err);
    back_off(w, err->retry_after_ms);
}

static void *run(void *ctx)
{
    struct es_watch *w = ctx;

    while (!stopping(w)) {
        bool was_paged = w->paged;
        w->err = (struct es_error)ES_ERROR_INIT;
        w->healthy = w->cut = false;
        int rc = run_round(w, &w->err);
        if (!stopping(w))
            recover(w, rc, w->paged != was_paged, &w->err);
    }
    return NULL;
}

static int copy_text(const char **ret, const char *text)
{
    *ret = text ? es_mem_strdup(text) : NULL;
    return text && !*ret ? ES_E_NOMEM : 0;
}

static int copy_opts(struct es_watch_opts *to, const struct es_watch_opts *from)
{
    *to = *from;
    to->ns = to->label_selector = to->field_selector = NULL;
    if (copy_text(&to->ns, from->ns) < 0 || copy_text(&to->label_selector, from->label_selector) < 0 ||
        copy_text(&to->field_selector, from->field_selector) < 0)
        return ES_E_NOMEM;
    return 0;
}

static void free_opts(struct es_watch_opts *opts)
{
    es_mem_free((char *)opts->ns);
    es_mem_free((char *)opts->label_selector);
    es_mem_free((char *)opts->field_selector);
}

static int start_thread(struct es_watch *w)
{
    pthread_attr_t attr;
    sigset_t all, before;

    if (pthread_attr_init(&attr) != 0)
        return ES_E_NOMEM;
    int rc = pthread_attr_setstacksize(&attr, STACK);
    /* Signals are the main thread's. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (rc == 0)
        rc = pthread_create(&w->thread, &attr, run, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    return rc == 0 ? 0 : ES_E_NOMEM;
}

static int init_waiting(struct es_watch *w)
{
    pthread_condattr_t attr;

    if (pthread_condattr_init(&attr) != 0)
        return ES_E_NOMEM;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int rc = pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    if (rc != 0)
        return ES_E_NOMEM;
    if (pthread_mutex_init(&w->lock, NULL) == 0)
        return 0;
    pthread_cond_destroy(&w->wake);
    return ES_E_NOMEM;
}

static void destroy(struct es_watch *w)
{
    pthread_mutex_destroy(&w->lock);
    pthread_cond_destroy(&w->wake);
    free_opts(&w->opts);
    es_mem_free(w);
}

int es_watch_new(struct es_watch **ret, struct es_kube *kube, const struct es_watch_opts *opts,
                 const struct es_watch_sink *sink, struct es_error *err)
{
    struct es_watch *w = es_mem_calloc(1, sizeof *w);

    if (!w)
        return es_error_nomem(err);
    if (copy_opts(&w->opts, opts) < 0 || init_waiting(w) < 0) {
        free_opts(&w->opts);
        es_mem_free(w);
        return es_error_nomem(err);
    }
    w->kube = kube;
    w->sink = *sink;
    w->backoff_ms = BACKOFF_MIN_MS;
    w->hook = (struct es_kube_stop_hook){.fn = stop, .ctx = w};
    if (start_thread(w) < 0) {
        destroy(w);
        return es_error_set(err, ES_E_NOMEM, "no thread for the watch of %s", opts->kind->plural);
    }
    es_kube_on_stop(kube, &w->hook);
    *ret = w;
    return 0;
}

void es_watch_free(struct es_watch *w)
{
    if (!w)
        return;
    es_kube_off_stop(w->kube, &w->hook);
    stop(w);
    pthread_join(w->thread, NULL);
    destroy(w);
}
