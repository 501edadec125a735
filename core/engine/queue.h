/* core/engine/queue.h: which object is to be looked at, and when.
 *
 * One entry per key however often it is added: the earliest due time wins. A
 * key is handed to one worker at a time; what is added meanwhile makes it due
 * again when that worker is done. Of what is due, the first lane goes first, and
 * calm work waits until nothing else is, a few workers at a time, so that what
 * comes meanwhile finds one free. Thread-safe. */
#ifndef ES_ENGINE_QUEUE_H
#define ES_ENGINE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/clock.h"

struct es_queue;

enum es_lane { ES_LANE_FIRST, ES_LANE_URGENT, ES_LANE_CALM, ES_LANES };

struct es_queue_opts {
    const struct es_clock *clock; /* NULL: the system's */
    int64_t backoff_base_ms;      /* 0: 1 s */
    int64_t backoff_max_ms;       /* 0: 7 min */
    size_t calm_workers;          /* at most so many work on calm entries at once; 0: 2 */
};

/* NULL without memory. */
struct es_queue *es_queue_new(const struct es_queue_opts *opts);
void es_queue_free(struct es_queue *q); /* no worker may be inside; NULL is fine */

/* `kind` is a number of the caller's below ES_QUEUE_KINDS. delay_ms 0: at once. 0 or ES_E_NOMEM. */
int es_queue_add(struct es_queue *q, int kind, const char *key, int64_t delay_ms, enum es_lane lane);

/* At once, for a reason that arose at `since_ms` (monotonic, not in the future):
 * one event may ask for many. */
int es_queue_add_since(struct es_queue *q, int kind, const char *key, int64_t since_ms, enum es_lane lane);

struct es_work {
    int kind;
    const char *key;   /* valid until es_queue_done */
    int failures;      /* in a row, before this one */
    int64_t waited_ms; /* from being due to being taken */
    int64_t since_ms;  /* monotonic: when the newest reason for it arose */
    bool asked;        /* that reason is an add, not the time that es_queue_done named */
    void *item;
};

/* Blocks until something is due. False once the queue was stopped. */
bool es_queue_take(struct es_queue *q, struct es_work *ret);

/* Ends the work. delay_ms < 0: not again by itself. A success resets the
 * backoff. */
void es_queue_done(struct es_queue *q, struct es_work *work, int64_t delay_ms, enum es_lane lane);

/* Ends the work in failure: exponential backoff, shortened by up to a half by chance; or
 * `at_least_ms` and up to a quarter of it (1 to 30 s) more, if that is longer. Returns the delay. */
int64_t es_queue_failed(struct es_queue *q, struct es_work *work, int64_t at_least_ms, enum es_lane lane);

/* Wakes every taker with false; later adds are forgotten. */
void es_queue_stop(struct es_queue *q);

/* Is work due and waiting that is not calm? */
bool es_queue_busy(struct es_queue *q);

#define ES_QUEUE_KINDS 16

struct es_queue_stats {
    size_t waiting; /* due now */
    size_t delayed; /* due later */
    size_t running;
    uint64_t added, retried;
    uint64_t wakeups;  /* of workers that waited for work, in vain or not */
    int64_t oldest_ms; /* how long the first due entry has waited */
    struct {
        size_t waiting, calm; /* due now; calm ones among them */
        uint64_t added;       /* times that an entry came to wait; not those that found it waiting */
        uint64_t retried;
    } kinds[ES_QUEUE_KINDS];
};
void es_queue_stats(struct es_queue *q, struct es_queue_stats *ret);

#endif
