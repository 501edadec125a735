#include "core/plugin/registry.h"

#include <ltdl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/ambient.h"
#include "core/plugin/api_names.h"
#include "core/plugin/call.h"
#include "core/plugin/crd_own.h"
#include "core/plugin/loader.h"
#include "core/plugin/pin.h"
#include "core/plugin/registry_own.h"
#include "core/plugin/remote.h"
#include "core/plugin/vet.h"

#define MAX_PLUGINS 256
#define MAX_CONFIG ((size_t)1 << 20)

struct es_registry {
    struct es_services services;
    struct es_isolation_opts isolation;
    struct es_metric *api_calls, *reads, *read_seconds, *restarts, *lost, *resident;
    struct es_plugin **plugins;
    size_t plugin_count, plugin_cap;
    struct es_map providers; /* name -> struct es_provider */
    struct es_plugin_refusal *refusals;
    size_t refusal_count, refusal_cap;
};

/* What the processes take, read when the page is asked for. */
static void collect(void *registry)
{
    struct es_registry *r = registry;

    for (size_t i = 0; i < r->plugin_count; i++)
        if (r->plugins[i]->remote)
            es_metric_set(r->resident, (const char *const[]){r->plugins[i]->name},
                          (double)es_remote_resident(r->plugins[i]->remote));
}

static int make_metrics(struct es_registry *r, struct es_metrics *m)
{
    static const char *const calls[] = {"provider", "call", "status"};
    static const char *const reads[] = {"provider", "operation", "result"};
    static const char *const plugin[] = {"plugin"};
    static const double seconds[] = {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60};

    r->api_calls = es_metrics_family(m, ES_COUNTER, "externalsecret_provider_api_calls_count",
                                     "Number of API calls towards the secret provider", calls, 3, NULL, 0);
    r->reads = es_metrics_family(m, ES_COUNTER, "esod_provider_reads_total",
                                 "Reads that providers were asked to make, by operation and result.", reads,
                                 3, NULL, 0);
    /* The first two labels of the one above. */
    r->read_seconds = es_metrics_family(m, ES_HISTOGRAM, "esod_provider_read_duration_seconds",
                                        "How long those reads took, by operation.", reads, 2, seconds,
                                        sizeof seconds / sizeof *seconds);
    r->restarts = es_metrics_family(m, ES_COUNTER, "esod_plugin_restarts_total",
                                    "Processes of plugins that were started again after one ended.", plugin,
                                    1, NULL, 0);
    r->lost = es_metrics_family(m, ES_COUNTER, "esod_plugin_lost_calls_total",
                                "Calls that failed because the plugin's process ended.", plugin, 1, NULL, 0);
    r->resident = es_metrics_family(m, ES_GAUGE, "esod_plugin_resident_memory_bytes",
                                    "Resident memory of the plugin's process in bytes.", plugin, 1, NULL, 0);
    return es_metrics_on_collect(m, collect, r);
}

int es_registry_new(struct es_registry **ret, const struct es_services *services, struct es_error *err)
{
    struct es_registry *r = es_mem_calloc(1, sizeof *r);

    if (!r)
        return es_error_nomem(err);
    if (services)
        r->services = *services;
    r->isolation.isolation = ES_ISOLATION_NONE;
    if (lt_dlinit() != 0) {
        es_mem_free(r);
        return es_error_set(err, ES_E_INTERNAL, "cannot set up the plugin loader: %s", lt_dlerror());
    }
    /* Last, because a page may be asked for from then on. */
    if (r->services.metrics && make_metrics(r, r->services.metrics) < 0) {
        es_mem_free(r);
        return es_error_nomem(err);
    }
    *ret = r;
    return 0;
}

void es_registry_isolate(struct es_registry *r, const struct es_isolation_opts *opts)
{
    r->isolation = *opts;
}

