#include "core/preflight/preflight.h"

#include "core/base/mem.h"
#include "core/preflight/own.h"

const struct es_check es_checks[] = {
    {"plugins", false, es_check_plugins},        {"addresses", false, es_check_addresses},
    {"server", true, es_check_server},           {"login", true, es_check_login},
    {"definitions", true, es_check_definitions}, {"webhooks", true, es_check_webhooks},
    {"rights", true, es_check_rights},           {"operators", true, es_check_others},
    {"objects", true, es_check_objects},         {0},
};

void es_preflight_fini(struct es_preflight *p)
{
    es_mem_free(p->user);
    p->user = NULL;
}

void es_check_unasked(struct es_preflight *p, const char *check, const char *what, const struct es_error *err)
{
    bool denied = err->code == ES_E_DENIED;

    es_report_add(p->report, check, denied ? ES_UNCHECKED : ES_FAILED, "%s: %s", what, err->text);
    if (denied)
        es_report_remedy(p->report,
                         "whoever may read that, such as an admin of the cluster, runs esod preflight "
                         "--service-account NAMESPACE/NAME");
}

static int keep_item(void *ctx, json_t *object)
{
    return json_array_append(ctx, object) < 0 ? ES_E_NOMEM : 0;
}

static void drop_items(void *ctx)
{
    json_array_clear(ctx);
}

int es_check_list(struct es_preflight *p, const struct es_kind *kind, const char *ns,
                  const struct es_kube_list_opts *opts, json_t **ret_items, struct es_error *err)
{
    json_t *items = json_array();
    int rc = items ? es_kube_list(p->kube, kind, ns, opts, keep_item, drop_items, items, NULL, err)
                   : es_error_nomem(err);

    if (rc < 0)
        json_decref(items);
    else
        *ret_items = items;
    return rc;
}
