#include "core/ops/election.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/lease.h"
#include "core/kube/obj.h"
#include "core/kube/watch.h"
#include "core/ops/identity.h"

#define LOGGER "leaderelection"
#define STACK ((size_t)256 * 1024)
#define METRIC_HELP                                                                                          \
    "Gauge of if the reporting system is master of the relevant lease, 0 indicates backup, 1 indicates "     \
    "master. 'name' is the string used to identify the lease. Please make sure to group by name."

struct es_election {
    char *ns, *name, *identity;
    int64_t retry_ms;
    struct es_kube *kube;
    struct es_watch *watch;
    struct es_metric *master;
    void (*changed)(void *ctx);
    void *changed_ctx;
    struct es_gate gate;
    pthread_t thread;
    bool started;

    /* Atomic: what the gate and the state are made of. */
    int64_t safe_until_ms; /* 0: not ours */
    bool led, lost;

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t wake;
    bool stopping;
    bool has_news;
    json_t *news;   /* what the watch saw last; NULL: gone */
    json_t *record; /* the Lease, for others to look at; or NULL */
    char trouble[ES_ERROR_TEXT_MAX];

    struct es_lease lease;  /* the thread's, until it is joined */
    bool listed, unwatched; /* the watch's thread's */
};

/* ---- settings ---- */

int es_election_check(int64_t lease_ms, int64_t renew_ms, int64_t retry_ms, struct es_error *err)
{
    char a[ES_TIME_TEXT_MAX], b[ES_TIME_TEXT_MAX];

    if (lease_ms <= renew_ms)
        return es_error_set(err, ES_E_CONFIG,
                            "--leader-election-lease-duration (%s) has to be longer than "
                            "--leader-election-renew-deadline (%s), or two replicas could lead at once",
                            es_duration_format(lease_ms, a), es_duration_format(renew_ms, b));
    /* client-go's jitter: a retry may come that much later. */
    if (renew_ms * 10 <= retry_ms * 12)
        return es_error_set(err, ES_E_CONFIG,
                            "--leader-election-renew-deadline (%s) has to be longer than 1.2 times "
                            "--leader-election-retry-period (%s), or there is no time to try again",
                            es_duration_format(renew_ms, a), es_duration_format(retry_ms, b));
    return 0;
}

int64_t es_election_timeout_ms(int64_t renew_ms)
{
    return renew_ms / 2;
}

/* ---- the Lease on the API server ---- */

static int api_get(void *ctx, json_t **ret, struct es_error *err)
{
    struct es_election *e = ctx;
    return es_kube_get(e->kube, &es_kind_lease, e->ns, e->name, ret, err);
}

static int api_create(void *ctx, const json_t *obj, json_t **ret, struct es_error *err)
{
    struct es_election *e = ctx;
    return es_kube_create(e->kube, &es_kind_lease, e->ns, obj, NULL, ret, err);
}

static int api_update(void *ctx, const json_t *obj, json_t **ret, struct es_error *err)
{
    struct es_election *e = ctx;
    return es_kube_update(e->kube, &es_kind_lease, e->ns, e->name, NULL, obj, NULL, ret, err);
}

static int64_t api_boot_ms(void *ctx)
{
    (void)ctx;
    return es_boot_ms();
}

static int64_t api_unix_ms(void *ctx)
{
    (void)ctx;
    return es_unix_ms();
}

/* ---- the watch ---- */

static void tell(struct es_election *e, json_t *take_news)
{
    pthread_mutex_lock(&e->lock);
    json_decref(e->news);
    e->news = take_news;
    e->has_news = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
}

static void on_restart(void *ctx)
{
    struct es_election *e = ctx;
    e->listed = false;
}

static void on_event(void *ctx, enum es_watch_event event, json_t *object)
{
    struct es_election *e = ctx;
    json_t *copy = event == ES_WATCH_SET ? json_deep_copy(object) : NULL;

    e->listed = true;
    if (copy || event == ES_WATCH_GONE)
        tell(e, copy);
}

static void on_synced(void *ctx)
{
    struct es_election *e = ctx;
    if (!e->listed)
        tell(e, NULL);
}

