#include "world.h"

#include <pthread.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/codec.h"
#include "core/base/log.h"
#include "core/controller/plugin_services.h"
#include "tests/unit/plugin/probe.h"

#define WORKERS 3
#define PATIENCE_MS 20000
#define READ_WINDOW_MS 10000

struct es_env world_env;
struct es_local *world_house;
static struct es_engine *engine;
static struct world_opts options;
static int64_t skipped_ms; /* atomically */

/* ---- the clock ---- */

static int64_t skipped(void)
{
    return __atomic_load_n(&skipped_ms, __ATOMIC_SEQ_CST);
}

static int64_t unix_now(void *ctx)
{
    (void)ctx;
    return es_unix_ms() + skipped();
}

static int64_t mono_now(void *ctx)
{
    (void)ctx;
    return es_mono_ms() + skipped();
}

static uint32_t no_chance(void *ctx)
{
    (void)ctx;
    return 0;
}

static const struct es_clock jumping_clock = {.unix_ms = unix_now, .mono_ms = mono_now, .random = no_chance};

/* ---- the spy ---- */

struct world_calls world_calls;
static world_fault_fn *fault_fn; /* atomically */

void world_break(world_fault_fn *fault)
{
    __atomic_store_n(&fault_fn, fault, __ATOMIC_SEQ_CST);
}

static void count(int *which, const struct es_kind *kind)
{
    if (kind != &es_kind_event)
        __atomic_add_fetch(which, 1, __ATOMIC_SEQ_CST);
}

int world_writes(void)
{
    return __atomic_load_n(&world_calls.create, __ATOMIC_SEQ_CST) +
           __atomic_load_n(&world_calls.update, __ATOMIC_SEQ_CST) +
           __atomic_load_n(&world_calls.patch, __ATOMIC_SEQ_CST) +
           __atomic_load_n(&world_calls.remove, __ATOMIC_SEQ_CST);
}

void world_forget_calls(void)
{
    int *all[] = {&world_calls.get,    &world_calls.create, &world_calls.update, &world_calls.patch,
                  &world_calls.remove, &vault_pushes,       &vault_removals,     &vault_crowd};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        __atomic_store_n(all[i], 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vault_reads, 0, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vault_batches, 0, __ATOMIC_SEQ_CST);
}

static int fault_of(const char *verb, const struct es_kind *kind, const char *name, const char *subresource)
{
    world_fault_fn *fault = __atomic_load_n(&fault_fn, __ATOMIC_SEQ_CST);
    return fault ? fault(verb, kind, name, subresource ? subresource : "") : 0;
}

static int fault_error(int fault, struct es_error *err)
{
    return es_error_set(err, fault > 0 ? -fault : fault, "the API server has its moments");
}

int __real_es_cluster_get(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                          json_t **ret, struct es_error *err);
int __wrap_es_cluster_get(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                          json_t **ret, struct es_error *err);
int __real_es_cluster_create(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const json_t *obj, const char *manager, json_t **ret, struct es_error *err);
int __wrap_es_cluster_create(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const json_t *obj, const char *manager, json_t **ret, struct es_error *err);
int __real_es_cluster_update(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const char *name, const json_t *obj, const char *manager, json_t **ret,
                             struct es_error *err);
int __wrap_es_cluster_update(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const char *name, const json_t *obj, const char *manager, json_t **ret,
                             struct es_error *err);
int __real_es_cluster_patch(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                            const char *name, const char *subresource, const json_t *patch,
                            const char *manager, json_t **ret, struct es_error *err);
int __wrap_es_cluster_patch(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                            const char *name, const char *subresource, const json_t *patch,
                            const char *manager, json_t **ret, struct es_error *err);
int __real_es_cluster_remove(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const char *name, const char *uid, struct es_error *err);
int __wrap_es_cluster_remove(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const char *name, const char *uid, struct es_error *err);

