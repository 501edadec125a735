/* core/controller/template_watched.h: who is woken when a ConfigMap or Secret changes that
 * a template takes its texts from. */
#ifndef ES_CONTROLLER_TEMPLATE_WATCHED_H
#define ES_CONTROLLER_TEMPLATE_WATCHED_H

#include <jansson.h>
#include <stdbool.h>

#include "core/cluster/cache.h"
#include "core/controller/controller.h"
#include "core/plugin/services.h"

/* The terms of an ExternalSecret or PushSecret with this template (may be NULL). */
void es_template_terms(struct es_terms *t, const char *ns, const json_t *template);

/* Does it take texts from such objects? */
bool es_template_has_sources(const json_t *template);

/* Begins the watches that tell of them. Not from a cache's callback. */
void es_template_watch(struct es_env *env, const json_t *template);

/* Is there still somebody whose template takes texts from such objects? */
bool es_template_wants(struct es_env *env, enum es_kube_read what);

/* Asks for a pass of everybody whose template this object is a source of. Any thread. */
void es_template_source_changed(struct es_env *env, enum es_kube_read what, const char *ns, const char *name);

/* The same for all objects of a kind: something may have been missed. */
void es_template_sources_unsure(struct es_env *env, enum es_kube_read what);

#endif
