/* Is there another operator that serves the same objects? Two that do write the same
 * Secrets, in turns, and neither notices. */
#include <string.h>

#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/yaml.h"
#include "core/kube/obj.h"
#include "core/preflight/own.h"

#define CHECK "operators"
#define LEASE_NAME "external-secrets-controller"
#define SLACK_MS 5000

/* ---- Leases ---- */

/* By the API server's clock; what the holder wrote is by his own. */
static bool is_held(const struct es_preflight *p, const json_t *lease)
{
    int64_t renewed_ms = 0, now_ms = es_unix_ms() + p->ahead_ms,
            duration_ms = 1000 * es_obj_int(lease, "spec", "leaseDurationSeconds");

    return *es_obj_str(lease, "spec", "holderIdentity") &&
           es_time_parse(es_obj_str(lease, "spec", "renewTime"), &renewed_ms) == 0 &&
           now_ms - renewed_ms <= duration_ms + SLACK_MS;
}

/* The Lease that this esod would wait for. */
static bool is_ours(const struct es_preflight *p, const json_t *lease)
{
    return p->config->elect && es_streq(es_obj_name(lease), p->config->lease_name) &&
           es_streq(es_obj_namespace(lease), p->lease_ns);
}

static size_t tell_lease(struct es_preflight *p, const json_t *lease)
{
    const char *holder = es_obj_str(lease, "spec", "holderIdentity");

    if (!is_held(p, lease))
        return 0;
    if (is_ours(p, lease)) {
        es_report_add(p->report, CHECK, ES_FINE, "%s leads with the Lease %s/%s: esod would stand by", holder,
                      es_obj_namespace(lease), es_obj_name(lease));
        return 0;
    }
    es_report_add(p->report, CHECK, ES_WARNING,
                  "%s leads with the Lease %s/%s, which would not keep esod from working beside it", holder,
                  es_obj_namespace(lease), es_obj_name(lease));
    es_report_remedy(p->report,
                     "if it serves the same objects, stop it, or let both share the Lease: "
                     "enableLeaderElection: true, leaderElectionID: %s, leaderElectionNamespace: %s",
                     es_obj_name(lease), es_obj_namespace(lease));
    return 1;
}

static size_t check_leases(struct es_preflight *p, const char *name)
{
    char selector[300];
    struct es_error err = ES_ERROR_INIT;
    json_t *leases = NULL, *lease;
    size_t i, held = 0;

    snprintf(selector, sizeof selector, "metadata.name=%s", name);
    int rc = es_check_list(p, &es_kind_lease, NULL, &(struct es_kube_list_opts){.field_selector = selector},
                           &leases, &err);
    if (rc < 0) {
        es_check_unasked(p, CHECK, "who leads in other namespaces", &err);
        return 1;
    }
    json_array_foreach (leases, i, lease)
        held += tell_lease(p, lease);
    json_decref(leases);
    return held;
}

/* ---- Deployments ---- */

static const struct es_kind deployment = {
    .group = "apps", .version = "v1", .plural = "deployments", .kind = "Deployment", .namespaced = true};

/* What its flags or its configuration say of which objects it serves. */
struct settings {
    char class[256], ns[256];
};

static void take(char to[256], const char *value)
{
    if (!es_str_empty(value))
        snprintf(to, 256, "%s", value);
}

static const char *value_of(const char *argument, const char *flag)
{
    size_t len = strlen(flag);

    while (*argument == '-')
        argument++;
    return strncmp(argument, flag, len) == 0 && argument[len] == '=' ? argument + len + 1 : NULL;
}

static void take_arguments(struct settings *s, const json_t *pod)
{
    json_t *container, *argument;
    size_t i, k;

    json_array_foreach (es_obj_at(pod, "containers"), i, container)
        json_array_foreach (es_obj_at(container, "args"), k, argument) {
            const char *text = json_is_string(argument) ? json_string_value(argument) : "";
            take(s->class, value_of(text, "controller-class"));
            take(s->ns, value_of(text, "namespace"));
        }
}