int __wrap_es_cluster_get(struct es_cluster *c, const struct es_kind *kind, const char *ns, const char *name,
                          json_t **ret, struct es_error *err)
{
    count(&world_calls.get, kind);
    int fault = fault_of("get", kind, name, NULL);
    return fault ? fault_error(fault, err) : __real_es_cluster_get(c, kind, ns, name, ret, err);
}

/* A lost answer: the caller gets nothing of it. */
static int lose(int rc, int fault, json_t **ret, struct es_error *err)
{
    if (rc < 0 || fault <= 0)
        return rc;
    if (ret) {
        json_decref(*ret);
        *ret = NULL;
    }
    return fault_error(fault, err);
}

int __wrap_es_cluster_create(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const json_t *obj, const char *manager, json_t **ret, struct es_error *err)
{
    count(&world_calls.create, kind);
    int fault = fault_of("create", kind, es_obj_name(obj), NULL);
    if (fault < 0)
        return fault_error(fault, err);
    return lose(__real_es_cluster_create(c, kind, ns, obj, manager, ret, err), fault, ret, err);
}

int __wrap_es_cluster_update(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const char *name, const json_t *obj, const char *manager, json_t **ret,
                             struct es_error *err)
{
    count(&world_calls.update, kind);
    int fault = fault_of("update", kind, name, NULL);
    if (fault < 0)
        return fault_error(fault, err);
    return lose(__real_es_cluster_update(c, kind, ns, name, obj, manager, ret, err), fault, ret, err);
}

int __wrap_es_cluster_patch(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                            const char *name, const char *subresource, const json_t *patch,
                            const char *manager, json_t **ret, struct es_error *err)
{
    count(&world_calls.patch, kind);
    int fault = fault_of("patch", kind, name, subresource);
    if (fault < 0)
        return fault_error(fault, err);
    return lose(__real_es_cluster_patch(c, kind, ns, name, subresource, patch, manager, ret, err), fault, ret,
                err);
}

int __wrap_es_cluster_remove(struct es_cluster *c, const struct es_kind *kind, const char *ns,
                             const char *name, const char *uid, struct es_error *err)
{
    count(&world_calls.remove, kind);
    int fault = fault_of("remove", kind, name, NULL);
    if (fault < 0)
        return fault_error(fault, err);
    return lose(__real_es_cluster_remove(c, kind, ns, name, uid, err), fault, NULL, err);
}

/* ---- the vault: one value a key, maps and properties are the core's ---- */

static pthread_mutex_t vault_lock = PTHREAD_MUTEX_INITIALIZER; /* guards vault */
static json_t *vault;
int vault_reads, vault_batches, vault_delay_ms, vault_validation_ms;
esp_status vault_status, vault_validation, vault_opening;
const char *vault_reason;

void vault_set(const char *key, const char *value)
{
    pthread_mutex_lock(&vault_lock);
    if (value)
        json_object_set_new(vault, key, json_string(value));
    else
        json_object_del(vault, key);
    pthread_mutex_unlock(&vault_lock);
}

static esp_status say_no(struct esp_call *call, esp_status status)
{
    const char *reason = __atomic_load_n(&vault_reason, __ATOMIC_SEQ_CST);
    return reason ? probe_fail(call, status, 0, reason) : status;
}

/* A copy of the value, or NULL. */
static char *known_value(const char *key)
{
    pthread_mutex_lock(&vault_lock);
    const char *known = json_string_value(json_object_get(vault, key));
    char *value = known ? es_mem_strdup(known) : NULL;
    pthread_mutex_unlock(&vault_lock);
    return value;
}

static esp_status vault_get(void *instance, struct esp_call *call, const struct esp_request *request)
{
    (void)instance;
    __atomic_add_fetch(&vault_reads, 1, __ATOMIC_SEQ_CST);
    usleep((useconds_t)__atomic_load_n(&vault_delay_ms, __ATOMIC_SEQ_CST) * 1000);
    esp_status status = __atomic_load_n(&vault_status, __ATOMIC_SEQ_CST);
    if (status != ESP_OK)
        return say_no(call, status);
    json_t *ref = json_loadb((const char *)request->json.ptr, request->json.len, 0, NULL);
    char *value = known_value(es_obj_str(ref, "key"));
    status = value ? probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(value)) : ESP_E_NOT_FOUND;
    es_mem_free(value);
    json_decref(ref);
    return status;
}

