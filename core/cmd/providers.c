#include "core/cmd/providers.h"

#include <stdlib.h>

#include "core/wire/fence.h"

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
    if (rc < 0)
        return rc;
    rc = es_crds_stamp(*ret, ESOD_VERSION, err);
    if (rc < 0) {
        es_crds_free(*ret);
        *ret = NULL;
    }
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

void es_fences_text(struct es_buf *out, uint32_t fences)
{
    const char *between = "";

    for (unsigned i = 0; i < ES_FENCE_COUNT; i++)
        if (fences & UINT32_C(1) << i) {
            es_buf_addf(out, "%s%s", between, es_fence_word(i));
            between = ", ";
        }
}

uint32_t es_fences_missing(const struct es_plugin *p)
{
    const uint32_t all = (UINT32_C(1) << ES_FENCE_COUNT) - 1;
    return p->isolation == ES_ISOLATION_PROCESS ? all & ~p->fences : 0;
}
