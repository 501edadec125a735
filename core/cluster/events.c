#include "core/cluster/events.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/obj.h"

#define QUEUE_MAX 8192
#define MESSAGE_MAX 1024
#define SEEN_MAX 256 /* events remembered for their counts */
#define SEEN_MS (10 * 60 * INT64_C(1000))
#define BURST 25.0 /* of one source about one object */
#define REFILL_PER_MS (1.0 / (5 * 60 * 1000))
#define SEND_ATTEMPTS 4
#define BUSY_PAUSE_MS 20

/* An event on its way; the texts stand behind it, in the same piece of memory:
 * thousands may wait while there is better to do. */
struct item {
    struct item *next;
    const struct es_kind *kind;
    enum es_event_type type;
    int64_t unix_ms;
    const char *ns, *name, *uid, *rv, *reason, *component, *message;
    char texts[];
};

/* What was said before: by identity of the event, its object to raise the
 * count of; by source and object, the tokens left to it. */
struct seen {
    char *key, *event_name;
    int64_t last_mono_ms;
    int count;
    double tokens;
};

struct es_events {
    struct es_events_opts opts;
    struct es_metric *dropped;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    struct item *head, **tail;
    size_t count;
    bool stopping;
    int64_t stop_by_ms;

    /* Only the thread touches these. */
    struct es_map sent;   /* the event's identity -> seen */
    struct es_map floods; /* source and object -> seen */
    uint32_t serial;
};

static void item_free(struct item *i)
{
    es_mem_free(i);
}

/* The API server's limit, kept on a character's edge. */
static size_t message_length(const char *message)
{
    size_t len = strlen(message);

    if (len <= MESSAGE_MAX)
        return len;
    len = MESSAGE_MAX;
    while (len && ((unsigned char)message[len] & 0xC0) == 0x80)
        len--;
    return len;
}

static const char *append(char **at, const char *text, size_t len)
{
    char *place = *at;

    memcpy(place, text, len);
    place[len] = '\0';
    *at += len + 1;
    return place;
}

static struct item *item_new(const struct es_kind *kind, const json_t *about, enum es_event_type type,
                             const char *reason, const char *component, const char *message)
{
    const char *texts[] = {es_obj_namespace(about),
                           es_obj_name(about),
                           es_obj_str(about, "metadata", "uid"),
                           es_obj_str(about, "metadata", "resourceVersion"),
                           reason,
                           component,
                           message};
    size_t lengths[sizeof texts / sizeof *texts], total = 0;

    for (size_t n = 0; n < sizeof texts / sizeof *texts; n++) {
        lengths[n] = texts[n] == message ? message_length(message) : strlen(texts[n]);
        total += lengths[n] + 1;
    }
    struct item *i = es_mem_alloc(sizeof *i + total);
    if (!i)
        return NULL;
    *i = (struct item){.kind = kind, .type = type, .unix_ms = es_unix_ms()};
    const char **members[] = {&i->ns, &i->name, &i->uid, &i->rv, &i->reason, &i->component, &i->message};
    char *at = i->texts;
    for (size_t n = 0; n < sizeof texts / sizeof *texts; n++)
        *members[n] = append(&at, texts[n], lengths[n]);
    return i;
}

void es_event_record(struct es_events *e, const struct es_kind *kind, const json_t *about,
                     enum es_event_type type, const char *reason, const char *component, const char *message)
{
    if (!e)
        return;
    struct item *i = item_new(kind, about, type, reason, component, message);
    if (!i)
        return;
    pthread_mutex_lock(&e->lock);
    if (e->count < QUEUE_MAX && !e->stopping) {
        *e->tail = i;
        e->tail = &i->next;
        e->count++;
        i = NULL;
        pthread_cond_signal(&e->wake);
    }
    pthread_mutex_unlock(&e->lock);
    if (i)
        es_metric_add(e->dropped, NULL, 1);
    item_free(i);
}

/* ---- what was said before ---- */

static void seen_free(struct seen *s)
{
    es_mem_free(s->key);
    es_mem_free(s->event_name);
    free(s);
}

static void forget_all(struct es_map *map)
{
    struct seen *s;
    for (size_t pos = 0; (s = es_map_next(map, &pos));)
        seen_free(s);
    es_map_fini(map);
}

