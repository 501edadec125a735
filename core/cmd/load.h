/* core/cmd/load.h: the plugins that a configuration asks for. */
#ifndef ES_CMD_LOAD_H
#define ES_CMD_LOAD_H

#include "core/base/error.h"
#include "core/ops/config.h"
#include "core/plugin/registry.h"

/* Those that file and flags list; without such a list, all that are installed. */
int es_load_plugins(struct es_registry **ret, const struct es_config *config,
                    const struct es_services *services, struct es_error *err);

/* Those of them that can be loaded; `refused` is told why another one cannot be. */
typedef void es_load_refused_fn(void *ctx, const struct es_error *err);
int es_load_plugins_that_can(struct es_registry **ret, const struct es_config *config,
                             const struct es_services *services, es_load_refused_fn *refused, void *ctx,
                             struct es_error *err);

/* Says on stderr that none was found, and where they are looked for. */
void es_say_no_plugins(const struct es_config *config);

/* "name version" of each, for a log line or a table; refusals as warnings. */
void es_log_plugins(const struct es_registry *r);

#endif
