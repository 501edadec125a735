/* core/controller/source_read.h: live reads of what stores are opened with, noted
 * with who reads (sources.h). */
#ifndef ES_CONTROLLER_SOURCE_READ_H
#define ES_CONTROLLER_SOURCE_READ_H

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/controller/controller.h"
#include "core/plugin/services.h"

/* As es_services.kube_read says. `reader` may be NULL: then nobody is told when
 * it changes. */
int es_source_read(struct es_env *env, struct es_reader *reader, enum es_kube_read what, const char *ns,
                   const char *name, const char *key, struct es_blob *ret, struct es_error *err);

/* As es_services.sa_token says. Of a service account that is not there, it is noted
 * that it is waited for; one that is there gives tokens whatever its version. */
int es_source_token(struct es_env *env, struct es_reader *reader, const char *ns, const char *name,
                    const char *const *audiences, size_t count, int64_t ttl_s, struct es_blob *ret,
                    struct es_error *err);

#endif
