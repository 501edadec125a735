/* core/runner/lane.h: one thread that runs the calls of one lane. */
#ifndef ES_RUNNER_LANE_H
#define ES_RUNNER_LANE_H

#include "core/wire/link.h"

/* Serves calls of this plugin from the socket until the core closes it. Ends the
 * process when no thread can be had: the core starts another one. */
void es_lane_start(const struct esp_plugin *plugin, int take_fd);

/* For the services, which run on that thread: send what was put, read the next
 * frame. When the core is gone, so are we. */
void es_lane_send(struct es_link *l);
void es_lane_read(struct es_link *l, struct es_frame *ret);

/* What was put could not be held: it is dropped, and the operation fails. */
void es_lane_no_memory(struct es_link *l);

/* The core said something that makes no sense here. */
_Noreturn void es_lane_protest(void);

#endif
