#include "core/cmd/trouble.h"

#include "core/base/text.h"
#include "core/ops/rights.h"

struct describing {
    struct es_buf *out;
    const struct es_config *config;
};

/* What a definition would add, nobody but an admin can. */
static void say_install(const struct describing *d, const struct es_kind *kind)
{
    if (!es_streq(kind->group, ES_GROUP))
        return;
    es_buf_adds(d->out, " \"esod crds --apply\" installs it, or the chart with installCRDs=true.");
    if (es_kind_same(kind, &es_kind_push_secret))
        es_buf_adds(d->out, " Set enablePushSecretReconciler: false if PushSecrets are not used.");
}

static bool describe(void *ctx, const struct es_kind *kind, struct es_error *err)
{
    const struct describing *d = ctx;

    es_buf_adds(d->out, err->text);
    if (err->code == ES_E_NOT_FOUND)
        say_install(d, kind);
    if (err->code == ES_E_DENIED && err->http_status == 403) {
        es_buf_adds(d->out, ". ");
        es_right_explain(d->out, d->config, kind->group, kind->plural);
    }
    es_buf_addc(d->out, '\n');
    return true;
}

void es_trouble_describe(struct es_buf *out, struct es_cluster *cluster, const struct es_config *config)
{
    es_cluster_each_trouble(cluster, describe, &(struct describing){out, config});
}
