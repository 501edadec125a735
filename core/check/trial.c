#include "core/check/trial.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/map.h"
#include "core/base/text.h"
#include "core/check/check.h"
#include "core/check/heap.h"
#include "core/check/plant.h"
#include "core/plugin/document.h"

#define NO_SUCH_KEY "esp-check-no-such-key"

/* Less than a step of any check may take, so that a plugin which waits politely until its
 * time is over does not look like one that hangs. */
#define DEADLINE_MS 3000

/* Behind a request of the future. */
#define FUTURE 64
#define POISON 0xA5

struct es_kept {
    struct es_guard guard;
    struct es_kept *next;
};

static _Thread_local struct es_trial *current;

struct es_trial *es_trial_current(void)
{
    return current;
}

/* ---- operations ---- */

const enum es_op es_trial_ops[] = {ES_OP_CHECK, ES_OP_VALIDATE, ES_OP_GET,  ES_OP_GET_MAP, ES_OP_GET_BATCH,
                                   ES_OP_LIST,  ES_OP_EXISTS,   ES_OP_PUSH, ES_OP_REMOVE};
const size_t es_trial_op_count = sizeof es_trial_ops / sizeof *es_trial_ops;

bool es_trial_has(const struct es_store *st, enum es_op op)
{
    if (op == ES_OP_CONFIGURE)
        return st->subject->data->configure != NULL;
    return op == ES_OP_OPEN || es_op_of(st->ops, op);
}

void es_trial_each(struct es_store *st, void (*fn)(struct es_store *st, enum es_op op))
{
    for (size_t i = 0; i < es_trial_op_count; i++)
        if (es_trial_has(st, es_trial_ops[i]))
            fn(st, es_trial_ops[i]);
}

const char *es_trial_op(const struct es_trial *t)
{
    return es_op_name(t->call.op);
}

const char *es_trial_name(const struct es_trial *t)
{
    return t->store->provider->name;
}

const char *es_trial_status(esp_status status)
{
    static const char *const names[] = {
        "ESP_OK",          "ESP_E_NOT_FOUND",   "ESP_E_CONFIG",    "ESP_E_DENIED",  "ESP_E_RETRY",
        "ESP_E_CANCELLED", "ESP_E_UNSUPPORTED", "ESP_E_UNDECIDED", "ESP_E_INTERNAL"};
    return status <= 0 && status >= ESP_E_INTERNAL ? names[-status] : "an unknown status";
}

/* ---- documents ---- */

static json_t *request_of(enum es_op op, const char *key)
{
    switch (op) {
    case ES_OP_LIST:
        return json_pack("{s:{s:s}}", "name", "regexp", ".*");
    case ES_OP_PUSH:
        return json_pack("{s:s,s:s,s:s}", "remoteKey", key, "secretKey", "value", "type", "Opaque");
    case ES_OP_REMOVE:
    case ES_OP_EXISTS:
        return json_pack("{s:s}", "remoteKey", key);
    default:
        return json_pack("{s:s}", "key", key);
    }
}

static void write_document(struct es_buf *doc, const struct es_store *st, enum es_op op, const char *key,
                           const json_t *request)
{
    switch (op) {
    case ES_OP_CONFIGURE: /* the plugin's own block: nobody knows what belongs there */
        es_buf_init(doc, sizeof "{}");
        es_buf_adds(doc, "{}");
        break;
    case ES_OP_CHECK:
    case ES_OP_OPEN:
        es_doc_open(doc, &st->who, NULL);
        break;
    case ES_OP_GET:
    case ES_OP_GET_MAP:
        es_doc_get(doc, request, !(st->provider->caps & ESP_CAP_WHOLE_VALUES), st->id, &st->who);
        break;
    case ES_OP_GET_BATCH:
        es_doc_batch(doc, &key, 1, st->id, &st->who);
        break;
    case ES_OP_LIST:
        es_doc_list(doc, request, "", st->id, &st->who);
        break;
    case ES_OP_EXISTS:
        es_doc_exists(doc, request, st->id, &st->who);
        break;
    case ES_OP_PUSH:
        es_doc_push(doc, request, st->id, &st->who);
        break;
    case ES_OP_REMOVE:
        es_doc_remove(doc, request, st->id, &st->who);
        break;
    default:
        es_doc_empty(doc, st->id, &st->who);
    }
}

