/* core/ops/election.h: runs for leader among the replicas, and keeps the gate
 * through which the leader writes.
 *
 * A thread of its own makes the rounds of core/kube/lease.h, so that renewals
 * wait for no worker. It also watches the Lease: what is given back or falls
 * free is taken at once, not at the next round. */
#ifndef ES_OPS_ELECTION_H
#define ES_OPS_ELECTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/base/gate.h"
#include "core/base/metrics.h"
#include "core/kube/client.h"

struct es_election;

/* LOST is for good: the process has to end, and may come back as a standby. */
enum es_election_state { ES_STANDBY, ES_LEADER, ES_LEADERSHIP_LOST };

struct es_election_opts {
    const char *ns, *name; /* of the Lease */
    int64_t lease_ms;      /* how long others wait for a leader that they hear nothing of */
    int64_t renew_ms;      /* how long a leader goes on that cannot renew */
    int64_t retry_ms;      /* between two rounds */
    struct es_metrics *metrics;
    /* The state has changed; on the election's thread. May be NULL. */
    void (*changed)(void *ctx);
    void *ctx;
};

/* Whether the three times go together; ES_E_CONFIG with the flags' names. */
int es_election_check(int64_t lease_ms, int64_t renew_ms, int64_t retry_ms, struct es_error *err);

/* What one request to the API server may take, so that a second one fits into
 * the time that is left. */
int64_t es_election_timeout_ms(int64_t renew_ms);

/* A standby that does not run for leader yet. The client is for the election
 * alone (prompt, no throttle, no gate) and is consumed even on failure. Texts of
 * `opts` are copied. */
int es_election_new(struct es_election **ret, struct es_kube *take_kube, const struct es_election_opts *opts,
                    struct es_error *err);

/* Runs from here on: to be called when this replica could do the work, and once.
 * After a failure the election can only be freed. */
int es_election_start(struct es_election *e, struct es_error *err);

/* Joins the thread and gives the lease back, if it is ours, so that a standby
 * goes on at once. The gate is closed from here on; all that passed it must have
 * ended. Again does nothing. */
void es_election_stop(struct es_election *e);
void es_election_free(struct es_election *e); /* stops; NULL is fine */

/* By the clock: true to the moment even if the thread hangs. */
enum es_election_state es_election_state(struct es_election *e);

/* Open while this replica leads. Lives as long as the election. */
const struct es_gate *es_election_gate(struct es_election *e);

const char *es_election_identity(const struct es_election *e);

/* The Lease as it was last seen, for events about it; NULL when there is none.
 * The caller's reference. */
json_t *es_election_lease(struct es_election *e);

/* Lines for /readyz: who leads, if it is not this one; what is amiss. */
void es_election_describe(struct es_election *e, struct es_buf *notes);

#endif