static esp_status vault_get_batch(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *doc, *ref;
    char index[24];
    size_t i;
    (void)instance;

    __atomic_add_fetch(&vault_batches, 1, __ATOMIC_SEQ_CST);
    esp_status status = __atomic_load_n(&vault_status, __ATOMIC_SEQ_CST);
    if (status != ESP_OK)
        return say_no(call, status);
    doc = json_loadb((const char *)request->json.ptr, request->json.len, 0, NULL);
    json_array_foreach (json_object_get(doc, "refs"), i, ref) {
        char *value = known_value(es_obj_str(ref, "key"));
        snprintf(index, sizeof index, "%zu", i);
        if (value)
            probe_host->emit(call, ESP_OUT_VALUE, bytes(index), bytes(value));
        else
            probe_host->fail_at(call, i, ESP_E_NOT_FOUND, bytes(""));
        es_mem_free(value);
    }
    json_decref(doc);
    return ESP_OK;
}

void vault_takes_batches(void)
{
    probe_ops.get_batch = vault_get_batch;
}

static esp_status vault_list(void *instance, struct esp_call *call, const struct esp_request *request)
{
    esp_status status = ESP_OK;
    const char *key;
    json_t *value, *copy;
    (void)instance;
    (void)request;

    pthread_mutex_lock(&vault_lock);
    copy = json_deep_copy(vault);
    pthread_mutex_unlock(&vault_lock);
    json_object_foreach (copy, key, value)
        if (status == ESP_OK)
            status = probe_host->emit(call, ESP_OUT_VALUE, bytes(key), bytes(json_string_value(value)));
    json_decref(copy);
    return status;
}

/* ---- the vault: what is pushed ---- */

static json_t *pushed, *last_push; /* guarded by vault_lock */
int vault_pushes, vault_removals, vault_crowd, vault_push_ms;
const char *vault_bad_key;
static int pushing; /* atomically */

const char *vault_pushed(const char *id)
{
    static char text[512];

    pthread_mutex_lock(&vault_lock);
    const char *value = json_string_value(json_object_get(pushed, id));
    snprintf(text, sizeof text, "%s", value ? value : "(none)");
    pthread_mutex_unlock(&vault_lock);
    return text;
}

void vault_keep(const char *id, const char *value)
{
    pthread_mutex_lock(&vault_lock);
    json_object_set_new(pushed, id, json_string(value));
    pthread_mutex_unlock(&vault_lock);
}

json_t *vault_last_push(void)
{
    pthread_mutex_lock(&vault_lock);
    json_t *copy = json_deep_copy(last_push);
    pthread_mutex_unlock(&vault_lock);
    return copy;
}

static void id_of(const json_t *document, char out[256])
{
    const char *key = es_obj_str(document, "remoteKey"), *property = es_obj_str(document, "property");
    snprintf(out, 256, "%s%s%s", key, *property ? "/" : "", property);
}

static json_t *text_of_values(const struct esp_request *request)
{
    char text[512] = "";
    size_t len = 0;

    for (size_t i = 0; i < request->value_count; i++) {
        const esp_pair *p = &request->values[i];
        if (request->value_count > 1)
            len += (size_t)snprintf(text + len, sizeof text - len, "%s%.*s=", i ? "," : "", (int)p->name.len,
                                    (const char *)p->name.ptr);
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s", (int)p->value.len,
                                p->value.ptr ? (const char *)p->value.ptr : "");
    }
    return json_string(text);
}

static bool is_bad(const json_t *document)
{
    const char *bad = __atomic_load_n(&vault_bad_key, __ATOMIC_SEQ_CST);
    return bad && es_streq(es_obj_str(document, "remoteKey"), bad);
}