void es_trial_document(struct es_buf *doc, const struct es_store *st, enum es_op op, const char *key)
{
    const struct es_check_opts *o = st->subject->opts;

    if (!key)
        key = o->key_count ? o->keys[0] : NO_SUCH_KEY;
    json_t *request = request_of(op, key);
    write_document(doc, st, op, key, request);
    json_decref(request);
}

/* ---- running ---- */

void es_trial_init(struct es_trial *t, struct es_store *st, enum es_op op)
{
    memset(t, 0, sizeof *t);
    t->store = st;
    t->emits_allowed = SIZE_MAX;
    es_call_begin(&t->call, st->subject->registry, st->provider->plugin,
                  op == ES_OP_CONFIGURE ? NULL : st->provider->component, op, &st->who);
    if (!st->who.deadline_ms && !st->subject->live)
        t->call.deadline_ms = es_mono_ms() + DEADLINE_MS;
    t->call.ref_count = op == ES_OP_GET_BATCH ? 1 : 0;
}

/* The struct of a core that is newer than the plugin, or of today's. */
static struct esp_request *make_request(struct es_guard *g, const struct es_trial *t)
{
    size_t len = sizeof(struct esp_request) + (t->future ? FUTURE : 0);

    es_guard_init(g, NULL, len);
    memset(g->ptr, POISON, len);
    struct esp_request *r = g->ptr;
    *r = (struct esp_request){.size = (uint32_t)len};
    return r;
}

static esp_status call_plugin(struct es_trial *t, const struct esp_request *request)
{
    const struct esp_store_ops *ops = t->store->ops;
    enum es_op op = t->call.op;

    if (op == ES_OP_CONFIGURE)
        return t->store->subject->data->configure(&t->call, request);
    if (op == ES_OP_OPEN)
        return ops->open(&t->call, request, &t->instance);
    if (op == ES_OP_CLOSE) {
        ops->close(t->store->instance, &t->call);
        return ESP_OK;
    }
    return es_op_of(ops, op)(op == ES_OP_CHECK ? NULL : t->store->instance, &t->call, request);
}

void es_trial_run(struct es_trial *t, esp_bytes json)
{
    static char untouched;
    const char *pushed = es_plant(ES_PLANT_PUSHED);
    struct es_guard text, request_place, value;

    es_guard_init(&text, json.ptr, json.len);
    es_guard_init(&value, pushed, strlen(pushed));
    const esp_pair pair = {{(const uint8_t *)"value", 5}, {value.ptr, strlen(pushed)}};
    struct esp_request *request = make_request(&request_place, t);
    request->json = (esp_bytes){text.ptr, json.len};
    if (t->call.op == ES_OP_PUSH) {
        request->values = &pair;
        request->value_count = 1;
    }
    t->instance = &untouched;
    int64_t started = es_mono_ms();
    current = t;
    es_heap_arm(t->fail_at);
    t->status = call_plugin(t, request);
    t->allocations = es_heap_disarm(&t->refused_allocations);
    current = NULL;
    t->took_ms = es_mono_ms() - started;
    t->touched = t->call.op == ES_OP_OPEN && t->status != ESP_OK && t->instance != &untouched;
    t->code = es_call_settle(&t->call, t->status, &t->err);
    es_guard_fini(&text);
    es_guard_fini(&value);
    es_guard_fini(&request_place);
}

void es_trial_story(struct es_trial *t, struct es_store *st, enum es_op op, const char *key)
{
    struct es_buf doc;

    es_trial_document(&doc, st, op, key);
    es_trial_init(t, st, op);
    es_trial_run(t, (esp_bytes){(const uint8_t *)doc.ptr, doc.len});
    es_buf_fini(&doc);
}

