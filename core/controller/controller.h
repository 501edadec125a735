/* core/controller/controller.h: what the controllers share.
 *
 * A controller is one function that looks at one object and makes the world
 * agree with it. It is called by a worker, never twice at once for the same
 * object, and says when it wants to be called again. */
#ifndef ES_CONTROLLER_CONTROLLER_H
#define ES_CONTROLLER_CONTROLLER_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/cluster/cluster.h"
#include "core/cluster/events.h"
#include "core/plugin/pool.h"
#include "core/plugin/reads.h"
#include "core/plugin/registry.h"

struct es_generic_watches;
struct es_store_table;
struct es_sources;
struct es_denied;
struct es_provision_news;
struct es_push_claims;
struct es_tally;

enum es_controller_id {
    ES_EXTERNAL_SECRET,
    ES_SECRET_STORE,
    ES_CLUSTER_SECRET_STORE,
    ES_PUSH_SECRET,
    ES_CLUSTER_EXTERNAL_SECRET,
    ES_CLUSTER_PUSH_SECRET,
    ES_CONTROLLERS
};

struct es_settings {
    const char *controller_class;               /* "default" */
    const char *ns;                             /* restricted to this namespace, or NULL */
    const char *template_left, *template_right; /* delimiters; NULL: "{{" and "}}" */
    int64_t store_requeue_ms;                   /* when a store has no refreshInterval */
    bool flood_gate;                            /* only stores that are Ready are asked */
    bool secret_stores, cluster_stores;         /* which store controllers run */
    bool push_secrets;
    bool cluster_external_secrets, cluster_push_secrets; /* not where `ns` restricts */
    bool generic_targets;
    bool metric_labels;      /* app.kubernetes.io labels of objects in their series */
    int64_t pass_timeout_ms; /* of the provider calls of one pass; 0: 5 min */
    int64_t read_window_ms;  /* how old a read may be that a periodic refresh shares, at most */
};

/* Everything a controller may use. Constant once the engine runs. */
struct es_env {
    struct es_settings settings;
    const struct es_clock *clock;
    struct es_cluster *cluster;
    struct es_events *events;
    struct es_registry *registry;
    struct es_pool *pool;
    struct es_reads *reads; /* NULL: no read is shared */
    struct es_metrics *metrics;
    struct es_store_table *store_table;
    struct es_sources *sources;
    struct es_denied *denied;
    struct es_push_claims *push_claims;
    struct es_provision_news *provision_news;
    struct es_generic_watches *generic;
    struct es_tally *tally;
    int64_t started_mono_ms;
    const bool *cancelled; /* set when passes in flight have to end */

    /* Filled by es_controllers_init. */
    struct es_cache *external_secrets, *secret_stores, *cluster_secret_stores, *targets, *namespaces;
    struct es_cache *push_secrets;                                    /* NULL: not served */
    struct es_cache *cluster_external_secrets, *cluster_push_secrets; /* NULL: not served */

    /* Asks for a pass at once. Any thread. */
    void (*enqueue)(void *ctx, enum es_controller_id id, const char *ns, const char *name);

    /* The same for one of many that one event wakes, which came at `since_ms`: what
     * is read from then on serves all of them. */
    void (*enqueue_since)(void *ctx, enum es_controller_id id, const char *ns, const char *name,
                          int64_t since_ms);
    void *enqueue_ctx;
};

/* Why there is a pass. */
struct es_cause {
    int64_t since_ms; /* monotonic: when the newest reason arose; what was read later is fresh */
    bool periodic;    /* the time that the last pass named has come; it succeeded, and nobody asked */
};

/* What a pass wants next. Errors from a pass are backed off by the engine. */
struct es_outcome {
    int64_t after_ms; /* < 0: not again by itself; 0: at once */
    bool calm;        /* the next pass is housekeeping: behind everything urgent */
};

struct es_controller {
    const char *name;   /* label value: "externalsecret" */
    const char *logger; /* "controllers.ExternalSecret" */
    const struct es_kind *kind;
    int (*reconcile)(struct es_env *env, const char *ns, const char *name, const struct es_cause *cause,
                     struct es_outcome *ret, struct es_error *err);
};

extern const struct es_controller es_controllers[ES_CONTROLLERS];

int es_external_secret_reconcile(struct es_env *env, const char *ns, const char *name,
                                 const struct es_cause *cause, struct es_outcome *ret, struct es_error *err);
int es_secret_store_reconcile(struct es_env *env, const char *ns, const char *name,
                              const struct es_cause *cause, struct es_outcome *ret, struct es_error *err);
int es_cluster_secret_store_reconcile(struct es_env *env, const char *ns, const char *name,
                                      const struct es_cause *cause, struct es_outcome *ret,
                                      struct es_error *err);
int es_push_secret_reconcile(struct es_env *env, const char *ns, const char *name,
                             const struct es_cause *cause, struct es_outcome *ret, struct es_error *err);

int es_cluster_external_secret_reconcile(struct es_env *env, const char *ns, const char *name,
                                         const struct es_cause *cause, struct es_outcome *ret,
                                         struct es_error *err);
int es_cluster_push_secret_reconcile(struct es_env *env, const char *ns, const char *name,
                                     const struct es_cause *cause, struct es_outcome *ret,
                                     struct es_error *err);

/* Creates what the controllers share, the caches included; `enqueue` is called
 * from es_cluster_start on. The env's other fields are set before. */
int es_controllers_init(struct es_env *env, struct es_error *err);

/* After the workers have ended and the cluster has stopped. */
void es_controllers_fini(struct es_env *env);

#endif
