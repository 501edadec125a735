/* core/plugin/registry_own.h: what the rest of the room asks of the registry. */
#ifndef ES_PLUGIN_REGISTRY_OWN_H
#define ES_PLUGIN_REGISTRY_OWN_H

#include "core/base/metrics.h"
#include "core/plugin/registry.h"

/* externalsecret_provider_api_calls_count{provider,call,status}, or NULL. */
struct es_metric *es_registry_api_calls(const struct es_registry *r);

/* esod_provider_reads_total{provider,operation,result}, or NULL. */
struct es_metric *es_registry_reads(const struct es_registry *r);
/* esod_provider_read_duration_seconds{provider,operation}, or NULL. */
struct es_metric *es_registry_read_seconds(const struct es_registry *r);

#endif
