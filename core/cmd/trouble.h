/* core/cmd/trouble.h: what keeps the watches from working, and what to do about it. */
#ifndef ES_CMD_TROUBLE_H
#define ES_CMD_TROUBLE_H

#include "core/base/buf.h"
#include "core/cluster/cluster.h"
#include "core/ops/config.h"

/* Appends a line for each watch that does not work: what the API server says, what the watch
 * is for, and which command or setting helps. */
void es_trouble_describe(struct es_buf *out, struct es_cluster *cluster, const struct es_config *config);

#endif
