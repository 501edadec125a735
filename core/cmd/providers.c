#include "core/cmd/providers.h"

#include <stdlib.h>

int es_crds_of_registry(struct es_crds **ret, const struct es_registry *r, struct es_error *err)
{
    const struct es_plugin *const *plugins;
    size_t count = es_registry_plugins(r, &plugins), total = 0, n = 0;

    for (size_t i = 0; i < count; i++)
        total += plugins[i]->provider_count;
    struct es_crd_provider *list = calloc(total + 1, sizeof *list);
    if (!list)
        return es_error_nomem(err);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < plugins[i]->provider_count; k++, n++)
            list[n] =
                (struct es_crd_provider){plugins[i]->providers[k].name, plugins[i]->providers[k].schema};
    int rc = es_crds_new(ret, list, n, err);
    free(list);
    return rc;
}

void es_caps_text(struct es_buf *out, uint64_t caps, const char *separator)
{
    static const struct {
        uint64_t bit;
        const char *word;
    } words[] = {{ESP_CAP_READ, "read"}, {ESP_CAP_LIST, "find"}, {ESP_CAP_WRITE, "push"}};
    const char *between = "";

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (caps & words[i].bit) {
            es_buf_addf(out, "%s%s", between, words[i].word);
            between = separator;
        }
}