/* Without the watch there are still the rounds. */
static void on_trouble(void *ctx, const struct es_error *err)
{
    struct es_election *e = ctx;

    if (err && !e->unwatched)
        es_log(ES_WARN, LOGGER, "the lease is not watched for now, only asked for",
               ES_F_STR("error", err->text));
    e->unwatched = err != NULL;
}

static int watch_lease(struct es_election *e, struct es_error *err)
{
    char *selector = es_strf("metadata.name=%s", e->name);
    struct es_watch_opts opts = {.kind = &es_kind_lease, .ns = e->ns, .field_selector = selector};
    struct es_watch_sink sink = {
        .restart = on_restart, .event = on_event, .synced = on_synced, .trouble = on_trouble, .ctx = e};

    int rc = selector ? es_watch_new(&e->watch, e->kube, &opts, &sink, err) : es_error_nomem(err);
    es_mem_free(selector);
    return rc;
}

/* ---- what others see ---- */

static bool is_lost(const struct es_election *e)
{
    return __atomic_load_n(&e->lost, __ATOMIC_ACQUIRE);
}

static const char *barred(void *ctx)
{
    struct es_election *e = ctx;

    if (!is_lost(e) && es_boot_ms() < __atomic_load_n(&e->safe_until_ms, __ATOMIC_ACQUIRE))
        return NULL;
    return "nothing was written: this replica is not the leader";
}

enum es_election_state es_election_state(struct es_election *e)
{
    if (is_lost(e))
        return ES_LEADERSHIP_LOST;
    if (!__atomic_load_n(&e->led, __ATOMIC_ACQUIRE))
        return ES_STANDBY;
    if (!barred(e))
        return ES_LEADER;
    __atomic_store_n(&e->lost, true, __ATOMIC_RELEASE);
    return ES_LEADERSHIP_LOST;
}

const struct es_gate *es_election_gate(struct es_election *e)
{
    return &e->gate;
}

const char *es_election_identity(const struct es_election *e)
{
    return e->identity;
}

json_t *es_election_lease(struct es_election *e)
{
    pthread_mutex_lock(&e->lock);
    json_t *copy = e->record ? json_deep_copy(e->record) : NULL;
    pthread_mutex_unlock(&e->lock);
    return copy;
}

void es_election_describe(struct es_election *e, struct es_buf *notes)
{
    bool leads = es_election_state(e) == ES_LEADER;

    pthread_mutex_lock(&e->lock);
    const char *holder = es_obj_str(e->record, "spec", "holderIdentity");
    if (!leads && *holder)
        es_buf_addf(notes, "standby: %s is the leader\n", holder);
    else if (!leads)
        es_buf_adds(notes, "standby: nobody is the leader yet\n");
    if (*e->trouble)
        es_buf_addf(notes, "leader election: %s\n", e->trouble);
    pthread_mutex_unlock(&e->lock);
}

/* ---- the thread ---- */

static void log_holder(const struct es_election *e, const json_t *before)
{
    const char *now = es_lease_holder(&e->lease), *then = es_obj_str(before, "spec", "holderIdentity");

    if (*now && !es_streq(now, then) && !es_streq(now, e->identity))
        es_log(ES_INFO, LOGGER, "standby, another replica is the leader", ES_F_STR("leader", now));
}

static void note_record(struct es_election *e)
{
    json_t *copy = e->lease.seen && !e->lease.absent ? json_deep_copy(e->lease.seen) : NULL;

    log_holder(e, e->record);
    pthread_mutex_lock(&e->lock);
    json_t *old = e->record;
    e->record = copy;
    pthread_mutex_unlock(&e->lock);
    json_decref(old);
}

static void note_trouble(struct es_election *e, const char *text)
{
    if (*text && !es_streq(text, e->trouble))
        es_log(ES_WARN, LOGGER, "cannot ask for the lease; retrying", ES_F_STR("error", text));
    pthread_mutex_lock(&e->lock);
    snprintf(e->trouble, sizeof e->trouble, "%s", text);
    pthread_mutex_unlock(&e->lock);
}

static void note_metric(struct es_election *e, bool leads)
{
    es_metric_set(e->master, (const char *const[]){e->name}, leads);
}

