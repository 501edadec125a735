/* core/ops/cgroup.h: how much memory the container may have, and has: esod and the
 * processes of its plugins together, as the kernel counts before it ends one. */
#ifndef ES_OPS_CGROUP_H
#define ES_OPS_CGROUP_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/metrics.h"

struct es_cgroup_memory {
    double limit_bytes;
    /* Without the pages of files that the kernel can drop: the kubelet's working set. */
    double working_set_bytes;
};

/* Of the control group that `membership` (/proc/self/cgroup) names, under `mount`
 * (/sys/fs/cgroup), in version 1 or 2. False: it has no limit, or cannot be read. */
bool es_cgroup_memory(const char *membership, const char *mount, struct es_cgroup_memory *ret);

/* Registers the gauges, which are there only while there is a limit. */
int es_cgroup_metrics(struct es_metrics *m, struct es_error *err);

#endif
