/* core/controller/template.h: target.template of an ExternalSecret, rendered.
 *
 * Texts without an action ("{{") are their own rendering. */
#ifndef ES_CONTROLLER_TEMPLATE_H
#define ES_CONTROLLER_TEMPLATE_H

#include <jansson.h>

#include "core/base/error.h"
#include "core/controller/controller.h"
#include "core/controller/stamp.h"
#include "core/secret/target.h"

/* What templateFrom has read: others now mean that there is something to render. */
struct es_template_seen {
    const char *made; /* the Secret that is being made, or NULL: reading that is no reason to make it again */
    struct es_stamp stamp;
};

/* *ret_has: there is a template and *ret was filled (es_template_fini it). `seen` gets
 * what was read; NULL: nobody wants to know. */
int es_template_render(struct es_env *env, const json_t *external_secret, const struct es_values *values,
                       struct es_template_seen *seen, struct es_rendered_template *ret, bool *ret_has,
                       struct es_error *err);
/* The template of a target of any kind, as steps for es_manifest_shape: templateFrom
 * in its order, then data. *ret_steps stays NULL when there is neither. Each text is
 * rendered once: a value that reads like a template stays a value. */
int es_template_steps(struct es_env *env, const json_t *external_secret, const struct es_values *values,
                      struct es_template_seen *seen, json_t **ret_steps, struct es_error *err);

/* What rendering would read now, without rendering. That an object does not exist is
 * no failure but something that is seen. */
int es_template_look(struct es_env *env, const char *ns, const json_t *template,
                     struct es_template_seen *seen, struct es_error *err);

/* One text (a JSON string). `key` says in errors where it stands; the values that are
 * rendered do not show in them. */
int es_template_text(struct es_env *env, const char *key, const json_t *text, const struct es_values *values,
                     struct es_blob *ret, struct es_error *err);

void es_template_fini(struct es_rendered_template *t);

#endif
