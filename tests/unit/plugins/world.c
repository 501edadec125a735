#include "world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

/* ---- what services hand out ---- */

struct handed {
    struct handed *next;
    size_t size;
    uint8_t bytes[];
};

static void *hand_out(struct esp_call *call, size_t size)
{
    test_in_host = true;
    struct handed *h = calloc(1, sizeof *h + size + 1);
    test_in_host = false;
    assert_non_null(h);
    h->size = size;
    h->next = call->handed;
    call->handed = h;
    return h->bytes;
}

static esp_bytes hand_out_text(struct esp_call *call, const char *text, size_t len)
{
    return (esp_bytes){memcpy(hand_out(call, len), text, len), len};
}

esp_bytes test_give(struct esp_call *call, esp_bytes bytes)
{
    return hand_out_text(call, bytes.len ? (const char *)bytes.ptr : "", bytes.len);
}

void test_world_forget(struct esp_call *call)
{
    while (call->handed) {
        struct handed *h = call->handed;
        call->handed = h->next;
        memset(h->bytes, 0xDD, h->size);
        free(h);
    }
}

static esp_status refuse(struct esp_call *call, esp_status status, const char *why)
{
    snprintf(call->why, sizeof call->why, "%s", why);
    call->failed_with = status;
    return status;
}

static bool is(esp_bytes bytes, const char *text)
{
    return bytes.len == strlen(text) &&
           memcmp(bytes.len ? (const char *)bytes.ptr : "", text, bytes.len) == 0;
}

/* ---- clock, chance, log ---- */

void test_world_log(struct esp_call *call, int32_t level, esp_bytes line)
{
    (void)call;
    (void)level;
    (void)line;
}

int64_t test_world_remaining_ms(struct esp_call *call)
{
    struct world *w = call->world;
    int64_t from_start = w && w->remaining_ms ? w->remaining_ms : 30000;
    return w ? from_start - __atomic_load_n(&w->waited_ms, __ATOMIC_RELAXED) : from_start;
}

int64_t test_world_now_unix_ms(struct esp_call *call)
{
    return call->world ? __atomic_load_n(&call->world->now_ms, __ATOMIC_RELAXED) : 0;
}

#if ESP_ABI_MINOR >= 1
esp_status test_world_wait(struct esp_call *call, uint32_t ms)
{
    struct world *w = call->world;
    if (!w)
        return ESP_E_UNSUPPORTED;
    if (ms >= test_world_remaining_ms(call))
        return refuse(call, ESP_E_CANCELLED, "the deadline would come first");
    __atomic_add_fetch(&w->waited_ms, ms, __ATOMIC_RELAXED);
    __atomic_add_fetch(&w->now_ms, ms, __ATOMIC_RELAXED);
    return ESP_OK;
}
#endif

esp_status test_world_random(struct esp_call *call, uint8_t *out, size_t len)
{
    (void)call;
    for (size_t i = 0; i < len; i++)
        out[i] = (uint8_t)(i * 37 + 11);
    return ESP_OK;
}

/* ---- HTTP ---- */

const esp_pair *test_header(const struct esp_http_request *request, const char *name)
{
    for (size_t i = 0; i < request->header_count; i++) {
        const esp_pair *h = &request->headers[i];
        if (h->name.len == strlen(name) && strncasecmp((const char *)h->name.ptr, name, h->name.len) == 0)
            return h;
    }
    return NULL;
}

/* The next "name: value" of a text in lines; false at its end. */
static bool next_line(const char **at, char name[256], char value[4096])
{
    const char *line = *at;
    if (!line || !*line)
        return false;
    size_t len = strcspn(line, "\n");
    const char *colon = memchr(line, ':', len);
    size_t name_len = colon ? (size_t)(colon - line) : len;
    snprintf(name, 256, "%.*s", (int)name_len, line);
    const char *rest = colon ? colon + 1 : line + len;
    rest += *rest == ' ';
    snprintf(value, 4096, "%.*s", (int)(line + len - rest), rest);
    *at = line[len] ? line + len + 1 : line + len;
    return true;
}

esp_status test_answer(struct esp_call *call, struct esp_http_response *response, int32_t status,
                       const char *headers, const char *body)
{
    char name[256], value[4096];
    size_t count = 0;
    for (const char *at = headers; next_line(&at, name, value);)
        count++;
    esp_pair *pairs = hand_out(call, count * sizeof *pairs);
    count = 0;
    for (const char *at = headers; next_line(&at, name, value); count++)
        pairs[count] =
            (esp_pair){hand_out_text(call, name, strlen(name)), hand_out_text(call, value, strlen(value))};
    response->status = status;
    response->headers = pairs;
    response->header_count = count;
    response->body = hand_out_text(call, body ? body : "", body ? strlen(body) : 0);
    return ESP_OK;
}

static void compare(const char *what, esp_bytes got, const char *want)
{
    if (want && !is(got, want))
        fail_msg("%s is %.*s\n       not %s", what, (int)got.len, (const char *)got.ptr, want);
}

