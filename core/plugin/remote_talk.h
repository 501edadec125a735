/* core/plugin/remote_talk.h: one call over one lane. Private to the room.
 *
 * The worker that makes the call sits at the core's end of the lane: it feeds
 * what the plugin hands out into the call, does the services that it asks for
 * with the authority of this call's store, and watches the clock. Whatever the
 * other side sends, it can only fail this one call. */
#ifndef ES_PLUGIN_REMOTE_TALK_H
#define ES_PLUGIN_REMOTE_TALK_H

#include "core/plugin/call.h"
#include "core/wire/message.h"

#define ES_TALK_WHY_MAX 160

enum es_talk {
    ES_TALK_DONE,   /* *ret_status and *ret_instance are the plugin's */
    ES_TALK_ENDED,  /* the process is gone, or nearly so */
    ES_TALK_CONDEMN /* it broke the protocol or overran: `why` says how; it has to go */
};

/* The plugin has until `grace_ms` after the deadline, or after a cancellation. */
enum es_talk es_talk(struct es_link *lane, struct esp_call *c, const struct es_wire_call *asked,
                     int64_t grace_ms, esp_status *ret_status, uint64_t *ret_instance,
                     char why[ES_TALK_WHY_MAX]);

#endif
