/* Generations of a plugin's process, and the lanes into the current one. */
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/plugin/remote_own.h"

/* A process that ends sooner than this after its start is started later and later. */
#define STEADY_MS 10000
#define FIRST_DELAY_MS 100
#define LONGEST_DELAY_MS 10000

/* A call waits for a process that is being started, or will be before long. One
 * whose plugin falls again and again is not waited for: the workers that did
 * would be missing to all other plugins. */
#define PATIENCE_MS 1000
#define SOON_MS 200

/* ---- generations ---- */

static void generation_free(struct es_generation *g)
{
    while (g->idle) {
        struct es_remote_lane *next = g->idle->next;
        es_link_fini(&g->idle->link);
        es_mem_free(g->idle);
        g->idle = next;
    }
    es_process_fini(&g->process);
    es_mem_free(g);
}

void es_remote_release(struct es_remote *r, struct es_generation *g)
{
    pthread_mutex_lock(&r->lock);
    bool last = --g->users == 0;
    pthread_mutex_unlock(&r->lock);
    if (last)
        generation_free(g);
}

void es_remote_wake(struct es_remote *r)
{
    uint64_t one = 1;
    ssize_t ignored = write(r->wake, &one, sizeof one);
    (void)ignored; /* full: it will look anyway */
}

void es_remote_plan_locked(struct es_remote *r, const char *why)
{
    unsigned doublings = r->failures < 12 ? r->failures : 12;
    int64_t delay = r->failures ? (int64_t)FIRST_DELAY_MS << (doublings - 1) : 0;

    r->failures++;
    r->next_start_ms = es_mono_ms() + (delay < LONGEST_DELAY_MS ? delay : LONGEST_DELAY_MS);
    snprintf(r->trouble, sizeof r->trouble, "%s", why);
}

void es_remote_bury(struct es_remote *r, struct es_generation *g, const char *reason)
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
    if (es_mono_ms() - g->started_ms >= STEADY_MS)
        r->failures = 0;
    es_remote_plan_locked(r, g->why);
    bool was_current = r->current == g;
    if (was_current)
        r->current = NULL;
    pthread_cond_broadcast(&r->changed);
    pthread_mutex_unlock(&r->lock);
    es_log(ES_ERROR, "plugins", "a plugin's process ended; it is started again",
           ES_F_STR("plugin", r->plugin ? r->plugin->name : r->file), ES_F_STR("reason", g->why));
    if (was_current)
        es_remote_release(r, g);
    es_remote_wake(r);
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

static struct es_generation *wait_for_current_locked(struct es_remote *r, uint64_t wanted, int64_t until_ms)
{
    const struct timespec until = {.tv_sec = (time_t)(until_ms / 1000),
                                   .tv_nsec = (long)(until_ms % 1000) * 1000000};
    int late = 0;

    /* A generation that is over does not come back. */
    while (!r->current && !wanted && comes_soon_locked(r) && late == 0)
        late = pthread_cond_timedwait(&r->changed, &r->lock, &until);
    return r->current;
}

int es_remote_make_lane(struct es_remote_lane **ret, struct es_generation *g, struct es_error *err)
{
    struct es_remote_lane *lane = es_mem_alloc(sizeof *lane);
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

static int take_lane_locked(struct es_remote *r, struct es_generation *g, uint64_t wanted,
                            struct es_remote_lane **ret, struct es_error *err)
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
        rc = es_remote_make_lane(ret, g, err);
    }
    if (rc == 0)
        g->users++;
    return rc;
}

int es_remote_take_lane(struct es_remote *r, const struct esp_call *c, uint64_t wanted,
                        struct es_remote_lane **ret, struct es_error *err)
{
    int64_t until = es_mono_ms() + PATIENCE_MS;
    int rc;

    pthread_mutex_lock(&r->lock);
    for (;;) {
        struct es_generation *g =
            wait_for_current_locked(r, wanted, until < c->deadline_ms ? until : c->deadline_ms);
        if (!g || es_process_alive(&g->process)) {
            rc = take_lane_locked(r, g, wanted, ret, err);
            break;
        }
        g->users++;
        pthread_mutex_unlock(&r->lock);
        es_remote_bury(r, g, NULL);
        es_remote_release(r, g);
        pthread_mutex_lock(&r->lock);
    }
    pthread_mutex_unlock(&r->lock);
    return rc;
}

void es_remote_give_back(struct es_remote *r, struct es_remote_lane *lane, bool usable)
{
    struct es_generation *g = lane->generation;

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
    es_remote_release(r, g);
}
