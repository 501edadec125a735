/* Calls into a plugin's process, and the operations that stand in for its own. */
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/plugin/remote_own.h"

/* The process went away under a call: the plugin's own words do not count. */
static esp_status lost(struct es_remote *r, struct esp_call *c, const char *why)
{
    const struct es_services *services = es_registry_services(r->registry);
    struct es_error err = ES_ERROR_INIT;

    es_metric_add(r->opts.lost, (const char *const[]){r->plugin->name}, 1);
    es_error_set(&err, ES_E_RETRY, "the process of the %s plugin ended during %s: %s", r->plugin->name,
                 es_op_name(c->op), why);
    if (services->plugin_lost)
        services->plugin_lost(services->ctx, c->who, err.text);
    return es_call_lost(c, &err);
}

static uint32_t wanted_log_level(void)
{
    return es_log_enabled(ES_DEBUG)  ? ESP_LOG_DEBUG
           : es_log_enabled(ES_INFO) ? ESP_LOG_INFO
           : es_log_enabled(ES_WARN) ? ESP_LOG_WARN
                                     : ESP_LOG_ERROR;
}

static uint32_t component_index(const struct esp_plugin *data, const struct esp_component *component)
{
    uint32_t i = 0;
    while (data->components[i] && data->components[i] != component)
        i++;
    return i;
}

esp_status es_remote_call(struct es_remote *r, struct es_remote_lane *lane, struct esp_call *c, enum es_op op,
                          const struct esp_request *request, uint64_t instance, uint64_t *ret_instance)
{
    const struct es_wire_call asked = {
        .op = op,
        .component = component_index(es_remote_data(r), c->component),
        .instance = instance,
        .deadline_ms = c->deadline_ms,
        .log_level = wanted_log_level(),
        .json = request ? request->json : (esp_bytes){0},
        .values = request ? request->values : NULL,
        .value_count = request ? request->value_count : 0,
    };
    char why[ES_TALK_WHY_MAX] = "";
    esp_status status = ESP_E_INTERNAL;

    enum es_talk result = es_talk(&lane->link, c, &asked, r->opts.grace_ms, &status, ret_instance, why);
    if (result == ES_TALK_DONE) {
        es_remote_give_back(r, lane, true);
        return status;
    }
    es_remote_bury(r, lane->generation, result == ES_TALK_CONDEMN ? why : NULL);
    char reason[sizeof lane->generation->why];
    memcpy(reason, lane->generation->why, sizeof reason); /* constant once it ended */
    es_remote_give_back(r, lane, false);
    return lost(r, c, reason);
}

static esp_status run(struct esp_call *c, enum es_op op, const struct esp_request *request,
                      const struct es_remote_instance *of, uint64_t *ret_generation, uint64_t *ret_instance)
{
    struct es_remote *r = c->plugin->remote;
    struct es_error err = ES_ERROR_INIT;
    struct es_remote_lane *lane = NULL;

    if (es_remote_take_lane(r, c, of ? of->generation : 0, &lane, &err) < 0)
        return es_call_lost(c, &err);
    *ret_generation = lane->generation->number;
    return es_remote_call(r, lane, c, op, request, of ? of->number : 0, ret_instance);
}

/* ---- the stand-ins ---- */

static esp_status stand_in(void *instance, struct esp_call *c, const struct esp_request *request)
{
    uint64_t generation, number = 0;
    return run(c, c->op, request, instance, &generation, &number);
}

static esp_status stand_in_open(struct esp_call *c, const struct esp_request *request, void **ret_instance)
{
    struct es_remote_instance *i = es_mem_alloc(sizeof *i);
    struct es_remote_instance opened = {0};

    if (!i)
        return es_call_service_error(c, ES_E_NOMEM, "out of memory");
    esp_status status = run(c, ES_OP_OPEN, request, NULL, &opened.generation, &opened.number);
    *i = opened;
    if (status == ESP_OK)
        *ret_instance = i;
    else
        es_mem_free(i);
    return status;
}

static void stand_in_close(void *instance, struct esp_call *c)
{
    struct es_remote *r = c->plugin->remote;
    uint64_t generation, number;

    /* What died with its process needs no goodbye. The call may be that of an `open`
     * whose result is not wanted. */
    if (!es_remote_stale(r, instance))
        run(c, ES_OP_CLOSE, NULL, instance, &generation, &number);
    es_mem_free(instance);
}

esp_status es_remote_configure(struct esp_call *c, const struct esp_request *request)
{
    struct es_remote *r = c->plugin->remote;
    uint64_t generation, number = 0;

    /* The next process will need it too. */
    pthread_mutex_lock(&r->lock);
    int rc = es_blob_set(&r->config, request->json.ptr, request->json.len);
    pthread_mutex_unlock(&r->lock);
    if (rc < 0)
        return es_call_service_error(c, ES_E_NOMEM, "out of memory");
    return run(c, ES_OP_CONFIGURE, request, NULL, &generation, &number);
}

const struct esp_store_ops es_remote_stand_ins = {
    .size = sizeof es_remote_stand_ins,
    .check = stand_in,
    .open = stand_in_open,
    .close = stand_in_close,
    .validate = stand_in,
    .get = stand_in,
    .get_map = stand_in,
    .get_batch = stand_in,
    .list = stand_in,
    .exists = stand_in,
    .push = stand_in,
    .remove = stand_in,
};

const struct esp_generator_ops es_remote_generator_stand_ins = {
    .size = sizeof es_remote_generator_stand_ins,
    .generate = stand_in,
    .cleanup = stand_in,
};
