/* Is the API server there, who are we to it, and what time has it? */
#include <stdlib.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/call.h"
#include "core/kube/obj.h"
#include "core/preflight/own.h"

#define SKEW_MAX_MS 5000
#define SLOW_MS 1000

static const struct es_kind self_review = {.group = "authentication.k8s.io",
                                           .version = "v1",
                                           .plural = "selfsubjectreviews",
                                           .kind = "SelfSubjectReview"};

/* ---- the API server ---- */

/* The Date of an answer is cut to whole seconds: on the average half a second ago. */
static void check_clock(struct es_preflight *p, const struct es_http_response *answer, int64_t middle_ms)
{
    int64_t date_ms = es_http_date_ms(answer);

    if (!date_ms)
        return;
    p->ahead_ms = date_ms + 500 - middle_ms;
    if (llabs(p->ahead_ms) <= SKEW_MAX_MS)
        return;
    es_report_add(p->report, "clock", ES_WARNING, "the clock here is %lld s %s that of the API server",
                  (long long)llabs(p->ahead_ms) / 1000, p->ahead_ms > 0 ? "behind" : "ahead of");
    es_report_remedy(p->report,
                     "set the clocks of both machines (NTP): tokens, refresh times and certificates "
                     "are judged by them");
}

int es_check_server(struct es_preflight *p)
{
    const struct es_kube_call call = {.method = "GET", .path = "/version"};
    const char *server = es_kube_config_server(es_kube_config_of(p->kube));
    struct es_http_response answer;
    struct es_error err = ES_ERROR_INIT;
    json_t *version = NULL;
    int64_t asked_ms = es_unix_ms(), begun_ms = es_mono_ms();

    int rc = es_kube_call(p->kube, &call, &answer, &err);
    int64_t took_ms = es_mono_ms() - begun_ms;
    if (rc == 0)
        rc = es_kube_parse(&version, es_buf_str(&answer.body), answer.body.len, &err);
    if (rc == 0) {
        es_report_add(p->report, "server", took_ms > SLOW_MS ? ES_WARNING : ES_FINE,
                      "%s, Kubernetes %s, answered in %lld ms", server, es_obj_str(version, "gitVersion"),
                      (long long)took_ms);
        check_clock(p, &answer, asked_ms + took_ms / 2);
    } else {
        es_report_add(p->report, "server", ES_FAILED, "%s: %s", server, err.text);
        es_report_remedy(p->report, "see whether kubectl version works with the same login: --kubeconfig, "
                                    "$KUBECONFIG, the pod's service account, ~/.kube/config, in this order");
    }
    json_decref(version);
    es_http_response_fini(&answer);
    return rc;
}

/* ---- the login ---- */

/* The service account that is asked for has to be there, or nobody will ever log in as it. */
static int check_account(struct es_preflight *p)
{
    struct es_error err = ES_ERROR_INIT;
    int rc = es_kube_get(p->kube, &es_kind_service_account, p->account_ns, p->account, NULL, &err);

    p->user = es_strf("system:serviceaccount:%s:%s", p->account_ns, p->account);
    if (rc == ES_E_NOT_FOUND) {
        es_report_add(p->report, "login", ES_FAILED, "there is no service account %s in namespace %s",
                      p->account, p->account_ns);
        es_report_remedy(p->report, "kubectl get serviceaccounts -n %s lists those that are there",
                         p->account_ns);
    } else if (rc < 0) {
        es_check_unasked(p, "login", "the service account", &err);
    } else {
        es_report_add(p->report, "login", ES_FINE, "rights are asked for %s", p->user);
    }
    return rc == ES_E_NOT_FOUND ? rc : 0;
}

int es_check_login(struct es_preflight *p)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *review =
               json_pack("{s:s,s:s}", "apiVersion", "authentication.k8s.io/v1", "kind", self_review.kind),
           *answer = NULL;

    if (p->account) {
        json_decref(review);
        return check_account(p);
    }
    int rc = es_kube_create(p->kube, &self_review, NULL, review, NULL, &answer, &err);
    if (rc == 0)
        p->user = es_mem_strdup(es_obj_str(answer, "status", "userInfo", "username"));
    json_decref(review);
    json_decref(answer);
    if (rc == ES_E_NOT_FOUND) { /* before Kubernetes 1.28 */
        es_report_add(p->report, "login", ES_UNCHECKED, "this API server does not say who one is");
        return 0;
    }
    if (rc < 0) {
        es_report_add(p->report, "login", ES_FAILED, "%s", err.text);
        es_report_remedy(p->report, "log in again, or name another context with --context");
        return rc;
    }
    es_report_add(p->report, "login", ES_FINE, "%s", p->user ? p->user : "");
    return 0;
}
