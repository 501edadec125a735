#include "core/check/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/text.h"
#include "core/check/check.h"
#include "core/check/guard.h"
#include "core/check/heap.h"
#include "core/check/plant.h"
#include "core/check/trial.h"
#include "core/plugin/host.h"

/* Who asks once more after it was told to stop has not seen it yet. Who asks so
 * often never will. */
#define MAX_TOO_LATE 20
#define WAIT_NS 20000000

static bool looks_for_secrets, is_live;

void es_watch_secrets(bool on)
{
    looks_for_secrets = on;
}

void es_watch_live(bool on)
{
    is_live = on;
}

/* ---- coming in and going out ---- */

/* NULL: this is no call in flight on this thread, and the plugin was told off. */
static struct es_trial *enter(struct esp_call *call, const char *service, bool *ret_paused)
{
    struct es_trial *t = es_trial_current();

    *ret_paused = es_heap_pause();
    if (t && call == &t->call)
        return t;
    if (t)
        es_check_fail("%s was called with a call that is not the one in flight", service);
    else
        es_check_fail("%s was called on a thread, or at a time, that has no call", service);
    es_heap_resume(*ret_paused);
    return NULL;
}

static void look_at(const struct es_trial *t, const char *sink, esp_bytes text, unsigned without)
{
    const char *form, *what = looks_for_secrets ? es_plant_found(text, without, &form) : NULL;
    if (what)
        es_check_fail("%s of component %s put %s, %s, into %s", es_trial_op(t), es_trial_name(t), what, form,
                      sink);
}

/* A service that talks: has the plugin been told to stop before? */
static void count_talk(struct es_trial *t, const char *service)
{
    if (!t->told_to_stop || ++t->talks_too_late < MAX_TOO_LATE)
        return;
    es_check_fail("%s of component %s goes on: it called %s %d times after it had been told that the call is "
                  "cancelled",
                  es_trial_op(t), es_trial_name(t), service, MAX_TOO_LATE);
    es_check_done(); /* it will not come back */
}

/* As a caller would be treated whose object is deleted while it waits. */
static esp_status wait_and_cancel(struct es_trial *t, const char *service)
{
    const struct timespec moment = {.tv_nsec = WAIT_NS};

    nanosleep(&moment, NULL);
    __atomic_store_n(&t->store->cancelled, true, __ATOMIC_RELAXED);
    return es_call_service_error(&t->call, ES_E_CANCELLED, "%s was cancelled", service);
}

static esp_status note(struct es_trial *t, esp_status status)
{
    if (status == ESP_E_CANCELLED)
        t->told_to_stop = true;
    if (status == ESP_E_DENIED && !*t->denied)
        snprintf(t->denied, sizeof t->denied, "%s", t->call.service.text);
    return status;
}

/* ---- what goes out of the plugin ---- */

static esp_status watch_emit(struct esp_call *call, int32_t channel, esp_bytes key, esp_bytes value)
{
    bool paused;
    struct es_trial *t = enter(call, "emit", &paused);

    if (!t)
        return ESP_E_INTERNAL;
    /* A name may well come from the backend's answer, and a value is what is asked for. */
    look_at(t, "the name of a result", key, 1u << ES_PLANT_BODY);
    if (channel == ESP_OUT_WARNING)
        look_at(t, "a warning", value, 0);
    if (call->failed)
        t->emits_after_fail++;
    if (t->emits >= t->emits_allowed)
        t->emits_after_stop++;
    esp_status status =
        t->emits++ < t->emits_allowed ? es_call_emit(call, channel, key, value) : ESP_E_INTERNAL;
    es_heap_resume(paused);
    return status;
}

static esp_status watch_fail(struct esp_call *call, esp_status status, uint64_t retry_after_ms, esp_bytes why)
{
    bool paused;
    struct es_trial *t = enter(call, "fail", &paused);

    if (!t)
        return status;
    look_at(t, "the text of fail", why, 0);
    status = es_call_fail(call, status, retry_after_ms, why);
    es_heap_resume(paused);
    return status;
}

static void watch_fail_at(struct esp_call *call, size_t index, esp_status status, esp_bytes why)
{
    bool paused;
    struct es_trial *t = enter(call, "fail_at", &paused);

    if (!t)
        return;
    look_at(t, "the text of fail_at", why, 0);
    es_call_fail_at(call, index, status, why);
    es_heap_resume(paused);
}

/* The core's own would print it, which is of no use to anybody here. */
static void watch_log(struct esp_call *call, int32_t level, esp_bytes line)
{
    bool paused;
    struct es_trial *t = enter(call, "log", &paused);

    (void)level;
    if (!t)
        return;
    look_at(t, "a log line", line, 0);
    es_heap_resume(paused);
}

