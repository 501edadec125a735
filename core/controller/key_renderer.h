/* core/controller/key_renderer.h: templates for rewrite.transform.
 *
 * Its language is that of plugins' templates: the usual delimiters, and what is
 * missing is empty. */
#ifndef ES_CONTROLLER_KEY_RENDERER_H
#define ES_CONTROLLER_KEY_RENDERER_H

#include "core/controller/controller.h"
#include "core/secret/shape.h"

/* What has the template: dataFrom[].rewrite, or dataTo[].rewrite of a PushSecret. */
enum es_key_rule { ES_KEY_REWRITE, ES_KEY_DATA_TO };

/* Fills *ret, which works as long as env's registry lives, and returns it; NULL where
 * nothing renders. */
const struct es_renderer *es_key_renderer(const struct es_env *env, enum es_key_rule rule,
                                          struct es_renderer *ret);

#endif
