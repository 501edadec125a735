/* core/plugin/remote_own.h: what the files of a remote share. Private to them.
 *
 *   remote.c       the process: started, looked after, started again, ended
 *   remote_lane.c  generations of it, and the lanes into the current one
 *   remote_call.c  calls, and the operations that stand in for the plugin's */
#ifndef ES_PLUGIN_REMOTE_OWN_H
#define ES_PLUGIN_REMOTE_OWN_H

#include <pthread.h>

#include "core/plugin/call.h"
#include "core/plugin/remote.h"
#include "core/plugin/remote_process.h"
#include "core/plugin/remote_talk.h"

struct es_remote_lane {
    struct es_link link;
    struct es_generation *generation;
    struct es_remote_lane *next; /* among the idle */
};

/* One process, from its start until the last call in it has noticed its end. */
struct es_generation {
    struct es_process process;
    uint64_t number;
    int64_t started_ms;
    struct es_remote_lane *idle;
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

    pthread_mutex_t lock;          /* guards all below */
    pthread_cond_t changed;        /* a process came, or went */
    struct es_generation *current; /* NULL: none at the moment */
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
struct es_remote_instance {
    uint64_t generation, number;
};

/* ---- remote_lane.c ---- */

/* One user less; the last one frees it. Never under the lock: it may wait for the
 * process. */
void es_remote_release(struct es_remote *r, struct es_generation *g);

/* The generation serves nobody any more. The first one to say so gives the reason;
 * NULL: the process knows best. Returns once the process is gone and the reason
 * is known. */
void es_remote_bury(struct es_remote *r, struct es_generation *g, const char *reason);

/* One more failure in a row: when to try again. */
void es_remote_plan_locked(struct es_remote *r, const char *why);

/* A new lane of a generation, which the caller uses. */
int es_remote_make_lane(struct es_remote_lane **ret, struct es_generation *g, struct es_error *err);

/* A lane of the current process; `wanted` is not 0: of that generation only. A
 * process that died while nobody used it costs no call. ES_E_RETRY. */
int es_remote_take_lane(struct es_remote *r, const struct esp_call *c, uint64_t wanted,
                        struct es_remote_lane **ret, struct es_error *err);
void es_remote_give_back(struct es_remote *r, struct es_remote_lane *lane, bool usable);

/* The thread that looks after the process looks again. */
void es_remote_wake(struct es_remote *r);

/* ---- remote_call.c ---- */

/* One call over a lane, which is given back. `instance` is the process' number of
 * the store, 0: none. */
esp_status es_remote_call(struct es_remote *r, struct es_remote_lane *lane, struct esp_call *c, enum es_op op,
                          const struct esp_request *request, uint64_t instance, uint64_t *ret_instance);

extern const struct esp_store_ops es_remote_stand_ins;
extern const struct esp_generator_ops es_remote_generator_stand_ins;
esp_status es_remote_configure(struct esp_call *c, const struct esp_request *request);

#endif
