#include "core/plugin/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/call.h"
#include "core/plugin/remote_process.h"
#include "core/plugin/remote_talk.h"

#define TENDER_STACK ((size_t)128 * 1024)

/* A process that ends sooner than this after its start is started later and later. */
#define STEADY_MS 10000
#define FIRST_DELAY_MS 100
#define LONGEST_DELAY_MS 10000

/* A call waits for a process that is being started, or will be before long. One
 * whose plugin falls again and again is not waited for: the workers that did
 * would be missing to all other plugins. */
#define PATIENCE_MS 1000
#define SOON_MS 200

struct lane {
    struct es_link link;
    struct generation *generation;
    struct lane *next; /* among the idle */
};

/* One process, from its start until the last call in it has noticed its end. */
struct generation {
    struct es_process process;
    uint64_t number;
    int64_t started_ms;
    struct lane *idle;
    size_t users; /* lanes in use, whoever sees it off, and the remote while it is the current one */
    bool doomed;  /* nobody gets a lane any more */
    bool ended;   /* `why` says how */
    char why[ES_PROCESS_WHY_MAX + ES_TALK_WHY_MAX];
};

struct es_remote {
    struct es_remote_opts opts;
    char *runner, *file;
    const struct es_registry *registry;
    const struct es_plugin *plugin;
    struct es_tables *tables;
    uint32_t fences;

    pthread_mutex_t lock;       /* guards all below */
    pthread_cond_t changed;     /* a process came, or went */
    struct generation *current; /* NULL: none at the moment */
    uint64_t generations;
    int64_t next_start_ms; /* monotonic */
    unsigned failures;
    bool stopping;                   /* also read without the lock, atomically */
    char trouble[ES_ERROR_TEXT_MAX]; /* why there is none, or not the one that there was */
    struct es_blob config;           /* what `configure` was given; empty: nothing */

    pthread_t tender;
    bool tended;
    int wake; /* eventfd: look again */
};

/* What `open` hands out in place of the plugin's own pointer. */
struct instance {
    uint64_t generation, number;
};

/* ---- generations ---- */

static void generation_free(struct generation *g)
{
    while (g->idle) {
        struct lane *next = g->idle->next;
        es_link_fini(&g->idle->link);
        es_mem_free(g->idle);
        g->idle = next;
    }
    es_process_fini(&g->process);
    es_mem_free(g);
}

/* Never under the lock: it may wait for the process. */
static void release(struct es_remote *r, struct generation *g)
{
    pthread_mutex_lock(&r->lock);
    bool last = --g->users == 0;
    pthread_mutex_unlock(&r->lock);
    if (last)
        generation_free(g);
}

static void wake_tender(struct es_remote *r)
{
    uint64_t one = 1;
    ssize_t ignored = write(r->wake, &one, sizeof one);
    (void)ignored; /* full: it will look anyway */
}

/* The generation serves nobody any more. The first one to say so gives the reason;
 * NULL: the process knows best. Returns once the process is gone and the reason
 * is known. */
static void bury(struct es_remote *r, struct generation *g, const char *reason)
{
    pthread_mutex_lock(&r->lock);
    bool mine = !g->doomed;
    g->doomed = true;
    if (!mine) {
        while (!g->ended)
            pthread_cond_wait(&r->changed, &r->lock);
        pthread_mutex_unlock(&r->lock);
        return;
    }
    pthread_mutex_unlock(&r->lock);
    if (reason)
        kill(g->process.pid, SIGKILL); /* ours until it is waited for, below */
    char how[ES_PROCESS_WHY_MAX] = "";
    es_process_end(&g->process, how);
    pthread_mutex_lock(&r->lock);
    g->process.pid = 0;
    snprintf(g->why, sizeof g->why, "%s%s", reason ? "ended by esod: " : "", reason ? reason : how);
    g->ended = true;
    int64_t now = es_mono_ms();
    r->failures = now - g->started_ms >= STEADY_MS ? 0 : r->failures + 1;
    int64_t delay =
        r->failures <= 1 ? 0 : (int64_t)FIRST_DELAY_MS << (r->failures < 12 ? r->failures - 2 : 10);
    r->next_start_ms = now + (delay < LONGEST_DELAY_MS ? delay : LONGEST_DELAY_MS);
    bool was_current = r->current == g;
    if (was_current)
        r->current = NULL;
    snprintf(r->trouble, sizeof r->trouble, "%s", g->why);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    es_log(ES_ERROR, "plugins", "a plugin's process ended; it is started again",
           ES_F_STR("plugin", r->plugin ? r->plugin->name : r->file), ES_F_STR("reason", g->why));
    if (was_current)
        release(r, g);
    wake_tender(r);
}

