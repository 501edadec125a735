#include "core/cmd/figures.h"

#include "core/cluster/cache.h"

static struct es_metric *objects, *healthy, *requests, *failures, *connections, *in_flight, *streams, *sent,
    *received;

static void set(struct es_metric *m, double value)
{
    es_metric_set(m, NULL, value);
}

static void look_at_cache(struct es_cache *cache)
{
    if (!cache)
        return;
    const char *const labels[] = {es_cache_opts_of(cache)->kind->kind};
    es_metric_set(objects, labels, (double)es_cache_count(cache));
    es_metric_set(healthy, labels, es_cache_synced(cache) && !es_cache_trouble(cache, NULL));
}

static void look_at_transport(struct es_http *http)
{
    struct es_http_stats s;

    es_http_stats(http, &s);
    set(requests, (double)s.requests);
    set(failures, (double)s.failures);
    set(connections, (double)s.connections_opened);
    set(in_flight, (double)s.in_flight);
    set(streams, (double)s.streams);
    set(sent, (double)s.bytes_sent);
    set(received, (double)s.bytes_received);
}

static void collect(void *ctx)
{
    struct es_daemon *d = ctx;

    look_at_cache(d->env.external_secrets);
    look_at_cache(d->env.secret_stores);
    look_at_cache(d->env.cluster_secret_stores);
    look_at_cache(d->env.push_secrets);
    look_at_cache(d->env.cluster_external_secrets);
    look_at_cache(d->env.cluster_push_secrets);
    look_at_cache(d->env.targets);
    look_at_cache(d->env.namespaces);
    look_at_transport(d->http);
}

/* What never changes. */
static void tell_versions(struct es_daemon *d)
{
    static const char *const build[] = {"version"}, *const plugin[] = {"plugin", "version", "isolation"};
    const struct es_plugin *const *plugins;
    size_t count = es_registry_plugins(d->env.registry, &plugins);
    struct es_metric *b = es_metrics_family(d->metrics, ES_GAUGE, "esod_build_info",
                                            "1; what runs is in the label.", build, 1, NULL, 0);
    struct es_metric *p = es_metrics_family(d->metrics, ES_GAUGE, "esod_plugin_info",
                                            "1 for each plugin that is loaded; isolation: process or none.",
                                            plugin, 3, NULL, 0);

    es_metric_set(b, (const char *const[]){ESOD_VERSION}, 1);
    for (size_t i = 0; i < count; i++)
        es_metric_set(
            p,
            (const char *const[]){plugins[i]->name, plugins[i]->version,
                                  plugins[i]->isolation == ES_ISOLATION_PROCESS ? "process" : "none"},
            1);
}

static struct es_metric *plain(struct es_daemon *d, enum es_metric_type type, const char *name,
                               const char *help)
{
    return es_metrics_family(d->metrics, type, name, help, NULL, 0, NULL, 0);
}

static void register_transport(struct es_daemon *d)
{
    requests =
        plain(d, ES_COUNTER, "esod_http_requests_total", "Requests to the API server and to backends.");
    failures = plain(d, ES_COUNTER, "esod_http_failures_total", "Requests that got no answer.");
    connections =
        plain(d, ES_COUNTER, "esod_http_connections_opened_total", "Connections that were opened for them.");
    in_flight = plain(d, ES_GAUGE, "esod_http_requests_in_flight", "Requests under way, watches among them.");
    streams = plain(d, ES_GAUGE, "esod_http_streams", "Answers that are read as they come: watches.");
    sent = plain(d, ES_COUNTER, "esod_http_sent_bytes_total", "Bytes of requests.");
    received = plain(d, ES_COUNTER, "esod_http_received_bytes_total",
                     "Bytes of answers; those of watches when they end.");
}

int es_figures_register(struct es_daemon *d, struct es_error *err)
{
    static const char *const kind[] = {"kind"};

    objects = es_metrics_family(d->metrics, ES_GAUGE, "esod_cache_objects", "Objects in a cache, by kind.",
                                kind, 1, NULL, 0);
    healthy = es_metrics_family(d->metrics, ES_GAUGE, "esod_watch_healthy",
                                "1: the cache of this kind is filled and its watch works; else 0.", kind, 1,
                                NULL, 0);
    register_transport(d);
    tell_versions(d);
    return es_metrics_on_collect(d->metrics, collect, d) < 0 ? es_error_nomem(err) : 0;
}
