#include "core/ops/rights.h"

#include <stdio.h>
#include <string.h>

#include "core/base/text.h"
#include "core/kube/kind.h"

#define LEASE_GROUP "coordination.k8s.io"
#define VERB_MAX 32

/* ---- which settings need it ---- */

static bool always(const struct es_config *c)
{
    (void)c;
    return true;
}

static bool secret_stores(const struct es_config *c)
{
    return c->secret_stores;
}

static bool cluster_stores(const struct es_config *c)
{
    return c->cluster_stores;
}

static bool pushes(const struct es_config *c)
{
    return c->push_secrets;
}

/* Stores have a finalizer while a PushSecret may have to delete from them. */
static bool pushes_to_secret_stores(const struct es_config *c)
{
    return c->push_secrets && c->secret_stores;
}

static bool pushes_to_cluster_stores(const struct es_config *c)
{
    return c->push_secrets && c->cluster_stores;
}

/* Only where all namespaces are served. */
static bool provides(const struct es_config *c)
{
    return c->cluster_external_secrets && !c->ns;
}

static bool provides_pushes(const struct es_config *c)
{
    return c->cluster_push_secrets && c->push_secrets && !c->ns;
}

static bool whole_cluster(const struct es_config *c)
{
    return !c->ns;
}

static bool cluster_stores_for_one_namespace(const struct es_config *c)
{
    return c->ns && c->cluster_stores;
}

static bool elects(const struct es_config *c)
{
    return c->elect;
}

/* Otherwise the right to tell about objects covers it. */
static bool elects_for_one_namespace(const struct es_config *c)
{
    return c->elect && c->ns;
}

static bool asks_who_reads_metrics(const struct es_config *c)
{
    return c->metrics_auth;
}

/* ---- which object ---- */

static const char *lease(const struct es_config *c)
{
    return c->lease_name;
}

static const char *only_namespace(const struct es_config *c)
{
    return c->ns;
}

/* ---- the table ---- */

#define NO_WAY "esod cannot work without it."
#define WITHOUT_STORES "Set enableSecretStoreReconciler: false if SecretStores are not used."
#define WITHOUT_CLUSTER_STORES                                                                               \
    "Set enableClusterStoreReconciler: false if ClusterSecretStores are not used, or served by another one."
#define WITHOUT_PUSHES "Set enablePushSecretReconciler: false if PushSecrets are not used."
#define WITHOUT_PROVIDING                                                                                    \
    "Set enableClusterExternalSecretReconciler: false if ClusterExternalSecrets are not used."
#define WITHOUT_PROVIDING_PUSHES                                                                             \
    "Set enableClusterPushSecretReconciler: false if ClusterPushSecrets are not used."
#define WITHOUT_ELECTION "Set enableLeaderElection: false if there is one replica, and never two at once."
#define WITHOUT_AUTH "Set metricsAuth: false if everybody who reaches the port may read the metrics."
#define FOR_STORES_ONLY "It is needed only if a store or a template refers to such."