static struct seen *find_or_add(struct es_map *map, const char *key, int64_t now_ms)
{
    struct seen *s = es_map_get(map, key);
    if (s)
        return s;
    /* Starting over loses counts, not events, and needs no upkeep of ages. */
    if (map->count >= SEEN_MAX)
        forget_all(map);
    s = calloc(1, sizeof *s);
    char *copy = es_mem_strdup(key);
    if (!s || !copy || (s->key = copy, es_map_put(map, copy, s, NULL)) < 0) {
        free(s);
        es_mem_free(copy);
        return NULL;
    }
    s->tokens = BURST;
    s->last_mono_ms = now_ms;
    return s;
}

/* client-go's EventSourceObjectSpamFilter: a token bucket a source and object. */
static bool is_flood(struct es_events *e, const struct item *i, int64_t now_ms)
{
    char *key = es_strf("%s|%s|%s|%s|%s", i->component, i->kind->kind, i->ns, i->name, i->uid);
    struct seen *s = key ? find_or_add(&e->floods, key, now_ms) : NULL;
    es_mem_free(key);
    if (!s)
        return false;
    s->tokens += (double)(now_ms - s->last_mono_ms) * REFILL_PER_MS;
    if (s->tokens > BURST)
        s->tokens = BURST;
    s->last_mono_ms = now_ms;
    if (s->tokens < 1)
        return true;
    s->tokens -= 1;
    return false;
}

/* ---- sending ---- */

static json_t *event_object(const struct item *i, const char *event_name, const char *event_ns)
{
    char api_version[128], when[ES_TIME_TEXT_MAX];

    es_time_format(i->unix_ms, when);
    json_t *about = json_pack("{s:s,s:s,s:s,s:s,s:s}", "kind", i->kind->kind, "apiVersion",
                              es_kind_api_version(i->kind, api_version), "name", i->name, "uid", i->uid,
                              "resourceVersion", i->rv);
    if (about && *i->ns)
        json_object_set_new(about, "namespace", json_string(i->ns));
    return json_pack("{s:s,s:s,s:{s:s,s:s},s:o,s:s,s:s,s:{s:s},s:s,s:s,s:i,s:s,s:s}", "apiVersion", "v1",
                     "kind", "Event", "metadata", "name", event_name, "namespace", event_ns, "involvedObject",
                     about, "reason", i->reason, "message", i->message, "source", "component", i->component,
                     "firstTimestamp", when, "lastTimestamp", when, "count", 1, "type",
                     i->type == ES_EVENT_WARNING ? "Warning" : "Normal", "reportingComponent", i->component);
}

static int create_event(struct es_events *e, const struct item *i, struct seen *s, struct es_error *err)
{
    const char *ns = *i->ns ? i->ns : "default";
    /* client-go's scheme: the object's name and a number that does not repeat. */
    char *name = es_strf("%.230s.%llx%04x", i->name, (unsigned long long)i->unix_ms, e->serial++ & 0xFFFF);
    json_t *object = name ? event_object(i, name, ns) : NULL;
    int rc = object ? es_cluster_create(e->opts.cluster, &es_kind_event, ns, object, NULL, NULL, err)
                    : es_error_nomem(err);
    json_decref(object);
    if (rc == 0) {
        es_mem_free(s->event_name);
        s->event_name = name;
        s->count = 1;
        name = NULL;
    }
    es_mem_free(name);
    return rc;
}

static int raise_count(struct es_events *e, const struct item *i, struct seen *s, struct es_error *err)
{
    char last[ES_TIME_TEXT_MAX];
    json_t *patch =
        json_pack("{s:i,s:s}", "count", s->count + 1, "lastTimestamp", es_time_format(i->unix_ms, last));
    if (!patch)
        return es_error_nomem(err);
    int rc = es_cluster_patch(e->opts.cluster, &es_kind_event, *i->ns ? i->ns : "default", s->event_name,
                              NULL, patch, NULL, NULL, err);
    json_decref(patch);
    if (rc == 0)
        s->count++;
    return rc;
}

static int send_once(struct es_events *e, const struct item *i, struct seen *s, struct es_error *err)
{
    if (s->count > 0) {
        int rc = raise_count(e, i, s, err);
        if (rc != ES_E_NOT_FOUND)
            return rc;
        s->count = 0; /* it has expired: say it anew */
    }
    return create_event(e, i, s, err);
}

