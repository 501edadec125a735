/** @file esp/tree.h
 * Documents as trees of jansson (json_t), for plugins that link that library.
 * A library of its own (esp::tree), since it needs jansson 2.13 or later. The functions are safe on any
 * thread, as long as nobody changes the tree meanwhile. */
#ifndef ESP_TREE_H
#define ESP_TREE_H

#include <stdbool.h>

#include <jansson.h>

#include <esp/plugin.h>
#include <esp/text.h>

#ifdef __cplusplus
extern "C" {
#endif

/** @defgroup toolkit_tree Toolkit: documents as trees
 * A request's document, and what describes a secret without being one: esp/tree.h. A tree is never wiped,
 * so secrets are left to esp/json.h, which reads them where they are.
 *
 * jansson's own reader, json_dumps() and json_deep_copy() are not for a plugin: when memory runs out at the
 * wrong moment they abort, or go on with a part of what they have, which is another key and another secret.
 * @{ */

/** The value of JSON text, a new reference (json_decref). NULL when the text is not well-formed, a member's
 * name or a string is none of UTF-8, a name holds a NUL, or there is no memory; a request's document is
 * sound, so that NULL says the last. Of members with the same name the last one counts. Whole numbers beyond
 * json_int_t become reals. */
json_t *esp_tree_read(esp_bytes json);

/** Appends the value as JSON text without spaces, members sorted by their names. False without memory, or
 * when `out` is full; then `out` is as it was, or esp_text_failed() with it. */
bool esp_tree_write(const json_t *value, struct esp_text *out);

/** A new object with the members of `object`, which both share then; an empty one when it is none, or NULL.
 * NULL without memory. json_copy() leaves out what it has no memory for. */
json_t *esp_tree_copy(const json_t *object);

/** The string under `name` of an object: its own bytes, borrowed from the tree. Empty when there is no such
 * member, it is no string, or `object` is no object or NULL. */
esp_bytes esp_tree_text(const json_t *object, const char *name);

/** @} */

#ifdef __cplusplus
}
#endif
#endif
