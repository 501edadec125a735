#include "core/plugin/remote.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/remote_own.h"

#define TENDER_STACK ((size_t)128 * 1024)

/* ---- starting a process ---- */

/* A process that nobody else can see yet; *ret_tables is what its plugin says. */
static int start_one(struct es_remote *r, struct es_generation **ret, struct es_tables **ret_tables,
                     struct es_error *err)
{
    const struct es_process_opts opts = {.runner = r->runner,
                                         .file = r->file,
                                         .memory_fd = r->opts.memory_fd,
                                         .memory = r->opts.memory,
                                         .start_ms = r->opts.start_ms,
                                         .cancelled = &r->stopping};
    struct es_generation *g = es_mem_calloc(1, sizeof *g);

    if (!g)
        return es_error_nomem(err);
    int rc = es_process_start(&g->process, ret_tables, &opts, &es_remote_stand_ins,
                              &es_remote_generator_stand_ins, es_remote_configure, err);
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
static int configure_again(struct es_remote *r, struct es_generation *g, struct es_error *err)
{
    const struct es_authority nobody = {
        .store_kind = "", .store_namespace = "", .store_name = "", .cancelled = &r->stopping};
    const struct esp_request request = {.size = sizeof request, .json = {r->config.ptr, r->config.len}};
    struct es_remote_lane *lane = NULL;
    struct esp_call call;
    uint64_t number;

    if (!r->config.len)
        return 0;
    int rc = es_remote_make_lane(&lane, g, err);
    if (rc < 0)
        return rc;
    g->users++;
    es_call_begin(&call, r->registry, r->plugin, NULL, ES_OP_CONFIGURE, &nobody);
    esp_status status = es_remote_call(r, lane, &call, ES_OP_CONFIGURE, &request, 0, &number);
    rc = es_call_settle(&call, status, err);
    es_call_end(&call);
    return rc;
}

static int start_again(struct es_remote *r, struct es_error *err)
{
    struct es_generation *g = NULL;
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
        es_remote_release(r, g);
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
    bool news = !es_streq(r->trouble, err->text) && err->code != ES_E_CANCELLED;
    es_remote_plan_locked(r, err->text);
    pthread_mutex_unlock(&r->lock);
    if (news)
        es_log(ES_ERROR, "plugins", "a plugin's process could not be started again",
               ES_F_STR("plugin", r->plugin->name), ES_F_STR("reason", err->text));
}

/* The current process if there is one, held so that it can be watched. */
static struct es_generation *hold_current(struct es_remote *r, int64_t *ret_next_start_ms, bool *ret_stopping)
{
    pthread_mutex_lock(&r->lock);
    struct es_generation *g = r->current;
    if (g)
        g->users++;
    *ret_next_start_ms = r->next_start_ms;
    *ret_stopping = r->stopping;
    pthread_mutex_unlock(&r->lock);
    return g;
}

static void watch(struct es_remote *r, struct es_generation *g)
{
    wait_for_news(r, g->process.control.fd, -1);
    /* When all is over it ends because it was told to. */
    if (!__atomic_load_n(&r->stopping, __ATOMIC_ACQUIRE) && !es_process_alive(&g->process))
        es_remote_bury(r, g, NULL);
    es_remote_release(r, g);
}

static void *tend(void *remote)
{
    struct es_remote *r = remote;
    struct es_error err = ES_ERROR_INIT;
    int64_t next_start_ms;
    bool stopping;

    for (;;) {
        struct es_generation *g = hold_current(r, &next_start_ms, &stopping);
        if (stopping) {
            if (g)
                es_remote_release(r, g);
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
        es_remote_wake(r);
}

void es_remote_free(struct es_remote *r)
{
    if (!r)
        return;
    es_remote_leave(r);
    if (r->tended)
        pthread_join(r->tender, NULL);
    if (r->current)
        es_remote_release(r, r->current);
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
    const struct es_remote_instance *i = instance;

    pthread_mutex_lock(&r->lock);
    const struct es_generation *g = r->current;
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
