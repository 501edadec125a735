/* core/cmd/providers.h: what the loaded providers look like from outside. */
#ifndef ES_CMD_PROVIDERS_H
#define ES_CMD_PROVIDERS_H

#include "core/base/error.h"
#include "core/plugin/crd.h"
#include "core/plugin/registry.h"

/* The CustomResourceDefinitions for what is loaded. */
int es_crds_of_registry(struct es_crds **ret, const struct es_registry *r, struct es_error *err);

/* "read write list", for people. */
void es_caps_text(struct es_buf *out, uint64_t caps, const char *separator);

/* "seccomp, landlock", for people: what stands around a plugin's process. */
void es_fences_text(struct es_buf *out, uint32_t fences);

/* What this system has not; 0 for a plugin without a process of its own. */
uint32_t es_fences_missing(const struct es_plugin *p);

#endif
