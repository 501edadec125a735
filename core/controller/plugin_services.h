/* core/controller/plugin_services.h: the cluster's side of the plugin host. */
#ifndef ES_CONTROLLER_PLUGIN_SERVICES_H
#define ES_CONTROLLER_PLUGIN_SERVICES_H

#include "core/cluster/cluster.h"
#include "core/plugin/services.h"

/* Fills kube_read and sa_token. `cluster` points to where the cluster will be
 * before the first call. */
void es_plugin_services_init(struct es_services *services, struct es_cluster **cluster);

#endif
