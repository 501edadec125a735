#include "core/runner/host.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "core/runner/lane.h"
#include "core/wire/tables.h"

/* A little more than the core keeps of a text: 1 KiB, of characters that may take
 * three bytes to be one. */
#define TEXT_SENT ((size_t)4096)

/* More than that waits no longer for the end of the operation. */
#define SEND_AT ((size_t)64 << 10)

static esp_bytes cut(esp_bytes text, size_t max)
{
    if (!text.ptr)
        text.len = 0;
    if (text.len > max)
        text.len = max;
    return text;
}

static bool is_failure(esp_status status)
{
    return status <= ESP_E_NOT_FOUND && status >= ESP_E_INTERNAL;
}

/* ---- what needs no answer ---- */

static void send_some(struct esp_call *c)
{
    if (c->link->out_len >= SEND_AT)
        es_lane_send(c->link);
}

static esp_status host_emit(struct esp_call *c, int32_t channel, esp_bytes key, esp_bytes value)
{
    if (c->failed || c->broken)
        return ESP_E_INTERNAL;
    enum es_emit_verdict verdict =
        es_emit_judge(c->asked.op, channel, key, value, c->output_count, c->output_bytes);
    if (verdict != ES_EMIT_OK) {
        c->broken = true;
        es_put_begin(c->link, ES_MSG_REFUSED_EMIT);
        es_put_u32(c->link, (uint32_t)verdict);
        es_put_u32(c->link, (uint32_t)channel);
        es_put_end(c->link);
        return ESP_E_INTERNAL;
    }
    es_put_begin(c->link, ES_MSG_EMIT);
    es_put_u32(c->link, (uint32_t)channel);
    es_put_bytes(c->link, key);
    es_put_bytes(c->link, value);
    es_put_end(c->link);
    c->output_count++;
    c->output_bytes += key.len + value.len;
    if (c->link->failed) { /* no memory: the lane will say so */
        c->broken = true;
        return ESP_E_INTERNAL;
    }
    send_some(c);
    return ESP_OK;
}

static esp_status host_fail(struct esp_call *c, esp_status status, uint64_t retry_after_ms, esp_bytes why)
{
    c->failed = true;
    es_put_begin(c->link, ES_MSG_FAIL);
    es_put_u32(c->link, (uint32_t)status);
    es_put_u64(c->link, retry_after_ms);
    es_put_bytes(c->link, cut(why, TEXT_SENT));
    es_put_end(c->link);
    send_some(c);
    return status == ESP_OK ? ESP_E_INTERNAL : status;
}

static void host_fail_at(struct esp_call *c, size_t index, esp_status status, esp_bytes why)
{
    es_put_begin(c->link, ES_MSG_FAIL_AT);
    es_put_u64(c->link, index);
    es_put_u32(c->link, (uint32_t)(is_failure(status) ? status : ESP_E_INTERNAL));
    es_put_bytes(c->link, cut(why, TEXT_SENT));
    es_put_end(c->link);
    send_some(c);
}

static void host_log(struct esp_call *c, int32_t level, esp_bytes line)
{
    if (level < ESP_LOG_ERROR || level > ESP_LOG_DEBUG)
        level = ESP_LOG_INFO;
    if ((uint32_t)level > c->asked.log_level || c->log_lines > ES_CALL_MAX_LOG_LINES)
        return;
    c->log_lines++;
    es_put_begin(c->link, ES_MSG_LOG);
    es_put_u32(c->link, (uint32_t)level);
    es_put_bytes(c->link, cut(line, 4 * TEXT_SENT));
    es_put_end(c->link);
    send_some(c);
}

/* ---- time and chance ---- */

