/* core/kube/kind.h: resources, by group, version and plural: those that esod
 * knows by itself, and what there is to say about any of them. */
#ifndef ES_KUBE_KIND_H
#define ES_KUBE_KIND_H

#include <stdbool.h>

/* What the objects of a kind hold of secrets. Their calls go over connections
 * whose buffers are wiped; where values stand in the clear, the API server's
 * refusals are not passed on as they are, since they quote values. */
enum es_kind_holds { ES_HOLDS_NONE, ES_HOLDS_ENCODED, ES_HOLDS_PLAIN };

struct es_kind {
    const char *group; /* "" for the core group */
    const char *version;
    const char *plural;
    const char *kind;
    bool namespaced;
    enum es_kind_holds holds;
};

#define ES_GROUP "external-secrets.io"

extern const struct es_kind es_kind_external_secret;
extern const struct es_kind es_kind_push_secret;
extern const struct es_kind es_kind_secret_store;
extern const struct es_kind es_kind_cluster_secret_store;
extern const struct es_kind es_kind_cluster_external_secret;
extern const struct es_kind es_kind_cluster_push_secret;
extern const struct es_kind es_kind_secret;
extern const struct es_kind es_kind_config_map;
extern const struct es_kind es_kind_namespace;
extern const struct es_kind es_kind_service_account;
extern const struct es_kind es_kind_event;
extern const struct es_kind es_kind_lease;

/* "external-secrets.io/v1", "v1": the apiVersion field. `out` holds 128. */
char *es_kind_api_version(const struct es_kind *kind, char out[128]);

/* Its parts: "apps" and "v1", or "" and "v1". False when it is no apiVersion: both
 * parts have to be names that may stand in a request's path. */
#define ES_API_NAME_MAX 64
bool es_kind_split(const char *api_version, char group[ES_API_NAME_MAX], char version[ES_API_NAME_MAX]);

/* The same group, version and resource, wherever the struct stands. */
bool es_kind_same(const struct es_kind *a, const struct es_kind *b);

/* By the fields of an object; NULL when it is none of the above. Any version
 * of the group is accepted. */
const struct es_kind *es_kind_find(const char *api_version, const char *kind);

#endif
