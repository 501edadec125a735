#include "probe.h"

#include <stdlib.h>

#include "core/plugin/host.h"

static struct esp_component *const components[] = {&probe_component, NULL};

struct esp_plugin probe_plugin;
struct esp_component probe_component;
struct esp_store_ops probe_ops;
esp_status (*probe_act)(struct esp_call *call, const struct esp_request *request);
int probe_opened, probe_closed;
const struct esp_host *const probe_host = &es_host_table;

int probe_kube_read(void *ctx, const struct es_authority *who, enum es_kube_read what, const char *ns,
                    const char *name, const char *key, struct es_blob *ret, struct es_error *err)
{
    (void)ctx;
    (void)who;
    (void)what;
    (void)err;
    assert_string_equal(ns, "team");
    assert_string_equal(name, "ours");
    assert_string_equal(key, "token");
    return es_blob_set(ret, "s3cr3t-token", 12);
}

json_t *parse(const char *text)
{
    json_error_t where;
    json_t *value = json_loads(text, JSON_DECODE_ANY, &where);
    if (!value)
        fail_msg("%s in %s", where.text, text);
    return value;
}

esp_bytes bytes(const char *text)
{
    return (esp_bytes){(const uint8_t *)text, strlen(text)};
}

esp_status probe_fail(struct esp_call *call, esp_status status, uint64_t retry_after_ms, const char *why)
{
    return (probe_host->fail)(call, status, retry_after_ms, bytes(why));
}

static esp_status probe_open_op(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)call;
    (void)request;
    *instance = &probe_opened;
    __atomic_add_fetch(&probe_opened, 1, __ATOMIC_SEQ_CST);
    return ESP_OK;
}

static void probe_close_op(void *instance, struct esp_call *call)
{
    (void)call;
    assert_ptr_equal(instance, &probe_opened);
    __atomic_add_fetch(&probe_closed, 1, __ATOMIC_SEQ_CST);
}

static esp_status probe_get_op(void *instance, struct esp_call *call, const struct esp_request *request)
{
    assert_ptr_equal(instance, &probe_opened);
    if (probe_act)
        return probe_act(call, request);
    return probe_host->emit(call, ESP_OUT_VALUE, bytes(""), bytes("value"));
}

void probe_reset(void)
{
    probe_act = NULL;
    probe_opened = probe_closed = 0;
    probe_ops = (struct esp_store_ops){
        .size = sizeof probe_ops, .open = probe_open_op, .close = probe_close_op, .get = probe_get_op};
    probe_component = (struct esp_component){.size = sizeof probe_component,
                                             .kind = ESP_KIND_STORE,
                                             .caps = ESP_CAP_READ,
                                             .name = "probe",
                                             .label = "Test/Probe",
                                             .schema = "{\"type\":\"object\"}",
                                             .store = &probe_ops};
    probe_plugin = (struct esp_plugin){.size = sizeof probe_plugin,
                                       .abi_major = ESP_ABI_MAJOR,
                                       .abi_minor = ESP_ABI_MINOR,
                                       .name = "probe",
                                       .version = "0",
                                       .components = (const struct esp_component *const *)components};
}

bool probe_isolated(void)
{
    const char *isolation = getenv("ESOD_TEST_ISOLATION");
    return isolation && strcmp(isolation, "process") == 0;
}

void probe_isolate(struct es_registry *r)
{
    const struct es_isolation_opts opts = {.isolation = ES_ISOLATION_PROCESS, .runner = RUNNER};
    if (probe_isolated())
        es_registry_isolate(r, &opts);
}

struct es_registry *probe_registry_with(const struct es_services *services,
                                        const struct es_plugin_entry *entry)
{
    struct es_registry *r = NULL;
    struct es_error err = ES_ERROR_INIT;

    assert_int_equal(es_registry_new(&r, services, &err), 0);
    if (es_registry_add(r, &probe_plugin, entry, &err) < 0)
        fail_msg("%s", err.text);
    return r;
}

struct es_registry *probe_registry(const struct es_services *services)
{
    static const char *const all[] = {"all", NULL};
    return probe_registry_with(services, &(struct es_plugin_entry){.name = "probe", .ambient = all});
}

struct es_instance *probe_open(const struct es_registry *r, const struct es_authority *who)
{
    struct es_instance *i = NULL;
    struct es_error err = ES_ERROR_INIT;

    if (es_instance_open(&i, r, es_registry_provider(r, "probe"), who, NULL, &err) < 0)
        fail_msg("%s", err.text);
    return i;
}

struct es_authority probe_who(const char *spec)
{
    return (struct es_authority){.store_kind = "SecretStore",
                                 .store_namespace = "team",
                                 .store_name = "store",
                                 .store_generation = 3,
                                 .consumer_namespace = "team",
                                 .spec = parse(spec)};
}

struct es_authority probe_cluster_who(const char *spec, const char *consumer)
{
    struct es_authority who = probe_who(spec);
    who.store_kind = "ClusterSecretStore";
    who.store_namespace = "";
    who.consumer_namespace = consumer;
    return who;
}

void probe_who_free(struct es_authority *who)
{
    json_decref((json_t *)who->spec);
    who->spec = NULL;
}

int probe_get(const struct es_registry *r, const struct es_authority *who,
              esp_status (*act)(struct esp_call *, const struct esp_request *), struct es_error *err)
{
    struct es_instance *i = probe_open(r, who);
    struct es_blob value = {0};

    probe_act = act;
    int rc = es_instance_get(i, who, NULL, &value, err);
    probe_act = NULL;
    es_blob_fini(&value);
    es_instance_close(i);
    return rc;
}

void assert_error(int rc, const struct es_error *err, int code, const char *text)
{
    assert_string_equal(err->text, text);
    assert_int_equal(rc, code);
    assert_int_equal(err->code, code);
}
