#include "core/cmd/load.h"

#include <stdio.h>

#include "core/base/log.h"

int es_load_plugins(struct es_registry **ret, const struct es_config *config,
                    const struct es_services *services, struct es_error *err)
{
    struct es_registry *r = NULL;
    int rc = es_registry_new(&r, services, err);

    if (rc == 0 && !config->plugins_given)
        rc = es_registry_load_all(r, config->plugin_path, err);
    for (size_t i = 0; rc == 0 && i < config->plugin_count; i++)
        rc = es_registry_load(r, config->plugin_path, &config->plugins[i], err);
    if (rc < 0) {
        es_registry_free(r);
        return rc;
    }
    *ret = r;
    return 0;
}

void es_say_no_plugins(const struct es_config *config)
{
    fputs("No plugins found. They are looked for in:\n", stderr);
    for (size_t i = 0; i < config->plugin_path_count; i++)
        fprintf(stderr, "  %s\n", config->plugin_path[i]);
}

void es_log_plugins(const struct es_registry *r)
{
    const struct es_plugin *const *plugins;
    const struct es_plugin_refusal *refusals;
    size_t count = es_registry_plugins(r, &plugins);

    for (size_t i = 0; i < count; i++)
        es_log(ES_INFO, "setup", "plugin loaded", ES_F_STR("plugin", plugins[i]->name),
               ES_F_STR("version", plugins[i]->version), ES_F_STR("path", plugins[i]->path));
    if (!count)
        es_log_plain(ES_WARN, "setup", "no plugin is loaded: no store can work");
    count = es_registry_refusals(r, &refusals);
    for (size_t i = 0; i < count; i++)
        es_log(ES_WARN, "setup", "an optional plugin was refused", ES_F_STR("plugin", refusals[i].name),
               ES_F_STR("reason", refusals[i].reason));
}
