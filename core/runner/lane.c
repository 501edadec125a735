#include "core/runner/lane.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/sanitized.h"
#include "core/runner/host.h"
#include "core/runner/instances.h"
#include "core/wire/exits.h"
#include "core/wire/message.h"

/* As the threads of the core that run plugins; sanitizers need more. */
#define STACK_BYTES ((size_t)(ES_SANITIZED ? 1024 : 256) * 1024)

struct lane {
    const struct esp_plugin *plugin;
    int fd;
};

/* ---- for the services ---- */

void es_lane_send(struct es_link *l)
{
    switch (es_link_flush(l)) {
    case ES_LINK_OK:
        return;
    case ES_LINK_NOMEM:
        es_lane_no_memory(l);
        return;
    default:
        _exit(ES_EXIT_CORE_GONE);
    }
}

void es_lane_read(struct es_link *l, struct es_frame *ret)
{
    switch (es_link_next(l, ret)) {
    case ES_LINK_FRAME:
        return;
    case ES_LINK_CLOSED:
        _exit(ES_EXIT_CORE_GONE);
    case ES_LINK_NOMEM:
        _exit(ES_EXIT_NO_MEMORY);
    default:
        es_lane_protest();
    }
}

void es_lane_no_memory(struct es_link *l)
{
    static const char why[] = "out of memory in the plugin's process";

    es_put_forget(l);
    es_put_begin(l, ES_MSG_FAIL);
    es_put_u32(l, (uint32_t)ESP_E_INTERNAL);
    es_put_u64(l, 0);
    es_put_text(l, why);
    es_put_end(l);
    if (l->failed)
        _exit(ES_EXIT_NO_MEMORY);
}

void es_lane_protest(void)
{
    _exit(ES_EXIT_PROTOCOL);
}

/* ---- calls ---- */

static const struct esp_store_ops *store_of(const struct esp_plugin *p, uint32_t component)
{
    for (uint32_t i = 0; p->components && p->components[i]; i++)
        if (i == component)
            return p->components[i]->store;
    return NULL;
}

static esp_status open_store(const struct esp_store_ops *ops, struct esp_call *c,
                             const struct esp_request *request, uint64_t *ret_number)
{
    void *state = NULL;
    esp_status status = ops->open(c, request, &state);

    if (status != ESP_OK)
        return status;
    *ret_number = es_instances_add(state);
    if (*ret_number)
        return ESP_OK;
    if (ops->close)
        ops->close(state, c);
    return ESP_E_INTERNAL;
}

/* The core asks for nothing that the tables do not have. */
static esp_status run(const struct esp_plugin *p, struct esp_call *c, const struct esp_request *request,
                      uint64_t *ret_number)
{
    enum es_op op = c->asked.op;

    if (op == ES_OP_CONFIGURE && p->configure)
        return p->configure(c, request);
    const struct esp_store_ops *ops = store_of(p, c->asked.component);
    if (!ops)
        es_lane_protest();
    if (op == ES_OP_OPEN)
        return open_store(ops, c, request, ret_number);
    if (op == ES_OP_CLOSE) {
        void *state = es_instances_take(c->asked.instance);
        if (ops->close)
            ops->close(state, c);
        return ESP_OK;
    }
    esp_op run_op = es_op_of(ops, op);
    if (!run_op)
        es_lane_protest();
    esp_status status = run_op(es_instances_get(c->asked.instance), c, request);
    es_instances_done();
    return status;
}

static void answer(struct es_link *l, esp_status status, uint64_t number)
{
    es_put_begin(l, ES_MSG_RETURN);
    es_put_u32(l, (uint32_t)status);
    es_put_u64(l, number);
    es_put_end(l);
}

static void serve_call(const struct esp_plugin *p, struct es_link *l, struct es_frame *frame)
{
    struct esp_call call = {.link = l};
    uint64_t number = 0;
    esp_pair *values = NULL;

    if (!es_get_call(frame, &call.asked))
        es_lane_protest();
    if (call.asked.value_count) {
        values = calloc(call.asked.value_count, sizeof *values);
        if (!values)
            _exit(ES_EXIT_NO_MEMORY);
        es_get_pairs(frame, values, call.asked.value_count);
    }
    if (!es_get_done(frame))
        es_lane_protest();
    const struct esp_request request = {.size = sizeof request,
                                        .json = call.asked.json,
                                        .values = values,
                                        .value_count = call.asked.value_count};
    esp_status status = run(p, &call, &request, &number);
    answer(l, status, number);
    if (l->failed) {
        es_lane_no_memory(l);
        answer(l, ESP_E_INTERNAL, number);
    }
    es_call_forget(&call);
    free(values);
    es_lane_send(l);
}

static void *serve(void *take_lane)
{
    struct lane lane = *(struct lane *)take_lane;
    struct es_frame frame = {0};
    struct es_link link;
    enum es_link_result result;

    free(take_lane);
    es_link_init(&link, lane.fd);
    while ((result = es_link_next(&link, &frame)) == ES_LINK_FRAME) {
        link.call = frame.call;
        if (frame.type == ES_MSG_CALL)
            serve_call(lane.plugin, &link, &frame);
        else if (frame.type != ES_MSG_CANCEL) /* that one came too late */
            es_lane_protest();
        es_frame_fini(&frame);
    }
    if (result == ES_LINK_BROKEN)
        es_lane_protest();
    if (result == ES_LINK_NOMEM)
        _exit(ES_EXIT_NO_MEMORY);
    es_link_fini(&link);
    return NULL;
}

void es_lane_start(const struct esp_plugin *plugin, int take_fd)
{
    struct lane *lane = malloc(sizeof *lane);
    pthread_attr_t attr;
    pthread_t thread;

    if (!lane || pthread_attr_init(&attr) != 0)
        _exit(ES_EXIT_NO_MEMORY);
    *lane = (struct lane){plugin, take_fd};
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, serve, lane) != 0)
        _exit(ES_EXIT_NO_MEMORY);
    pthread_attr_destroy(&attr);
}