/* ---- lanes ---- */

static int no_process(struct es_remote *r, struct es_error *err)
{
    int64_t wait = r->next_start_ms - es_mono_ms();

    es_error_set(err, ES_E_RETRY, "the process of the %s plugin is not there, it will be started again (%s)",
                 r->plugin->name, r->trouble);
    if (err && wait > 0)
        err->retry_after_ms = wait;
    return ES_E_RETRY;
}

static bool comes_soon_locked(const struct es_remote *r)
{
    return r->tended && !r->stopping && r->next_start_ms - es_mono_ms() <= SOON_MS;
}

static struct generation *wait_for_current_locked(struct es_remote *r, uint64_t wanted, int64_t until_ms)
{
    const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                   .tv_nsec = (long)(until_ms % 1000) * 1000000};
    int late = 0;

    /* A generation that is over does not come back. */
    while (!r->current && !wanted && comes_soon_locked(r) && late == 0)
        late = pthread_cond_timedwait(&r->changed, &r->lock, &until);
    return r->current;
}

static int make_lane(struct lane **ret, struct generation *g, struct es_error *err)
{
    struct lane *lane = es_mem_alloc(sizeof *lane);
    int fd = lane ? es_process_lane(&g->process, err) : -1;

    if (!lane)
        return es_error_nomem(err);
    if (fd < 0) {
        es_mem_free(lane);
        return ES_E_RETRY;
    }
    es_link_init(&lane->link, fd);
    lane->generation = g;
    lane->next = NULL;
    *ret = lane;
    return 0;
}

static int take_lane_locked(struct es_remote *r, struct generation *g, uint64_t wanted, struct lane **ret,
                            struct es_error *err)
{
    int rc = 0;

    if (!g)
        return no_process(r, err);
    if (wanted && g->number != wanted)
        return es_error_set(err, ES_E_RETRY,
                            "the process of the %s plugin was started again, and so will the store be (%s)",
                            r->plugin->name, r->trouble);
    if (g->idle) {
        *ret = g->idle;
        g->idle = (*ret)->next;
    } else {
        rc = make_lane(ret, g, err);
    }
    if (rc == 0)
        g->users++;
    return rc;
}

/* A lane of the current process; `wanted` is not 0: of that generation only. A
 * process that died while nobody used it costs no call. */
static int take_lane(struct es_remote *r, const struct esp_call *c, uint64_t wanted, struct lane **ret,
                     struct es_error *err)
{
    int64_t until = es_mono_ms() + PATIENCE_MS;
    int rc;

