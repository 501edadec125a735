/* core/plugin/reads.h: one read of a provider serves everybody who wants the same.
 *
 * Who reads says how old the read may be that serves him: he takes an answer of a
 * read that *started* then or later, whether it is under way or done, and makes
 * one himself when there is none. So nobody gets what is older than he would have
 * got himself, had he read when he was asked to.
 *
 * Answers live in memory that is locked and wiped (base/locked.h), as long as
 * somebody may use them: during the pass that wants a key again, and for a short
 * time if other passes want it. What nobody else wants is not copied at all.
 *
 * A failure goes to those who wait for it, and is forgotten. That a secret does
 * not exist is an answer like a value. When the reader gave up - his deadline has
 * passed, he was cancelled - the next of those who wait reads for himself. */
#ifndef ES_PLUGIN_READS_H
#define ES_PLUGIN_READS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/values.h"

struct es_reads;
struct es_held;

struct es_reads_opts {
    const struct es_clock *clock; /* NULL: the system's */
    int64_t window_ms;            /* how long an answer is kept for others after its read began */
    size_t max_bytes;             /* of all that are kept, in whole pages; the oldest goes first. 0: 8 MiB */
    struct es_metrics *metrics;   /* or NULL */
};

int es_reads_new(struct es_reads **ret, const struct es_reads_opts *opts, struct es_error *err);
void es_reads_free(struct es_reads *r); /* nobody reads any more; NULL is fine */

/* Wipes what is no longer of use: the window is over, and no pass waits that was due
 * (monotonic ms; INT64_MAX: none waits) before the read began. Called once a second. */
void es_reads_sweep(struct es_reads *r, int64_t oldest_due_ms);

/* Answers whose key begins with `prefix` serve nobody new: the store changed, was
 * written to, or is gone. Those of reads under way neither. NULL reads are fine. */
void es_reads_forget(struct es_reads *r, const char *prefix);

/* How much is kept, in whole pages. */
size_t es_reads_bytes(struct es_reads *r);

/* What one pass reads. Zeroes with `reads` NULL share nothing. One thread. */
struct es_reading {
    struct es_reads *reads;
    int64_t since_ms; /* answers of reads that started then (monotonic) or later will do */

    /* Who else wants what is read next? Without either, nothing is shared but what was read ahead. */
    bool again;  /* this pass: the answer is held until its end */
    bool others; /* other passes: it is kept for a while */

    struct es_held *held; /* private */
    size_t held_count;
};
void es_reading_end(struct es_reading *g); /* lets go of what is held; NULL is fine */
bool es_reading_shares(const struct es_reading *g);

/* One read. `key` stands for all that decides about the answer; it is no secret. */
struct es_read_call {
    const char *key;
    const char *provider, *operation; /* for the metrics */
    int64_t deadline_ms;              /* monotonic: how long to wait for somebody else's */
    const bool *cancelled;            /* or NULL */
    const bool *unfit; /* or NULL; atomic: when it is set after `read`, the answer is the caller's alone */
    int (*read)(void *ctx, struct es_values *ret, struct es_error *err);
    void *ctx;
};

/* The answer: somebody else's, or that of `read`, which runs without locks. `ret` is
 * empty before, and stays so on failure. */
int es_reads_run(struct es_reading *g, const struct es_read_call *call, struct es_values *ret,
                 struct es_error *err);

/* One of several reads that are made at once. */
struct es_read_item {
    const char *key; /* as in es_read_call */
    bool others;     /* as in es_reading */

    /* What `read` finds: 0 with values, an error with `why`, or 1: nobody knows, it is to be read
     * by itself. */
    int rc;
    struct es_values values;
    struct es_error why;
};

/* Reads that the pass will want one after the other (es_reads_run with the same keys). */
struct es_read_ahead {
    struct es_read_item *items;
    size_t count;
    int64_t deadline_ms; /* as in es_read_call, as the next one */
    const bool *cancelled;
    const bool *unfit;
    /* Of the items, those that nobody else has or is just reading: two at least. */
    void (*read)(void *ctx, struct es_read_item **items, size_t count);
    void *ctx;
};

/* Makes them, in one go. The answers, and the failures, are held until the end of the pass; to
 * everybody else each is a read like any other. Needs g->reads. */
void es_reads_ahead(struct es_reading *g, const struct es_read_ahead *ahead);

#endif