/* ---- time and chance ---- */

static int64_t watch_remaining_ms(struct esp_call *call)
{
    bool paused;
    int64_t ms = enter(call, "remaining_ms", &paused) ? es_call_remaining_ms(call) : 0;
    es_heap_resume(paused);
    return ms;
}

static int64_t watch_now_unix_ms(struct esp_call *call)
{
    bool paused;
    int64_t ms = enter(call, "now_unix_ms", &paused) ? es_host_table.now_unix_ms(call) : 0;
    es_heap_resume(paused);
    return ms;
}

static esp_status watch_random(struct esp_call *call, uint8_t *out, size_t len)
{
    bool paused;
    esp_status status =
        enter(call, "random", &paused) ? (es_host_table.random)(call, out, len) : ESP_E_INTERNAL;
    es_heap_resume(paused);
    return status;
}

/* Cut short, so that a check does not take as long as the patience of the plugin; but not
 * to nothing, or a loop that waits for its deadline would spin. */
static esp_status watch_wait(struct esp_call *call, uint32_t ms)
{
    bool paused;
    struct es_trial *t = enter(call, "wait", &paused);

    if (!t)
        return ESP_E_INTERNAL;
    count_talk(t, "wait");
    bool in_vain = ms >= es_call_remaining_ms(call);
    esp_status status = t->store->script->cancels ? wait_and_cancel(t, "wait")
                                                  : es_host_table.wait(call, is_live || in_vain ? ms : 1);
    status = note(t, status);
    es_heap_resume(paused);
    return status;
}

/* ---- what comes in ---- */

/* A struct says more than it has: a newer core would write behind it. */
static void check_size(const struct es_trial *t, const char *what, uint32_t size, size_t ours)
{
    if (size > ours && t->call.plugin->abi_minor <= ESP_ABI_MINOR)
        es_check_fail("%s of component %s passed an %s that says it is %u bytes long; that of ABI %u.%u has "
                      "%zu, and a newer core would use the rest",
                      es_trial_op(t), es_trial_name(t), what, size, ESP_ABI_MAJOR, ESP_ABI_MINOR, ours);
}

/* The core's own function judges the request. Here it has no transport, so a request
 * that is in order gets as far as that. */
static esp_status ask_http(struct es_trial *t, const struct esp_http_request *request,
                           struct esp_http_response *response)
{
    struct esp_call *call = &t->call;
    const struct es_script *script = t->store->script;

    esp_status status = es_host_http(call, request, response);
    if (is_live || status != ESP_E_UNSUPPORTED ||
        (request->flags & ~(ESP_HTTP_FOLLOW | ESP_HTTP_INSECURE | ESP_HTTP_NTLM)))
        return status;
    call->service.code = 0;
    t->http_calls++;
    return script->cancels ? wait_and_cancel(t, "http") : es_script_answer(call, script, response);
}

static esp_status watch_http(struct esp_call *call, const struct esp_http_request *request,
                             struct esp_http_response *response)
{
    bool paused;
    struct es_trial *t = enter(call, "http", &paused);

    if (!t)
        return ESP_E_INTERNAL;
    count_talk(t, "http");
    check_size(t, "esp_http_request", request->size, sizeof *request);
    check_size(t, "esp_http_response", response->size, sizeof *response);
    look_at(t, "the metric label `api`", request->api, 0);
    esp_status status = note(t, ask_http(t, request, response));
    es_heap_resume(paused);
    return status;
}

/* The same bytes, but with nothing readable behind them. */
static esp_status hand_out(struct es_trial *t, esp_status status, esp_bytes got, esp_bytes *out)
{
    if (status == ESP_OK)
        *out = es_trial_keep(t, got.ptr, got.len);
    return status;
}

static esp_status watch_kube_read(struct esp_call *call, int32_t what, esp_bytes ns, esp_bytes name,
                                  esp_bytes key, esp_bytes *out)
{
    esp_bytes got = {0};
    bool paused;
    struct es_trial *t = enter(call, "kube_read", &paused);

    if (!t)
        return ESP_E_INTERNAL;
    count_talk(t, "kube_read");
    esp_status status = es_host_table.kube_read(call, what, ns, name, key, &got);
    if (status == ESP_OK && t->store->script->cancels)
        status = wait_and_cancel(t, "kube_read");
    status = hand_out(t, note(t, status), got, out);
    es_heap_resume(paused);
    return status;
}

