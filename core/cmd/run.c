/* esod run: serves a cluster until it is told to stop. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cluster/kube_house.h"
#include "core/cmd/cmd.h"
#include "core/cmd/daemon.h"
#include "core/cmd/figures.h"
#include "core/cmd/load.h"
#include "core/cmd/version.h"
#include "core/ops/process.h"
#include "core/ops/pulse.h"
#include "core/ops/reviewer.h"
#include "core/ops/server.h"

#define TICK_STARTING_MS 10
#define TICK_RUNNING_MS 1000
#define REVIEW_TIMEOUT_MS 5000

static const char usage[] =
    "Usage: esod run [--config FILE] [FLAGS]\n\n"
    "Watches ExternalSecrets and stores in a Kubernetes cluster and keeps the Secrets that they\n"
    "describe. Ends on SIGTERM or SIGINT. Exit code 2: the configuration or a plugin is wrong.\n";

static int new_client(struct es_daemon *d, const struct es_kube_opts *how, struct es_kube **ret,
                      struct es_error *err)
{
    const struct es_config *c = d->config;
    struct es_kube_config *kube_config = NULL;
    struct es_kube_config_opts where = {.kubeconfig = c->kubeconfig, .context = c->context};

    int rc = es_kube_config_load(&kube_config, &where, err);
    if (rc == ES_E_NOT_FOUND) /* a file that is not there is a wrong setting */
        rc = err->code = ES_E_CONFIG;
    return rc < 0 ? rc : es_kube_new(ret, d->http, kube_config, how, err);
}

static int connect_cluster(struct es_daemon *d, struct es_cluster **ret, struct es_error *err)
{
    const struct es_config *c = d->config;
    struct es_kube *kube = NULL;
    struct es_kube_opts how = {
        .qps = c->client_qps, .burst = (int)c->client_burst, .user_agent = ES_USER_AGENT};
    struct es_kube_house_opts house = {.ns = c->ns};

    int rc = new_client(d, &how, &kube, err);
    if (rc < 0)
        return rc;
    es_log(ES_INFO, "setup", "API server",
           ES_F_STR("server", es_kube_config_server(es_kube_config_of(kube))));
    return es_cluster_new_kube(ret, kube, &house, err);
}

/* Readers of the metrics are asked about with a patience, and a client, of their own. */
static int new_reviewer(struct es_daemon *d, struct es_reviewer **ret, struct es_error *err)
{
    struct es_kube_opts how = {.timeout_ms = REVIEW_TIMEOUT_MS, .user_agent = ES_USER_AGENT};
    struct es_kube *kube = NULL;

    if (!d->config->metrics_auth)
        return 0;
    int rc = new_client(d, &how, &kube, err);
    return rc < 0 ? rc : es_reviewer_new(ret, kube, NULL, err);
}

static void note_refusals(const struct es_registry *r, struct es_buf *notes)
{
    const struct es_plugin_refusal *refusals;
    size_t count = es_registry_refusals(r, &refusals);

    for (size_t i = 0; i < count; i++)
        es_buf_addf(notes, "optional plugin %s: %s\n", refusals[i].name, refusals[i].reason);
}

/* How it is doing, for the health pages. */
struct condition {
    struct es_daemon *daemon;
    bool running;    /* atomic */
    int64_t beat_ms; /* of the main loop; atomic */
};

static void tell_caches(const struct es_env *env, struct es_buf *notes)
{
    struct es_cache *const caches[] = {env->external_secrets, env->secret_stores, env->cluster_secret_stores,
                                       env->targets, env->namespaces};

    for (size_t i = 0; i < sizeof caches / sizeof *caches; i++)
        if (caches[i])
            es_buf_addf(notes, "[%c] cache of %s\n", es_cache_synced(caches[i]) ? '+' : '-',
                        es_cache_opts_of(caches[i])->kind->kind);
}

static void tell_plugins(const struct es_registry *r, struct es_buf *notes)
{
    const struct es_plugin *const *plugins;
    size_t count = es_registry_plugins(r, &plugins);

    for (size_t i = 0; i < count; i++)
        es_buf_addf(notes, "[+] plugin %s\n", plugins[i]->name);
}

static bool is_ready(void *ctx, bool verbose, struct es_buf *notes)
{
    struct condition *c = ctx;
    struct es_env *env = &c->daemon->env;
    struct es_error err = ES_ERROR_INIT;
    bool ready = __atomic_load_n(&c->running, __ATOMIC_ACQUIRE);

    if (verbose) {
        tell_caches(env, notes);
        tell_plugins(env->registry, notes);
        es_buf_addf(notes, "[%c] workers\n", ready ? '+' : '-');
    }
    if (es_cluster_trouble(env->cluster, &err))
        es_buf_addf(notes, "%s\n", err.text);
    else if (!ready)
        es_buf_adds(notes, "the first lists are still being read\n");
    note_refusals(env->registry, notes);
    return ready;
}

static bool is_alive(void *ctx, struct es_buf *notes)
{
    struct condition *c = ctx;
    int64_t now_ms = es_mono_ms();
    const struct es_pulse loop = {"the main loop", __atomic_load_n(&c->beat_ms, __ATOMIC_RELAXED)},
                          transport = {"the transport", es_http_beat_ms(c->daemon->http)};

    bool loop_moves = es_pulse_moves(&loop, now_ms, notes);
    return es_pulse_moves(&transport, now_ms, notes) && loop_moves;
}

/* The signals arrive here, not in some thread that holds a lock. */
static sigset_t block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return set;
}

/* Waits for a signal for a tick; its number, or 0. */
static int wait_for_signal(const sigset_t *set, int64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    int n = sigtimedwait(set, NULL, &t);
    return n > 0 ? n : 0;
}

