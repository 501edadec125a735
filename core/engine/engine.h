/* core/engine/engine.h: runs the controllers: a queue, workers, and the order of
 * starting and stopping. */
#ifndef ES_ENGINE_ENGINE_H
#define ES_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/controller/controller.h"
#include "core/engine/queue.h"

struct es_engine;

struct es_engine_opts {
    int workers;             /* 0: 24 */
    bool standby;            /* no pass before es_engine_lead */
    int64_t backoff_base_ms; /* see es_queue_opts; tests shorten them */
    int64_t backoff_max_ms;
};

/* Completes the env (enqueue, events, cancelled) and creates the caches. The
 * env must outlive the engine. */
int es_engine_new(struct es_engine **ret, struct es_env *env, const struct es_engine_opts *opts,
                  struct es_error *err);

/* Starts the watches. Workers begin as soon as every cache is filled: a store
 * that has not been read yet must not pass for one that does not exist. A
 * standby's queue fills with whatever the watches tell, so that its first passes
 * begin when it is asked to lead. */
int es_engine_start(struct es_engine *e, struct es_error *err);

/* To be called again and again by the main thread, from once in 100 ms on:
 * starts the workers when the time has come, closes idle stores. */
int es_engine_tick(struct es_engine *e, struct es_error *err);

/* Ends the standby; the next tick starts the workers. The main thread. */
void es_engine_lead(struct es_engine *e);

/* Caches filled, and workers running unless this is a standby. */
bool es_engine_ready(const struct es_engine *e);

/* Nothing due now and nothing running. */
bool es_engine_idle(struct es_engine *e);

/* No new passes; those in flight may end by themselves for `grace_ms`, then
 * their calls are cancelled. Joins the workers. */
void es_engine_stop(struct es_engine *e, int64_t grace_ms);
void es_engine_free(struct es_engine *e); /* after es_engine_stop, or before start; NULL is fine */

void es_engine_stats(struct es_engine *e, struct es_queue_stats *ret);

#endif
