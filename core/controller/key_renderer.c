#include "core/controller/key_renderer.h"

#include <string.h>

#include "core/template/template.h"

/* What messages call these templates: the reference's names. */
#define OF_REWRITE "transform"
#define OF_DATA_TO "t"

static int render_as(const char *name, const struct es_services *services, const char *text,
                     const json_t *data, struct es_buf *out, struct es_error *err)
{
    struct es_blob key = {0};
    int rc = services->render(services->ctx, name, text, strlen(text), data, &key, err);

    if (rc == 0)
        es_buf_add(out, key.ptr, key.len);
    es_blob_fini(&key);
    return rc;
}

static int render_of_rewrite(void *ctx, const char *text, const json_t *data, struct es_buf *out,
                             struct es_error *err)
{
    return render_as(OF_REWRITE, ctx, text, data, out, err);
}

static int render_of_data_to(void *ctx, const char *text, const json_t *data, struct es_buf *out,
                             struct es_error *err)
{
    return render_as(OF_DATA_TO, ctx, text, data, out, err);
}

static int parse_as(const char *name, const char *text, struct es_error *err)
{
    const struct es_template_opts opts = {0};
    struct es_template *t = NULL;
    int rc = es_template_new(&t, name, text, strlen(text), &opts, err);

    if (rc == 0)
        es_template_free(t);
    return rc;
}

static int parse_of_rewrite(void *ctx, const char *text, struct es_error *err)
{
    (void)ctx;
    return parse_as(OF_REWRITE, text, err);
}

static int parse_of_data_to(void *ctx, const char *text, struct es_error *err)
{
    (void)ctx;
    return parse_as(OF_DATA_TO, text, err);
}

const struct es_renderer *es_key_renderer(const struct es_env *env, enum es_key_rule rule,
                                          struct es_renderer *ret)
{
    const struct es_services *services = es_registry_services(env->registry);

    if (!services->render)
        return NULL;
    *ret = (struct es_renderer){.render = rule == ES_KEY_DATA_TO ? render_of_data_to : render_of_rewrite,
                                .parse = rule == ES_KEY_DATA_TO ? parse_of_data_to : parse_of_rewrite,
                                .ctx = (void *)(uintptr_t)services};
    return ret;
}