static void count_crowd(void)
{
    int now = __atomic_add_fetch(&pushing, 1, __ATOMIC_SEQ_CST);
    int most = __atomic_load_n(&vault_crowd, __ATOMIC_SEQ_CST);

    while (now > most &&
           !__atomic_compare_exchange_n(&vault_crowd, &most, now, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
        ;
    usleep((useconds_t)__atomic_load_n(&vault_push_ms, __ATOMIC_SEQ_CST) * 1000);
    __atomic_sub_fetch(&pushing, 1, __ATOMIC_SEQ_CST);
}

static esp_status vault_push(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *document = json_loadb((const char *)request->json.ptr, request->json.len, 0, NULL);
    bool bad = is_bad(document);
    char id[256];

    (void)instance;
    __atomic_add_fetch(&vault_pushes, 1, __ATOMIC_SEQ_CST);
    count_crowd();
    id_of(document, id);
    pthread_mutex_lock(&vault_lock);
    if (!bad)
        json_object_set_new(pushed, id, text_of_values(request));
    json_decref(last_push);
    last_push = document;
    pthread_mutex_unlock(&vault_lock);
    return bad ? probe_fail(call, ESP_E_CONFIG, 0, "key already exists") : ESP_OK;
}

static esp_status vault_remove(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *document = json_loadb((const char *)request->json.ptr, request->json.len, 0, NULL);
    bool bad = is_bad(document);
    char id[256];

    (void)instance;
    __atomic_add_fetch(&vault_removals, 1, __ATOMIC_SEQ_CST);
    id_of(document, id);
    pthread_mutex_lock(&vault_lock);
    if (!bad)
        json_object_del(pushed, id);
    pthread_mutex_unlock(&vault_lock);
    json_decref(document);
    return bad ? probe_fail(call, ESP_E_DENIED, 0, "not ours") : ESP_OK;
}

static esp_status vault_exists(void *instance, struct esp_call *call, const struct esp_request *request)
{
    json_t *document = json_loadb((const char *)request->json.ptr, request->json.len, 0, NULL);
    bool bad = is_bad(document);
    char id[256];

    (void)instance;
    id_of(document, id);
    json_decref(document);
    if (bad)
        return probe_fail(call, ESP_E_DENIED, 0, "no list permission");
    bool there = !es_streq(vault_pushed(id), "(none)");
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes(there ? "true" : "false"));
}

static esp_status vault_validate(void *instance, struct esp_call *call, const struct esp_request *request)
{
    usleep((useconds_t)__atomic_load_n(&vault_validation_ms, __ATOMIC_SEQ_CST) * 1000);
    esp_status status = __atomic_load_n(&vault_validation, __ATOMIC_SEQ_CST);
    (void)instance;
    (void)request;
    return status == ESP_OK ? ESP_OK : say_no(call, status);
}

static esp_status vault_open(struct esp_call *call, const struct esp_request *request, void **instance)
{
    esp_status status = __atomic_load_n(&vault_opening, __ATOMIC_SEQ_CST);
    (void)request;
    if (status != ESP_OK)
        return say_no(call, status);
    *instance = &probe_opened;
    __atomic_add_fetch(&probe_opened, 1, __ATOMIC_SEQ_CST);
    return ESP_OK;
}

static void vault_reset(void)
{
    json_decref(vault);
    vault = json_object();
    vault_reads = vault_batches = vault_delay_ms = vault_validation_ms = 0;
    vault_status = vault_validation = vault_opening = ESP_OK;
    vault_reason = NULL;
    json_decref(pushed);
    json_decref(last_push);
    pushed = json_object();
    last_push = NULL;
    vault_pushes = vault_removals = vault_crowd = vault_push_ms = 0;
    vault_bad_key = NULL;
    probe_reset();
    probe_ops.get = vault_get;
    probe_ops.list = vault_list;
    probe_ops.validate = vault_validate;
    probe_ops.open = vault_open;
    probe_ops.push = vault_push;
    probe_ops.remove = vault_remove;
    probe_ops.exists = vault_exists;
    probe_component.maintenance = options.maintenance;
    probe_component.caps =
        options.caps ? options.caps : ESP_CAP_READ | ESP_CAP_LIST | ESP_CAP_CONCURRENT | ESP_CAP_WHOLE_VALUES;
}

/* ---- the process ---- */

static void begin(void)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_services services = {0};
    const struct es_engine_opts opts = {.workers = WORKERS,
                                        .backoff_base_ms = options.backoff_ms ? options.backoff_ms : 20,
                                        .backoff_max_ms = options.backoff_ms ? options.backoff_ms : 80};

    world_env = (struct es_env){.settings = {.controller_class = "default",
                                             .store_requeue_ms = 300000,
                                             .flood_gate = !options.no_flood_gate,
                                             .secret_stores = true,
                                             .cluster_stores = !options.no_cluster_stores,
                                             .generic_targets = options.generic_targets,
                                             .push_secrets = !options.no_push_secrets,
                                             .cluster_external_secrets = true,
                                             .cluster_push_secrets = true,
                                             .read_window_ms = READ_WINDOW_MS},
                                .clock = &jumping_clock,
                                .metrics = options.metrics};
    es_plugin_services_init(&services, &world_env);
    if (options.render)
        services.render = options.render;
    world_env.registry = probe_registry(&services);
    if (options.fake_plugin) {
        const struct es_plugin_entry entry = {.name = options.fake_plugin};
        check_ok(es_registry_load(world_env.registry, NULL, &entry, &err), &err);
    }
    check_ok(es_pool_new(&world_env.pool, &err), &err);
    const struct es_reads_opts reads = {.clock = &jumping_clock, .window_ms = READ_WINDOW_MS};
    check_ok(es_reads_new(&world_env.reads, &reads, &err), &err);
    check_ok(es_cluster_new_local(&world_env.cluster, &world_house, &err), &err);
    if (options.gate)
        es_cluster_set_gate(world_env.cluster, options.gate);
    check_ok(es_engine_new(&engine, &world_env, &opts, &err), &err);
}