    pthread_mutex_lock(&r->lock);
    for (;;) {
        struct generation *g =
            wait_for_current_locked(r, wanted, until < c->deadline_ms ? until : c->deadline_ms);
        if (!g || es_process_alive(&g->process)) {
            rc = take_lane_locked(r, g, wanted, ret, err);
            break;
        }
        g->users++;
        pthread_mutex_unlock(&r->lock);
        bury(r, g, NULL);
        release(r, g);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

static void give_back(struct es_remote *r, struct lane *lane, bool usable)
{
    struct generation *g = lane->generation;

    pthread_mutex_lock(&r->lock);
    if (usable && !g->doomed) {
        lane->next = g->idle;
        g->idle = lane;
        lane = NULL;
    }
    pthread_mutex_unlock(&r->lock);
    if (lane) {
        es_link_fini(&lane->link);
        es_mem_free(lane);
    }
    release(r, g);
}

/* ---- calls ---- */

/* The process went away under a call: the plugin's own words do not count. */
static esp_status lost(struct es_remote *r, struct esp_call *c, const char *why)
{
    const struct es_services *services = es_registry_services(r->registry);
    struct es_error err = ES_ERROR_INIT;

    es_metric_add(r->opts.lost, (const char *const[]){r->plugin->name}, 1);
    es_error_set(&err, ES_E_RETRY, "the process of the %s plugin ended during %s: %s", r->plugin->name,
                 es_op_name(c->op), why);
    if (services->plugin_lost)
        services->plugin_lost(services->ctx, c->who, err.text);
    return es_call_lost(c, &err);
}

static uint32_t wanted_log_level(void)
{
    return es_log_enabled(ES_DEBUG)  ? ESP_LOG_DEBUG
           : es_log_enabled(ES_INFO) ? ESP_LOG_INFO
           : es_log_enabled(ES_WARN) ? ESP_LOG_WARN
                                     : ESP_LOG_ERROR;
}

static uint32_t component_index(const struct esp_plugin *data, const struct esp_component *component)
{
    uint32_t i = 0;
    while (data->components[i] && data->components[i] != component)
        i++;
    return i;
}

static esp_status call_on(struct es_remote *r, struct lane *lane, struct esp_call *c, enum es_op op,
                          const struct esp_request *request, uint64_t instance, uint64_t *ret_instance)
{
    const struct es_wire_call asked = {
        .op = op,
        .component = component_index(es_remote_data(r), c->component),
        .instance = instance,
        .deadline_ms = c->deadline_ms,
        .log_level = wanted_log_level(),
        .json = request ? request->json : (esp_bytes){0},
        .values = request ? request->values : NULL,
        .value_count = request ? request->value_count : 0,
    };
    char why[ES_TALK_WHY_MAX] = "";
    esp_status status = ESP_E_INTERNAL;

    enum es_talk result = es_talk(&lane->link, c, &asked, r->opts.grace_ms, &status, ret_instance, why);
    if (result == ES_TALK_DONE) {
        give_back(r, lane, true);
        return status;
    }
    bury(r, lane->generation, result == ES_TALK_CONDEMN ? why : NULL);
    char reason[sizeof lane->generation->why];
    memcpy(reason, lane->generation->why, sizeof reason); /* constant once it ended */
    give_back(r, lane, false);
    return lost(r, c, reason);
}

static esp_status run(struct esp_call *c, enum es_op op, const struct esp_request *request,
                      const struct instance *of, uint64_t *ret_generation, uint64_t *ret_instance)
{
    struct es_remote *r = c->plugin->remote;
    struct es_error err = ES_ERROR_INIT;
    struct lane *lane = NULL;

    if (take_lane(r, c, of ? of->generation : 0, &lane, &err) < 0)
        return es_call_lost(c, &err);
    *ret_generation = lane->generation->number;
    return call_on(r, lane, c, op, request, of ? of->number : 0, ret_instance);
}

/* ---- the stand-ins ---- */

static esp_status stand_in(void *instance, struct esp_call *c, const struct esp_request *request)
{
    uint64_t generation, number = 0;
    return run(c, c->op, request, instance, &generation, &number);
}

static esp_status stand_in_open(struct esp_call *c, const struct esp_request *request, void **ret_instance)
{
    struct instance *i = es_mem_alloc(sizeof *i);
    struct instance opened = {0};

    if (!i)
        return es_call_service_error(c, ES_E_NOMEM, "out of memory");
    esp_status status = run(c, ES_OP_OPEN, request, NULL, &opened.generation, &opened.number);
    *i = opened;
    if (status == ESP_OK)
        *ret_instance = i;
    else
        es_mem_free(i);
    return status;
}

static void stand_in_close(void *instance, struct esp_call *c)
{
    struct es_remote *r = c->plugin->remote;
    uint64_t generation, number;

    /* What died with its process needs no goodbye. The call may be that of an `open`
     * whose result is not wanted. */
    if (!es_remote_stale(r, instance))
        run(c, ES_OP_CLOSE, NULL, instance, &generation, &number);
    es_mem_free(instance);
}

static esp_status stand_in_configure(struct esp_call *c, const struct esp_request *request)
{
    struct es_remote *r = c->plugin->remote;
    uint64_t generation, number = 0;

    /* The next process will need it too. */
    pthread_mutex_lock(&r->lock);
    int rc = es_blob_set(&r->config, request->json.ptr, request->json.len);
    pthread_mutex_unlock(&r->lock);
    if (rc < 0)
        return es_call_service_error(c, ES_E_NOMEM, "out of memory");
    return run(c, ES_OP_CONFIGURE, request, NULL, &generation, &number);
}

static const struct esp_store_ops stand_ins = {
    .size = sizeof stand_ins,
    .check = stand_in,
    .open = stand_in_open,
    .close = stand_in_close,
    .validate = stand_in,
    .get = stand_in,
    .get_map = stand_in,
    .get_batch = stand_in,
    .list = stand_in,
    .exists = stand_in,
    .push = stand_in,
    .remove = stand_in,
};

static const struct esp_generator_ops generator_stand_ins = {
    .size = sizeof generator_stand_ins,
    .generate = stand_in,
    .cleanup = stand_in,
};

/* ---- starting a process ---- */

/* A process that nobody else can see yet; *ret_tables is what its plugin says. */
static int start_one(struct es_remote *r, struct generation **ret, struct es_tables **ret_tables,
                     struct es_error *err)
{
    const struct es_process_opts opts = {.runner = r->runner,
                                         .file = r->file,
                                         .memory_fd = r->opts.memory_fd,
                                         .memory = r->opts.memory,
                                         .start_ms = r->opts.start_ms,
                                         .cancelled = &r->stopping};
    struct generation *g = es_mem_calloc(1, sizeof *g);

    if (!g)
        return es_error_nomem(err);
    int rc = es_process_start(&g->process, ret_tables, &opts, &stand_ins, &generator_stand_ins,
                              stand_in_configure, err);
    if (rc < 0) {
        es_mem_free(g);
        return rc;
    }
    g->users = 1;
    g->started_ms = es_mono_ms();
    g->number = ++r->generations;
    *ret = g;
    return 0;
}

/* Gives the process the configuration that the first one was given. */
static int configure_again(struct es_remote *r, struct generation *g, struct es_error *err)
{
    const struct es_authority nobody = {
        .store_kind = "", .store_namespace = "", .store_name = "", .cancelled = &r->stopping};
    const struct esp_request request = {.size = sizeof request, .json = {r->config.ptr, r->config.len}};
    struct lane *lane = NULL;
    struct esp_call call;
    uint64_t number;

    if (!r->config.len)
        return 0;
    int rc = make_lane(&lane, g, err);
    if (rc < 0)
        return rc;
    g->users++;
    es_call_begin(&call, r->registry, r->plugin, NULL, ES_OP_CONFIGURE, &nobody);
    esp_status status = call_on(r, lane, &call, ES_OP_CONFIGURE, &request, 0, &number);
    rc = es_call_settle(&call, status, err);
    es_call_end(&call);
    return rc;
}

static int start_again(struct es_remote *r, struct es_error *err)
{
    struct generation *g = NULL;
    struct es_tables *tables = NULL;

    int rc = start_one(r, &g, &tables, err);
    if (rc < 0)
        return rc;
    /* The core works with what the first process said: its capabilities, its schema
     * in the cluster. Another plugin under the same name needs a new start. */
    if (!es_tables_equal(tables, r->tables))
        rc = es_error_set(err, ES_E_CONFIG,
                          "its file was replaced by another version; restart esod to use it");
    es_tables_free(tables);
    if (rc == 0)
        rc = configure_again(r, g, err);
    pthread_mutex_lock(&r->lock);
    bool keep = rc == 0 && !r->stopping && !g->doomed;
    if (keep) {
        r->current = g;
        pthread_cond_broadcast(&r->changed);
    }
    pthread_mutex_unlock(&r->lock);
    if (!keep)
        release(r, g);
    return rc;
}

/* ---- looking after it ---- */

/* Sleeps until the process ends, somebody wakes us, or the time has come. */
static void wait_for_news(struct es_remote *r, int control, int64_t until_ms)
{
    struct pollfd news[2] = {{.fd = r->wake, .events = POLLIN}, {.fd = control, .events = POLLIN}};
    int64_t left = until_ms < 0 ? -1 : until_ms - es_mono_ms();
    uint64_t count;

    poll(news, control >= 0 ? 2 : 1, left < 0 && until_ms >= 0 ? 0 : left > 60000 ? 60000 : (int)left);
    if (news[0].revents) {
        ssize_t ignored = read(r->wake, &count, sizeof count);
        (void)ignored;
    }
}

static void note_failed_start(struct es_remote *r, const struct es_error *err)
{
    pthread_mutex_lock(&r->lock);
    r->failures++;
    int64_t delay = (int64_t)FIRST_DELAY_MS << (r->failures < 10 ? r->failures : 10);
    r->next_start_ms = es_mono_ms() + (delay < LONGEST_DELAY_MS ? delay : LONGEST_DELAY_MS);
    bool news = !es_streq(r->trouble, err->text);
    snprintf(r->trouble, sizeof r->trouble, "%s", err->text);
    pthread_mutex_unlock(&r->lock);
    if (news)
        es_log(ES_ERROR, "plugins", "a plugin's process could not be started again",
               ES_F_STR("plugin", r->plugin->name), ES_F_STR("reason", err->text));
}

/* The current process if there is one, held so that it can be watched. */
static struct generation *hold_current(struct es_remote *r, int64_t *ret_next_start_ms, bool *ret_stopping)
{
    pthread_mutex_lock(&r->lock);
    struct generation *g = r->current;
    if (g)
        g->users++;
    *ret_next_start_ms = r->next_start_ms;
    *ret_stopping = r->stopping;
    pthread_mutex_unlock(&r->lock);
    return g;
}

static void watch(struct es_remote *r, struct generation *g)
{
    wait_for_news(r, g->process.control.fd, -1);
    /* When all is over it ends because it was told to. */
    if (!__atomic_load_n(&r->stopping, __ATOMIC_ACQUIRE) && !es_process_alive(&g->process))
        bury(r, g, NULL);
    release(r, g);
}

static void *tend(void *remote)
{
    struct es_remote *r = remote;
    struct es_error err = ES_ERROR_INIT;
    int64_t next_start_ms;
    bool stopping;

    for (;;) {
        struct generation *g = hold_current(r, &next_start_ms, &stopping);
        if (stopping) {
            if (g)
                release(r, g);
            return NULL;
        }
        if (g) {
            watch(r, g);
        } else if (es_mono_ms() < next_start_ms) {
            wait_for_news(r, -1, next_start_ms);
        } else if (start_again(r, &err) < 0) {
            note_failed_start(r, &err);
        } else {
            es_metric_add(r->opts.restarts, (const char *const[]){r->plugin->name}, 1);
            es_log(ES_INFO, "plugins", "a plugin's process was started again",
                   ES_F_STR("plugin", r->plugin->name));
        }
    }
}

int es_remote_start(struct es_remote *r, struct es_error *err)
{
    pthread_attr_t attr;

    if (pthread_attr_init(&attr) != 0)
        return es_error_nomem(err);
    pthread_attr_setstacksize(&attr, TENDER_STACK);
    int rc = pthread_create(&r->tender, &attr, tend, r);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        return es_error_set(err, ES_E_INTERNAL, "no thread to look after a plugin: %s", strerror(rc));
    pthread_mutex_lock(&r->lock);
    r->tended = true;
    pthread_mutex_unlock(&r->lock);
    return 0;
}

/* ---- from birth to end ---- */

static int init_lock(struct es_remote *r)
{
    pthread_condattr_t attr;

    if (pthread_condattr_init(&attr) != 0)
        return -1;
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC); /* as es_mono_ms counts */
    int failed = pthread_cond_init(&r->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (failed)
        return -1;
    if (pthread_mutex_init(&r->lock, NULL) != 0) {
        pthread_cond_destroy(&r->changed);
        return -1;
    }
    return 0;
}

int es_remote_new(struct es_remote **ret, const struct es_remote_opts *opts, struct es_error *err)
{
    struct es_remote *r = es_mem_calloc(1, sizeof *r);

    if (!r)
        return es_error_nomem(err);
    if (init_lock(r) < 0) {
        es_mem_free(r);
        return es_error_nomem(err);
    }
    r->opts = *opts;
    r->opts.memory_fd = -1;
    r->wake = -1;
    r->runner = es_mem_strdup(opts->runner);
    r->file = es_mem_strdup(opts->file);
    int rc = r->runner && r->file ? 0 : es_error_nomem(err);
    if (rc == 0) {
        r->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (opts->memory_fd >= 0)
            r->opts.memory_fd = fcntl(opts->memory_fd, F_DUPFD_CLOEXEC, 0);
        if (r->wake < 0 || (opts->memory_fd >= 0 && r->opts.memory_fd < 0))
            rc = es_error_set(err, ES_E_INTERNAL, "no descriptor for a plugin: %s", strerror(errno));
    }
    if (rc == 0)
        rc = start_one(r, &r->current, &r->tables, err);
    if (rc < 0) {
        es_remote_free(r);
        return rc;
    }
    r->fences = r->current->process.fences;
    *ret = r;
    return 0;
}

void es_remote_leave(struct es_remote *r)
{
    pthread_mutex_lock(&r->lock);
    __atomic_store_n(&r->stopping, true, __ATOMIC_RELEASE);
    if (r->current)
        es_process_leave(&r->current->process);
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    if (r->wake >= 0)
        wake_tender(r);
}

void es_remote_free(struct es_remote *r)
{
    if (!r)
        return;
    es_remote_leave(r);
    if (r->tended)
        pthread_join(r->tender, NULL);
    if (r->current)
        release(r, r->current);
    if (r->wake >= 0)
        close(r->wake);
    if (r->opts.memory_fd >= 0)
        close(r->opts.memory_fd);
    es_tables_free(r->tables);
    es_blob_fini(&r->config);
    es_mem_free(r->runner);
    es_mem_free(r->file);
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    es_mem_free(r);
}

const struct esp_plugin *es_remote_data(const struct es_remote *r)
{
    return es_tables_plugin(r->tables);
}

uint32_t es_remote_fences(const struct es_remote *r)
{
    return r->fences;
}

void es_remote_bind(struct es_remote *r, const struct es_registry *registry, const struct es_plugin *plugin)
{
    r->registry = registry;
    r->plugin = plugin;
}

bool es_remote_stale(struct es_remote *r, void *instance)
{
    const struct instance *i = instance;

    pthread_mutex_lock(&r->lock);
    const struct generation *g = r->current;
    bool stale = !g || g->doomed || g->number != i->generation || !es_process_alive(&g->process);
    pthread_mutex_unlock(&r->lock);
    return stale;
}

int es_remote_pid(struct es_remote *r)
{
    pthread_mutex_lock(&r->lock);
    int pid = r->current ? (int)r->current->process.pid : 0;
    pthread_mutex_unlock(&r->lock);
    return pid;
}

size_t es_remote_resident(struct es_remote *r)
{
    unsigned long total = 0, resident = 0;
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/statm", es_remote_pid(r));
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    if (fscanf(f, "%lu %lu", &total, &resident) != 2)
        resident = 0;
    fclose(f);
    return resident * (size_t)sysconf(_SC_PAGESIZE);
}
