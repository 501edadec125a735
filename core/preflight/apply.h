/* core/preflight/apply.h: installs the definitions, and brings them up to date.
 *
 * By server-side apply, so that what others have put into them is not taken
 * unasked. Nothing is ever deleted. */
#ifndef ES_PREFLIGHT_APPLY_H
#define ES_PREFLIGHT_APPLY_H

#include <stdbool.h>

#include "core/base/error.h"
#include "core/kube/client.h"
#include "core/plugin/crd.h"

#define ES_APPLY_MANAGER "esod-crds"

struct es_apply_opts {
    /* Fields that somebody else has set to something else are taken over. */
    bool force_conflicts;
    /* The same; and definitions that a newer esod, or a Helm release that is not esod's, looks
     * after are replaced, too, and webhooks for their conversion dropped. */
    bool take_over;
};

/* Told about each definition: `done` is "created", "updated" or "unchanged"; NULL, and then `err`
 * says why not. */
typedef void es_apply_fn(void *ctx, const char *name, const char *done, const struct es_error *err);

/* Every definition is tried, unless whose they are forbids it: then none is. Returns 0 when all are
 * in place, and the API server serves those that are new; else the first failure, which `tell` has
 * been told. */
int es_apply_definitions(struct es_kube *k, const struct es_crds *crds, const struct es_apply_opts *opts,
                         es_apply_fn *tell, void *ctx);

#endif
