/* core/cmd/figures.h: metrics of the program as a whole: what was built and loaded,
 * what is cached, whether the watches work, what goes over the network. */
#ifndef ES_CMD_FIGURES_H
#define ES_CMD_FIGURES_H

#include "core/base/error.h"
#include "core/cmd/daemon.h"

/* Once the daemon has started; it must outlive every page. */
int es_figures_register(struct es_daemon *d, struct es_error *err);

#endif
