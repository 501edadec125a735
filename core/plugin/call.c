#include "core/plugin/call.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/clock.h"
#include "core/base/hide.h"
#include "core/base/mem.h"
#include "core/base/text.h"

void es_call_begin(struct esp_call *c, const struct es_registry *r, const struct es_plugin *plugin,
                   const struct esp_component *component, enum es_op op, const struct es_authority *who)
{
    *c = (struct esp_call){.registry = r, .plugin = plugin, .component = component, .who = who, .op = op};
    c->deadline_ms = who->deadline_ms ? who->deadline_ms : es_mono_ms() + ES_CALL_DEFAULT_MS;
    es_arena_init(&c->arena, ES_CALL_MAX_TAKEN);
}

void es_call_end(struct esp_call *c)
{
    for (size_t i = 0; i < c->output_count; i++) {
        es_mem_free(c->outputs[i].key);
        es_blob_fini(&c->outputs[i].value);
    }
    free(c->outputs);
    /* The answers themselves are in the arena, so they go before it. */
    for (struct es_answer *a = c->answers; a; a = a->next)
        es_http_response_fini(&a->response);
    es_arena_fini(&c->arena);
    c->outputs = NULL;
    c->output_count = c->output_cap = 0;
    c->answers = NULL;
    c->faults = NULL;
}

int64_t es_call_remaining_ms(const struct esp_call *c)
{
    if (c->who->cancelled && __atomic_load_n(c->who->cancelled, __ATOMIC_RELAXED))
        return 0;
    return c->deadline_ms - es_mono_ms();
}

const char *es_call_provider(const struct esp_call *c)
{
    return c->component ? c->component->name : c->plugin->name;
}

/* ---- texts ---- */

static bool is_control(uint32_t rune)
{
    return rune < 0x20 || (rune >= 0x7F && rune < 0xA0) || rune == 0x2028 || rune == 0x2029;
}

char *es_call_clean_text(char *out, size_t max, esp_bytes text)
{
    const char *s = (const char *)text.ptr;
    size_t used = 0;

    for (size_t i = 0; i < text.len;) {
        uint32_t rune = 0xFFFD;
        char one[4];
        size_t n = es_utf8_decode(s + i, text.len - i, &rune);
        i += n ? n : 1;
        size_t len = es_utf8_encode(is_control(rune) ? ' ' : rune, one);
        if (len > max - 1 - used)
            break;
        memcpy(out + used, one, len);
        used += len;
    }
    out[used] = '\0';
    return out;
}

int es_call_trust(struct esp_call *c, esp_bytes secret)
{
    struct es_trusted *t = es_arena_alloc(&c->arena, sizeof *t);

    if (!t)
        return ES_E_NOMEM;
    *t = (struct es_trusted){secret, c->trusted};
    c->trusted = t;
    return 0;
}

char *es_call_hear(const struct esp_call *c, char *out, size_t max, esp_bytes text)
{
    /* Twice what is ever shown, a log line: a secret that begins in there is
     * seen whole. */
    char raw[8 * ES_CALL_MAX_TEXT];
    size_t len = !text.ptr ? 0 : text.len < sizeof raw ? text.len : sizeof raw;

    if (len)
        memcpy(raw, text.ptr, len);
    for (const struct es_trusted *t = c->trusted; t; t = t->next)
        len = es_hide(raw, len, t->bytes.ptr, t->bytes.len);
    for (size_t i = 0; i < c->value_count; i++)
        len = es_hide(raw, len, c->values[i].value.ptr, c->values[i].value.len);
    es_call_clean_text(out, max, (esp_bytes){(const uint8_t *)raw, len});
    explicit_bzero(raw, sizeof raw);
    return out;
}

/* ---- what the plugin hands out ---- */

static bool grow_outputs(struct esp_call *c)
{
    if (c->output_count < c->output_cap)
        return true;
    size_t cap = c->output_cap ? c->output_cap * 2 : 4;
    /* The array holds no secret, only where the secrets are. */
    struct es_output *more = realloc(c->outputs, cap * sizeof *more);
    if (!more)
        return false;
    c->outputs = more;
    c->output_cap = cap;
    return true;
}

void es_call_refuse_emit(struct esp_call *c, enum es_emit_verdict verdict, int32_t channel)
{
    const char *op = es_op_name(c->op);
    size_t max = es_op_max_outputs(c->op);

    switch (verdict) {
    case ES_EMIT_OK:
        break;
    case ES_EMIT_CHANNEL:
        es_call_breach(c, "emitted on channel %d, which %s does not have", (int)channel, op);
        break;
    case ES_EMIT_ADDRESS:
        es_call_breach(c, "emitted bytes with a length and no address");
        break;
    case ES_EMIT_COUNT:
        es_call_breach(c, "emitted more than %zu result%s from %s", max, max == 1 ? "" : "s", op);
        break;
    case ES_EMIT_BYTES:
        es_call_breach(c, "emitted more than %zu MiB from %s", ES_CALL_MAX_BYTES >> 20, op);
        break;
    case ES_EMIT_NUL:
        es_call_breach(c, "emitted a name that holds a NUL byte from %s", op);
        break;
    }
}

