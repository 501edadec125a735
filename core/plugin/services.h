/* core/plugin/services.h: what the core does for plugins, and for whom.
 *
 * The host table of the ABI is built on these. The rules about which store may
 * read what are applied above them, in host.c, so a service only fetches. */
#ifndef ES_PLUGIN_SERVICES_H
#define ES_PLUGIN_SERVICES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/metrics.h"
#include "core/base/values.h"
#include "core/http/http.h"

struct es_authority;
struct es_reader;
struct es_reading;

/* The last one is the first in another form. */
enum es_kube_read { ES_READ_SECRET, ES_READ_CONFIG_MAP, ES_READ_SERVICE_ACCOUNT, ES_READ_SECRET_OBJECT };

struct es_services {
    struct es_http *http;       /* NULL: no network (commands that only describe plugins) */
    struct es_metrics *metrics; /* or NULL */
    const char *user_agent;

    /* The value of `key` (Secret: decoded), or the object's JSON for a service
     * account; of ES_READ_SECRET_OBJECT what ESP_KUBE_SECRET_OBJECT promises. NOT_FOUND when object or key is
     * absent. `who` it is for has been checked. NULL function: no cluster. */
    int (*kube_read)(void *ctx, const struct es_authority *who, enum es_kube_read what, const char *ns,
                     const char *name, const char *key, struct es_blob *ret, struct es_error *err);

    /* TokenRequest for a service account; audience_count 0: the API server's own. */
    int (*sa_token)(void *ctx, const struct es_authority *who, const char *ns, const char *name,
                    const char *const *audiences, size_t audience_count, int64_t ttl_s, struct es_blob *ret,
                    struct es_error *err);

    /* Renders a Go template over a JSON object; what is missing is no error. `name` is
     * what messages call it. NULL: none are rendered. */
    int (*render)(void *ctx, const char *name, const char *text, size_t len, const json_t *data,
                  struct es_blob *ret, struct es_error *err);

    /* A plugin's process ended under a call for this store. NULL: nobody cares. */
    void (*plugin_lost)(void *ctx, const struct es_authority *who, const char *why);
    void *ctx;
};

/* On whose behalf a plugin is called. Everything is borrowed for the call. */
struct es_authority {
    const char *store_kind; /* "SecretStore" or "ClusterSecretStore" */
    const char *store_namespace, *store_name;
    int64_t store_generation;
    const char *consumer_namespace; /* "" while a ClusterSecretStore is validated */
    const json_t *spec;             /* the provider's block: names absent from it are DENIED */
    int64_t deadline_ms;            /* monotonic; 0: 30 s from now */
    const bool *cancelled;          /* or NULL */
    struct es_reader *reader;       /* of the services' owner, under which it notes what is read; or NULL */
    struct es_reading *reading;     /* whose reads may be shared (reads.h), or NULL */
};

#endif
