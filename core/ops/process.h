/* core/ops/process.h: what this process uses, as Prometheus' client libraries
 * name it (process_resident_memory_bytes, ...), and its hardening. */
#ifndef ES_OPS_PROCESS_H
#define ES_OPS_PROCESS_H

#include "core/base/error.h"
#include "core/base/metrics.h"

/* Registers the gauges; they are read when the page is asked for. */
int es_process_metrics(struct es_metrics *m, struct es_error *err);

/* No core dumps, no debugger of the same user: memory holds secrets while a
 * pass runs. Skipped when $ESOD_DEBUGGABLE is set. */
void es_process_harden(void);

#endif
