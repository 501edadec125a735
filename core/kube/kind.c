#include "core/kube/kind.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

const struct es_kind es_kind_external_secret = {ES_GROUP, "v1", "externalsecrets", "ExternalSecret", true};
const struct es_kind es_kind_secret_store = {ES_GROUP, "v1", "secretstores", "SecretStore", true};
const struct es_kind es_kind_cluster_secret_store = {ES_GROUP, "v1", "clustersecretstores",
                                                     "ClusterSecretStore", false};
const struct es_kind es_kind_secret = {"", "v1", "secrets", "Secret", true};
const struct es_kind es_kind_config_map = {"", "v1", "configmaps", "ConfigMap", true};
const struct es_kind es_kind_namespace = {"", "v1", "namespaces", "Namespace", false};
const struct es_kind es_kind_service_account = {"", "v1", "serviceaccounts", "ServiceAccount", true};
const struct es_kind es_kind_event = {"", "v1", "events", "Event", true};
const struct es_kind es_kind_lease = {"coordination.k8s.io", "v1", "leases", "Lease", true};

static const struct es_kind *const known[] = {
    &es_kind_external_secret, &es_kind_secret_store, &es_kind_cluster_secret_store,
    &es_kind_secret,          &es_kind_config_map,   &es_kind_namespace,
    &es_kind_service_account, &es_kind_event,        &es_kind_lease,
};

char *es_kind_api_version(const struct es_kind *kind, char out[128])
{
    snprintf(out, 128, "%s%s%s", kind->group, *kind->group ? "/" : "", kind->version);
    return out;
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
