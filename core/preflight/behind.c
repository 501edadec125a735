/* Whether somebody answers where a webhook is called. */
#include <stdio.h>

#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/preflight/own.h"

static const struct es_kind service = {
    .group = "", .version = "v1", .plural = "services", .kind = "Service", .namespaced = true};
static const struct es_kind endpoint_slice = {.group = "discovery.k8s.io",
                                              .version = "v1",
                                              .plural = "endpointslices",
                                              .kind = "EndpointSlice",
                                              .namespaced = true};

/* Without the condition an endpoint counts as ready, as the API has it. */
static bool is_ready(const json_t *slice)
{
    json_t *endpoint;
    size_t i;

    json_array_foreach (es_obj_at(slice, "endpoints"), i, endpoint) {
        const json_t *ready = es_obj_at(endpoint, "conditions", "ready");
        if (!ready || json_is_true(ready))
            return true;
    }
    return false;
}

static enum es_behind endpoints_of(struct es_preflight *p, const char *ns, const char *name)
{
    char selector[320];
    json_t *slices = NULL, *slice;
    size_t i;
    bool ready = false;

    snprintf(selector, sizeof selector, "kubernetes.io/service-name=%s", name);
    if (es_check_list(p, &endpoint_slice, ns, &(struct es_kube_list_opts){.label_selector = selector},
                      &slices, NULL) < 0)
        return ES_BEHIND_UNKNOWN;
    json_array_foreach (slices, i, slice)
        ready = ready || is_ready(slice);
    json_decref(slices);
    return ready ? ES_ANSWERED : ES_NO_ENDPOINT;
}

enum es_behind es_check_behind(struct es_preflight *p, const json_t *client_config)
{
    const char *ns = es_obj_str(client_config, "service", "namespace"),
               *name = es_obj_str(client_config, "service", "name");

    if (!*name)
        return ES_BEHIND_UNKNOWN; /* a URL, which only the API server has to reach */
    int rc = es_kube_get(p->kube, &service, ns, name, NULL, NULL);
    if (rc == ES_E_NOT_FOUND)
        return ES_NO_SERVICE;
    return rc < 0 ? ES_BEHIND_UNKNOWN : endpoints_of(p, ns, name);
}

char *es_check_behind_text(const json_t *client_config, enum es_behind behind, char out[ES_BEHIND_TEXT_MAX])
{
    static const char *const words[] = {[ES_ANSWERED] = "is there",
                                        [ES_NO_SERVICE] = "does not exist",
                                        [ES_NO_ENDPOINT] = "has no pod that is ready",
                                        [ES_BEHIND_UNKNOWN] = "may not be looked at by this login"};
    const char *name = es_obj_str(client_config, "service", "name");

    if (*name)
        snprintf(out, ES_BEHIND_TEXT_MAX, "its Service %s/%s %s",
                 es_obj_str(client_config, "service", "namespace"), name, words[behind]);
    else
        snprintf(out, ES_BEHIND_TEXT_MAX, "it is called at an address outside of the cluster's Services");
    return out;
}