int es_registry_start(struct es_registry *r, struct es_error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < r->plugin_count; i++) {
        if (!r->plugins[i]->remote)
            continue;
        /* A rate needs a series that was there before the first failure. */
        es_metric_add(r->restarts, (const char *const[]){r->plugins[i]->name}, 0);
        es_metric_add(r->lost, (const char *const[]){r->plugins[i]->name}, 0);
        rc = es_remote_start(r->plugins[i]->remote, err);
    }
    return rc;
}

static void hosts_free(const char *const *hosts)
{
    for (size_t i = 0; hosts && hosts[i]; i++)
        es_mem_free((char *)hosts[i]);
    es_mem_free((const char **)hosts);
}

/* NULL stays NULL: no list is no limit. */
static int hosts_copy(const char *const **ret, const char *const *hosts)
{
    size_t count = 0;

    while (hosts && hosts[count])
        count++;
    const char **copy = hosts ? es_mem_calloc(count + 1, sizeof *copy) : NULL;
    for (size_t i = 0; copy && i < count; i++) {
        copy[i] = es_mem_strdup(hosts[i]);
        if (!copy[i]) {
            hosts_free(copy);
            copy = NULL;
        }
    }
    *ret = copy;
    return copy || !hosts ? 0 : ES_E_NOMEM;
}

static void plugin_free(struct es_plugin *p)
{
    if (!p)
        return;
    es_remote_free(p->remote);
    hosts_free(p->hosts);
    es_mem_free((const char **)p->ambient);
    es_api_names_free(p->api_names);
    es_mem_free((char *)p->path);
    es_mem_free((struct es_provider *)p->providers);
    es_mem_free(p);
}

void es_registry_free(struct es_registry *r)
{
    if (!r)
        return;
    /* All are told before the first is waited for. */
    for (size_t i = 0; i < r->plugin_count; i++)
        if (r->plugins[i]->remote)
            es_remote_leave(r->plugins[i]->remote);
    for (size_t i = 0; i < r->plugin_count; i++)
        plugin_free(r->plugins[i]);
    for (size_t i = 0; i < r->refusal_count; i++) {
        es_mem_free((char *)r->refusals[i].name);
        es_mem_free((char *)r->refusals[i].reason);
    }
    es_map_fini(&r->providers);
    free(r->plugins);
    free(r->refusals);
    es_mem_free(r);
    /* No lt_dlexit: the modules stay, and it would only forget about them. */
}

/* ---- from a file to a process ---- */

static enum es_isolation isolation_of(const struct es_registry *r, const struct es_plugin_entry *entry)
{
    return entry->isolation != ES_ISOLATION_DEFAULT ? entry->isolation : r->isolation.isolation;
}

static int start_remote(const struct es_registry *r, const struct es_plugin_entry *entry, const char *file,
                        int memory_fd, struct es_remote **ret, struct es_error *err)
{
    int64_t memory = entry->memory_bytes ? entry->memory_bytes : r->isolation.memory_bytes;
    const struct es_remote_opts opts = {
        .runner = r->isolation.runner,
        .file = file,
        .memory_fd = memory_fd,
        .memory = memory ? memory : ES_PLUGIN_MEMORY,
        .start_ms = r->isolation.start_ms ? r->isolation.start_ms : ES_PLUGIN_START_MS,
        .grace_ms = r->isolation.grace_ms ? r->isolation.grace_ms : ES_PLUGIN_GRACE_MS,
        .restarts = r->restarts,
        .lost = r->lost,
    };

    if (!opts.runner)
        return es_error_set(err, ES_E_CONFIG, "there is no runner for plugins in processes of their own");
    return es_remote_new(ret, &opts, err);
}

/* Every process of a pinned plugin loads the same copy, the one that was checked. */
static int start_process(const struct es_registry *r, const struct es_plugin_entry *entry, const char *file,
                         struct es_remote **ret, struct es_error *err)
{
    int fd = -1;