static void take_file(struct settings *s, const char *text)
{
    struct es_yaml y = {0};

    if (es_yaml_parse(&y, "esod.yaml", text, strlen(text), NULL) == 0 && y.count) {
        take(s->class, es_obj_str(y.docs[0].root, "controllerClass"));
        take(s->ns, es_obj_str(y.docs[0].root, "namespace"));
    }
    es_yaml_fini(&y);
}

/* esod's settings are in a ConfigMap that its pod mounts. */
static void take_config_maps(struct es_preflight *p, struct settings *s, const json_t *pod, const char *ns)
{
    json_t *volume;
    size_t i;

    json_array_foreach (es_obj_at(pod, "volumes"), i, volume) {
        const char *name = es_obj_str(volume, "configMap", "name");
        json_t *map = NULL;
        if (*name && es_kube_get(p->kube, &es_kind_config_map, ns, name, &map, NULL) == 0)
            take_file(s, es_obj_str(map, "data", "esod.yaml"));
        json_decref(map);
    }
}

static const char *account_of(const json_t *d)
{
    const char *name = es_obj_str(d, "spec", "template", "spec", "serviceAccountName");
    return *name ? name : "default";
}

/* The Deployment whose pods have the identity that the rights are asked for. */
static bool is_mine(const struct es_preflight *p, const json_t *d)
{
    char *user = es_strf("system:serviceaccount:%s:%s", es_obj_namespace(d), account_of(d));
    bool mine = user && es_streq(user, p->user);

    es_mem_free(user);
    return mine;
}

static size_t tell_deployment(struct es_preflight *p, const json_t *d)
{
    const json_t *pod = es_obj_at(d, "spec", "template", "spec");
    const struct es_config *c = p->config;
    struct settings s = {.class = "default"};

    if (is_mine(p, d) || es_obj_int(d, "spec", "replicas") == 0)
        return 0;
    take_config_maps(p, &s, pod, es_obj_namespace(d));
    take_arguments(&s, pod);
    if (!es_streq(s.class, c->controller_class) || (*s.ns && c->ns && !es_streq(s.ns, c->ns)))
        return 0;
    es_report_add(
        p->report, CHECK, ES_FAILED,
        "Deployment %s/%s runs an operator that serves the same objects (controller class %s, %s%s)",
        es_obj_namespace(d), es_obj_name(d), s.class, *s.ns ? "namespace " : "all namespaces", s.ns);
    es_report_remedy(
        p->report,
        "before esod starts: kubectl scale deployment -n %s %s --replicas=0; or give one of them "
        "another controllerClass. If this is the esod in question: --service-account %s/%s",
        es_obj_namespace(d), es_obj_name(d), es_obj_namespace(d), account_of(d));
    return 1;
}

static size_t check_deployments(struct es_preflight *p)
{
    static const struct es_kube_list_opts opts = {.label_selector =
                                                      "app.kubernetes.io/name in (external-secrets, esod)"};
    struct es_error err = ES_ERROR_INIT;
    json_t *deployments = NULL, *d;
    size_t i, found = 0;

    if (es_check_list(p, &deployment, NULL, &opts, &deployments, &err) < 0) {
        es_check_unasked(p, CHECK, "Deployments of other operators", &err);
        return 1;
    }
    json_array_foreach (deployments, i, d)
        found += tell_deployment(p, d);
    json_decref(deployments);
    return found;
}

int es_check_others(struct es_preflight *p)
{
    size_t found = check_leases(p, LEASE_NAME);

    if (p->config->elect && !es_streq(p->config->lease_name, LEASE_NAME))
        found += check_leases(p, p->config->lease_name);
    found += check_deployments(p);
    if (!found)
        es_report_add(p->report, CHECK, ES_FINE, "no other one serves objects of controller class %s",
                      p->config->controller_class);
    return 0;
}
