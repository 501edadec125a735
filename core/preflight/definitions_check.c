/* Are the definitions there, whose are they, and do they know what the plugins can do? */
#include <stdio.h>

#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/ops/rights.h"
#include "core/preflight/definitions.h"
#include "core/preflight/own.h"

#define CHECK "definitions"
#define INSTALL "esod crds --apply, or the chart with installCRDs=true"

struct looking {
    struct es_preflight *p;
    size_t fine, differ;
    struct es_buf differing;       /* names, and whose they are */
    struct es_buf missing, unused; /* names: of what esod serves, and of what it only keeps */
};

/* The kind that esod serves by this definition under these settings; NULL: none. What it serves it
 * has to see. */
static const struct es_kind *served_kind(const struct es_preflight *p, const json_t *ours)
{
    const struct es_kind *kind = es_kind_find(ES_GROUP "/v1", es_obj_str(ours, "spec", "names", "kind"));

    return kind && es_right_to_watch(p->config, kind->group, kind->plural) ? kind : NULL;
}

/* ---- one that is there ---- */

/* Providers that a loaded plugin has and the definition has not. */
static bool lacks_providers(const json_t *ours, const json_t *theirs, const char *version, struct es_buf *out)
{
    const json_t *know = es_definition_providers(theirs, version);
    const char *name;
    json_t *schema;

    json_object_foreach ((json_t *)(uintptr_t)es_definition_providers(ours, version), name, schema)
        if (!json_object_get(know, name))
            es_buf_addf(out, "%s%s", out->len ? ", " : "", name);
    return out->len > 0;
}

/* Versions in which objects are stored, but which this esod's definition has not: the API
 * server takes no definition that leaves one out. */
static void check_stored(struct es_preflight *p, const json_t *ours, const json_t *theirs)
{
    json_t *stored, *version;
    size_t i, k;

    json_array_foreach (es_obj_at(theirs, "status", "storedVersions"), i, stored) {
        bool known = false;
        json_array_foreach (es_obj_at(ours, "spec", "versions"), k, version)
            known = known || es_streq(es_obj_str(version, "name"), json_string_value(stored));
        if (known)
            continue;
        es_report_add(p->report, CHECK, ES_WARNING,
                      "%s: objects may be stored as %s, which this esod's definition does not have, so it "
                      "cannot be applied",
                      es_obj_name(ours), json_string_value(stored));
        es_report_remedy(
            p->report,
            "write each object once (kubectl get %s -A -o yaml | kubectl replace -f -), then take %s "
            "out of status.storedVersions of the definition",
            es_obj_name(ours), json_string_value(stored));
    }
}

static bool check_conversion(struct es_preflight *p, const json_t *theirs)
{
    const json_t *client = es_obj_at(theirs, "spec", "conversion", "webhook", "clientConfig");
    char text[ES_BEHIND_TEXT_MAX];

    if (!es_streq(es_obj_str(theirs, "spec", "conversion", "strategy"), "Webhook"))
        return true;
    enum es_behind behind = es_check_behind(p, client);
    bool gone = behind == ES_NO_SERVICE || behind == ES_NO_ENDPOINT;
    es_report_add(p->report, CHECK, gone ? ES_FAILED : ES_WARNING,
                  "%s is converted by a webhook that is not esod's: %s%s", es_obj_name(theirs),
                  es_check_behind_text(client, behind, text),
                  gone ? ", so its objects can be neither read nor written" : "");
    es_report_remedy(p->report, "esod crds --apply --take-over: esod's definitions need no webhook");
    return !gone;
}

static bool check_served(struct es_preflight *p, const json_t *theirs, const struct es_kind *kind)
{
    if (!es_definition_served(theirs, kind->version)) {
        es_report_add(p->report, CHECK, ES_FAILED, "%s does not serve version %s, which esod works with",
                      es_obj_name(theirs), kind->version);
        es_report_remedy(p->report, "esod crds --apply --take-over");
        return false;
    }
    if (!es_definition_established(theirs)) {
        es_report_add(p->report, CHECK, ES_FAILED, "%s is %s", es_obj_name(theirs),
                      es_obj_deleting(theirs) ? "being deleted, and all its objects with it"
                                              : "not established: the API server does not serve it");
        es_report_remedy(p->report, "kubectl describe crd %s says what is in the way", es_obj_name(theirs));
        return false;
    }
    return true;
}

static bool check_providers(struct es_preflight *p, const json_t *ours, const json_t *theirs,
                            const struct es_kind *kind)
{
    struct es_buf lacking;

    es_buf_init(&lacking, 2048);
    bool lacks = lacks_providers(ours, theirs, kind->version, &lacking);
    if (lacks) {
        es_report_add(p->report, CHECK, ES_FAILED,
                      "%s does not know these providers of the plugins: %s. Stores with them are refused",
                      es_obj_name(theirs), es_buf_str(&lacking));
        es_report_remedy(p->report, "esod crds --apply, with the same plugins");
    }
    es_buf_fini(&lacking);
    return !lacks;
}