    int rc = entry->sha256 ? es_pin_open(&fd, file, entry->sha256, err) : 0;
    if (rc == 0)
        rc = start_remote(r, entry, file, fd, ret, err);
    if (fd >= 0)
        close(fd);
    return rc;
}

/* ---- from a table to providers ---- */

static int make_room(void **list, size_t *cap, size_t count, size_t item, struct es_error *err)
{
    if (count < *cap)
        return 0;
    size_t more = *cap ? *cap * 2 : 8;
    void *moved = realloc(*list, more * item);
    if (!moved)
        return es_error_nomem(err);
    *list = moved;
    *cap = more;
    return 0;
}

static bool is_loaded(const struct es_registry *r, const char *file)
{
    struct stat a, b;

    if (stat(file, &a) < 0)
        return false;
    for (size_t i = 0; i < r->plugin_count; i++)
        if (stat(r->plugins[i]->path, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino)
            return true;
    return false;
}

/* Generators have no es_provider, but their names are taken as well. */
static const struct es_plugin *owner_of(const struct es_registry *r, const char *name)
{
    for (size_t i = 0; i < r->plugin_count; i++)
        for (const struct esp_component *const *c = r->plugins[i]->data->components; *c; c++)
            if (es_streq((*c)->name, name))
                return r->plugins[i];
    return NULL;
}

/* A plugin in this process is known by its table; one in another by its `file`. */
static int check_names(const struct es_registry *r, const struct esp_plugin *data, const char *file,
                       struct es_error *err)
{
    for (size_t i = 0; i < r->plugin_count; i++)
        if (r->plugins[i]->data == data || (file && is_loaded(r, file)))
            return es_error_set(err, ES_E_CONFIG, "it is listed twice");
    for (const struct esp_component *const *c = data->components; *c; c++) {
        const struct es_plugin *owner = owner_of(r, (*c)->name);
        if (owner)
            return es_error_set(err, ES_E_CONFIG, "its component %s is there already, from plugin %s %s (%s)",
                                (*c)->name, owner->name, owner->version, owner->path);
    }
    return 0;
}

/* The block against the plugin's own schema, so that a plugin sees sound input. */
static int check_config(const struct esp_plugin *data, const json_t *config, struct es_error *err)
{
    if (!data->config_schema)
        return 0;
    json_t *schema = json_loads(data->config_schema, JSON_REJECT_DUPLICATES, NULL);
    if (!schema)
        return es_error_nomem(err); /* it was vetted */
    int rc = es_crd_check_value(schema, config, err);
    json_decref(schema);
    if (rc == ES_E_INVALID)
        return es_error_set(err, ES_E_CONFIG, "its configuration: %s", err ? err->text : "");
    return rc;
}

static int configure(const struct es_registry *r, const struct es_plugin *p, const json_t *config,
                     struct es_error *err)
{
    static const struct es_authority nobody = {.store_kind = "", .store_namespace = "", .store_name = ""};
    struct esp_call call;

    if (!config)
        return 0;
    if (!p->data->configure)
        return es_error_set(err, ES_E_CONFIG,
                            "it takes no configuration, and there is a config block for it");
    int rc = check_config(p->data, config, err);
    char *text = rc == 0 ? json_dumps(config, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    if (!text)
        return rc < 0 ? rc : es_error_nomem(err);
    size_t len = strlen(text);
    const struct esp_request request = {.size = sizeof request, .json = {(const uint8_t *)text, len}};
    es_call_begin(&call, r, p, NULL, ES_OP_CONFIGURE, &nobody);
    rc = len > MAX_CONFIG ? es_error_set(err, ES_E_CONFIG, "larger than %zu KiB", MAX_CONFIG >> 10)
                          : es_call_settle(&call, p->data->configure(&call, &request), err);
    es_call_end(&call);
    es_mem_free(text);
    if (rc < 0)
        es_error_wrap(err, "its configuration: ");
    return rc;
}

static int make_plugin(struct es_plugin **ret, const struct esp_plugin *data, const char *file,
                       const struct es_plugin_entry *entry, const struct es_remote *remote,
                       struct es_error *err)
{
    struct es_plugin *p = es_mem_calloc(1, sizeof *p);
    struct es_provider *providers = NULL;
    size_t components = 0;

    while (data->components[components])
        components++;
    if (p) {
        *p = (struct es_plugin){.name = data->name,
                                .version = data->version,
                                .path = es_mem_strdup(file),
                                .abi_major = data->abi_major,
                                .abi_minor = data->abi_minor,
                                .isolation = remote ? ES_ISOLATION_PROCESS : ES_ISOLATION_NONE,
                                .fences = remote ? es_remote_fences(remote) : 0,
                                .api_names = es_api_names_new(),
                                .data = data};
        p->providers = providers = es_mem_calloc(components, sizeof *providers);
    }
    if (!p || !p->path || !p->api_names || !providers || hosts_copy(&p->hosts, entry->hosts) < 0) {
        plugin_free(p);
        return es_error_nomem(err);
    }
    int rc = es_ambient_grant(&p->ambient, data, entry->ambient, err);
    if (rc < 0) {
        plugin_free(p);
        return rc;
    }
    for (size_t i = 0; i < components; i++) {
        const struct esp_component *c = data->components[i];
        if (c->kind == ESP_KIND_STORE)
            providers[p->provider_count++] = (struct es_provider){.name = c->name,
                                                                  .schema = c->schema,
                                                                  .caps = c->caps,
                                                                  .maintenance = c->maintenance,
                                                                  .component = c,
                                                                  .plugin = p};
    }
    *ret = p;
    return 0;
}

static int publish(struct es_registry *r, struct es_plugin *p, struct es_error *err)
{
    for (size_t i = 0; i < p->provider_count; i++) {
        const struct es_provider *provider = &p->providers[i];
        if (es_map_put(&r->providers, provider->name, (void *)provider, NULL) < 0) {
            while (i--)
                es_map_remove(&r->providers, p->providers[i].name);
            return es_error_nomem(err);
        }
    }
    r->plugins[r->plugin_count++] = p;
    return 0;
}

/* `take_remote` is the process that the plugin is in; NULL: this one. */
static int add(struct es_registry *r, const struct esp_plugin *data, const char *file,
               struct es_remote *take_remote, const struct es_plugin_entry *entry, struct es_error *err)
{
    struct es_plugin *p = NULL;

    int rc = r->plugin_count == MAX_PLUGINS
                 ? es_error_set(err, ES_E_CONFIG, "more than %d plugins", MAX_PLUGINS)
                 : es_vet_plugin(data, err);
    if (rc == 0)
        rc = check_names(r, data, take_remote ? file : NULL, err);
    if (rc == 0)
        rc = make_room((void **)&r->plugins, &r->plugin_cap, r->plugin_count, sizeof *r->plugins, err);
    if (rc == 0)
        rc = make_plugin(&p, data, file, entry, take_remote, err);
    if (rc == 0) {
        p->remote = take_remote;
        take_remote = NULL;
        if (p->remote)
            es_remote_bind(p->remote, r, p);
        rc = configure(r, p, entry->config, err);
    }
    if (rc == 0)
        rc = publish(r, p, err);
    if (rc < 0)
        plugin_free(p);
    es_remote_free(take_remote);
    return rc;
}

/* ---- entries ---- */

int es_registry_explain(const struct es_plugin_entry *entry, const char *file, int rc, struct es_error *err)
{
    const char *origin = entry->origin ? entry->origin : "";
    const char *name = entry->name ? entry->name : "";
    bool show_file = file && !es_streq(file, name);

    es_error_wrap(err, "%s%splugin %s%s%s%s: ", origin, *origin ? ": " : "", name, show_file ? " (" : "",
                  show_file ? file : "", show_file ? ")" : "");
    return rc;
}

static int remember_refusal(struct es_registry *r, const char *name, const struct es_error *why,
                            struct es_error *err)
{
    struct es_plugin_refusal refusal = {0};

    int rc = make_room((void **)&r->refusals, &r->refusal_cap, r->refusal_count, sizeof *r->refusals, err);
    if (rc < 0)
        return rc;
    refusal.name = es_mem_strdup(name ? name : "");
    refusal.reason = es_mem_strdup(why->text);
    if (!refusal.name || !refusal.reason) {
        es_mem_free((char *)refusal.name);
        es_mem_free((char *)refusal.reason);
        return es_error_nomem(err);
    }
    r->refusals[r->refusal_count++] = refusal;
    return 0;
}

static int finish_load(struct es_registry *r, const struct es_plugin_entry *entry, const char *file, int rc,
                       const struct es_error *why, struct es_error *err)
{
    struct es_error full = *why;

    if (rc == 0)
        return 0;
    es_registry_explain(entry, file, rc, &full);
    if (entry->optional && rc != ES_E_NOMEM)
        return remember_refusal(r, entry->name, &full, err);
    if (err)
        *err = full;
    return rc;
}

int es_registry_load(struct es_registry *r, const char *const *path, const struct es_plugin_entry *entry,
                     struct es_error *err)
{
    const struct esp_plugin *data = NULL;
    struct es_error why = ES_ERROR_INIT;
    char *file = NULL;

    struct es_remote *remote = NULL;

    int rc = es_registry_find(&file, path, entry->name, &why);
    if (rc == 0 && !entry->sha256)
        rc = es_pin_executable(file, &why);
    if (rc == 0 && isolation_of(r, entry) == ES_ISOLATION_PROCESS) {
        rc = start_process(r, entry, file, &remote, &why);
        data = rc == 0 ? es_remote_data(remote) : NULL;
    } else if (rc == 0) {
        rc = es_loader_ask(&data, file, entry->sha256, &why);
    }
    if (rc == 0)
        rc = add(r, data, file, remote, entry, &why);
    rc = finish_load(r, entry, file, rc, &why, err);
    es_mem_free(file);
    return rc;
}

int es_registry_add(struct es_registry *r, const struct esp_plugin *data, const struct es_plugin_entry *entry,
                    struct es_error *err)
{
    struct es_error why = ES_ERROR_INIT;
    int rc = add(r, data, "built in", NULL, entry, &why);
    return finish_load(r, entry, NULL, rc, &why, err);
}

/* ---- all of the path ---- */

static int load_file(void *ctx, const char *file, struct es_error *err)
{
    struct es_registry *r = ctx;
    const struct es_plugin_entry entry = {.name = file, .optional = true};

    return is_loaded(r, file) ? 0 : es_registry_load(r, NULL, &entry, err);
}

int es_registry_load_all(struct es_registry *r, const char *const *path, struct es_error *err)
{
    return es_registry_each_file(path, load_file, r, err);
}

/* ---- answers ---- */

const struct es_provider *es_registry_provider(const struct es_registry *r, const char *name)
{
    return es_map_get(&r->providers, name);
}

size_t es_registry_plugins(const struct es_registry *r, const struct es_plugin *const **ret)
{
    *ret = (const struct es_plugin *const *)r->plugins;
    return r->plugin_count;
}

size_t es_registry_refusals(const struct es_registry *r, const struct es_plugin_refusal **ret)
{
    *ret = r->refusals;
    return r->refusal_count;
}

const struct es_services *es_registry_services(const struct es_registry *r)
{
    return &r->services;
}

struct es_metric *es_registry_reads(const struct es_registry *r)
{
    return r->reads;
}

struct es_metric *es_registry_read_seconds(const struct es_registry *r)
{
    return r->read_seconds;
}

struct es_metric *es_registry_api_calls(const struct es_registry *r)
{
    return r->api_calls;
}