const struct es_right es_rights_table[] = {
    /* ExternalSecrets */
    {ES_GROUP, "externalsecrets", NULL, "list watch", ES_RIGHT_OBJECTS, NULL, true, always,
     "to see ExternalSecrets", NO_WAY},
    {ES_GROUP, "externalsecrets", NULL, "get patch", ES_RIGHT_OBJECTS, NULL, true, always,
     "for the finalizer that ExternalSecrets have while there is something to clean up", NO_WAY},
    {ES_GROUP, "externalsecrets", "status", "update patch", ES_RIGHT_OBJECTS, NULL, true, always,
     "to say in ExternalSecrets how they are doing", NO_WAY},
    {ES_GROUP, "externalsecrets", "finalizers", "update", ES_RIGHT_OBJECTS, NULL, false, always,
     "for owner references of Secrets, where the admission plugin OwnerReferencesPermissionEnforcement is on",
     "Clusters without that plugin, which is most of them, do without it; OpenShift does not."},

    /* stores */
    {ES_GROUP, "secretstores", NULL, "list watch", ES_RIGHT_OBJECTS, NULL, true, secret_stores,
     "to see SecretStores", WITHOUT_STORES},
    {ES_GROUP, "secretstores", "status", "update patch", ES_RIGHT_OBJECTS, NULL, true, secret_stores,
     "to say in SecretStores whether they work", WITHOUT_STORES},
    {ES_GROUP, "secretstores", NULL, "get patch", ES_RIGHT_OBJECTS, NULL, true, pushes_to_secret_stores,
     "for the finalizer that SecretStores have while a PushSecret may have to delete from them",
     WITHOUT_PUSHES},
    {ES_GROUP, "clustersecretstores", NULL, "list watch", ES_RIGHT_CLUSTER, NULL, true, cluster_stores,
     "to see ClusterSecretStores", WITHOUT_CLUSTER_STORES},
    {ES_GROUP, "clustersecretstores", "status", "update patch", ES_RIGHT_CLUSTER, NULL, true, cluster_stores,
     "to say in ClusterSecretStores whether they work", WITHOUT_CLUSTER_STORES},
    {ES_GROUP, "clustersecretstores", NULL, "get patch", ES_RIGHT_CLUSTER, NULL, true,
     pushes_to_cluster_stores,
     "for the finalizer that ClusterSecretStores have while a PushSecret may have to delete from them",
     WITHOUT_PUSHES},

    /* PushSecrets */
    {ES_GROUP, "pushsecrets", NULL, "list watch", ES_RIGHT_OBJECTS, NULL, true, pushes, "to see PushSecrets",
     WITHOUT_PUSHES},
    {ES_GROUP, "pushsecrets", NULL, "get patch", ES_RIGHT_OBJECTS, NULL, true, pushes,
     "for the finalizer that PushSecrets have while there is something to delete", WITHOUT_PUSHES},
    {ES_GROUP, "pushsecrets", "status", "update patch", ES_RIGHT_OBJECTS, NULL, true, pushes,
     "to say in PushSecrets what was pushed", WITHOUT_PUSHES},

    /* ClusterExternalSecrets and ClusterPushSecrets */
    {ES_GROUP, "clusterexternalsecrets", NULL, "list watch", ES_RIGHT_CLUSTER, NULL, true, provides,
     "to see ClusterExternalSecrets", WITHOUT_PROVIDING},
    {ES_GROUP, "clusterexternalsecrets", NULL, "get patch", ES_RIGHT_CLUSTER, NULL, true, provides,
     "for the finalizer that ClusterExternalSecrets have while they have children", WITHOUT_PROVIDING},
    {ES_GROUP, "clusterexternalsecrets", "status", "update patch", ES_RIGHT_CLUSTER, NULL, true, provides,
     "to say in ClusterExternalSecrets which namespaces have a child", WITHOUT_PROVIDING},
    {ES_GROUP, "clusterexternalsecrets", "finalizers", "update", ES_RIGHT_CLUSTER, NULL, false, provides,
     "for owner references of ExternalSecrets, where the admission plugin "
     "OwnerReferencesPermissionEnforcement "
     "is on",
     "Clusters without that plugin, which is most of them, do without it; OpenShift does not."},
    {ES_GROUP, "externalsecrets", NULL, "create update delete", ES_RIGHT_CLUSTER, NULL, true, provides,
     "to make, change and delete the children of ClusterExternalSecrets", WITHOUT_PROVIDING},
    {"", "namespaces", NULL, "get patch", ES_RIGHT_CLUSTER, NULL, true, provides,
     "for the finalizer that namespaces have while a ClusterExternalSecret has a child there",
     WITHOUT_PROVIDING},
    {ES_GROUP, "clusterpushsecrets", NULL, "list watch", ES_RIGHT_CLUSTER, NULL, true, provides_pushes,
     "to see ClusterPushSecrets", WITHOUT_PROVIDING_PUSHES},
    {ES_GROUP, "clusterpushsecrets", "status", "update patch", ES_RIGHT_CLUSTER, NULL, true, provides_pushes,
     "to say in ClusterPushSecrets which namespaces have a child", WITHOUT_PROVIDING_PUSHES},
    {ES_GROUP, "clusterpushsecrets", "finalizers", "update", ES_RIGHT_CLUSTER, NULL, false, provides_pushes,
     "for owner references of PushSecrets, where the admission plugin OwnerReferencesPermissionEnforcement "
     "is on",
     "Clusters without that plugin, which is most of them, do without it; OpenShift does not."},
    {ES_GROUP, "pushsecrets", NULL, "create update delete", ES_RIGHT_CLUSTER, NULL, true, provides_pushes,
     "to make, change and delete the children of ClusterPushSecrets", WITHOUT_PROVIDING_PUSHES},

    /* what they lead to */
    {"", "secrets", NULL, "list watch", ES_RIGHT_OBJECTS, NULL, true, always,
     "to notice when somebody changes a Secret that ExternalSecrets made", NO_WAY},
    {"", "secrets", NULL, "get", ES_RIGHT_OBJECTS, NULL, true, always,
     "for the credentials of stores, and to compare a Secret before it is written", NO_WAY},
    {"", "secrets", NULL, "create update delete", ES_RIGHT_OBJECTS, NULL, true, always,
     "to make, refresh and delete the Secrets of ExternalSecrets", NO_WAY},
    {"", "namespaces", NULL, "list watch", ES_RIGHT_CLUSTER, NULL, true, whole_cluster,
     "to know for which namespaces a ClusterSecretStore is open, and which are being deleted",
     "Set namespace to serve one namespace only."},
    {"", "namespaces", NULL, "get", ES_RIGHT_CLUSTER, only_namespace, false, cluster_stores_for_one_namespace,
     "to know whether a ClusterSecretStore with conditions is open for this namespace",
     "ClusterSecretStores without conditions do without it."},
    {"", "events", NULL, "create patch", ES_RIGHT_OBJECTS, NULL, false, always, "to tell of what happens",
     "Everything else works; kubectl describe then shows no events."},

    /* for providers */
    {"", "configmaps", NULL, "get list watch", ES_RIGHT_OBJECTS, NULL, false, always,
     "for certificate authorities of stores and for templates in ConfigMaps", FOR_STORES_ONLY},
    {"", "serviceaccounts", NULL, "get list watch", ES_RIGHT_OBJECTS, NULL, false, always,
     "for stores that log in as a service account", FOR_STORES_ONLY},
    {"", "serviceaccounts", "token", "create", ES_RIGHT_OBJECTS, NULL, false, always,
     "for stores that log in as a service account. With it esod can act as any of them", FOR_STORES_ONLY},

    /* several replicas */
    {LEASE_GROUP, "leases", NULL, "create", ES_RIGHT_LEASE, NULL, true, elects,
     "to make the Lease by which replicas agree who leads", WITHOUT_ELECTION},
    {LEASE_GROUP, "leases", NULL, "get list watch update", ES_RIGHT_LEASE, lease, true, elects,
     "to hold the Lease, and to take it over as soon as it is free", WITHOUT_ELECTION},
    {"", "events", NULL, "create patch", ES_RIGHT_LEASE, NULL, false, elects_for_one_namespace,
     "to tell of a new leader", "Everything else works; kubectl describe lease then shows no events."},

    /* metrics */
    {"authentication.k8s.io", "tokenreviews", NULL, "create", ES_RIGHT_CLUSTER, NULL, true,
     asks_who_reads_metrics, "to know who wants to read the metrics", WITHOUT_AUTH},
    {"authorization.k8s.io", "subjectaccessreviews", NULL, "create", ES_RIGHT_CLUSTER, NULL, true,
     asks_who_reads_metrics, "to know whether they may read the metrics", WITHOUT_AUTH},
    {0},
};

