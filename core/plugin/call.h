/* core/plugin/call.h: one operation of a plugin in flight. Private to the
 * room and to esp-check.
 *
 * A call lives on the stack of whoever runs an operation. It holds what the
 * host services need to answer (for whom, until when), what the plugin emitted,
 * and everything the core handed to the plugin; all of it is wiped at the end.
 * A call is used by one thread, so nothing here is locked. */
#ifndef ES_PLUGIN_CALL_H
#define ES_PLUGIN_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/arena.h"
#include "core/base/error.h"
#include "core/base/values.h"
#include "core/http/http.h"
#include "core/plugin/registry.h"
#include "core/plugin/services.h"
#include "core/wire/op.h"
#include "esp/plugin.h"

/* Ceilings of one call; those on what is emitted are in core/wire/op.h. */
#define ES_CALL_MAX_TAKEN ((size_t)64 << 20) /* handed to the plugin: answers, values of Secrets */
#define ES_CALL_MAX_TEXT ((size_t)1024)      /* of fail, fail_at and a warning */
#define ES_CALL_DEFAULT_MS INT64_C(30000)

struct es_output {
    int32_t channel; /* ESP_OUT_... */
    char *key;       /* NULL is "" */
    struct es_blob value;
};

/* get_batch: what went wrong with one reference. */
struct es_fault {
    size_t index;
    int code;
    const char *why; /* in the arena */
    struct es_fault *next;
};

/* Secret bytes that the plugin was trusted with during the call: in the arena, or
 * in the request. They are taken out of what it says. */
struct es_trusted {
    esp_bytes bytes;
    struct es_trusted *next;
};

/* An HTTP answer that the plugin may read until the call ends. */
struct es_answer {
    struct es_http_response response;
    struct es_answer *next;
};

struct esp_call {
    const struct es_registry *registry;
    const struct es_plugin *plugin;
    const struct esp_component *component; /* NULL: configure */
    const struct es_authority *who;
    enum es_op op;
    int64_t deadline_ms; /* monotonic */
    size_t ref_count;    /* get_batch: how many were asked for */

    struct es_output *outputs;
    size_t output_count, output_cap, output_bytes;
    struct es_fault *faults;

    struct es_arena arena;
    const json_t *metadata; /* of a push, borrowed; or NULL: its author, too, may name objects to read */
    const esp_pair *values; /* of the request */
    size_t value_count;
    struct es_trusted *trusted;
    struct es_answer *answers;
    size_t answer_bytes;
    int log_lines;
    bool for_consumer; /* it was given something of the consumer's namespace that the spec does not name */

    bool failed;             /* `fail` was called: said */
    bool broken;             /* the result is not to be used: breach says why */
    struct es_error said;    /* by the plugin */
    struct es_error breach;  /* a rule of the ABI broken, memory out; the first one stays */
    struct es_error service; /* the last service, if it failed */
};

/* `who` is borrowed until the end; its deadline (0: 30 s from now) rules. */
void es_call_begin(struct esp_call *c, const struct es_registry *r, const struct es_plugin *plugin,
                   const struct esp_component *component, enum es_op op, const struct es_authority *who);
void es_call_end(struct esp_call *c);

/* Turns what the operation returned, and what was recorded meanwhile, into an
 * error of the core. 0 only when the plugin kept every rule. */
int es_call_settle(const struct esp_call *c, esp_status status, struct es_error *err);

/* What went wrong with a reference of get_batch, in the words of a `get` of it. Returns the code. */
int es_call_fault_error(const struct esp_call *c, const struct es_fault *f, struct es_error *err);

/* <= 0: the deadline passed or the caller was cancelled. */
int64_t es_call_remaining_ms(const struct esp_call *c);

/* The key under `provider` in metrics and in texts: the component's name, or the
 * plugin's while it is configured. */
const char *es_call_provider(const struct esp_call *c);

/* What the host table does, in host.c's terms. */
esp_status es_call_emit(struct esp_call *c, int32_t channel, esp_bytes key, esp_bytes value);
esp_status es_call_fail(struct esp_call *c, esp_status status, uint64_t retry_after_ms, esp_bytes why);
void es_call_fail_at(struct esp_call *c, size_t index, esp_status status, esp_bytes why);

/* An emit that was refused before it came here, by a plugin's own process. */
void es_call_refuse_emit(struct esp_call *c, enum es_emit_verdict verdict, int32_t channel);

/* The plugin could not be reached, or went away: `err` is how the call ends,
 * whatever the plugin said before. Returns the status to return. */
esp_status es_call_lost(struct esp_call *c, const struct es_error *err);

/* Records that a service failed and why; returns the ABI's status for `code`. */
esp_status es_call_service_error(struct esp_call *c, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* The same from an es_error that is already filled. */
esp_status es_call_service_failed(struct esp_call *c, const struct es_error *err);

/* Records that the plugin broke a rule. Returns ESP_E_INTERNAL. */
esp_status es_call_breach(struct esp_call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The plugin was handed this, which lives as long as the call. 0 or ES_E_NOMEM. */
int es_call_trust(struct esp_call *c, esp_bytes secret);

/* es_call_clean_text of what the plugin says, with every secret that it was
 * trusted with during this call replaced by three stars. A plugin must not quote
 * them; this is for the one that does. */
char *es_call_hear(const struct esp_call *c, char *out, size_t max, esp_bytes text);

/* Foreign text made fit for events, conditions and logs: at most max - 1
 * bytes, valid UTF-8, no control characters. Returns `out`. */
char *es_call_clean_text(char *out, size_t max, esp_bytes text);

#endif
