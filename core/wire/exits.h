/* core/wire/exits.h: how a plugin's process ends by its own will. Other codes and
 * signals are the plugin's doing. */
#ifndef ES_WIRE_EXITS_H
#define ES_WIRE_EXITS_H

enum {
    ES_EXIT_USAGE_RUNNER = 2,
    ES_EXIT_NO_MEMORY = 70, /* not even enough to say so */
    ES_EXIT_PROTOCOL = 71,  /* the core said what makes no sense */
    ES_EXIT_CORE_GONE = 72  /* its connection is closed: the usual end, unless the plugin did that */
};

#endif