esp_status es_call_emit(struct esp_call *c, int32_t channel, esp_bytes key, esp_bytes value)
{
    struct es_output out = {.channel = channel};

    if (c->failed || c->broken)
        return ESP_E_INTERNAL; /* settled already: nothing that comes now will be used */
    enum es_emit_verdict verdict =
        es_emit_judge(c->op, channel, key, value, c->output_count, c->output_bytes);
    if (verdict != ES_EMIT_OK) {
        es_call_refuse_emit(c, verdict, channel);
        return ESP_E_INTERNAL;
    }
    if (key.len) {
        out.key = es_mem_alloc(key.len + 1);
        if (!out.key)
            goto nomem;
        memcpy(out.key, key.ptr, key.len);
        out.key[key.len] = '\0';
    }
    if (es_blob_set(&out.value, value.ptr, value.len) < 0 || !grow_outputs(c))
        goto nomem;
    c->outputs[c->output_count++] = out;
    c->output_bytes += key.len + value.len;
    return ESP_OK;
nomem:
    es_mem_free(out.key);
    es_blob_fini(&out.value);
    /* Sticky like a breach: a plugin that does not look must not succeed with
     * half a result. */
    if (!c->broken)
        es_error_nomem(&c->breach);
    c->broken = true;
    return ESP_E_INTERNAL;
}

static bool is_failure(esp_status status)
{
    return status <= ESP_E_NOT_FOUND && status >= ESP_E_INTERNAL;
}

esp_status es_call_fail(struct esp_call *c, esp_status status, uint64_t retry_after_ms, esp_bytes why)
{
    /* An hour, like any other advice to wait: a plugin repeats what a backend
     * said, and that must not put a secret to sleep for a year. */
    const uint64_t longest = UINT64_C(3600) * 1000;
    char text[ES_CALL_MAX_TEXT + 1];

    c->failed = true;
    es_error_set(&c->said, is_failure(status) ? status : ES_E_INTERNAL, "%s",
                 es_call_hear(c, text, sizeof text, why));
    if (status == ESP_E_RETRY)
        c->said.retry_after_ms = (int64_t)(retry_after_ms < longest ? retry_after_ms : longest);
    return status == ESP_OK ? ESP_E_INTERNAL : status;
}

/* As meaning_of has it for an operation that is about one secret. */
static int fault_code(const struct esp_call *c, esp_status status)
{
    if (!is_failure(status) || status == ESP_E_UNDECIDED)
        return ES_E_INTERNAL;
    return status == ESP_E_NOT_FOUND && c->service.code == ESP_E_NOT_FOUND ? ES_E_CONFIG : status;
}

void es_call_fail_at(struct esp_call *c, size_t index, esp_status status, esp_bytes why)
{
    char text[ES_CALL_MAX_TEXT + 1];

    if (c->op != ES_OP_GET_BATCH || index >= c->ref_count) {
        es_call_breach(c, "called fail_at from %s for reference %zu of %zu", es_op_name(c->op), index,
                       c->ref_count);
        return;
    }
    struct es_fault *f = es_arena_alloc(&c->arena, sizeof *f);
    es_call_hear(c, text, sizeof text, why);
    const char *copy = f ? es_arena_dup(&c->arena, text, strlen(text)) : NULL;
    if (!copy) {
        es_call_breach(c, "reported more failures than fit in memory");
        return;
    }
    *f = (struct es_fault){.index = index, .code = fault_code(c, status), .why = copy};
    f->next = c->faults;
    c->faults = f;
}

/* ---- what went wrong ---- */

/* The ABI has no words for the core's own codes. What a repetition may cure
 * is RETRY, all else a defect that no edit of the spec changes. */
static esp_status status_of(int code)
{
    switch (code) {
    case ES_E_CONFLICT:
    case ES_E_GONE:
        return ESP_E_RETRY;
    case ES_E_INVALID:
        return ESP_E_CONFIG;
    default:
        return code <= ES_E_NOT_FOUND && code >= ES_E_INTERNAL ? code : ESP_E_INTERNAL;
    }
}

esp_status es_call_lost(struct esp_call *c, const struct es_error *err)
{
    c->failed = true;
    c->broken = false;
    c->said = *err;
    return status_of(err->code);
}

esp_status es_call_service_failed(struct esp_call *c, const struct es_error *err)
{
    c->service = *err;
    c->service.code = status_of(err->code);
    return c->service.code;
}

