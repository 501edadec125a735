/* core/plugin/refusal.h: what is said of a file that is no plugin for this esod,
 * wherever it was tried. Private to the room. */
#ifndef ES_PLUGIN_REFUSAL_H
#define ES_PLUGIN_REFUSAL_H

#include "core/base/error.h"
#include "core/wire/message.h"

/* Of a file that cannot be loaded at all; %s is the loader's own reason. */
#define ES_REFUSED_BY_LOADER                                                                                 \
    "the loader refuses it: %s; a plugin is a shared object for this machine, and the libraries that "       \
    "it links have to be installed"

/* ES_E_CONFIG, with the end of a sentence that begins with the plugin's name. The
 * text is foreign: it is made fit for people. */
int es_refusal_say(struct es_error *err, enum es_refusal why, uint32_t detail, esp_bytes text);

#endif
