/* core/check/trial.h: one operation of the plugin, with everything around it watched.
 *
 * The request and its document lie right before pages that nobody may touch, the
 * services are those of watch.h, and allocations are counted. A trial belongs to
 * the thread that runs it. */
#ifndef ES_CHECK_TRIAL_H
#define ES_CHECK_TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/buf.h"
#include "core/check/guard.h"
#include "core/check/subject.h"
#include "core/plugin/call.h"

struct es_kept; /* what a service handed out */

struct es_trial {
    struct esp_call call; /* first: what the plugin holds is a pointer to this */
    struct es_store *store;

    /* Set between es_trial_init and es_trial_run. */
    size_t emits_allowed; /* the next one gets ESP_E_INTERNAL; SIZE_MAX: all */
    size_t fail_at;       /* this allocation fails; 0: none */
    bool future;          /* the request is longer than ours, with nonsense behind */

    /* What happened. */
    unsigned http_calls;     /* that reached the script */
    unsigned talks_too_late; /* services asked after one of them said CANCELLED */
    bool told_to_stop;       /* a service said CANCELLED */
    unsigned emits, emits_after_stop, emits_after_fail;
    size_t allocations, refused_allocations;
    bool touched;                   /* open failed and set *instance all the same */
    char denied[ES_ERROR_TEXT_MAX]; /* what a service refused by the rules of authority; "" */
    void *instance;                 /* of open */
    esp_status status;              /* as returned */
    int code;                       /* as the core understands it */
    struct es_error err;
    int64_t took_ms;

    struct es_kept *kept;
};

/* Operations of a store in the order of a sensible story; `open` and `close` are left out. */
extern const enum es_op es_trial_ops[];
extern const size_t es_trial_op_count;

/* Calls `fn` for each of these that the store has. */
void es_trial_each(struct es_store *st, void (*fn)(struct es_store *st, enum es_op op));

/* Does the store have it? */
bool es_trial_has(const struct es_store *st, enum es_op op);

void es_trial_init(struct es_trial *t, struct es_store *st, enum es_op op);

/* Runs it on the store's instance (open: makes one, see t->instance). Document and values are borrowed. */
void es_trial_run(struct es_trial *t, esp_bytes json);
void es_trial_end(struct es_trial *t);

/* init and run with the document that a core would write for this key (NULL: the
 * first of the command line, or one that surely is not there). */
void es_trial_story(struct es_trial *t, struct es_store *st, enum es_op op, const char *key);

/* That document. es_buf_fini it. */
void es_trial_document(struct es_buf *doc, const struct es_store *st, enum es_op op, const char *key);

/* The trial on this thread, or NULL: for the services. */
struct es_trial *es_trial_current(void);

/* A copy right before a page that nobody may touch, as long as the trial. */
esp_bytes es_trial_keep(struct es_trial *t, const void *data, size_t len);

/* ---- judging ---- */

/* The rules that hold whatever the request was: known status, no breach, nothing
 * emitted after a failure, one value from get. Reports what is broken, once, and in
 * brackets `how` it came about first: "with an empty document"; "": nothing special. */
void es_trial_judge(const struct es_trial *t, const char *how);

/* A number for status and outputs, whatever their order. */
uint64_t es_trial_print(const struct es_trial *t);

const char *es_trial_op(const struct es_trial *t);   /* "get" */
const char *es_trial_name(const struct es_trial *t); /* the component's */

/* "not found", "config", ...: the ABI's word for a status; "status 42". */
const char *es_trial_status(esp_status status);

#endif
