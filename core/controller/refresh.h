/* core/controller/refresh.h: is it time? Pure decisions about an ExternalSecret.
 * Spec: externalsecret, section 4. */
#ifndef ES_CONTROLLER_REFRESH_H
#define ES_CONTROLLER_REFRESH_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

/* spec.refreshInterval in ms: 1 h when absent or not readable. */
int64_t es_refresh_interval_ms(const json_t *external_secret);

/* refreshPolicy Periodic, which is the default. */
bool es_refresh_is_periodic(const json_t *external_secret);

/* Have the provider's values to be read again? `version` is what
 * status.syncedResourceVersion would be now. */
bool es_refresh_is_due(const json_t *external_secret, const char *version, int64_t now_unix_ms);

/* When to look again after a pass that had nothing to do: ms from now, -1 never
 * by itself. Outside of its sync windows an object waits for their next edge. */
int64_t es_refresh_after_ms(const json_t *external_secret, int64_t now_unix_ms);

/* The same for a pass that just has synced at `now`. */
int64_t es_refresh_after_sync_ms(const json_t *external_secret);

#endif
