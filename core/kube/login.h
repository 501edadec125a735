/* core/kube/login.h: what the client asks of the configuration, beyond
 * config.h: logins that can be interrupted. */
#ifndef ES_KUBE_LOGIN_H
#define ES_KUBE_LOGIN_H

#include <stdbool.h>

#include "core/kube/config.h"

/* Authorization, Impersonate-User and the groups. */
#define ES_KUBE_LOGIN_HEADERS_MAX 64

/* es_kube_config_credential which ends with ES_E_CANCELLED soon after
 * `cancelled` (polled; may be NULL) is set, also while a plugin runs. */
int es_kube_login(struct es_kube_config *c, const bool *cancelled, struct es_kube_credential *ret,
                  struct es_error *err);

/* Ends a plugin that runs now, and refuses to start another. Any thread. */
void es_kube_login_stop(struct es_kube_config *c);

#endif
