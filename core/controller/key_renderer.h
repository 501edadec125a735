/* core/controller/key_renderer.h: templates for rewrite.transform.
 *
 * Its language is that of plugins' templates: the usual delimiters, and what is
 * missing is empty. */
#ifndef ES_CONTROLLER_KEY_RENDERER_H
#define ES_CONTROLLER_KEY_RENDERER_H

#include "core/controller/controller.h"
#include "core/secret/shape.h"

/* Fills *ret, which works as long as env's registry lives, and returns it; NULL where
 * nothing renders. */
const struct es_renderer *es_key_renderer(const struct es_env *env, struct es_renderer *ret);

#endif