void es_trial_end(struct es_trial *t)
{
    while (t->kept) {
        struct es_kept *next = t->kept->next;
        es_guard_fini(&t->kept->guard);
        free(t->kept);
        t->kept = next;
    }
    es_call_end(&t->call);
}

esp_bytes es_trial_keep(struct es_trial *t, const void *data, size_t len)
{
    struct es_kept *k = malloc(sizeof *k);

    if (!k)
        abort(); /* as es_guard_init does */
    es_guard_init(&k->guard, data, len);
    k->next = t->kept;
    t->kept = k;
    return (esp_bytes){k->guard.ptr, len};
}

/* ---- judging ---- */

#define MAX_SAID 64

/* A rule that is broken with every document is broken once. Says where it was first. */
static void broken(const char *how, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

static void broken(const char *how, const char *fmt, ...)
{
    static _Thread_local uint64_t said[MAX_SAID];
    static _Thread_local size_t count;
    char text[ES_ERROR_TEXT_MAX + 200];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    uint64_t hash = es_hash64(text, strlen(text));
    for (size_t i = 0; i < count; i++)
        if (said[i] == hash)
            return;
    if (count < MAX_SAID)
        said[count++] = hash;
    if (*how)
        es_check_fail("%s (%s)", text, how);
    else
        es_check_fail("%s", text);
}

static bool is_known(esp_status status)
{
    return status <= ESP_OK && status >= ESP_E_INTERNAL;
}

static void judge_value(const struct es_trial *t, const char *how)
{
    bool one = t->call.op == ES_OP_GET || t->call.op == ES_OP_EXISTS;

    if (t->code != 0 || !one)
        return;
    if (t->call.output_count == 0) {
        broken(how, "the %s plugin returned success from %s without a value", t->call.plugin->name,
               es_trial_op(t));
        return;
    }
    const struct es_blob *v = &t->call.outputs[0].value;
    bool is_word =
        (v->len == 4 && memcmp(v->ptr, "true", 4) == 0) || (v->len == 5 && memcmp(v->ptr, "false", 5) == 0);
    if (t->call.op == ES_OP_EXISTS && !is_word)
        broken(how, "the %s plugin answered exists with neither true nor false", t->call.plugin->name);
}

void es_trial_judge(const struct es_trial *t, const char *how)
{
    const struct esp_call *c = &t->call;
    bool about_store = c->op == ES_OP_VALIDATE || c->op == ES_OP_OPEN;

    if (c->broken)
        broken(how, "%s", c->breach.text);
    else if (!is_known(t->status) || (t->status == ESP_OK && c->failed))
        broken(how, "%s", t->err.text);
    if (t->emits_after_fail)
        broken(how, "%s of component %s emitted after it had called fail", es_trial_op(t), es_trial_name(t));
    if (t->touched)
        broken(how, "open of component %s failed and set *instance all the same", es_trial_name(t));
    if (t->status == ESP_E_UNDECIDED && !about_store)
        broken(how, "%s of component %s returned ESP_E_UNDECIDED, which is an answer of validate",
               es_trial_op(t), es_trial_name(t));
    judge_value(t, how);
}

static uint64_t print_bytes(uint64_t seed, const void *data, size_t len)
{
    return (seed ^ es_hash64(len ? data : "", len)) * UINT64_C(0x9E3779B97F4A7C15);
}

uint64_t es_trial_print(const struct es_trial *t)
{
    uint64_t sum = (uint64_t)(int64_t)t->code;

    for (size_t i = 0; i < t->call.output_count && t->code == 0; i++) {
        const struct es_output *o = &t->call.outputs[i];
        uint64_t one = print_bytes((uint64_t)o->channel, o->key, o->key ? strlen(o->key) : 0);
        sum += print_bytes(one, o->value.ptr, o->value.len);
    }
    return sum;
}
