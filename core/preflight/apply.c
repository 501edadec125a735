#include "core/preflight/apply.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/call.h"
#include "core/kube/obj.h"
#include "core/preflight/definitions.h"

#define ESTABLISHED_WITHIN_MS 10000
#define LOOK_EVERY_MS 50

struct applying {
    struct es_kube *kube;
    const struct es_apply_opts *opts;
    es_apply_fn *tell;
    void *ctx;
    int rc; /* the first failure */
};

static void fail(struct applying *a, const char *name, const struct es_error *err)
{
    a->tell(a->ctx, name, NULL, err);
    if (a->rc == 0)
        a->rc = err->code;
}

/* ---- may it be replaced? ---- */

static int check_owner(const json_t *ours, const json_t *theirs, struct es_error *err)
{
    const char *name = es_obj_name(ours), *made_by = es_definition_esod(theirs);
    struct es_buf release;
    int rc = 0;

    if (es_definition_compare_versions(made_by, es_definition_esod(ours)) > 0)
        return es_error_set(
            err, ES_E_CONFLICT,
            "%s is of esod %s, which is newer than this one (%s): use that esod, or --take-over to "
            "go back",
            name, made_by, es_definition_esod(ours));
    es_buf_init(&release, 600);
    if (!*made_by && es_definition_release(theirs, &release))
        rc = es_error_set(err, ES_E_CONFLICT,
                          "%s belongs to %s, whose next upgrade would put it back: uninstall that with its "
                          "definitions kept, or --take-over",
                          name, es_buf_str(&release));
    es_buf_fini(&release);
    return rc;
}

/* ---- one definition ---- */

static json_t *details_of(const struct es_http_response *answer)
{
    json_t *status = NULL;

    if (!answer->body.len || es_kube_parse(&status, es_buf_str(&answer->body), answer->body.len, NULL) < 0)
        return NULL;
    return status;
}

/* 'conflict with "helm" with subresource ... using apiextensions.k8s.io/v1': the manager. */
static void add_manager(struct es_buf *out, const char *message)
{
    const char *begin = strchr(message, '"');
    const char *end = begin ? strchr(begin + 1, '"') : NULL;

    if (end)
        es_buf_add(out, begin + 1, (size_t)(end - begin - 1));
    else
        es_buf_adds(out, "somebody");
}

/* The API server's own text is several lines of this. */
static void explain_conflict(const char *name, const json_t *status, struct es_error *err)
{
    struct es_buf who;
    json_t *cause;
    size_t i;

    es_buf_init(&who, ES_ERROR_TEXT_MAX);
    json_array_foreach (es_obj_at(status, "details", "causes"), i, cause) {
        const char *field = es_obj_str(cause, "field");
        es_buf_addf(&who, "%s%s by ", i ? ", " : "", *field == '.' ? field + 1 : field);
        add_manager(&who, es_obj_str(cause, "message"));
    }
    es_error_set(err, ES_E_CONFLICT,
                 "%s: others have set fields of it differently (%s): --force-conflicts takes them over", name,
                 es_buf_str(&who));
    es_buf_fini(&who);
}

static void explain_denied(struct es_error *err)
{
    char text[ES_ERROR_TEXT_MAX];

    snprintf(text, sizeof text, "%s", err->text);
    es_error_set(err, ES_E_DENIED,
                 "%.900s. Somebody who may has to do it: esod crds | kubectl apply --server-side -f -", text);
}

static bool forced(const struct applying *a)
{
    return a->opts->force_conflicts || a->opts->take_over;
}

static int send(struct applying *a, const json_t *ours, json_t **ret, struct es_error *err)
{
    const char *name = es_obj_name(ours);
    struct es_kube_call call = {.method = "PATCH",
                                .kind = &es_kind_definition,
                                .name = name,
                                .query = forced(a) ? "fieldManager=" ES_APPLY_MANAGER "&force=true"
                                                   : "fieldManager=" ES_APPLY_MANAGER,
                                .content_type = "application/apply-patch+yaml"};
    struct es_http_response answer = {0};
    char *text = es_json_text(ours, &call.body_len);

    if (!text)
        return es_error_nomem(err);
    call.body = text;
    int rc = es_kube_call(a->kube, &call, &answer, err);
    if (rc == ES_E_CONFLICT) {
        json_t *status = details_of(&answer);
        explain_conflict(name, status, err);
        json_decref(status);
    } else if (rc == ES_E_DENIED) {
        explain_denied(err);
    } else if (rc == 0) {
        rc = es_kube_parse(ret, es_buf_str(&answer.body), answer.body.len, err);
    } else {
        es_error_wrap(err, "%s: ", name);
    }
    es_http_response_fini(&answer);
    es_mem_free(text);
    return rc;
}