static void compare_headers(const struct esp_http_request *request, const char *want)
{
    char name[256], value[4096];
    while (next_line(&want, name, value)) {
        const esp_pair *h = test_header(request, name[0] == '!' ? name + 1 : name);
        if (name[0] == '!' && h)
            fail_msg("there is a header %s", name + 1);
        if (name[0] != '!' && !h)
            fail_msg("there is no header %s", name);
        if (h)
            compare(name, h->value, value);
    }
}

static esp_status follow_script(struct world *w, struct esp_call *call,
                                const struct esp_http_request *request, struct esp_http_response *response)
{
    if (w->script_at == w->script_count)
        fail_msg("nobody expected %.*s %.*s", (int)request->method.len, (const char *)request->method.ptr,
                 (int)request->url.len, (const char *)request->url.ptr);
    const struct exchange *x = &w->script[w->script_at++];
    compare("the URL", request->url, x->url);
    compare("the method", request->method, x->method);
    compare("the body", request->body, x->body);
    compare_headers(request, x->headers);
    return x->fails != ESP_OK ? refuse(call, x->fails, "the transport failed")
                              : test_answer(call, response, x->status, x->answer_headers, x->answer);
}

esp_status test_world_http(struct esp_call *call, const struct esp_http_request *request,
                           struct esp_http_response *response)
{
    struct world *w = call->world;
    if (!w)
        return ESP_E_UNSUPPORTED;
    assert_true(request->size >= sizeof *request && response->size >= sizeof *response);
    __atomic_add_fetch(&w->requests, 1, __ATOMIC_RELAXED);
    if (test_world_remaining_ms(call) <= 0)
        return refuse(call, ESP_E_CANCELLED, "the deadline has passed");
    return w->http ? w->http(w, call, request, response) : follow_script(w, call, request, response);
}

void test_script_done(const struct world *world)
{
    if (world->script_at != world->script_count)
        fail_msg("%zu of %zu requests came, not %s", world->script_at, world->script_count,
                 world->script[world->script_at].url);
}

/* ---- the cluster and the process ---- */

static esp_status answer_object(struct esp_call *call, const struct object *o, esp_bytes *out)
{
    if (!o->value)
        return refuse(call, o->refused, "refused by the test's world");
    *out = hand_out_text(call, o->value, strlen(o->value));
    return ESP_OK;
}

/* The namespace that counts; NULL when nobody uses the store yet. */
static const char *in_namespace(struct esp_call *call, esp_bytes ns, char text[256])
{
    if (ns.len == 0)
        return call->world->namespace;
    snprintf(text, 256, "%.*s", (int)ns.len, (const char *)ns.ptr);
    return text;
}

esp_status test_world_kube_read(struct esp_call *call, int32_t what, esp_bytes ns, esp_bytes name,
                                esp_bytes key, esp_bytes *out)
{
    char text[256];
    if (!call->world)
        return ESP_E_UNSUPPORTED;
    const char *where = in_namespace(call, ns, text);
    if (!where)
        return refuse(call, ESP_E_UNDECIDED, "nobody uses the store yet");
    for (const struct object *o = call->world->objects; o && o->name; o++)
        if (o->what == what && strcmp(o->ns, where) == 0 && is(name, o->name) && is(key, o->key))
            return answer_object(call, o, out);
    return refuse(call, ESP_E_NOT_FOUND, "the test's world has no such object");
}

static void join(char text[1024], const esp_bytes *audiences, size_t count)
{
    size_t len = 0;
    text[0] = 0;
    for (size_t i = 0; i < count; i++)
        len += (size_t)snprintf(text + len, 1024 - len, "%s%.*s", i ? "," : "", (int)audiences[i].len,
                                (const char *)audiences[i].ptr);
}

esp_status test_world_sa_token(struct esp_call *call, esp_bytes ns, esp_bytes account,
                               const esp_bytes *audiences, size_t count, uint32_t ttl_s, esp_bytes *out)
{
    char text[256], joined[1024];
    if (!call->world)
        return ESP_E_UNSUPPORTED;
    const char *where = in_namespace(call, ns, text);
    if (!where)
        return refuse(call, ESP_E_UNDECIDED, "nobody uses the store yet");
    join(joined, audiences, count);
    for (const struct sa_token *t = call->world->tokens; t && t->account; t++)
        if (strcmp(t->ns, where) == 0 && is(account, t->account) && strcmp(t->audiences, joined) == 0 &&
            t->ttl_s == ttl_s) {
            *out = hand_out_text(call, t->token, strlen(t->token));
            return ESP_OK;
        }
    return refuse(call, ESP_E_NOT_FOUND, "the test's world has no such service account");
}

esp_status test_world_ambient(struct esp_call *call, int32_t what, esp_bytes name, esp_bytes *out)
{
    if (!call->world)
        return ESP_E_UNSUPPORTED;
    for (const struct object *o = call->world->ambient; o && o->name; o++)
        if (o->what == what && is(name, o->name))
            return answer_object(call, o, out);
    return refuse(call, ESP_E_NOT_FOUND, "the test's world has no such variable or file");
}

esp_status test_world_render(struct esp_call *call, esp_bytes text, esp_bytes data, esp_bytes *out)
{
    struct world *w = call->world;
    return w && w->render ? w->render(w, call, text, data, out) : ESP_E_UNSUPPORTED;
}