static void run(void)
{
    struct es_error err = ES_ERROR_INIT;
    check_ok(es_engine_start(engine, &err), &err);
    check_ok(es_engine_tick(engine, &err), &err);
    assert_true(es_engine_ready(engine));
}

void world_start(const struct world_opts *opts)
{
    const struct es_log_opts quiet = {.level = ES_ERROR + 1};

    es_log_init(&quiet);
    options = opts ? *opts : (struct world_opts){0};
    __atomic_store_n(&skipped_ms, 0, __ATOMIC_SEQ_CST);
    world_break(NULL);
    vault_reset();
    world_forget_calls();
    begin();
    run();
}

void world_stop(void)
{
    es_engine_stop(engine, 5000);
    es_pool_free(world_env.pool);
    es_reads_free(world_env.reads);
    es_cluster_free(world_env.cluster);
    es_engine_free(engine);
    es_controllers_fini(&world_env);
    es_registry_free(world_env.registry);
    engine = NULL;
}

static bool keep_copy(void *ctx, const json_t *o)
{
    json_array_append_new(ctx, json_deep_copy(o));
    return true;
}

void world_restart(void)
{
    static const struct es_kind *const kinds[] = {&es_kind_secret_store,
                                                  &es_kind_cluster_secret_store,
                                                  &es_kind_namespace,
                                                  &es_kind_secret,
                                                  &es_kind_external_secret,
                                                  &es_kind_push_secret,
                                                  &es_kind_cluster_external_secret,
                                                  &es_kind_cluster_push_secret};
    json_t *objects = json_array(), *o;
    struct es_error err = ES_ERROR_INIT;
    size_t i;

    es_engine_stop(engine, 5000);
    for (i = 0; i < sizeof kinds / sizeof *kinds; i++)
        es_local_each(world_house, kinds[i], keep_copy, objects);
    world_stop();
    begin();
    json_array_foreach (objects, i, o)
        check_ok(es_local_apply(world_house, o, &err), &err);
    json_decref(objects);
    world_forget_calls();
    run();
}

int world_setup(void **state)
{
    (void)state;
    world_start(NULL);
    return 0;
}

