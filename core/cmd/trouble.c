#include "core/cmd/trouble.h"

#include <stdio.h>
#include <string.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/ops/rights.h"

#define LINES_MAX ((size_t)256 << 10)

struct describing {
    struct es_buf *out;
    const struct es_config *config;
};

static void say_what_helps(const struct describing *d, const struct es_kind *kind, const struct es_error *err)
{
    const struct es_right *right = es_right_to_watch(d->config, kind->group, kind->plural);

    if (!right)
        return;
    if (err->code == ES_E_NOT_FOUND && es_streq(kind->group, ES_GROUP))
        es_buf_addf(d->out, " \"esod crds --apply\" installs it, or the chart with installCRDs=true. %s",
                    right->without);
    if (err->code == ES_E_DENIED && err->http_status == 403)
        es_buf_addf(d->out, ". It needs this right %s. %s", right->purpose, right->without);
}

static bool describe(void *ctx, const struct es_kind *kind, struct es_error *err)
{
    const struct describing *d = ctx;

    es_buf_adds(d->out, err->text);
    say_what_helps(d, kind, err);
    es_buf_addc(d->out, '\n');
    return true;
}

void es_trouble_describe(struct es_buf *out, struct es_cluster *cluster, const struct es_config *config)
{
    es_cluster_each_trouble(cluster, describe, &(struct describing){out, config});
}

/* ---- the log ---- */

/* Each line that is new by itself: an admin who has to grant rights wants to know of all. */
static void log_lines(char *text, const char *known)
{
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        if (!known || !strstr(known, line))
            es_log(ES_WARN, "watch", "the API server does not answer as it should; retrying",
                   ES_F_STR("error", line));
}

static void note(struct es_trouble *t, struct es_buf *now)
{
    char *before = t->said;

    t->said = es_mem_strdup(es_buf_str(now));
    snprintf(t->first, sizeof t->first, "%.*s", (int)strcspn(es_buf_str(now), "\n"), es_buf_str(now));
    if (now->len)
        log_lines(now->ptr, before);
    else
        es_log_plain(ES_INFO, "watch", "all watches work again");
    es_mem_free(before);
}

void es_trouble_log(struct es_trouble *t, struct es_cluster *cluster, const struct es_config *config)
{
    struct es_buf now;

    es_buf_init(&now, LINES_MAX);
    es_trouble_describe(&now, cluster, config);
    if (!es_streq(es_buf_str(&now), t->said))
        note(t, &now);
    es_buf_fini(&now);
}

void es_trouble_fini(struct es_trouble *t)
{
    es_mem_free(t->said);
    *t = (struct es_trouble){0};
}
