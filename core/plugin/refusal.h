/* core/plugin/refusal.h: what is said of a file that is no plugin for this esod,
 * wherever it was tried. Private to the room. */
#ifndef ES_PLUGIN_REFUSAL_H
#define ES_PLUGIN_REFUSAL_H

#include "core/base/error.h"
#include "core/wire/message.h"

/* ES_E_CONFIG, with the end of a sentence that begins with the plugin's name. The
 * text is foreign: it is made fit for people. */
int es_refusal_say(struct es_error *err, enum es_refusal why, uint32_t detail, esp_bytes text);

#endif
