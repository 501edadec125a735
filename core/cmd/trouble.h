/* core/cmd/trouble.h: what keeps the watches from working, and what to do about it. */
#ifndef ES_CMD_TROUBLE_H
#define ES_CMD_TROUBLE_H

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/cluster/cluster.h"
#include "core/ops/config.h"

/* Appends a line for each watch that does not work: what the API server says, what the watch
 * is for, and which command or setting helps. */
void es_trouble_describe(struct es_buf *out, struct es_cluster *cluster, const struct es_config *config);

/* What was said last. */
struct es_trouble {
    char *said;                    /* lines */
    char first[ES_ERROR_TEXT_MAX]; /* of them, "" when all is well */
};

/* Logs each of these lines once, and when all is well again. */
void es_trouble_log(struct es_trouble *t, struct es_cluster *cluster, const struct es_config *config);
void es_trouble_fini(struct es_trouble *t);

#endif