/* A manager that set up a webhook for conversion keeps it there, whatever others apply, and a
 * strategy None beside it is refused. */
static int drop_conversion(struct applying *a, const json_t *theirs, struct es_error *err)
{
    json_t *patch;

    if (!forced(a) || !es_obj_at(theirs, "spec", "conversion", "webhook"))
        return 0;
    patch = json_pack("{s:{s:{s:s,s:n}}}", "spec", "conversion", "strategy", "None", "webhook");
    int rc = patch ? es_kube_patch(a->kube, &es_kind_definition, NULL, es_obj_name(theirs), NULL,
                                   ES_PATCH_MERGE, patch, ES_APPLY_MANAGER, NULL, err)
                   : es_error_nomem(err);
    json_decref(patch);
    return rc;
}

/* A new kind is of use when the API server serves it. */
static int wait_established(struct applying *a, const char *name, struct es_error *err)
{
    const struct timespec pause = {0, LOOK_EVERY_MS * 1000000L};
    int64_t until_ms = es_mono_ms() + ESTABLISHED_WITHIN_MS;

    while (es_mono_ms() < until_ms) {
        json_t *now = NULL;
        int rc = es_kube_get(a->kube, &es_kind_definition, NULL, name, &now, err);
        bool established = rc == 0 && es_definition_established(now);
        json_decref(now);
        if (rc < 0 || established)
            return rc;
        nanosleep(&pause, NULL);
    }
    return es_error_set(
        err, ES_E_RETRY,
        "%s was created, but the API server does not serve it yet: kubectl describe crd %s says why", name,
        name);
}

/* The generation grows with the content; labels and annotations are beside it. */
static bool is_unchanged(const json_t *before, const json_t *after)
{
    return es_obj_int(before, "metadata", "generation") == es_obj_int(after, "metadata", "generation") &&
           json_equal(es_obj_at(before, "metadata", "labels"), es_obj_at(after, "metadata", "labels")) &&
           json_equal(es_obj_at(before, "metadata", "annotations"),
                      es_obj_at(after, "metadata", "annotations"));
}

static void apply_one(struct applying *a, const json_t *ours, const json_t *theirs)
{
    const char *name = es_obj_name(ours);
    struct es_error err = ES_ERROR_INIT;
    json_t *after = NULL;

    int rc = drop_conversion(a, theirs, &err);
    if (rc == 0)
        rc = send(a, ours, &after, &err);
    if (rc == 0 && !theirs)
        rc = wait_established(a, name, &err);
    if (rc < 0)
        fail(a, name, &err);
    else
        a->tell(a->ctx, name,
                !theirs                       ? "created"
                : is_unchanged(theirs, after) ? "unchanged"
                                              : "updated",
                NULL);
    json_decref(after);
}

/* ---- all ---- */

/* What is there now: an array like that of the documents, with null for what is missing. */
static json_t *look(struct applying *a, const json_t *documents)
{
    json_t *found = json_array(), *ours;
    size_t i;

    json_array_foreach (documents, i, ours) {
        struct es_error err = ES_ERROR_INIT;
        json_t *theirs = NULL;
        int rc = es_kube_get(a->kube, &es_kind_definition, NULL, es_obj_name(ours), &theirs, &err);
        if (rc == 0 && !a->opts->take_over)
            rc = check_owner(ours, theirs, &err);
        if (rc == ES_E_DENIED)
            explain_denied(&err);
        if (rc < 0 && rc != ES_E_NOT_FOUND)
            fail(a, es_obj_name(ours), &err);
        json_array_append_new(found, theirs ? theirs : json_null());
    }
    return found;
}

int es_apply_definitions(struct es_kube *k, const struct es_crds *crds, const struct es_apply_opts *opts,
                         es_apply_fn *tell, void *ctx)
{
    struct applying a = {.kube = k, .opts = opts, .tell = tell, .ctx = ctx};
    const json_t *documents = es_crds_documents(crds);
    json_t *found = look(&a, documents), *ours;
    size_t i;

    if (a.rc == 0)
        json_array_foreach (documents, i, ours) {
            const json_t *theirs = json_array_get(found, i);
            apply_one(&a, ours, json_is_null(theirs) ? NULL : theirs);
        }
    json_decref(found);
    return a.rc;
}