int world_teardown(void **state)
{
    (void)state;
    world_break(NULL);
    world_stop();
    json_decref(vault);
    json_decref(pushed);
    json_decref(last_push);
    vault = pushed = last_push = NULL;
    return 0;
}

void world_settle(void)
{
    int quiet = 0;
    for (int i = 0; i < PATIENCE_MS && quiet < 3; i++) {
        quiet = es_engine_idle(engine) ? quiet + 1 : 0;
        usleep(1000);
    }
    if (quiet < 3)
        fail_msg("it does not come to rest");
}

void world_until(bool (*holds)(void *ctx), void *ctx, const char *what)
{
    int64_t until_ms = es_mono_ms() + PATIENCE_MS;
    while (!holds(ctx)) {
        if (es_mono_ms() > until_ms)
            fail_msg("this did not come: %s", what);
        usleep(1000);
    }
}

void world_tick(void)
{
    struct es_error err = ES_ERROR_INIT;
    check_ok(es_engine_tick(engine, &err), &err);
}

void world_skip_ms(int64_t ms)
{
    /* What a pass has written shows before the pass has ended, and its next due
     * time counts from its end: that has to lie before the jump. */
    world_settle();
    __atomic_add_fetch(&skipped_ms, ms, __ATOMIC_SEQ_CST);
    /* Whoever waits for a due time has to look at the clock again. */
    world_env.enqueue(world_env.enqueue_ctx, ES_EXTERNAL_SECRET, "nowhere", "nothing");
    world_settle();
}

/* ---- the cluster ---- */

void world_apply(const char *text)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *o = quoted(text);
    check_ok(es_local_apply(world_house, o, &err), &err);
    json_decref(o);
}

void world_delete(const struct es_kind *kind, const char *ns, const char *name)
{
    struct es_error err = ES_ERROR_INIT;
    check_ok(es_local_delete(world_house, kind, ns, name, &err), &err);
}

json_t *world_get(const struct es_kind *kind, const char *ns, const char *name)
{
    json_t *o = NULL;
    return __real_es_cluster_get(world_env.cluster, kind, ns, name, &o, NULL) == 0 ? o : NULL;
}

void world_patch(const struct es_kind *kind, const char *ns, const char *name, const char *text)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *current = world_get(kind, ns, name), *patch = quoted(text);

    assert_non_null(current);
    assert_int_equal(es_json_merge_patch(current, patch), 0);
    es_obj_unset(current, "metadata", "resourceVersion");
    /* A user's edit is told by the watch alone: the cluster's own cache of answers is
     * not asked. Applying does that, and keeps status and finalizers. */
    check_ok(es_local_apply(world_house, current, &err), &err);
    json_decref(current);
    json_decref(patch);
}

void world_external_secret(const char *name, const char *spec)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *o = object(&es_kind_external_secret, "ns", name, NULL);
    json_object_set_new(o, "spec", quoted(spec));
    check_ok(es_local_apply(world_house, o, &err), &err);
    json_decref(o);
}

void world_push_secret(const char *name, const char *spec)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *o = object(&es_kind_push_secret, "ns", name, NULL);
    json_object_set_new(o, "spec", quoted(spec));
    check_ok(es_local_apply(world_house, o, &err), &err);
    json_decref(o);
}

void world_secret(const char *name, const char *string_fields)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *o = object(&es_kind_secret, "ns", name, NULL), *fields = quoted(string_fields), *value;
    const char *key;

    json_object_set_new(o, "type", json_string("Opaque"));
    json_object_foreach (fields, key, value) {
        struct es_buf text;
        es_buf_init(&text, 4096);
        es_base64_encode(&text, json_string_value(value), json_string_length(value));
        es_obj_set(o, json_string(es_buf_str(&text)), "data", key);
        es_buf_fini(&text);
    }
    check_ok(es_local_apply(world_house, o, &err), &err);
    json_decref(fields);
    json_decref(o);
}

void world_store(void)
{
    world_apply("{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'store',"
                "'namespace':'ns'},'spec':{'provider':{'probe':{}}}}");
}