esp_status es_call_service_error(struct esp_call *c, int code, const char *fmt, ...)
{
    struct es_error err = ES_ERROR_INIT;
    char text[ES_ERROR_TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    es_error_set(&err, code, "%s", text);
    return es_call_service_failed(c, &err);
}

esp_status es_call_breach(struct esp_call *c, const char *fmt, ...)
{
    char text[ES_ERROR_TEXT_MAX / 2];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    if (!c->broken)
        es_error_set(&c->breach, ES_E_INTERNAL, "the %s plugin %s", c->plugin->name, text);
    c->broken = true;
    return ESP_E_INTERNAL;
}

/* For a plugin that fails and does not say why. */
static int default_sentence(const struct esp_call *c, const char *op, esp_status status, struct es_error *err)
{
    switch (status) {
    case ESP_E_NOT_FOUND:
        return es_error_set(err, status, "Secret does not exist");
    case ESP_E_UNDECIDED:
        return es_error_set(err, status, "%s", "");
    case ESP_E_CANCELLED:
        return es_error_set(err, status, "%s of the %s provider was stopped: %s", op, es_call_provider(c),
                            es_call_remaining_ms(c) > 0 ? "cancelled" : "the time for it is over");
    case ESP_E_UNSUPPORTED:
        return es_error_set(err, status, "%s is not supported by the %s provider", op, es_call_provider(c));
    default:
        return es_error_set(err, status, "%s of the %s provider failed without a reason (%s)", op,
                            es_call_provider(c), es_code_name(status));
    }
}

int es_call_fault_error(const struct esp_call *c, const struct es_fault *f, struct es_error *err)
{
    return *f->why ? es_error_set(err, f->code, "%s", f->why)
                   : default_sentence(c, es_op_name(ES_OP_GET), f->code, err);
}

static int settle_success(const struct esp_call *c, struct es_error *err)
{
    if (c->broken)
        return es_error_set(err, c->breach.code, "%s", c->breach.text);
    if (c->failed)
        return es_error_set(err, ES_E_INTERNAL, "the plugin reported success after a failure: %s",
                            c->said.text);
    return 0;
}

/* Which statuses an operation may end with, and what others come down to.
 *
 * UNDECIDED is an answer only where a referent ClusterSecretStore may be looked
 * at without anybody who uses it.
 *
 * NOT_FOUND deletes Secrets (deletionPolicy), so it has to be about the remote
 * secret. It is not when an operation that is about no remote secret says so,
 * nor when the last thing that failed was a read of the store's own credentials
 * and the plugin passed that status on. */
static int meaning_of(const struct esp_call *c, esp_status status)
{
    bool about_store = c->op == ES_OP_VALIDATE || c->op == ES_OP_OPEN;
    bool about_secret = c->op >= ES_OP_GET;

    if (status == ESP_E_UNDECIDED && !about_store)
        return ES_E_INTERNAL;
    if (status == ESP_E_NOT_FOUND && (!about_secret || c->service.code == ESP_E_NOT_FOUND))
        return ES_E_CONFIG;
    return status;
}

/* "failed to parse url: " is continued by what the service said that failed. */
static const char *rest_of(const struct esp_call *c)
{
    size_t len = strlen(c->said.text);
    return c->service.code && len > 2 && memcmp(c->said.text + len - 2, ": ", 2) == 0 ? c->service.text : "";
}

static int settle_said(const struct esp_call *c, int code, struct es_error *err)
{
    const char *rest = rest_of(c);

    es_error_set(err, code, "%s%s", c->said.text, rest);
    if (!err)
        return code;
    if (code == ES_E_RETRY)
        err->retry_after_ms =
            *rest && !c->said.retry_after_ms ? c->service.retry_after_ms : c->said.retry_after_ms;
    if (*rest)
        err->http_status = c->service.http_status;
    return code;
}

int es_call_settle(const struct esp_call *c, esp_status status, struct es_error *err)
{
    if (status == ESP_OK)
        return settle_success(c, err);
    if (!is_failure(status))
        return es_error_set(err, ES_E_INTERNAL, "the %s plugin returned the unknown status %d from %s%s%s",
                            c->plugin->name, (int)status, es_op_name(c->op), c->failed ? ": " : "",
                            c->failed ? c->said.text : "");
    int code = meaning_of(c, status);
    if (c->failed && c->said.text[0])
        return settle_said(c, code, err);
    if (c->broken)
        return es_error_set(err, code, "%s", c->breach.text);
    /* A referent credential without a consumer is no trouble worth a sentence; a store that
     * cannot be asked whether it works is. */
    if (c->service.code && (code != ES_E_UNDECIDED || c->service.code != ESP_E_UNDECIDED)) {
        es_error_set(err, code, "%s", c->service.text);
        if (err) {
            err->http_status = c->service.http_status;
            err->retry_after_ms = code == ES_E_RETRY ? c->service.retry_after_ms : 0;
        }
        return code;
    }
    return default_sentence(c, es_op_name(c->op), code, err);
}
