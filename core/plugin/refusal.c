#include "core/plugin/refusal.h"

#include "core/plugin/call.h"

#define TEXT_MAX 512

int es_refusal_say(struct es_error *err, enum es_refusal why, uint32_t detail, esp_bytes text)
{
    char clean[TEXT_MAX];

    es_call_clean_text(clean, sizeof clean, text);
    switch (why) {
    case ES_REFUSAL_LOADER:
        return es_error_set(err, ES_E_CONFIG, ES_REFUSED_BY_LOADER, *clean ? clean : "no reason given");
    case ES_REFUSAL_NO_ENTRY:
        if (detail == UINT32_MAX)
            return es_error_set(err, ES_E_CONFIG,
                                "it is no esod plugin: it has no symbol esp_plugin_entry_v%d", ESP_ABI_MAJOR);
        return es_error_set(err, ES_E_CONFIG,
                            "it was built for plugin ABI %u (it has esp_plugin_entry_v%u) and this esod has "
                            "%u.%u; install a build of it for ABI %u",
                            detail, detail, ESP_ABI_MAJOR, ESP_ABI_MINOR, ESP_ABI_MAJOR);
    case ES_REFUSAL_VETO:
        return es_error_set(err, ES_E_CONFIG, "it will not work with this esod (plugin ABI %u.%u)",
                            ESP_ABI_MAJOR, ESP_ABI_MINOR);
    case ES_REFUSAL_LOCALE:
        return es_error_set(err, ES_E_CONFIG,
                            "it set the locale of the process to %s, which a plugin has to leave alone",
                            clean);
    case ES_REFUSAL_THREADS:
        return es_error_set(err, ES_E_CONFIG,
                            "it started a thread when it was loaded, which a plugin never does");
    }
    return es_error_set(err, ES_E_CONFIG,
                        "its process refused it for a reason that this esod does not know (%d)", (int)why);
}
