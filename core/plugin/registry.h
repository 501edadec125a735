/* core/plugin/registry.h: finds, loads and vets plugins, and knows their
 * providers.
 *
 * Loading happens once, on the main thread, before any other thread exists.
 * Plugins stay mapped for the life of the process: exit handlers of their
 * libraries outlive them. After loading, everything here is constant and may
 * be read on any thread. */
#ifndef ES_PLUGIN_REGISTRY_H
#define ES_PLUGIN_REGISTRY_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/plugin/services.h"
#include "esp/plugin.h"

struct es_registry;
struct es_remote;
struct es_api_names;

/* Where a plugin's code runs. */
enum es_isolation {
    ES_ISOLATION_DEFAULT, /* of an entry: what the registry was told */
    ES_ISOLATION_PROCESS, /* in a child process that has nothing but the host services */
    ES_ISOLATION_NONE     /* in this process */
};

/* One entry of `plugins:` in the configuration. */
struct es_plugin_entry {
    const char *name;     /* "fake" (looked up in the plugin path) or a path with a slash */
    bool optional;        /* a refusal is a warning, readiness reports it */
    const json_t *config; /* the plugin's own block, or NULL */
    const char *origin;   /* "esod.yaml:12" or "--plugin", for errors; may be NULL */
    enum es_isolation isolation;
    const char *sha256; /* 64 hexadecimal digits that the file must have, or NULL */
    const char *const
        *hosts; /* HTTP goes to these only (es_authority_host); NULL at the end; NULL: anywhere */
    const char *const
        *ambient; /* what of its ambient list is granted, or {"all"}; NULL at the end; NULL: nothing */
    int64_t memory_bytes; /* ceiling of the child's own memory; 0: the registry's */
};

/* A provider: one store component of a loaded plugin. */
struct es_provider {
    const char *name;    /* the key under spec.provider */
    const char *schema;  /* JSON Schema of its block */
    uint64_t caps;       /* ESP_CAP_* */
    int32_t maintenance; /* ESP_MAINTAINED, ... */
    const struct esp_component *component;
    const struct es_plugin *plugin;
};

struct es_plugin {
    const char *name, *version, *path;
    uint16_t abi_major, abi_minor;
    enum es_isolation isolation; /* PROCESS or NONE */
    uint32_t fences;             /* ES_FENCE_...: what is active around its process */
    const char *const *hosts;    /* as in the entry; owned by the plugin */
    const char *const *ambient;  /* what is granted of its list; NULL at the end */
    const struct esp_plugin *data;
    struct es_remote *remote;       /* its process; NULL: none */
    struct es_api_names *api_names; /* of its calls, for metrics */
    const struct es_provider *providers;
    size_t provider_count;
};

/* A plugin that was optional and refused. */
struct es_plugin_refusal {
    const char *name, *reason;
};

/* `services` is copied; what it points to must outlive the registry. */
int es_registry_new(struct es_registry **ret, const struct es_services *services, struct es_error *err);

/* How plugins are run that do not say otherwise, and what it takes. Before the
 * first one is loaded; without it, all run in this process. Texts are borrowed for
 * the registry's life. */
struct es_isolation_opts {
    enum es_isolation isolation; /* PROCESS or NONE */
    const char *runner;          /* esod-plugin-runner */
    int64_t memory_bytes;        /* ceiling of each process; 0: ES_PLUGIN_MEMORY */
    int64_t grace_ms;            /* how long an operation may overrun its deadline; 0: ES_PLUGIN_GRACE_MS */
    int64_t start_ms;            /* how long a plugin may take to load; 0: ES_PLUGIN_START_MS */
};
#define ES_PLUGIN_MEMORY (INT64_C(256) << 20)
#define ES_PLUGIN_GRACE_MS 2000
#define ES_PLUGIN_START_MS 20000
void es_registry_isolate(struct es_registry *r, const struct es_isolation_opts *opts);

/* All plugins are loaded: from now on their processes are looked after, each by a
 * thread of its own. */
int es_registry_start(struct es_registry *r, struct es_error *err);

/* Runs after all instances are closed. The code stays mapped, processes end. */
void es_registry_free(struct es_registry *r);

/* The file that a name means, without loading it: the name itself if it has a
 * slash, else the first PATH/NAME.so. *ret: es_mem_free. ES_E_CONFIG: no such
 * file, with every place that was looked at. */
int es_registry_find(char **ret, const char *const *path, const char *name, struct es_error *err);

/* Makes "REASON" in `err` read "ORIGIN: plugin NAME (FILE): REASON", as every refusal
 * does; `file` may be NULL. Returns rc. */
int es_registry_explain(const struct es_plugin_entry *entry, const char *file, int rc, struct es_error *err);

/* Loads one plugin. The refusals (ES_E_CONFIG), each one sentence that names
 * file, versions and reason: no such file (every place that was looked at),
 * another SHA-256 than the entry pins, not a shared object (the loader's own
 * reason), no esp_plugin_entry_v1 symbol (and which other major's symbol it
 * has), the plugin's veto, another major, needs_minor above ours, a struct that
 * is too short, no component, a name that is empty or taken by another plugin's
 * provider, a schema that is no acceptable JSON Schema object, a promised but
 * missing operation, an unknown component kind,
 * config given but no configure, configure's own error. An optional entry's
 * refusal is remembered, and 0 returned. */
int es_registry_load(struct es_registry *r, const char *const *path, const struct es_plugin_entry *entry,
                     struct es_error *err);

/* The same for a plugin that is part of the program and has no file: vetting,
 * names, configuration. For tests. */
int es_registry_add(struct es_registry *r, const struct esp_plugin *data, const struct es_plugin_entry *entry,
                    struct es_error *err);

/* Calls `fn` for every *.so found in the directories, in the order of their names; of two
 * files with one name the first directory's counts, as it does for es_registry_find.
 * Ends with the first result that is not 0. `file` is borrowed. */
typedef int es_registry_file_fn(void *ctx, const char *file, struct es_error *err);
int es_registry_each_file(const char *const *path, es_registry_file_fn *fn, void *ctx, struct es_error *err);

/* Loads all of these. What cannot be loaded becomes a refusal, not an error. For
 * commands that run without a configuration file. */
int es_registry_load_all(struct es_registry *r, const char *const *path, struct es_error *err);

const struct es_provider *es_registry_provider(const struct es_registry *r, const char *name); /* or NULL */
size_t es_registry_plugins(const struct es_registry *r, const struct es_plugin *const **ret);
size_t es_registry_refusals(const struct es_registry *r, const struct es_plugin_refusal **ret);
const struct es_services *es_registry_services(const struct es_registry *r);

#endif
