/* core/kube/kind.h: the resources esod knows, by group, version and plural. */
#ifndef ES_KUBE_KIND_H
#define ES_KUBE_KIND_H

#include <stdbool.h>

struct es_kind {
    const char *group; /* "" for the core group */
    const char *version;
    const char *plural;
    const char *kind;
    bool namespaced;
};

#define ES_GROUP "external-secrets.io"

extern const struct es_kind es_kind_external_secret;
extern const struct es_kind es_kind_secret_store;
extern const struct es_kind es_kind_cluster_secret_store;
extern const struct es_kind es_kind_secret;
extern const struct es_kind es_kind_config_map;
extern const struct es_kind es_kind_namespace;
extern const struct es_kind es_kind_service_account;
extern const struct es_kind es_kind_event;
extern const struct es_kind es_kind_lease;

/* "external-secrets.io/v1", "v1": the apiVersion field. `out` holds 128. */
char *es_kind_api_version(const struct es_kind *kind, char out[128]);

/* By the fields of an object; NULL when it is none of the above. Any version
 * of the group is accepted. */
const struct es_kind *es_kind_find(const char *api_version, const char *kind);

#endif
