/* core/kube/lease.h: who of several replicas leads, by a Lease
 * (coordination.k8s.io/v1) as client-go's leaderelection package keeps it, so
 * that operators written in Go and esod exclude each other by one lease.
 *
 * Rules only: no thread, no transport, no clock of its own. Whoever runs an
 * election (core/ops/election.h) calls es_lease_round again and again.
 *
 * - Clocks of different machines are never compared. That a holder is alive is
 *   told by its record changing, and counts from when we saw that.
 * - We hold the lease from the moment at which a renewal that succeeded was
 *   *sent*, and for `renew_ms`, which is shorter than what others wait. So there
 *   is a span, before anybody else may take it, in which nobody writes.
 * - Time is CLOCK_BOOTTIME: a machine that was suspended has used up its lease. */
#ifndef ES_KUBE_LEASE_H
#define ES_KUBE_LEASE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"

/* The API server, as far as a lease needs it: one object. Functions as in
 * core/kube/client.h; *ret is the object as it stands there now. */
struct es_lease_api {
    int (*get)(void *ctx, json_t **ret, struct es_error *err);
    int (*create)(void *ctx, const json_t *obj, json_t **ret, struct es_error *err);
    int (*update)(void *ctx, const json_t *obj, json_t **ret, struct es_error *err);
    int64_t (*boot_ms)(void *ctx);
    int64_t (*unix_ms)(void *ctx); /* only for what people read in the record */
    void *ctx;
};

struct es_lease_opts {
    const char *ns, *name, *identity; /* borrowed */
    int64_t duration_ms; /* how long others wait for us; the record has whole seconds, rounded up */
    int64_t renew_ms;    /* how long we go on after a renewal */
    struct es_lease_api api;
};

/* LOST is the end: the lease was ours and is not, or cannot be known to be. */
enum es_lease_state { ES_LEASE_WAITING, ES_LEASE_HELD, ES_LEASE_LOST };

/* One thread's. */
struct es_lease {
    struct es_lease_opts opts;
    enum es_lease_state state;
    json_t *seen;          /* the object as we last saw or wrote it, or NULL */
    bool absent;           /* it has been deleted since */
    int64_t seen_ms;       /* since when the record is as it is */
    int64_t safe_until_ms; /* HELD: not to be relied upon any more from then on */
};

void es_lease_init(struct es_lease *l, const struct es_lease_opts *opts);
void es_lease_fini(struct es_lease *l); /* zeroes are fine */

/* One try to get or to keep the lease. 0: l->state says where we stand;
 * otherwise why nobody can tell (HELD lasts until it is no longer safe). A lease
 * that changed meanwhile is no failure. */
int es_lease_round(struct es_lease *l, struct es_error *err);

/* What a watch tells of the lease while we wait: NULL, it was deleted. A holder
 * whose lease is deleted is given its time, for it makes another. */
void es_lease_see(struct es_lease *l, const json_t *object);

/* Who holds it in our eyes; "" for nobody. Borrowed from the record. */
const char *es_lease_holder(const struct es_lease *l);

/* When a waiting replica may take the lease, by boot_ms: in the past when it is
 * free now. */
int64_t es_lease_free_at(const struct es_lease *l);

/* Gives a lease that we hold to whoever asks first, at once (client-go's
 * ReleaseOnCancel). The caller has written its last. State is WAITING then. */
int es_lease_release(struct es_lease *l, struct es_error *err);

#endif
