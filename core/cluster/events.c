#include "core/cluster/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cluster/event_memory.h"
#include "core/kube/obj.h"

#define QUEUE_MAX 8192
#define MESSAGE_MAX 1024
/* Records of what was said. Good news come in thousands and once; what fails comes
 * again and again, and is counted for as many objects as can fail at once. */
#define NORMAL_SLOTS 1024
#define WARNING_SLOTS 32768
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
    struct es_event_memory said[2]; /* by type */
    uint16_t serial;
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

static uint64_t hash_texts(uint64_t h, const char *const *texts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t pair[2] = {h, es_hash64(texts[i], strlen(texts[i]))};
        h = es_hash64(pair, sizeof pair);
    }
    return h;
}

static struct es_event_key key_of(const struct item *i)
{
    const char *const about[] = {i->component, i->kind->kind, i->ns, i->name, i->uid};
    struct es_event_key k = {.about = hash_texts(0, about, sizeof about / sizeof *about)};

    k.alike = hash_texts(k.about, (const char *const[]){i->reason}, 1);
    k.message = hash_texts(k.alike, (const char *const[]){i->message}, 1);
    return k;
}

/* ---- sending ---- */

static json_t *event_object(const struct item *i, const char *message, const char *event_name,
                            const char *event_ns)
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
                     about, "reason", i->reason, "message", message, "source", "component", i->component,
                     "firstTimestamp", when, "lastTimestamp", when, "count", 1, "type",
                     i->type == ES_EVENT_WARNING ? "Warning" : "Normal", "reportingComponent", i->component);
}

/* What is to be said, and the Event object that says it. */
struct saying {
    const struct item *item;
    const char *message;
    bool combined;
    struct es_event_object object;
};

static char *name_of_event(const struct item *i, const struct es_event_object *o)
{
    /* client-go's scheme: the object's name and a number that does not repeat. */
    return es_strf("%.230s.%llx%04x", i->name, (unsigned long long)o->named_unix_ms, (unsigned)o->serial);
}

static const char *namespace_of_event(const struct item *i)
{
    return *i->ns ? i->ns : "default";
}

static int create_event(struct es_events *e, struct saying *s, struct es_error *err)
{
    struct es_event_object o = {.named_unix_ms = s->item->unix_ms, .serial = e->serial++, .count = 1};
    const char *ns = namespace_of_event(s->item);
    char *name = name_of_event(s->item, &o);
    json_t *object = name ? event_object(s->item, s->message, name, ns) : NULL;
    int rc = object ? es_cluster_create(e->opts.cluster, &es_kind_event, ns, object, NULL, NULL, err)
                    : es_error_nomem(err);
    json_decref(object);
    es_mem_free(name);
    if (rc == 0)
        s->object = o;
    return rc;
}

static int raise_count(struct es_events *e, struct saying *s, struct es_error *err)
{
    char last[ES_TIME_TEXT_MAX];
    char *name = name_of_event(s->item, &s->object);
    json_t *patch = json_pack("{s:i,s:s}", "count", (int)s->object.count + 1, "lastTimestamp",
                              es_time_format(s->item->unix_ms, last));
    if (patch && s->combined) /* the last of them is the one to be read */
        json_object_set_new(patch, "message", json_string(s->message));
    int rc = patch && name ? es_cluster_patch(e->opts.cluster, &es_kind_event, namespace_of_event(s->item),
                                              name, NULL, patch, NULL, NULL, err)
                           : es_error_nomem(err);
    json_decref(patch);
    es_mem_free(name);
    if (rc == 0)
        s->object.count++;
    return rc;
}

static int send_once(struct es_events *e, struct saying *s, struct es_error *err)
{
    if (s->object.count > 0) {
        int rc = raise_count(e, s, err);
        if (rc != ES_E_NOT_FOUND)
            return rc;
        s->object.count = 0; /* it has expired: say it anew */
    }
    return create_event(e, s, err);
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

/* 0, or why it was given up. Only what may pass by itself is tried again: a
 * namespace that is going away refuses new events, and that is fine. */
static int send_patiently(struct es_events *e, struct saying *s)
{
    struct es_error err = ES_ERROR_INIT;
    int rc = ES_E_RETRY;

    for (int attempt = 0; attempt < SEND_ATTEMPTS && rc == ES_E_RETRY; attempt++) {
        rc = send_once(e, s, &err);
        if (rc == ES_E_RETRY && !pause_for(e, err.retry_after_ms ? err.retry_after_ms : 250 << attempt))
            return ES_E_CANCELLED;
    }
    return rc;
}

static void send_item(struct es_events *e, const struct item *i)
{
    struct es_event_memory *said = &e->said[i->type];
    const struct es_event_key key = key_of(i);
    int64_t now_ms = es_mono_ms();
    char combined[MESSAGE_MAX + 1];
    enum es_event_fate fate = es_event_judge(said, &key, now_ms);

    if (fate == ES_EVENT_FLOOD)
        return;
    struct saying s = {.item = i, .message = i->message, .combined = fate == ES_EVENT_COMBINED};
    if (s.combined) {
        snprintf(combined, sizeof combined, "(combined from similar events): %s", i->message);
        combined[message_length(combined)] = '\0';
        s.message = combined;
    }
    s.object = es_event_recall(said, &key, fate, now_ms);
    int rc = send_patiently(e, &s);
    if (rc == 0)
        es_event_remember(said, &key, fate, &s.object, now_ms);
    else if (rc == ES_E_RETRY)
        es_metric_add(e->dropped, NULL, 1);
}

/* Nothing was said for a while: what was said before need not be known any more. */
static void wait_for_item_locked(struct es_events *e)
{
    struct timespec until;

    if (!e->said[ES_EVENT_NORMAL].count && !e->said[ES_EVENT_WARNING].count) {
        pthread_cond_wait(&e->wake, &e->lock);
        return;
    }
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += ES_EVENT_MEMORY_MS / 1000 + 1;
    if (pthread_cond_timedwait(&e->wake, &e->lock, &until) == ETIMEDOUT)
        for (int type = 0; type < 2; type++)
            es_event_memory_sweep(&e->said[type], es_mono_ms());
}

static struct item *next_item(struct es_events *e)
{
    pthread_mutex_lock(&e->lock);
    while (!e->head && !e->stopping)
        wait_for_item_locked(e);
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
    es_event_memory_init(&e->said[ES_EVENT_NORMAL], NORMAL_SLOTS);
    es_event_memory_init(&e->said[ES_EVENT_WARNING], WARNING_SLOTS);
    e->tail = &e->head;
    e->dropped = es_metrics_family(opts->metrics, ES_COUNTER, "esod_events_dropped_total",
                                   "Kubernetes Events that were not sent: queue full or API server away.",
                                   NULL, 0, NULL, 0);
    es_metric_add(e->dropped, NULL, 0); /* a rate needs a series that was there before the first */
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
    es_event_memory_fini(&e->said[ES_EVENT_NORMAL]);
    es_event_memory_fini(&e->said[ES_EVENT_WARNING]);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
