/* core/cmd/login.h: who a command is to the API server. */
#ifndef ES_CMD_LOGIN_H
#define ES_CMD_LOGIN_H

#include "core/base/error.h"
#include "core/kube/client.h"
#include "core/kube/config.h"
#include "core/ops/config.h"

/* As --kubeconfig and --context say. A setting that names a file which is not there is a
 * wrong setting. `err` may be NULL. */
int es_load_login(struct es_kube_config **ret, const struct es_config *c, struct es_error *err);

/* A client for a command that asks a few things and ends. */
int es_connect(struct es_kube **ret, struct es_http *http, const struct es_config *c, struct es_error *err);

#endif