/* Says once what keeps the caches from filling, and again when it changes. */
static void log_trouble(struct es_daemon *d, char last[ES_ERROR_TEXT_MAX])
{
    struct es_error err = ES_ERROR_INIT;
    bool trouble = es_cluster_trouble(d->env.cluster, &err);

    if (trouble && !es_streq(last, err.text))
        es_log(ES_WARN, "watch", "the API server does not answer as it should; retrying",
               ES_F_STR("error", err.text));
    else if (!trouble && *last)
        es_log_plain(ES_INFO, "watch", "all watches work again");
    snprintf(last, ES_ERROR_TEXT_MAX, "%s", trouble ? err.text : "");
}

static int serve(struct es_daemon *d, struct es_server *server, struct condition *condition,
                 const sigset_t *signals, struct es_error *err)
{
    char trouble[ES_ERROR_TEXT_MAX] = "";

    for (;;) {
        __atomic_store_n(&condition->beat_ms, es_mono_ms(), __ATOMIC_RELAXED);
        int rc = es_engine_tick(d->engine, err);
        if (rc < 0)
            return rc;
        es_server_tick(server);
        bool ready = es_engine_ready(d->engine);
        __atomic_store_n(&condition->running, ready, __ATOMIC_RELEASE);
        log_trouble(d, trouble);
        int number = wait_for_signal(signals, ready ? TICK_RUNNING_MS : TICK_STARTING_MS);
        if (number) {
            es_log(ES_INFO, "setup", "stopping", ES_F_STR("signal", strsignal(number)));
            return 0;
        }
    }
}

static void log_ignored(const struct es_config *c)
{
    for (const char *const *flag = es_config_ignored(c); *flag; flag++)
        es_log(ES_WARN, "setup", "this flag of the reference operator has no effect here",
               ES_F_STR("flag", *flag));
}

static unsigned authorize(void *ctx, const char *token)
{
    return es_reviewer_ask(ctx, token);
}

/* The pages are there while the daemon works, and gone before it is taken apart. */
static int serve_pages(struct es_daemon *d, const sigset_t *signals, struct es_error *err)
{
    const struct es_config *c = d->config;
    struct condition condition = {.daemon = d, .beat_ms = es_mono_ms()};
    char *cert = c->metrics_cert_dir ? es_strf("%s/%s", c->metrics_cert_dir, c->metrics_cert_name) : NULL;
    char *key = c->metrics_cert_dir ? es_strf("%s/%s", c->metrics_cert_dir, c->metrics_key_name) : NULL;
    struct es_reviewer *reviewer = NULL;
    struct es_server *server = NULL;
    struct es_server_opts pages = {.metrics_addr = c->metrics_addr,
                                   .live_addr = c->live_addr,
                                   .metrics = d->metrics,
                                   .metrics_secure = c->metrics_secure,
                                   .cert_file = cert,
                                   .key_file = key,
                                   .alive = is_alive,
                                   .ready = is_ready,
                                   .ctx = &condition};

    int rc = c->metrics_cert_dir && (!cert || !key) ? es_error_nomem(err) : new_reviewer(d, &reviewer, err);
    if (reviewer) {
        pages.authorize = authorize;
        pages.authorize_ctx = reviewer;
    }
    if (rc == 0)
        rc = es_server_new(&server, &pages, err);
    if (rc == 0)
        rc = serve(d, server, &condition, signals, err);
    es_reviewer_stop(reviewer);
    es_server_free(server);
    es_reviewer_free(reviewer);
    es_mem_free(cert);
    es_mem_free(key);
    return rc;
}

/* Everything from the cluster on; the transport and the plugins are there. */
static int run_daemon(struct es_daemon *d, const sigset_t *signals, struct es_error *err)
{
    struct es_engine_opts engine = {.workers = (int)d->config->concurrent};
    struct es_cluster *cluster = NULL;

    int rc = es_process_metrics(d->metrics, err);
    if (rc == 0)
        rc = connect_cluster(d, &cluster, err);
    if (rc == 0)
        rc = es_daemon_start(d, cluster, &engine, err);
    if (rc == 0)
        rc = es_figures_register(d, err);
    return rc < 0 ? rc : serve_pages(d, signals, err);
}

int es_cmd_run(int argc, char **argv)
{
    struct es_config config;
    struct es_daemon daemon;
    struct es_error err = ES_ERROR_INIT;

    if (es_wants_help(argc, argv)) {
        es_print_help(usage, ES_FOR_RUN, NULL);
        return es_flush_stdout();
    }
    argc--, argv++;
    if (es_config_load(&config, ES_FOR_RUN, &argc, argv, &err) < 0)
        return es_complain(&err);
    if (argc > 0) {
        es_error_set(&err, ES_E_CONFIG, "run: unknown argument \"%s\"; see esod run --help", argv[0]);
        es_config_fini(&config);
        return es_complain(&err);
    }
    es_log_from_config(&config, ES_INFO);
    es_process_harden();
    sigset_t signals = block_signals();
    es_log(ES_INFO, "setup", "esod " ESOD_VERSION,
           ES_F_STR("config", config.config ? config.config : "defaults"));
    log_ignored(&config);
    int rc = es_daemon_init(&daemon, &config, &err);
    if (rc == 0) {
        es_log_plugins(daemon.env.registry);
        rc = run_daemon(&daemon, &signals, &err);
        es_daemon_fini(&daemon, config.shutdown_grace_ms);
    }
    int exit_code = rc < 0 ? es_complain(&err) : ES_EXIT_OK;
    if (rc == 0)
        es_log_plain(ES_INFO, "setup", "stopped");
    es_config_fini(&config);
    return exit_code;
}
