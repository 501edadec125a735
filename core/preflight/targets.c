/* Which kinds of objects do ExternalSecrets make here, other than Secrets? Each needs rights of
 * its own, which no table can know. */
#include <string.h>

#include "core/base/text.h"
#include "core/kube/discovery.h"
#include "core/kube/obj.h"
#include "core/preflight/own.h"

#define CHECK "rights"
#define KEY_MAX 600

/* "apiVersion kind", as people wrote it; the number of those who want it. */
static int note_target(void *ctx, json_t *es)
{
    const json_t *manifest = es_obj_at(es, "spec", "target", "manifest");
    char key[KEY_MAX];

    if (!manifest)
        return 0;
    snprintf(key, sizeof key, "%s %s", es_obj_str(manifest, "apiVersion"), es_obj_str(manifest, "kind"));
    json_int_t before = json_integer_value(json_object_get(ctx, key));
    return json_object_set_new(ctx, key, json_integer(before + 1)) < 0 ? ES_E_NOMEM : 0;
}

static void forget_targets(void *ctx)
{
    json_object_clear(ctx);
}

static int resolve(struct es_preflight *p, struct es_discovery *d, const char *key,
                   int (*fn)(void *ctx, const struct es_kind *kind), void *ctx, struct es_error *err)
{
    char api_version[KEY_MAX];
    const char *space = strchr(key, ' ');
    const struct es_kind *kind = NULL;

    snprintf(api_version, sizeof api_version, "%.*s", (int)(space - key), key);
    int rc = es_discovery_resolve(d, api_version, space + 1, &kind, err);
    if (rc == 0)
        return fn(ctx, kind);
    if (rc != ES_E_NOT_FOUND && rc != ES_E_INVALID)
        return rc;
    es_report_add(p->report, CHECK, ES_WARNING, "target.manifest of an ExternalSecret: %s", err->text);
    es_report_remedy(p->report,
                     "install that definition, or correct the ExternalSecret; esod tries again by itself");
    return 0;
}

static int resolve_all(struct es_preflight *p, json_t *wanted,
                       int (*fn)(void *ctx, const struct es_kind *kind), void *ctx, struct es_error *err)
{
    struct es_discovery *d = es_discovery_new(p->kube, &es_system_clock);
    const char *key;
    json_t *number;
    int rc = d ? 0 : es_error_nomem(err);

    json_object_foreach (wanted, key, number)
        if (rc == 0)
            rc = resolve(p, d, key, fn, ctx, err);
    es_discovery_free(d);
    return rc;
}

int es_check_each_target(struct es_preflight *p, int (*fn)(void *ctx, const struct es_kind *kind), void *ctx,
                         struct es_error *err)
{
    json_t *wanted = json_object();
    int rc = wanted ? es_kube_list(p->kube, &es_kind_external_secret, p->config->ns, NULL, note_target,
                                   forget_targets, wanted, NULL, err)
                    : es_error_nomem(err);

    /* Who may not list them, or cannot yet, has been told. */
    if (rc == ES_E_NOT_FOUND || rc == ES_E_DENIED)
        rc = 0;
    else if (rc == 0)
        rc = resolve_all(p, wanted, fn, ctx, err);
    json_decref(wanted);
    return rc;
}
