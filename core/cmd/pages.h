/* core/cmd/pages.h: what `esod run` shows of itself: /healthz, /readyz, /metrics. */
#ifndef ES_CMD_PAGES_H
#define ES_CMD_PAGES_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/cmd/daemon.h"
#include "core/kube/config.h"

struct es_pages;

/* For a daemon that has started. `take_login` is for asking who may read the metrics,
 * where the configuration wants that; else NULL. Consumed even on failure. */
int es_pages_new(struct es_pages **ret, struct es_daemon *d, struct es_kube_config *take_login,
                 struct es_error *err);
void es_pages_free(struct es_pages *p); /* before the daemon is taken apart. NULL is fine */

/* What /healthz says: the main loop and the transport move. */
bool es_pages_alive(struct es_pages *p);

/* The main loop has come by; `ready`: workers run. Every second or so. */
void es_pages_tick(struct es_pages *p, bool ready);

#endif
