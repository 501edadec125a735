#include "core/kube/kind.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

const struct es_kind es_kind_external_secret = {ES_GROUP,         "v1", "externalsecrets",
                                                "ExternalSecret", true, ES_HOLDS_NONE};
const struct es_kind es_kind_push_secret = {ES_GROUP,     "v1alpha1", "pushsecrets",
                                            "PushSecret", true,       ES_HOLDS_NONE};
const struct es_kind es_kind_secret_store = {ES_GROUP,      "v1", "secretstores",
                                             "SecretStore", true, ES_HOLDS_NONE};
const struct es_kind es_kind_cluster_secret_store = {
    ES_GROUP, "v1", "clustersecretstores", "ClusterSecretStore", false, ES_HOLDS_NONE};
const struct es_kind es_kind_cluster_external_secret = {
    ES_GROUP, "v1", "clusterexternalsecrets", "ClusterExternalSecret", false, ES_HOLDS_NONE};
const struct es_kind es_kind_cluster_push_secret = {
    ES_GROUP, "v1alpha1", "clusterpushsecrets", "ClusterPushSecret", false, ES_HOLDS_NONE};
const struct es_kind es_kind_secret = {"", "v1", "secrets", "Secret", true, ES_HOLDS_ENCODED};
const struct es_kind es_kind_config_map = {"", "v1", "configmaps", "ConfigMap", true, ES_HOLDS_NONE};
const struct es_kind es_kind_namespace = {"", "v1", "namespaces", "Namespace", false, ES_HOLDS_NONE};
const struct es_kind es_kind_service_account = {"",   "v1",         "serviceaccounts", "ServiceAccount",
                                                true, ES_HOLDS_NONE};
const struct es_kind es_kind_event = {"", "v1", "events", "Event", true, ES_HOLDS_NONE};
const struct es_kind es_kind_lease = {"coordination.k8s.io", "v1", "leases", "Lease", true, ES_HOLDS_NONE};

static const struct es_kind *const known[] = {
    &es_kind_external_secret,
    &es_kind_push_secret,
    &es_kind_secret_store,
    &es_kind_cluster_secret_store,
    &es_kind_cluster_external_secret,
    &es_kind_cluster_push_secret,
    &es_kind_secret,
    &es_kind_config_map,
    &es_kind_namespace,
    &es_kind_service_account,
    &es_kind_event,
    &es_kind_lease,
};

char *es_kind_api_version(const struct es_kind *kind, char out[128])
{
    snprintf(out, 128, "%s%s%s", kind->group, *kind->group ? "/" : "", kind->version);
    return out;
}

/* A DNS name, which an API server demands of both parts. */
static bool copy_name(char out[ES_API_NAME_MAX], const char *name, size_t len)
{
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";

    if (!len || len >= ES_API_NAME_MAX || name[0] == '.' || strspn(name, allowed) < len)
        return false;
    memcpy(out, name, len);
    out[len] = '\0';
    return !strstr(out, "..");
}

bool es_kind_split(const char *api_version, char group[ES_API_NAME_MAX], char version[ES_API_NAME_MAX])
{
    const char *slash = strchr(api_version, '/');

    group[0] = '\0';
    if (slash && !copy_name(group, api_version, (size_t)(slash - api_version)))
        return false;
    const char *last = slash ? slash + 1 : api_version;
    return copy_name(version, last, strlen(last));
}

bool es_kind_same(const struct es_kind *a, const struct es_kind *b)
{
    return a == b || (strcmp(a->plural, b->plural) == 0 && strcmp(a->group, b->group) == 0 &&
                      strcmp(a->version, b->version) == 0);
}

const struct es_kind *es_kind_find(const char *api_version, const char *kind)
{
    if (!api_version || !kind)
        return NULL;
    const char *slash = strchr(api_version, '/');
    size_t group_len = slash ? (size_t)(slash - api_version) : 0;

    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i]->kind, kind) == 0 && strlen(known[i]->group) == group_len &&
            memcmp(known[i]->group, api_version, group_len) == 0)
            return known[i];
    return NULL;
}
