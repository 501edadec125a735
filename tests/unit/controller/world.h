/* tests/unit/controller/world.h: the real engine and controllers on a local
 * house, with a store inside the program, a clock that can jump, and a spy on
 * everything that is asked of the cluster. */
#ifndef TESTS_CONTROLLER_WORLD_H
#define TESTS_CONTROLLER_WORLD_H

#include "tests/unit/cluster/cluster_test.h"

#include "core/cluster/local_house.h"
#include "core/controller/controller.h"
#include "core/engine/engine.h"
#include "esp/plugin.h"

/* ---- the process ---- */

struct world_opts {
    bool no_flood_gate, no_cluster_stores, generic_targets;
    int32_t maintenance;     /* of the probe; 0: maintained */
    uint64_t caps;           /* instead of its own; 0: reads, lists, concurrent, whole values */
    const char *fake_plugin; /* a file to load beside the probe, or NULL */
    bool no_push_secrets;
    const struct es_gate *gate; /* or NULL: all may be written */
    struct es_metrics *metrics; /* or NULL: nothing is counted */
    int64_t backoff_ms;         /* after each failure; 0: 20 to 80 ms */
    int (*render)(void *ctx, const char *name, const char *text, size_t len, const json_t *data,
                  struct es_blob *ret,
                  struct es_error *err); /* in place of the template language; NULL: none */
};

/* Starts with an empty cluster. A process dies with world_stop or world_restart. */
void world_start(const struct world_opts *opts);
void world_stop(void);

/* Another process on the same objects. Requests that are failing go on to. */
void world_restart(void);

/* cmocka's setup and teardown. */
int world_setup(void **state);
int world_teardown(void **state);

extern struct es_env world_env;
extern struct es_local *world_house;

/* Until nothing is due and nothing runs; what waits for a later time may stay. */
void world_settle(void);

/* Until this holds, or the test fails after 20 s. */
void world_until(bool (*holds)(void *ctx), void *ctx, const char *what);

/* Time goes on at once by so much; what falls due is done. */
void world_skip_ms(int64_t ms);

/* What the main thread does once a second. */
void world_tick(void);

/* ---- the cluster ---- */

void world_apply(const char *quoted); /* single quotes */
void world_delete(const struct es_kind *kind, const char *ns, const char *name);
json_t *world_get(const struct es_kind *kind, const char *ns, const char *name); /* or NULL; not counted */
void world_patch(const struct es_kind *kind, const char *ns, const char *name,
                 const char *quoted); /* a user's edit */

/* An ExternalSecret ns/name with `spec` (single quotes); a SecretStore ns/store
 * of the probe; a ClusterSecretStore "cstore". */
void world_external_secret(const char *name, const char *spec);
void world_store(void);
void world_cluster_store(const char *more_spec);

/* The decoded value at a key of a Secret of namespace ns, "(none)" or "(no secret)".
 * Good until the next call. */
const char *world_value(const char *secret, const char *key);

/* "status|reason|message" of the Ready condition; "(none)", "(no object)". */
const char *world_ready(const struct es_kind *kind, const char *ns, const char *name);
void world_expect(const char *name, const char *ready); /* of the ExternalSecret ns/name, after a while */
void world_expect_store(const char *ready);             /* of the SecretStore ns/store */
void world_expect_value(const char *secret, const char *key, const char *value);

/* An event whose type, reason and message are these has been sent, or will be soon. */
void world_expect_event(const char *type, const char *reason, const char *message);
int world_events(const char *reason); /* so far, by count */

/* ---- the spy ---- */

/* Requests so far, without those about Events; atomically. */
struct world_calls {
    int get, create, update, patch, remove;
};
extern struct world_calls world_calls;
int world_writes(void); /* all but get */
void world_forget_calls(void);

/* Called before each request. A code < 0: it fails so, and nothing is done. > 0: it is
 * done, and then fails with the negative of it, as if the answer had been lost. */
typedef int world_fault_fn(const char *verb, const struct es_kind *kind, const char *name,
                           const char *subresource);
void world_break(world_fault_fn *fault); /* NULL: all is well again */

/* ---- the store's contents; any thread ---- */

void vault_set(const char *key, const char *value); /* NULL removes */
extern int vault_reads, vault_batches;              /* atomically */
extern esp_status vault_status;                     /* of get; ESP_OK: answer */
extern esp_status vault_validation;                 /* of validate */
extern const char *vault_reason;                    /* text that goes with either; NULL: none */
extern esp_status vault_opening;                    /* of open */
extern int vault_delay_ms, vault_validation_ms;     /* how long get and validate take */
void vault_takes_batches(void);                     /* until the end of the test: get_batch */

/* ---- what was pushed into it: by remote key, or "remote key/property" ---- */

/* The value, or with several pairs "name=value,name=value"; "(none)". Good until the
 * next call. */
const char *vault_pushed(const char *id);
void vault_keep(const char *id, const char *value);             /* as if it had been pushed */
json_t *vault_last_push(void);                                  /* its document; json_decref it */
extern int vault_pushes, vault_removals;                        /* tries; atomically */
extern int vault_crowd;                                         /* the most pushes at a time, atomically */
extern const char *vault_bad_key;                               /* no write of this remote key works */
extern int vault_push_ms;                                       /* how long a push takes */
void world_expect_pushed(const char *id, const char *value);    /* after a while */
void world_push_secret(const char *name, const char *spec);     /* ns/name */
void world_expect_push(const char *name, const char *ready);    /* of the PushSecret ns/name */
void world_secret(const char *name, const char *string_fields); /* an Opaque Secret ns/name */

#endif