static void look_at(struct looking *l, const json_t *ours, const json_t *theirs)
{
    struct es_preflight *p = l->p;
    const struct es_kind *kind = served_kind(p, ours);
    bool fine = check_conversion(p, theirs);

    check_stored(p, ours, theirs);
    if (kind)
        fine = check_served(p, theirs, kind) && check_providers(p, ours, theirs, kind) && fine;
    if (!fine)
        return;
    if (es_definition_same(ours, theirs)) {
        l->fine++;
        return;
    }
    es_buf_addf(&l->differing, "%s%s (", l->differ++ ? ", " : "", es_obj_name(ours));
    es_definition_describe(theirs, &l->differing);
    es_buf_addc(&l->differing, ')');
}

/* ---- all ---- */

static void note_missing(struct looking *l, const json_t *ours)
{
    struct es_buf *names = served_kind(l->p, ours) ? &l->missing : &l->unused;
    es_buf_addf(names, "%s%s", names->len ? ", " : "", es_obj_name(ours));
}

static void tell_missing(struct looking *l)
{
    if (l->missing.len) {
        es_report_add(l->p->report, CHECK, ES_FAILED, "not installed: %s", es_buf_str(&l->missing));
        es_report_remedy(l->p->report, "%s", INSTALL);
    }
    if (l->unused.len) {
        es_report_add(l->p->report, CHECK, ES_WARNING,
                      "not installed: %s. With these settings esod does not need them",
                      es_buf_str(&l->unused));
        es_report_remedy(l->p->report, "%s", INSTALL);
    }
}

static bool is_served(struct es_preflight *p, const struct es_kind *kind)
{
    char path[160];
    json_t *list = NULL, *resource;
    size_t i;
    bool found = false;

    snprintf(path, sizeof path, "/apis/%s/%s", kind->group, kind->version);
    if (es_kube_get_path(p->kube, path, &list, NULL) < 0)
        return false;
    json_array_foreach (es_obj_at(list, "resources"), i, resource)
        found = found || es_streq(es_obj_str(resource, "name"), kind->plural);
    json_decref(list);
    return found;
}

/* Who may not read definitions may still see what the API server serves. */
static void look_from_outside(struct looking *l, const struct es_error *denied)
{
    struct es_preflight *p = l->p;
    json_t *ours;
    size_t i;

    json_array_foreach (es_crds_documents(p->crds), i, ours) {
        const struct es_kind *kind = served_kind(p, ours);
        if (kind && !is_served(p, kind))
            note_missing(l, ours);
    }
    if (!l->missing.len)
        es_report_add(p->report, CHECK, ES_FINE, "the API server serves all kinds that esod works with");
    es_check_unasked(p, CHECK, "whether they are as this esod would install them", denied);
}

static void tell_sum(struct looking *l)
{
    struct es_report *r = l->p->report;

    if (l->fine)
        es_report_add(r, CHECK, ES_FINE, "%zu as this esod would install them", l->fine);
    if (l->differ) {
        es_report_add(r, CHECK, ES_WARNING, "%zu differ from what esod crds prints: %s", l->differ,
                      es_buf_str(&l->differing));
        es_report_remedy(r, "they work; esod crds --apply brings them up to date");
    }
}

/* < 0: there is no use in asking for others. */
static int look_for(struct looking *l, const json_t *ours, struct es_error *err)
{
    json_t *theirs = NULL;
    int rc = es_kube_get(l->p->kube, &es_kind_definition, NULL, es_obj_name(ours), &theirs, err);

    if (rc == 0)
        look_at(l, ours, theirs);
    else if (rc == ES_E_NOT_FOUND)
        note_missing(l, ours);
    json_decref(theirs);
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

int es_check_definitions(struct es_preflight *p)
{
    struct looking l = {.p = p};
    struct es_error err = ES_ERROR_INIT;
    json_t *ours;
    size_t i;
    int rc = 0;

    es_buf_init(&l.differing, 4096);
    es_buf_init(&l.missing, 4096);
    es_buf_init(&l.unused, 4096);
    json_array_foreach (es_crds_documents(p->crds), i, ours)
        if (rc == 0)
            rc = look_for(&l, ours, &err);
    if (rc == ES_E_DENIED)
        look_from_outside(&l, &err);
    else if (rc < 0)
        es_check_unasked(p, CHECK, "what is installed", &err);
    tell_missing(&l);
    tell_sum(&l);
    es_buf_fini(&l.differing);
    es_buf_fini(&l.missing);
    es_buf_fini(&l.unused);
    return 0;
}
