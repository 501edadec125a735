/* Has esod the rights that its settings need? Each is asked for by itself: the
 * list of all that somebody may do leaves out what webhook authorizers grant. */
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/ops/rights.h"
#include "core/preflight/own.h"

#define GROUP "authorization.k8s.io"

static const struct es_kind self_review = {
    .group = GROUP, .version = "v1", .plural = "selfsubjectaccessreviews", .kind = "SelfSubjectAccessReview"};
static const struct es_kind review_of = {
    .group = GROUP, .version = "v1", .plural = "subjectaccessreviews", .kind = "SubjectAccessReview"};

struct asking {
    struct es_preflight *p;
    const struct es_right *right;
    const char *ns;
    struct es_buf missing; /* verbs */
    size_t asked, lacking; /* verbs; rights */
    struct es_error *err;
};

static json_t *attributes(const struct asking *a, const char *verb)
{
    const struct es_right *r = a->right;
    json_t *all = json_pack("{s:s,s:s,s:s,s:s}", "group", r->group, "resource", r->resource, "verb", verb,
                            "namespace", a->ns);

    if (all && r->subresource)
        json_object_set_new(all, "subresource", json_string(r->subresource));
    if (all && r->object)
        json_object_set_new(all, "name", json_string(r->object(a->p->config)));
    return all;
}

/* An API server gives every service account these groups. */
static void add_subject(json_t *spec, const struct es_preflight *p)
{
    char *all = es_strf("system:serviceaccounts:%s", p->account_ns);

    json_object_set_new(spec, "user", json_string(p->user));
    json_object_set_new(
        spec, "groups",
        json_pack("[s,s,s]", "system:serviceaccounts", all ? all : "", "system:authenticated"));
    es_mem_free(all);
}

static int ask(void *ctx, const char *verb)
{
    struct asking *a = ctx;
    const struct es_kind *kind = a->p->account ? &review_of : &self_review;
    json_t *review = json_pack("{s:s,s:s,s:{s:o}}", "apiVersion", GROUP "/v1", "kind", kind->kind, "spec",
                               "resourceAttributes", attributes(a, verb)),
           *answer = NULL;

    if (review && a->p->account)
        add_subject(json_object_get(review, "spec"), a->p);
    int rc = review ? es_kube_create(a->p->kube, kind, NULL, review, NULL, &answer, a->err)
                    : es_error_nomem(a->err);
    if (rc == 0 && !es_obj_bool(answer, "status", "allowed"))
        es_buf_addf(&a->missing, "%s%s", a->missing.len ? ", " : "", verb);
    a->asked++;
    json_decref(review);
    json_decref(answer);
    return rc;
}

static void tell_missing(const struct asking *a)
{
    const struct es_right *r = a->right;
    char name[ES_RIGHT_NAME_MAX], object[300] = "", where[300];

    if (r->object)
        snprintf(object, sizeof object, " \"%s\"", r->object(a->p->config));
    snprintf(where, sizeof where, "in namespace %s", a->ns);
    es_report_add(a->p->report, "rights", r->required ? ES_FAILED : ES_WARNING, "%s may not %s %s%s %s, %s",
                  a->p->user ? a->p->user : "this login", es_buf_str(&a->missing), es_right_name(r, name),
                  object,
                  *a->ns                         ? where
                  : r->where == ES_RIGHT_CLUSTER ? "in the cluster"
                                                 : "in all namespaces",
                  r->purpose);
    es_report_remedy(a->p->report, "grant it (esod preflight --rights lists what is needed). %s", r->without);
}

static int check_right(struct asking *a, const struct es_right *r)
{
    a->right = r;
    a->ns = es_right_namespace(r, a->p->config, a->p->lease_ns);
    es_buf_init(&a->missing, 256);
    int rc = es_right_each_verb(r, ask, a);
    if (rc == 0 && a->missing.len) {
        tell_missing(a);
        a->lacking++;
    }
    es_buf_fini(&a->missing);
    return rc;
}

static int check_target(void *ctx, const struct es_kind *kind)
{
    const struct es_right right = {
        .group = kind->group,
        .resource = kind->plural,
        .verbs = "get list watch create update delete",
        .where = ES_RIGHT_OBJECTS,
        .required = true,
        .purpose = "to make the objects that target.manifest of ExternalSecrets asks for",
        .without = "Set unsafeAllowGenericTargets: false if nobody is to make such."};
    return check_right(ctx, &right);
}

static int check_all(struct asking *a)
{
    int rc = 0;

    for (const struct es_right *r = es_rights_table; rc == 0 && r->resource; r++)
        if (es_right_wanted(r, a->p->config))
            rc = check_right(a, r);
    if (rc == 0 && a->p->config->generic_targets)
        rc = es_check_each_target(a->p, check_target, a, a->err);
    return rc;
}

int es_check_rights(struct es_preflight *p)
{
    struct es_error err = ES_ERROR_INIT;
    struct asking a = {.p = p, .err = &err};

    if (check_all(&a) < 0)
        es_check_unasked(p, "rights", "what one may do", &err);
    else if (!a.lacking)
        es_report_add(p->report, "rights", ES_FINE, "all %zu that these settings need", a.asked);
    return 0;
}