void world_cluster_store(const char *more_spec)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *o = object(&es_kind_cluster_secret_store, "", "cstore", "{'spec':{'provider':{'probe':{}}}}");
    json_t *more = quoted(more_spec);
    json_object_update(json_object_get(o, "spec"), more);
    json_decref(more);
    check_ok(es_local_apply(world_house, o, &err), &err);
    json_decref(o);
}

const char *world_value(const char *secret, const char *key)
{
    static char text[512];
    json_t *o = world_get(&es_kind_secret, "ns", secret);
    const json_t *value = es_obj_at(o, "data", key);
    struct es_blob blob = {0};

    snprintf(text, sizeof text, "%s", o ? "(none)" : "(no secret)");
    if (value && es_base64_decode(&blob, ES_BASE64_STD, json_string_value(value), json_string_length(value),
                                  NULL) == 0)
        snprintf(text, sizeof text, "%.*s", (int)blob.len, blob.ptr ? (const char *)blob.ptr : "");
    es_blob_fini(&blob);
    json_decref(o);
    return text;
}

const char *world_ready(const struct es_kind *kind, const char *ns, const char *name)
{
    static char text[1400];
    json_t *o = world_get(kind, ns, name);
    const json_t *c = es_obj_condition(o, "Ready");

    snprintf(text, sizeof text, "%s", o ? "(none)" : "(no object)");
    if (c)
        snprintf(text, sizeof text, "%s|%s|%s", es_obj_str(c, "status"), es_obj_str(c, "reason"),
                 es_obj_str(c, "message"));
    json_decref(o);
    return text;
}

struct expected {
    const struct es_kind *kind;
    const char *name, *key, *want;
};

static bool is_ready_so(void *ctx)
{
    const struct expected *e = ctx;
    return es_streq(world_ready(e->kind, "ns", e->name), e->want);
}

static void expect_ready(const struct es_kind *kind, const char *name, const char *ready)
{
    struct expected e = {.kind = kind, .name = name, .want = ready};
    for (int i = 0; i < PATIENCE_MS && !is_ready_so(&e); i++)
        usleep(1000);
    assert_string_equal(world_ready(kind, "ns", name), ready);
}

void world_expect(const char *name, const char *ready)
{
    expect_ready(&es_kind_external_secret, name, ready);
}

void world_expect_push(const char *name, const char *ready)
{
    expect_ready(&es_kind_push_secret, name, ready);
}

void world_expect_pushed(const char *id, const char *value)
{
    for (int i = 0; i < PATIENCE_MS && !es_streq(vault_pushed(id), value); i++)
        usleep(1000);
    assert_string_equal(vault_pushed(id), value);
}

void world_expect_store(const char *ready)
{
    expect_ready(&es_kind_secret_store, "store", ready);
}

void world_expect_value(const char *secret, const char *key, const char *value)
{
    for (int i = 0; i < PATIENCE_MS && !es_streq(world_value(secret, key), value); i++)
        usleep(1000);
    assert_string_equal(world_value(secret, key), value);
}

struct wanted_event {
    const char *type, *reason, *message;
    int count;
};

static bool match_event(void *ctx, const json_t *o)
{
    struct wanted_event *w = ctx;
    if (es_streq(es_obj_str(o, "reason"), w->reason) &&
        (!w->type || es_streq(es_obj_str(o, "type"), w->type)) &&
        (!w->message || es_streq(es_obj_str(o, "message"), w->message)))
        w->count += (int)es_obj_int(o, "count");
    return true;
}

static bool is_event_there(void *ctx)
{
    struct wanted_event *w = ctx;
    w->count = 0;
    es_local_each(world_house, &es_kind_event, match_event, w);
    return w->count > 0;
}

void world_expect_event(const char *type, const char *reason, const char *message)
{
    struct wanted_event w = {type, reason, message, 0};
    world_until(is_event_there, &w, message);
}

int world_events(const char *reason)
{
    struct wanted_event w = {.reason = reason};
    is_event_there(&w);
    return w.count;
}
