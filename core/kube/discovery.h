/* core/kube/discovery.h: which resource an apiVersion and a kind stand for.
 *
 * Asks the API server for the resources of the group and version, and remembers
 * what it found for a few minutes. What it did not find it asks for each time:
 * definitions may come later than what uses them. Any thread. */
#ifndef ES_KUBE_DISCOVERY_H
#define ES_KUBE_DISCOVERY_H

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/kube/client.h"
#include "core/kube/kind.h"

#define ES_DISCOVERY_TTL_MS 300000

struct es_discovery;

/* `kube` must outlive it. NULL without memory. */
struct es_discovery *es_discovery_new(struct es_kube *kube, const struct es_clock *clock);
void es_discovery_free(struct es_discovery *d); /* NULL is fine */

/* *ret lives as long as the discovery; it counts as a kind that holds secrets in
 * the clear, which is what kinds are looked up for. ES_E_NOT_FOUND with the text of
 * client-go ("no matches for kind ..."), ES_E_INVALID when a name would change
 * the request's path, else what the request failed with. */
int es_discovery_resolve(struct es_discovery *d, const char *api_version, const char *kind,
                         const struct es_kind **ret, struct es_error *err);

#endif
