/* core/plugin/reads_own.h: what reads.c and reads_ahead.c share. Private to them. */
#ifndef ES_PLUGIN_READS_OWN_H
#define ES_PLUGIN_READS_OWN_H

#include <pthread.h>

#include "core/base/map.h"
#include "core/plugin/reads.h"

enum es_read_state {
    ES_READ_READING,
    ES_READ_ANSWERED, /* with values, or that there is no secret */
    ES_READ_FAILED,
    ES_READ_LEFT, /* the reader gave up, the answer is his alone, or there was no memory for it */
};

/* One read of a provider. An attached one is found by its key; a detached one
 * serves those who hold it, and ends with the last. Constant once it is answered. */
struct es_read {
    char *key;
    enum es_read_state state;
    bool attached, keep;
    size_t users; /* who waits for it, reads it, or holds it */
    int64_t start_ms;
    unsigned char *packed; /* answered with values: see pack */
    size_t size;
    struct es_error why;
    struct es_read *prev, *next; /* among the attached, newest first */
};

struct es_reads {
    const struct es_clock *clock;
    int64_t window_ms;
    size_t max_bytes;
    struct es_metric *shared;

    pthread_mutex_t lock; /* guards all below, and all reads */
    pthread_cond_t ended;
    struct es_map by_key;
    struct es_read *newest, *oldest; /* attached */
    size_t bytes;                    /* of the attached */
};

/* What a pass holds until its end. */
struct es_held {
    struct es_read *read;
    const char *how; /* it came to the pass, for the metrics; NULL: it is the pass' own, and not used yet */
};

/* The read to use, with one user more; *mine: it is the caller's to make. NULL
 * without memory. */
struct es_read *es_reads_claim_locked(struct es_reads *r, const char *key, int64_t since_ms, bool others,
                                      bool *mine);

/* How a read that is the caller's ended: `rc` with `values` or `why`. `alone`: whatever it was, it
 * is of no use to anybody else. Wakes those who wait for it. */
void es_reads_publish(struct es_reads *r, struct es_read *e, int rc, const struct es_values *values,
                      const struct es_error *why, bool alone);

/* Nobody can say how it would have ended: who waits reads for himself. */
void es_reads_abandon(struct es_reads *r, struct es_read *e);

/* Has the pass hold a read of which it is a user. false without memory: the caller leaves it. */
bool es_reading_hold(struct es_reading *g, struct es_read *e, const char *how);
void es_reads_leave(struct es_reads *r, struct es_read *e); /* one user less */

/* Who was cancelled or came too late says nothing about what others would have got. */
bool es_read_is_over(int64_t deadline_ms, const bool *cancelled);

#endif