static void note_state(struct es_election *e)
{
    bool leads = e->lease.state == ES_LEASE_HELD, lost = e->lease.state == ES_LEASE_LOST;
    bool first = leads && !e->led;

    if (lost)
        __atomic_store_n(&e->lost, true, __ATOMIC_RELEASE);
    __atomic_store_n(&e->safe_until_ms, e->lease.safe_until_ms, __ATOMIC_RELEASE);
    if (first)
        __atomic_store_n(&e->led, true, __ATOMIC_RELEASE);
    if (!first && !lost)
        return;
    note_metric(e, leads);
    if (e->changed)
        e->changed(e->changed_ctx);
}

/* The API server's text names verb, resource and namespace. */
static void explain_refusal(struct es_error *err)
{
    size_t len = strlen(err->text);

    if (err->http_status == 403)
        snprintf(err->text + len, sizeof err->text - len,
                 ". Set enableLeaderElection: false if there is one replica, and never two at once.");
}

static void make_round(struct es_election *e)
{
    struct es_error err = ES_ERROR_INIT;
    int rc = es_lease_round(&e->lease, &err);

    note_record(e); /* before the news: the event about it names the Lease */
    note_state(e);
    if (rc < 0)
        explain_refusal(&err);
    note_trouble(e, rc < 0 ? err.text : "");
}

/* Waits until then (of the monotonic clock), news or the end. False: the end. */
static bool wait_until(struct es_election *e, int64_t mono_ms, bool *ret_has_news, json_t **ret_news)
{
    struct timespec until = {mono_ms / 1000, (long)(mono_ms % 1000) * 1000000};

    pthread_mutex_lock(&e->lock);
    while (!e->stopping && !e->has_news && es_mono_ms() < mono_ms)
        pthread_cond_timedwait(&e->wake, &e->lock, &until);
    *ret_has_news = e->has_news;
    *ret_news = e->news;
    e->news = NULL;
    e->has_news = false;
    bool go_on = !e->stopping;
    pthread_mutex_unlock(&e->lock);
    return go_on;
}

/* Whether the news ask for a round. The leader hears its own renewals, and only
 * cares for what it did not do. */
static bool take_news(struct es_election *e, const json_t *news)
{
    if (e->lease.state == ES_LEASE_HELD)
        return !es_streq(es_obj_str(news, "spec", "holderIdentity"), e->identity);
    es_lease_see(&e->lease, news);
    note_record(e);
    return false;
}

/* Replicas that started together do not ask together for ever. */
static int64_t next_period_ms(const struct es_election *e)
{
    if (e->lease.state == ES_LEASE_HELD)
        return e->retry_ms;
    return e->retry_ms + (int64_t)es_system_clock.random(es_system_clock.ctx) % (e->retry_ms / 5 + 1);
}

/* How long the lease of another lasts; never while we hold it. */
static int64_t until_free_ms(const struct es_election *e)
{
    int64_t at = es_lease_free_at(&e->lease);
    return e->lease.state == ES_LEASE_HELD || !at ? INT64_MAX : at - es_boot_ms();
}

static bool is_free(const struct es_election *e)
{
    return e->lease.state == ES_LEASE_WAITING && es_lease_free_at(&e->lease) <= es_boot_ms();
}

/* Sleeps until a round is wanted: the next regular one, one that the news ask
 * for, or the one that takes what has run out. False: the end. */
static bool await_round(struct es_election *e, int64_t due_ms)
{
    for (;;) {
        int64_t now_ms = es_mono_ms(), free_ms = until_free_ms(e);
        bool runs_out = free_ms > 0 && free_ms < due_ms - now_ms, has_news;
        json_t *news;

        bool go_on = wait_until(e, runs_out ? now_ms + free_ms : due_ms, &has_news, &news);
        bool wanted = go_on && has_news && take_news(e, news);
        json_decref(news);
        if (!go_on)
            return false;
        if (wanted || es_mono_ms() >= due_ms || ((has_news || runs_out) && is_free(e)))
            return true;
    }
}

static void *run(void *arg)
{
    struct es_election *e = arg;

    do
        make_round(e);
    while (e->lease.state != ES_LEASE_LOST && await_round(e, es_mono_ms() + next_period_ms(e)));
    return NULL;
}

/* ---- birth and death ---- */

static int copy_texts(struct es_election *e, const struct es_election_opts *opts, struct es_error *err)
{
    e->ns = es_mem_strdup(opts->ns);
    e->name = es_mem_strdup(opts->name);
    return e->ns && e->name ? es_identity_new(&e->identity, err) : es_error_nomem(err);
}

