#include "core/cmd/login.h"

#include "core/cmd/version.h"

int es_load_login(struct es_kube_config **ret, const struct es_config *c, struct es_error *err)
{
    struct es_kube_config_opts where = {.kubeconfig = c->kubeconfig, .context = c->context};
    int rc = es_kube_config_load(ret, &where, err);

    if (rc != ES_E_NOT_FOUND)
        return rc;
    if (err)
        err->code = ES_E_CONFIG;
    return ES_E_CONFIG;
}

int es_connect(struct es_kube **ret, struct es_http *http, const struct es_config *c, struct es_error *err)
{
    struct es_kube_config *login = NULL;
    struct es_kube_opts how = {.user_agent = ES_USER_AGENT};
    int rc = es_load_login(&login, c, err);

    return rc < 0 ? rc : es_kube_new(ret, http, login, &how, err);
}
