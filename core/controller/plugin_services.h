/* core/controller/plugin_services.h: the cluster's side of the plugin host. */
#ifndef ES_CONTROLLER_PLUGIN_SERVICES_H
#define ES_CONTROLLER_PLUGIN_SERVICES_H

#include "core/controller/controller.h"
#include "core/plugin/services.h"

/* Fills kube_read, sa_token, render and plugin_lost, which look into `env` when they are
 * called: its cluster may come later. */
void es_plugin_services_init(struct es_services *services, struct es_env *env);

#endif
