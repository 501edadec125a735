#include "core/wire/message.h"

#include <string.h>

void es_lane_frame(uint8_t ret[ES_LANE_FRAME_SIZE])
{
    const uint32_t len = 0;
    const uint16_t type = ES_MSG_LANE, call = 0;

    memcpy(ret, &len, sizeof len);
    memcpy(ret + 4, &type, sizeof type);
    memcpy(ret + 6, &call, sizeof call);
}

void es_put_hello(struct es_link *l, const struct es_hello *h)
{
    es_put_begin(l, ES_MSG_HELLO);
    es_put_u32(l, h->least);
    es_put_u32(l, h->most);
    es_put_u64(l, h->memory);
    es_put_u32(l, h->flags);
    es_put_end(l);
}

bool es_get_hello(struct es_frame *f, struct es_hello *ret)
{
    ret->least = es_get_u32(f);
    ret->most = es_get_u32(f);
    ret->memory = es_get_u64(f);
    ret->flags = es_get_u32(f);
    return es_get_done(f);
}

void es_put_call(struct es_link *l, const struct es_wire_call *c)
{
    es_put_begin(l, ES_MSG_CALL);
    es_put_u32(l, (uint32_t)c->op);
    es_put_u32(l, c->component);
    es_put_u64(l, c->instance);
    es_put_u64(l, (uint64_t)c->deadline_ms);
    es_put_u32(l, c->log_level);
    es_put_bytes(l, c->json);
    es_put_pairs(l, c->values, c->value_count);
    es_put_end(l);
}

bool es_get_call(struct es_frame *f, struct es_wire_call *ret)
{
    uint32_t op = es_get_u32(f);

    ret->component = es_get_u32(f);
    ret->instance = es_get_u64(f);
    ret->deadline_ms = (int64_t)es_get_u64(f);
    ret->log_level = es_get_u32(f);
    ret->json = es_get_bytes(f);
    ret->value_count = es_get_count(f, 2 * sizeof(uint32_t), ES_WIRE_MAX_VALUES);
    if (op >= ES_OPS)
        f->bad = true;
    ret->op = (enum es_op)op;
    return !f->bad;
}

/* ---- HTTP ---- */

/* As core/plugin/host_http.c limits them. */
#define MAX_SHORT ((size_t)1 << 10)
#define MAX_LONG ((size_t)64 << 10)
#define MAX_PEM ((size_t)1 << 20)
#define MAX_BODY ((size_t)16 << 20)

static void put_cut(struct es_link *l, esp_bytes bytes, size_t max)
{
    if (bytes.len > max)
        bytes.len = max + 1;
    es_put_bytes(l, bytes);
}

/* The request's login, or nothing if its author knew of none. */
static void put_login(struct es_link *l, const struct esp_http_request *q)
{
    esp_bytes username = {0}, password = {0};

#if ESP_ABI_MINOR >= 1
    if (ESP_HAS(struct esp_http_request, q, password)) {
        username = q->username;
        password = q->password;
    }
#else
    (void)q;
#endif
    put_cut(l, username, MAX_SHORT);
    put_cut(l, password, MAX_SHORT);
}

static void get_login(struct es_frame *f, struct esp_http_request *ret)
{
    esp_bytes username = es_get_bytes(f), password = es_get_bytes(f);

#if ESP_ABI_MINOR >= 1
    ret->username = username;
    ret->password = password;
#else
    (void)ret;
    if (username.len || password.len)
        f->bad = true;
#endif
}

void es_put_http_request(struct es_link *l, const struct esp_http_request *q, uint32_t response_size)
{
    size_t headers = q->header_count < ES_WIRE_MAX_HEADERS ? q->header_count : ES_WIRE_MAX_HEADERS;

    es_put_begin(l, ES_MSG_HTTP);
    es_put_u32(l, q->size);
    es_put_u32(l, response_size);
    es_put_u32(l, q->timeout_ms);
    es_put_u32(l, q->flags);
    es_put_u64(l, q->max_body);
    put_cut(l, q->method, MAX_SHORT);
    put_cut(l, q->url, MAX_LONG);
    put_cut(l, q->body, MAX_BODY);
    put_cut(l, q->ca_pem, MAX_PEM);
    put_cut(l, q->cert_pem, MAX_PEM);
    put_cut(l, q->key_pem, MAX_PEM);
    put_cut(l, q->server_name, MAX_SHORT);
    put_cut(l, q->api, MAX_SHORT);
    put_login(l, q);
    es_put_u32(l, (uint32_t)headers);
    for (size_t i = 0; i < headers; i++) {
        put_cut(l, q->headers[i].name, MAX_SHORT);
        put_cut(l, q->headers[i].value, MAX_LONG);
    }
    es_put_end(l);
}

bool es_get_http_request(struct es_frame *f, struct esp_http_request *ret, uint32_t *ret_response_size,
                         esp_pair *headers)
{
    *ret = (struct esp_http_request){.size = es_get_u32(f)};
    *ret_response_size = es_get_u32(f);
    ret->timeout_ms = es_get_u32(f);
    ret->flags = es_get_u32(f);
    ret->max_body = es_get_u64(f);
    ret->method = es_get_bytes(f);
    ret->url = es_get_bytes(f);
    ret->body = es_get_bytes(f);
    ret->ca_pem = es_get_bytes(f);
    ret->cert_pem = es_get_bytes(f);
    ret->key_pem = es_get_bytes(f);
    ret->server_name = es_get_bytes(f);
    ret->api = es_get_bytes(f);
    get_login(f, ret);
    ret->header_count = es_get_count(f, 2 * sizeof(uint32_t), ES_WIRE_MAX_HEADERS);
    es_get_pairs(f, headers, ret->header_count);
    ret->headers = headers;
    return es_get_done(f);
}

void es_put_http_response(struct es_link *l, const struct esp_http_response *a)
{
    es_put_u32(l, (uint32_t)a->status);
    es_put_bytes(l, a->body);
    es_put_pairs(l, a->headers, a->header_count);
}

bool es_get_http_response(struct es_frame *f, struct esp_http_response *ret, esp_pair *headers)
{
    ret->status = (int32_t)es_get_u32(f);
    ret->body = es_get_bytes(f);
    ret->header_count = es_get_count(f, 2 * sizeof(uint32_t), ES_WIRE_MAX_HEADERS);
    es_get_pairs(f, headers, ret->header_count);
    ret->headers = headers;
    return es_get_done(f);
}