static void init_lock(struct es_election *e)
{
    pthread_condattr_t attr;

    pthread_mutex_init(&e->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&e->wake, &attr);
    pthread_condattr_destroy(&attr);
}

static int start_thread(struct es_election *e, struct es_error *err)
{
    pthread_attr_t attr;

    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    int rc = pthread_create(&e->thread, &attr, run, e);
    pthread_attr_destroy(&attr);
    if (rc)
        return es_error_set(err, ES_E_INTERNAL, "cannot start the election's thread: %s", strerror(rc));
    e->started = true;
    return 0;
}

static void init_lease(struct es_election *e, const struct es_election_opts *opts)
{
    struct es_lease_opts lease = {.ns = e->ns,
                                  .name = e->name,
                                  .identity = e->identity,
                                  .duration_ms = opts->lease_ms,
                                  .renew_ms = opts->renew_ms,
                                  .api = {.get = api_get,
                                          .create = api_create,
                                          .update = api_update,
                                          .boot_ms = api_boot_ms,
                                          .unix_ms = api_unix_ms,
                                          .ctx = e}};
    es_lease_init(&e->lease, &lease);
}

int es_election_new(struct es_election **ret, struct es_kube *take_kube, const struct es_election_opts *opts,
                    struct es_error *err)
{
    static const char *const labels[] = {"name"};
    struct es_election *e = calloc(1, sizeof *e);

    if (!e) {
        es_kube_free(take_kube);
        return es_error_nomem(err);
    }
    init_lock(e);
    e->kube = take_kube;
    e->retry_ms = opts->retry_ms;
    e->changed = opts->changed;
    e->changed_ctx = opts->ctx;
    e->gate = (struct es_gate){barred, e};
    e->master = es_metrics_family(opts->metrics, ES_GAUGE, "leader_election_master_status", METRIC_HELP,
                                  labels, 1, NULL, 0);
    int rc = copy_texts(e, opts, err);
    if (rc < 0) {
        es_election_free(e);
        return rc;
    }
    note_metric(e, false);
    init_lease(e, opts);
    *ret = e;
    return 0;
}

int es_election_start(struct es_election *e, struct es_error *err)
{
    es_log(ES_INFO, LOGGER, "asking for the lease", ES_F_STR("namespace", e->ns), ES_F_STR("name", e->name),
           ES_F_STR("identity", e->identity));
    int rc = watch_lease(e, err);
    return rc < 0 ? rc : start_thread(e, err);
}

static void end_thread(struct es_election *e)
{
    /* What is in flight for a lost lease is of no use any more. */
    if (is_lost(e))
        es_kube_stop(e->kube);
    pthread_mutex_lock(&e->lock);
    e->stopping = true;
    pthread_cond_signal(&e->wake);
    pthread_mutex_unlock(&e->lock);
    pthread_join(e->thread, NULL);
    e->started = false;
}

static void give_back(struct es_election *e)
{
    struct es_error err = ES_ERROR_INIT;

    __atomic_store_n(&e->safe_until_ms, 0, __ATOMIC_RELEASE);
    if (is_lost(e) || e->lease.state != ES_LEASE_HELD)
        return;
    if (es_lease_release(&e->lease, &err) < 0)
        es_log(ES_WARN, LOGGER, "the lease could not be given back; others wait until it has run out",
               ES_F_STR("error", err.text));
    else
        es_log_plain(ES_INFO, LOGGER, "the lease was given back");
}

void es_election_stop(struct es_election *e)
{
    if (!e || !e->started)
        return;
    end_thread(e);
    give_back(e);
    es_watch_free(e->watch);
    e->watch = NULL;
    note_metric(e, false);
}

void es_election_free(struct es_election *e)
{
    if (!e)
        return;
    es_election_stop(e);
    es_watch_free(e->watch);
    es_kube_free(e->kube);
    es_lease_fini(&e->lease);
    json_decref(e->news);
    json_decref(e->record);
    es_mem_free(e->ns);
    es_mem_free(e->name);
    es_mem_free(e->identity);
    pthread_cond_destroy(&e->wake);
    pthread_mutex_destroy(&e->lock);
    free(e);
}
