/* Can the plugins be loaded, and do their files fit the pins? Loading has found that out. */
#include "core/base/text.h"
#include "core/preflight/own.h"

#define CHECK "plugins"

static void tell_refusals(struct es_preflight *p)
{
    const struct es_plugin_refusal *refusals;
    size_t count = es_registry_refusals(p->registry, &refusals);

    for (size_t i = 0; i < count; i++) {
        es_report_add(p->report, CHECK, ES_WARNING, "optional plugin %s: %s", refusals[i].name,
                      refusals[i].reason);
        es_report_remedy(p->report, "esod starts without it, and what names its provider fails");
    }
}

int es_check_plugins(struct es_preflight *p)
{
    const struct es_plugin *const *plugins;
    size_t count = es_registry_plugins(p->registry, &plugins);
    struct es_buf names;

    es_buf_init(&names, 2048);
    for (size_t i = 0; i < count; i++)
        es_buf_addf(&names, "%s%s %s", i ? ", " : "", plugins[i]->name, plugins[i]->version);
    if (count)
        es_report_add(p->report, CHECK, ES_FINE, "%s", es_buf_str(&names));
    else {
        es_report_add(p->report, CHECK, ES_FAILED, "none is loaded, so no store can work");
        es_report_remedy(p->report,
                         "name some under plugins: in the configuration; they are looked for in %s",
                         p->config->plugin_path_count ? p->config->plugin_path[0] : "no folder");
    }
    tell_refusals(p);
    es_buf_fini(&names);
    return 0;
}
