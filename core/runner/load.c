#include "core/runner/load.h"

#include <dlfcn.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "core/runner/host.h"

static struct es_loaded refuse(enum es_refusal why, uint32_t detail, const char *text)
{
    return (struct es_loaded){.why = why, .detail = detail, .text = text};
}

static struct es_loaded no_entry(void *module)
{
    char symbol[32];

    for (uint32_t major = 0; major <= ES_MAX_MAJOR; major++) {
        snprintf(symbol, sizeof symbol, "esp_plugin_entry_v%u", major);
        if (dlsym(module, symbol))
            return refuse(ES_REFUSAL_NO_ENTRY, major, NULL);
    }
    return refuse(ES_REFUSAL_NO_ENTRY, UINT32_MAX, NULL);
}

/* The loader's reason without the file's name, which the core knows. */
static const char *reason(const char *file)
{
    const char *why = dlerror();
    size_t len = strlen(file);

    if (why && strncmp(why, file, len) == 0 && strncmp(why + len, ": ", 2) == 0)
        why += len + 2;
    return why;
}

struct es_loaded es_load(const char *file)
{
    esp_entry_fn entry;
    void *module = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!module)
        return refuse(ES_REFUSAL_LOADER, 0, reason(file));
    void *symbol = dlsym(module, "esp_plugin_entry_v1");
    if (!symbol)
        return no_entry(module);
    /* ISO C has no conversion from an object pointer to a function; POSIX's
     * dlsym promises that the bits are the same. */
    memcpy(&entry, &symbol, sizeof entry);
    const struct esp_plugin *plugin = entry(&es_runner_host);
    const char *locale = setlocale(LC_ALL, NULL);
    if (locale && strcmp(locale, "C") != 0)
        return refuse(ES_REFUSAL_LOCALE, 0, locale);
    return plugin ? (struct es_loaded){.plugin = plugin} : refuse(ES_REFUSAL_VETO, 0, NULL);
}
