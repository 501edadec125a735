/* core/cluster/kube_house.h: a real API server behind the cluster interface. */
#ifndef ES_CLUSTER_KUBE_HOUSE_H
#define ES_CLUSTER_KUBE_HOUSE_H

#include "core/base/error.h"
#include "core/cluster/cluster.h"
#include "core/kube/client.h"

struct es_kube_house_opts {
    const char *ns; /* watch this namespace only (and no cluster-scoped kinds); NULL: all */
};

/* The client is consumed even on failure. */
int es_cluster_new_kube(struct es_cluster **ret, struct es_kube *take_kube,
                        const struct es_kube_house_opts *opts, struct es_error *err);

#endif