static int64_t clock_ms(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* While an operation runs and asks nothing, the core has one thing to say. */
static int64_t host_remaining_ms(struct esp_call *c)
{
    struct es_frame frame = {0};

    if (!c->cancelled && es_link_pending(c->link)) {
        es_lane_read(c->link, &frame);
        if (frame.type != ES_MSG_CANCEL)
            es_lane_protest();
        c->cancelled = true;
        es_frame_fini(&frame);
    }
    return c->cancelled ? 0 : c->asked.deadline_ms - clock_ms(CLOCK_MONOTONIC);
}

static int64_t host_now_unix_ms(struct esp_call *c)
{
    (void)c;
    return clock_ms(CLOCK_REALTIME);
}

static esp_status host_random(struct esp_call *c, uint8_t *out, size_t len)
{
    (void)c;
    while (len) {
        ssize_t n = getrandom(out, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return ESP_E_INTERNAL;
        out += n;
        len -= (size_t)n;
    }
    return ESP_OK;
}

/* ---- what the core does ---- */

/* Sends the question that was put and waits for its answer, which is kept.
 * NULL: no memory here, and nothing was asked. */
static struct es_kept *ask(struct esp_call *c)
{
    struct es_kept *kept = calloc(1, sizeof *kept);

    if (!kept || c->link->failed) {
        free(kept);
        es_lane_no_memory(c->link);
        return NULL;
    }
    es_lane_send(c->link);
    do {
        es_frame_fini(&kept->frame);
        es_lane_read(c->link, &kept->frame);
        if (kept->frame.type == ES_MSG_CANCEL)
            c->cancelled = true;
    } while (kept->frame.type == ES_MSG_CANCEL);
    if (kept->frame.type != ES_MSG_REPLY)
        es_lane_protest();
    kept->next = c->kept;
    c->kept = kept;
    return kept;
}

/* For the services that answer with bytes. */
static esp_status ask_bytes(struct esp_call *c, esp_bytes *out)
{
    struct es_kept *kept = ask(c);

    if (!kept)
        return ESP_E_INTERNAL;
    esp_status status = (esp_status)es_get_u32(&kept->frame);
    esp_bytes bytes = status == ESP_OK ? es_get_bytes(&kept->frame) : (esp_bytes){0};
    if (!es_get_done(&kept->frame))
        es_lane_protest();
    if (status == ESP_OK)
        *out = bytes;
    return status;
}

static esp_status host_http(struct esp_call *c, const struct esp_http_request *request,
                            struct esp_http_response *response)
{
    /* A struct that is too short is for the core to complain about. */
    const struct esp_http_request short_one = {.size = request->size};
    const struct esp_http_request *q = request->size >= ES_HTTP_REQUEST_V1_SIZE ? request : &short_one;

    es_put_http_request(c->link, q, response->size);
    struct es_kept *kept = ask(c);
    if (!kept)
        return ESP_E_INTERNAL;
    esp_status status = (esp_status)es_get_u32(&kept->frame);
    if (status != ESP_OK)
        return status;
    struct esp_http_response got = {.size = sizeof got};
    kept->headers = malloc(ES_WIRE_MAX_HEADERS * sizeof *kept->headers);
    if (!kept->headers)
        return ESP_E_INTERNAL;
    if (!es_get_http_response(&kept->frame, &got, kept->headers) || response->size < ES_HTTP_RESPONSE_V1_SIZE)
        es_lane_protest();
    response->status = got.status;
    response->headers = got.headers;
    response->header_count = got.header_count;
    response->body = got.body;
    return ESP_OK;
}

static esp_status host_kube_read(struct esp_call *c, int32_t what, esp_bytes ns, esp_bytes name,
                                 esp_bytes key, esp_bytes *out)
{
    es_put_begin(c->link, ES_MSG_KUBE_READ);
    es_put_u32(c->link, (uint32_t)what);
    es_put_bytes(c->link, cut(ns, TEXT_SENT));
    es_put_bytes(c->link, cut(name, TEXT_SENT));
    es_put_bytes(c->link, cut(key, TEXT_SENT));
    es_put_end(c->link);
    return ask_bytes(c, out);
}

static esp_status host_sa_token(struct esp_call *c, esp_bytes ns, esp_bytes account,
                                const esp_bytes *audiences, size_t count, uint32_t ttl_s, esp_bytes *out)
{
    size_t sent = count < ES_WIRE_MAX_AUDIENCES ? count : ES_WIRE_MAX_AUDIENCES;

    es_put_begin(c->link, ES_MSG_SA_TOKEN);
    es_put_bytes(c->link, cut(ns, TEXT_SENT));
    es_put_bytes(c->link, cut(account, TEXT_SENT));
    es_put_u32(c->link, ttl_s);
    es_put_u32(c->link, (uint32_t)sent);
    for (size_t i = 0; i < sent; i++)
        es_put_bytes(c->link, cut(audiences[i], TEXT_SENT));
    es_put_end(c->link);
    return ask_bytes(c, out);
}

static esp_status host_ambient(struct esp_call *c, int32_t what, esp_bytes name, esp_bytes *out)
{
    es_put_begin(c->link, ES_MSG_AMBIENT);
    es_put_u32(c->link, (uint32_t)what);
    es_put_bytes(c->link, cut(name, 32 * TEXT_SENT));
    es_put_end(c->link);
    return ask_bytes(c, out);
}

static esp_status host_render(struct esp_call *c, esp_bytes text, esp_bytes data, esp_bytes *out)
{
    es_put_begin(c->link, ES_MSG_RENDER);
    es_put_bytes(c->link, cut(text, ES_CALL_MAX_BYTES + 1));
    es_put_bytes(c->link, cut(data, ES_CALL_MAX_BYTES + 1));
    es_put_end(c->link);
    return ask_bytes(c, out);
}

#if ESP_ABI_MINOR >= 1
/* The core waits: it knows first when nobody wants the result any more. */
static esp_status host_wait(struct esp_call *c, uint32_t ms)
{
    es_put_begin(c->link, ES_MSG_WAIT);
    es_put_u32(c->link, ms);
    es_put_end(c->link);
    struct es_kept *kept = ask(c);
    if (!kept)
        return ESP_E_INTERNAL;
    esp_status status = (esp_status)es_get_u32(&kept->frame);
    if (!es_get_done(&kept->frame))
        es_lane_protest();
    return status;
}
#endif

void es_call_forget(struct esp_call *c)
{
    while (c->kept) {
        struct es_kept *next = c->kept->next;
        es_frame_fini(&c->kept->frame);
        free(c->kept->headers);
        free(c->kept);
        c->kept = next;
    }
}

const struct esp_host es_runner_host = {
    .size = sizeof es_runner_host,
    .abi_major = ESP_ABI_MAJOR,
    .abi_minor = ESP_ABI_MINOR,
    .emit = host_emit,
    .fail = host_fail,
    .fail_at = host_fail_at,
    .log = host_log,
    .remaining_ms = host_remaining_ms,
    .now_unix_ms = host_now_unix_ms,
    .random = host_random,
    .http = host_http,
    .kube_read = host_kube_read,
    .sa_token = host_sa_token,
    .ambient = host_ambient,
    .render = host_render,
#if ESP_ABI_MINOR >= 1
    .wait = host_wait,
#endif
};
