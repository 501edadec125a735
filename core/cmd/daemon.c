#include "core/cmd/daemon.h"

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/cmd/load.h"
#include "core/cmd/version.h"
#include "core/controller/plugin_services.h"

static void settings_from_config(struct es_settings *s, const struct es_config *c)
{
    *s = (struct es_settings){.controller_class = c->controller_class,
                              .ns = c->ns,
                              .store_requeue_ms = c->store_requeue_ms,
                              .flood_gate = c->flood_gate,
                              .metric_labels = c->metric_labels,
                              .secret_stores = c->secret_stores,
                              .cluster_stores = c->cluster_stores,
                              .push_secrets = c->push_secrets,
                              .cluster_external_secrets = c->cluster_external_secrets,
                              .cluster_push_secrets = c->cluster_push_secrets,
                              .generic_targets = c->generic_targets,
                              .template_left = c->template_left,
                              .template_right = c->template_right,
                              .read_window_ms = c->read_window_ms};
}

/* What every request was, for /metrics. There is one transport. */
static struct es_metric *requests, *request_seconds;

static void observe_request(void *ctx, const struct es_http_sample *sample)
{
    char code[16];

    (void)ctx;
    snprintf(code, sizeof code, "%d", sample->status);
    es_metric_add(requests,
                  (const char *const[]){sample->status ? code : "<error>", sample->host, sample->method}, 1);
    es_metric_observe(request_seconds, (const char *const[]){sample->host, sample->method},
                      (double)sample->duration_us / 1e6);
}

/* Events, leases and logins go on while every worker waits for the API server. */
#define CONNECTIONS_BESIDE_WORKERS 4

/* Names, labels and bounds are client-go's. */
static void register_requests(struct es_metrics *m)
{
    static const char *const counted[] = {"code", "host", "method"}, *const timed[] = {"host", "verb"};
    static const double seconds[] = {0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60};

    requests = es_metrics_family(m, ES_COUNTER, "rest_client_requests_total",
                                 "HTTP requests by status code, host and method.", counted, 3, NULL, 0);
    request_seconds = es_metrics_family(m, ES_HISTOGRAM, "rest_client_request_duration_seconds",
                                        "How long HTTP requests took, those of watches until they were open.",
                                        timed, 2, seconds, sizeof seconds / sizeof *seconds);
}

static int start_transport(struct es_daemon *d, struct es_error *err)
{
    struct es_http_opts opts = {.user_agent = ES_USER_AGENT, .observe = observe_request};

    register_requests(d->metrics);
    if (d->config->concurrent > 0)
        opts.single_connections = (size_t)d->config->concurrent + CONNECTIONS_BESIDE_WORKERS;
    return es_http_new(&d->http, &opts, err);
}

int es_daemon_init(struct es_daemon *d, const struct es_config *config, struct es_error *err)
{
    *d = (struct es_daemon){.config = config, .metrics = es_metrics_new()};
    if (!d->metrics)
        return es_error_nomem(err);
    settings_from_config(&d->env.settings, config);
    d->env.clock = &es_system_clock;
    d->env.metrics = d->metrics;
    int rc = start_transport(d, err);
    if (rc == 0) {
        struct es_services services = {.http = d->http, .metrics = d->metrics, .user_agent = ES_USER_AGENT};
        es_plugin_services_init(&services, &d->env);
        rc = es_load_plugins(&d->env.registry, config, &services, err);
    }
    if (rc == 0)
        rc = es_registry_start(d->env.registry, err);
    const struct es_reads_opts reads = {
        .clock = d->env.clock, .window_ms = config->read_window_ms, .metrics = d->metrics};
    if (rc == 0)
        rc = es_reads_new(&d->env.reads, &reads, err);
    if (rc == 0)
        rc = es_pool_new(&d->env.pool, err);
    if (rc < 0)
        es_daemon_fini(d, 0);
    return rc;
}

int es_daemon_start(struct es_daemon *d, struct es_cluster *take_cluster, const struct es_engine_opts *opts,
                    struct es_error *err)
{
    d->env.cluster = take_cluster;
    int rc = es_engine_new(&d->engine, &d->env, opts, err);
    return rc < 0 ? rc : es_engine_start(d->engine, err);
}

void es_daemon_fini(struct es_daemon *d, int64_t grace_ms)
{
    if (d->engine)
        es_engine_stop(d->engine, grace_ms);
    es_election_stop(d->election);
    /* The watches tell the pool and the queue of changes until they are joined.
     * Closing a store may still talk to its backend, so the pool goes next,
     * while the transport works. */
    es_cluster_free(d->env.cluster);
    d->env.cluster = NULL;
    es_pool_free(d->env.pool);
    es_reads_free(d->env.reads);
    if (d->http)
        es_http_stop(d->http);
    es_engine_free(d->engine);
    es_controllers_fini(&d->env);
    es_registry_free(d->env.registry);
    es_election_free(d->election);
    es_http_free(d->http);
    es_metrics_free(d->metrics);
    *d = (struct es_daemon){0};
}
