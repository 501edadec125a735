/* core/controller/template.h: target.template of an ExternalSecret, rendered.
 *
 * Texts without an action ("{{") are their own rendering. Whatever needs the
 * template language goes through the registry's render service. */
#ifndef ES_CONTROLLER_TEMPLATE_H
#define ES_CONTROLLER_TEMPLATE_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/controller/controller.h"
#include "core/secret/target.h"

/* *ret_has: there is a template and *ret was filled (es_template_fini it). */
int es_template_render(struct es_env *env, const json_t *external_secret, const struct es_values *values,
                       struct es_rendered_template *ret, bool *ret_has, struct es_error *err);
void es_template_fini(struct es_rendered_template *t);

#endif