bool es_right_wanted(const struct es_right *r, const struct es_config *c)
{
    return r->wanted(c);
}

const char *es_right_namespace(const struct es_right *r, const struct es_config *c, const char *lease_ns)
{
    if (r->where == ES_RIGHT_LEASE)
        return lease_ns;
    return r->where == ES_RIGHT_OBJECTS && c->ns ? c->ns : "";
}

int es_right_each_verb(const struct es_right *r, int (*fn)(void *ctx, const char *verb), void *ctx)
{
    char verb[VERB_MAX];
    int rc = 0;

    for (const char *at = r->verbs; rc == 0 && *at;) {
        size_t len = strcspn(at, " ");
        snprintf(verb, sizeof verb, "%.*s", (int)len, at);
        rc = fn(ctx, verb);
        at += len + strspn(at + len, " ");
    }
    return rc;
}

char *es_right_name(const struct es_right *r, char out[ES_RIGHT_NAME_MAX])
{
    snprintf(out, ES_RIGHT_NAME_MAX, "%s%s%s%s%s", r->resource, *r->group ? "." : "", r->group,
             r->subresource ? "/" : "", r->subresource ? r->subresource : "");
    return out;
}

/* ---- as rules ---- */

static int add_verb(void *ctx, const char *verb)
{
    return json_array_append_new(ctx, json_string(verb));
}

static json_t *verbs_of(const struct es_right *r)
{
    json_t *list = json_array();

    if (list && es_right_each_verb(r, add_verb, list) == 0)
        return list;
    json_decref(list);
    return NULL;
}

static json_t *rule_of(const struct es_right *r, const struct es_config *c, const char *lease_ns)
{
    char resource[ES_RIGHT_NAME_MAX];

    snprintf(resource, sizeof resource, "%s%s%s", r->resource, r->subresource ? "/" : "",
             r->subresource ? r->subresource : "");
    json_t *names = r->object ? json_pack("[s]", r->object(c)) : json_array();
    return json_pack("{s:s,s:[s],s:[s],s:o,s:o,s:b,s:s,s:s}", "namespace", es_right_namespace(r, c, lease_ns),
                     "apiGroups", r->group, "resources", resource, "resourceNames", names, "verbs",
                     verbs_of(r), "required", r->required, "purpose", r->purpose, "without", r->without);
}

json_t *es_rights_rules(const struct es_config *c, const char *lease_ns)
{
    json_t *rules = json_array();

    for (const struct es_right *r = es_rights_table; rules && r->resource; r++)
        if (es_right_wanted(r, c) && json_array_append_new(rules, rule_of(r, c, lease_ns)) < 0) {
            json_decref(rules);
            return NULL;
        }
    return rules;
}

/* ---- for whoever was refused ---- */

/* What is listed and watched is what a daemon that does not get going was refused. */
static bool is_watched(const struct es_right *r)
{
    return !r->subresource && strstr(r->verbs, "list") && strstr(r->verbs, "watch");
}

const struct es_right *es_right_to_watch(const struct es_config *c, const char *group, const char *resource)
{
    for (const struct es_right *r = es_rights_table; r->resource; r++)
        if (es_streq(r->group, group) && es_streq(r->resource, resource) && is_watched(r) &&
            es_right_wanted(r, c))
            return r;
    return NULL;
}