/* Waits; false once the recorder has to end. */
static bool pause_for(struct es_events *e, int64_t ms)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    pthread_mutex_lock(&e->lock);
    int rc = 0;
    while (!e->stopping && rc == 0)
        rc = pthread_cond_timedwait(&e->wake, &e->lock, &until) == 0 ? 0 : 1;
    bool go_on = !e->stopping || es_mono_ms() < e->stop_by_ms;
    pthread_mutex_unlock(&e->lock);
    return go_on;
}

static void send_item(struct es_events *e, const struct item *i)
{
    int64_t now_ms = es_mono_ms();
    struct es_error err = ES_ERROR_INIT;

    if (is_flood(e, i, now_ms))
        return;
    char *key = es_strf("%s|%s|%s|%s|%s|%d|%s|%s", i->component, i->kind->kind, i->ns, i->name, i->uid,
                        (int)i->type, i->reason, i->message);
    struct seen *s = key ? find_or_add(&e->sent, key, now_ms) : NULL;
    es_mem_free(key);
    if (!s)
        return;
    if (now_ms - s->last_mono_ms > SEEN_MS)
        s->count = 0;
    s->last_mono_ms = now_ms;
    for (int attempt = 0; attempt < SEND_ATTEMPTS; attempt++) {
        /* Only what may pass by itself is tried again: a namespace that is
         * going away refuses new events, and that is fine. */
        if (send_once(e, i, s, &err) != ES_E_RETRY)
            return;
        if (!pause_for(e, err.retry_after_ms ? err.retry_after_ms : 250 << attempt))
            return;
    }
    es_metric_add(e->dropped, NULL, 1);
}

static struct item *next_item(struct es_events *e)
{
    pthread_mutex_lock(&e->lock);
    while (!e->head && !e->stopping)
        pthread_cond_wait(&e->wake, &e->lock);
    struct item *i = e->head;
    if (e->stopping && es_mono_ms() >= e->stop_by_ms)
        i = NULL;
    if (i) {
        e->head = i->next;
        if (!e->head)
            e->tail = &e->head;
        e->count--;
    }
    pthread_mutex_unlock(&e->lock);
    return i;
}

static void *run(void *arg)
{
    struct es_events *e = arg;
    struct item *i;

    while ((i = next_item(e))) {
        if (e->opts.busy && e->opts.busy(e->opts.busy_ctx))
            pause_for(e, BUSY_PAUSE_MS);
        send_item(e, i);
        item_free(i);
    }
    return NULL;
}

int es_events_new(struct es_events **ret, const struct es_events_opts *opts, struct es_error *err)
{
    struct es_events *e = calloc(1, sizeof *e);
    pthread_condattr_t attr;
    pthread_attr_t thread_attr;

    if (!e)
        return es_error_nomem(err);
    e->opts = *opts;
    e->tail = &e->head;
    e->dropped = es_metrics_family(opts->metrics, ES_COUNTER, "esod_events_dropped_total",
                                   "Kubernetes Events that were not sent: queue full or API server away.",
                                   NULL, 0, NULL, 0);
    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->wake, &attr);
    pthread_condattr_destroy(&attr);
    pthread_attr_init(&thread_attr);
    pthread_attr_setstacksize(&thread_attr, 256 * 1024);
    int rc = pthread_create(&e->thread, &thread_attr, run, e);
    pthread_attr_destroy(&thread_attr);
    if (rc) {
        es_events_free(e, 0);
        return es_error_set(err, ES_E_INTERNAL, "cannot start the events thread: %s", strerror(rc));
    }
    e->started = true;
    *ret = e;
    return 0;
}

void es_events_free(struct es_events *e, int64_t grace_ms)
{
    if (!e)
        return;
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    e->stop_by_ms = es_mono_ms() + grace_ms;
    pthread_cond_broadcast(&e->wake);
    pthread_mutex_unlock(&e->lock);
    if (e->started)
        pthread_join(e->thread, NULL);
    while (e->head) {
        struct item *next = e->head->next;
        item_free(e->head);
        e->head = next;
    }
    forget_all(&e->sent);
    forget_all(&e->floods);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
