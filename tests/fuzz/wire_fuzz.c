/* What a plugin's process sends: a stream becomes frames however it is cut into pieces,
 * each frame is read as every message there is, and what was understood is written
 * again as it was. The first byte of the input is the length of the pieces. */
#include <sys/socket.h>
#include <unistd.h>

#include "core/plugin/vet.h"
#include "core/wire/message.h"
#include "core/wire/tables.h"
#include "tests/fuzz/fuzz.h"

static esp_pair pairs[ES_WIRE_MAX_VALUES];

/* ---- written again ---- */

/* What was put is what was read, and lies behind the header. */
static void require_same(struct es_link *put, const struct es_frame *read)
{
    REQUIRE(!put->failed && put->out_len == 8 + read->len);
    REQUIRE(memcmp(put->out + 8, read->data, read->len) == 0);
    es_link_fini(put);
}

static void try_hello(struct es_frame *f)
{
    struct es_hello hello;
    struct es_link again;

    if (!es_get_hello(f, &hello))
        return;
    es_link_init(&again, -1);
    es_put_hello(&again, &hello);
    require_same(&again, f);
}

static void try_call(struct es_frame *f)
{
    struct es_wire_call call;
    struct es_link again;

    if (!es_get_call(f, &call))
        return;
    REQUIRE(call.op < ES_OPS && es_op_name(call.op) && call.value_count <= ES_WIRE_MAX_VALUES);
    es_get_pairs(f, pairs, call.value_count);
    if (!es_get_done(f))
        return;
    call.values = pairs;
    es_link_init(&again, -1);
    es_put_call(&again, &call);
    require_same(&again, f);
}

/* Writing cuts what is too long; that is another test's affair. */
static void try_http_request(struct es_frame *f)
{
    struct esp_http_request q;
    uint32_t response_size;
    struct es_link again;

    if (!es_get_http_request(f, &q, &response_size, pairs) || f->len > 1024)
        return;
    REQUIRE(q.header_count <= ES_WIRE_MAX_HEADERS);
    es_link_init(&again, -1);
    es_put_http_request(&again, &q, response_size);
    require_same(&again, f);
}

static void try_http_response(struct es_frame *f)
{
    struct esp_http_response a;
    struct es_link again;

    if (!es_get_http_response(f, &a, pairs))
        return;
    REQUIRE(a.header_count <= ES_WIRE_MAX_HEADERS);
    es_link_init(&again, -1);
    es_put_begin(&again, ES_MSG_REPLY);
    es_put_http_response(&again, &a);
    es_put_end(&again);
    require_same(&again, f);
}

/* ---- a plugin's tables ---- */

static esp_status no_op(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    (void)call;
    (void)request;
    return ESP_E_INTERNAL;
}

static esp_status no_open(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)call;
    (void)request;
    (void)instance;
    return ESP_E_INTERNAL;
}

static void no_close(void *instance, struct esp_call *call)
{
    (void)instance;
    (void)call;
}

static esp_status no_configure(struct esp_call *call, const struct esp_request *request)
{
    (void)call;
    (void)request;
    return ESP_E_INTERNAL;
}

static const struct esp_store_ops store = {.size = sizeof store,
                                           .check = no_op,
                                           .open = no_open,
                                           .close = no_close,
                                           .validate = no_op,
                                           .get = no_op,
                                           .get_map = no_op,
                                           .get_batch = no_op,
                                           .list = no_op,
                                           .exists = no_op,
                                           .push = no_op,
                                           .remove = no_op};
static const struct esp_generator_ops generator = {
    .size = sizeof generator, .generate = no_op, .cleanup = no_op};

static struct es_tables *read_tables(const uint8_t *data, size_t len)
{
    struct es_frame copy = {.type = ES_MSG_PLUGIN, .data = malloc(len ? len : 1), .len = len};
    bool bad = false;

    REQUIRE(copy.data);
    memcpy(copy.data, data, len);
    struct es_tables *tables = es_get_plugin(&copy, &store, &generator, no_configure, &bad);
    REQUIRE(!copy.data && (tables || bad));
    return tables;
}

/* Bits that nobody knows are lost, so it takes two readings until nothing changes. */
static void try_plugin(struct es_frame *f)
{
    struct es_tables *first = read_tables(f->data, f->len), *second, *third;
    struct es_link again;
    struct es_error err = ES_ERROR_INIT;

    if (!first)
        return;
    if (es_vet_plugin(es_tables_plugin(first), &err) < 0)
        REQUIRE(err.text[0]);
    es_link_init(&again, -1);
    es_put_plugin(&again, es_tables_plugin(first));
    REQUIRE(!again.failed);
    second = read_tables(again.out + 8, again.out_len - 8);
    es_put_forget(&again);
    es_put_plugin(&again, es_tables_plugin(second));
    third = read_tables(again.out + 8, again.out_len - 8);
    REQUIRE(es_tables_equal(second, third));
    es_link_fini(&again);
    es_tables_free(first);
    es_tables_free(second);
    es_tables_free(third);
}

/* ---- the stream ---- */

static void try_all(struct es_frame *f)
{
    static void (*const readers[])(struct es_frame *) = {try_hello, try_call, try_http_request,
                                                         try_http_response, try_plugin};

    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
        f->at = 0;
        f->bad = false;
        readers[i](f);
    }
}

/* Reads what is there. false: nothing more will come. */
static bool drain(struct es_link *l)
{
    struct es_frame frame = {0};
    enum es_link_result result;

    while ((result = es_link_next(l, &frame)) == ES_LINK_FRAME) {
        try_all(&frame);
        es_frame_fini(&frame);
    }
    REQUIRE(!frame.data);
    return result == ES_LINK_QUIET;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t piece = size ? *data : 0;
    struct es_link link;
    int pair[2];

    if (!size)
        return 0;
    REQUIRE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) == 0);
    es_link_init(&link, pair[0]);
    bool more = true;
    for (size_t at = 1, len; more && at < size; at += len) {
        len = piece && piece < size - at ? piece : size - at;
        ssize_t sent = send(pair[1], data + at, len, MSG_NOSIGNAL);
        REQUIRE(sent > 0);
        len = (size_t)sent;
        more = drain(&link);
    }
    close(pair[1]);
    drain(&link);
    es_link_fini(&link);
    return 0;
}
