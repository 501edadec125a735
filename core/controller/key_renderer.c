#include "core/controller/key_renderer.h"

#include <string.h>

#include "core/template/template.h"

static int render(void *ctx, const char *text, const json_t *data, struct es_buf *out, struct es_error *err)
{
    const struct es_services *services = ctx;
    struct es_blob key = {0};
    int rc = services->render(services->ctx, text, strlen(text), data, &key, err);

    if (rc == 0)
        es_buf_add(out, key.ptr, key.len);
    es_blob_fini(&key);
    return rc;
}

static int parse(void *ctx, const char *text, struct es_error *err)
{
    const struct es_template_opts opts = {0};
    struct es_template *t = NULL;
    int rc = es_template_new(&t, "template", text, strlen(text), &opts, err);

    (void)ctx;
    if (rc == 0)
        es_template_free(t);
    return rc;
}

const struct es_renderer *es_key_renderer(const struct es_env *env, struct es_renderer *ret)
{
    const struct es_services *services = es_registry_services(env->registry);

    if (!services->render)
        return NULL;
    *ret = (struct es_renderer){.render = render, .parse = parse, .ctx = (void *)(uintptr_t)services};
    return ret;
}
