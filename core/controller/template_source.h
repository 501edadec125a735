/* core/controller/template_source.h: what templateFrom reads its texts from. */
#ifndef ES_CONTROLLER_TEMPLATE_SOURCE_H
#define ES_CONTROLLER_TEMPLATE_SOURCE_H

#include "core/controller/template.h"

struct es_template_source {
    const struct es_kind *kind;
    const char *member;  /* of templateFrom */
    const char *missing; /* "error in configmap %s: missing key %s" */
    const char *failure; /* what an error begins with, for targets of any kind */
};

extern const struct es_template_source es_template_config_map, es_template_secret;

/* Reads an object, *ret (a new reference), and has it noted in `seen` (may be NULL). */
int es_template_read_source(struct es_env *env, const struct es_template_source *from, const char *ns,
                            const char *name, struct es_template_seen *seen, json_t **ret,
                            struct es_error *err);

/* The text at a key of the object, as a JSON string (a new reference). */
int es_template_read_item(const struct es_template_source *from, const json_t *object, const char *key,
                          json_t **ret, struct es_error *err);

/* target.template.templateFrom of a Secret: adds what it gives to *into. */
int es_template_add_from(struct es_env *env, const char *ns, const json_t *template_from,
                         const struct es_values *values, struct es_template_seen *seen,
                         struct es_rendered_template *into, struct es_error *err);

/* ES_E_CONFIG unless the engine is the one there is. */
int es_template_check_engine(const json_t *template, struct es_error *err);

#endif