static esp_status watch_sa_token(struct esp_call *call, esp_bytes ns, esp_bytes account,
                                 const esp_bytes *audiences, size_t count, uint32_t ttl_s, esp_bytes *out)
{
    esp_bytes got = {0};
    bool paused;
    struct es_trial *t = enter(call, "sa_token", &paused);

    if (!t)
        return ESP_E_INTERNAL;
    count_talk(t, "sa_token");
    esp_status status = es_host_table.sa_token(call, ns, account, audiences, count, ttl_s, &got);
    if (status == ESP_OK && t->store->script->cancels)
        status = wait_and_cancel(t, "sa_token");
    status = hand_out(t, note(t, status), got, out);
    es_heap_resume(paused);
    return status;
}

static bool has_word(esp_bytes name, const char *word)
{
    size_t len = strlen(word);

    for (size_t at = 0; at + len <= name.len; at++)
        if (strncasecmp((const char *)name.ptr + at, word, len) == 0)
            return true;
    return false;
}

static bool has_one_of(esp_bytes name, const char *const *words)
{
    for (; *words; words++)
        if (has_word(name, *words))
            return true;
    return false;
}

/* AWS_REGION is no secret, AWS_SECRET_ACCESS_KEY is. AWS_SECRETSMANAGER_ENDPOINT is none, and what is in the
 * file that AWS_WEB_IDENTITY_TOKEN_FILE names is one. */
static bool sounds_secret(int32_t what, esp_bytes name)
{
    static const char *const secrets[] = {"SECRET", "TOKEN", "PASSWORD", "CREDENTIAL", "PRIVATE", NULL};
    static const char *const places[] = {"_ENDPOINT", "_URL", "_URI", "_FILE", NULL};

    return has_one_of(name, secrets) && (what == ESP_AMBIENT_FILE || !has_one_of(name, places));
}

static esp_status watch_ambient(struct esp_call *call, int32_t what, esp_bytes name, esp_bytes *out)
{
    esp_bytes got = {0};
    bool paused;
    struct es_trial *t = enter(call, "ambient", &paused);

    if (!t)
        return ESP_E_INTERNAL;
    esp_status status = note(t, es_host_table.ambient(call, what, name, &got));
    bool listed = status == ESP_OK || status == ESP_E_NOT_FOUND || status == ESP_E_CONFIG;
    if (!is_live && listed && sounds_secret(what, name)) {
        call->service.code = 0;
        got = (esp_bytes){(const uint8_t *)es_plant(ES_PLANT_AMBIENT), strlen(es_plant(ES_PLANT_AMBIENT))};
        status = ESP_OK;
    }
    status = hand_out(t, status, got, out);
    es_heap_resume(paused);
    return status;
}

static esp_status watch_render(struct esp_call *call, esp_bytes text, esp_bytes data, esp_bytes *out)
{
    esp_bytes got = {0};
    bool paused;
    struct es_trial *t = enter(call, "render", &paused);

    if (!t)
        return ESP_E_INTERNAL;
    esp_status status = hand_out(t, es_host_table.render(call, text, data, &got), got, out);
    es_heap_resume(paused);
    return status;
}

/* ---- tables ---- */

static const struct esp_host today = {
    .size = sizeof today,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .emit = watch_emit,
    .fail = watch_fail,
    .fail_at = watch_fail_at,
    .log = watch_log,
    .remaining_ms = watch_remaining_ms,
    .now_unix_ms = watch_now_unix_ms,
    .random = watch_random,
    .http = watch_http,
    .kube_read = watch_kube_read,
    .sa_token = watch_sa_token,
    .ambient = watch_ambient,
    .render = watch_render,
    .wait = watch_wait,
};

/* Written with the last field of each minor, so that they stay what they are. */
static const size_t sizes[] = {offsetof(struct esp_host, render) + sizeof(void *),
                               offsetof(struct esp_host, wait) + sizeof(void *)};
_Static_assert(sizeof sizes / sizeof *sizes == ESP_ABI_MINOR + 1,
               "a minor without its size of the host table");

size_t es_watch_size_of(unsigned minor)
{
    return sizes[minor];
}

const struct esp_host *es_watch_table(const struct es_watch_host *host)
{
    size_t known = host->size < sizeof today ? host->size : sizeof today;
    size_t header = offsetof(struct esp_host, emit);
    struct es_guard place;

    es_guard_init(&place, NULL, host->size);
    memset(place.ptr, 0xA5, host->size);
    memcpy(place.ptr, &today, known);
    struct esp_host *table = place.ptr;
    table->size = (uint32_t)host->size;
    table->abi_major = host->major;
    table->abi_minor = host->minor;
    if (host->no_services)
        memset((char *)table + header, 0, known - header);
    return table;
}

const struct esp_host *es_watch_today(void)
{
    return es_watch_table(
        &(struct es_watch_host){.major = ESP_ABI_MAJOR, .minor = ESP_ABI_MINOR, .size = sizeof today});
}
