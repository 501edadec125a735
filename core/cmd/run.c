/* esod run: serves a cluster until it is told to stop. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/cluster/kube_house.h"
#include "core/cmd/cmd.h"
#include "core/cmd/daemon.h"
#include "core/cmd/figures.h"
#include "core/cmd/load.h"
#include "core/cmd/login.h"
#include "core/cmd/pages.h"
#include "core/cmd/supervisor.h"
#include "core/cmd/trouble.h"
#include "core/cmd/version.h"
#include "core/ops/cgroup.h"
#include "core/ops/notify.h"
#include "core/ops/process.h"

#define TICK_STARTING_MS 10
#define TICK_RUNNING_MS 1000

static int connect_cluster(struct es_daemon *d, struct es_cluster **ret, struct es_error *err)
{
    const struct es_config *c = d->config;
    struct es_kube_config *login = NULL;
    struct es_kube *kube = NULL;
    struct es_kube_opts how = {
        .qps = c->client_qps, .burst = (int)c->client_burst, .user_agent = ES_USER_AGENT};
    struct es_kube_house_opts house = {.ns = c->ns};

    int rc = es_load_login(&login, c, err);
    if (rc < 0)
        return rc;
    es_log(ES_INFO, "setup", "API server", ES_F_STR("server", es_kube_config_server(login)));
    rc = es_kube_new(&kube, d->http, login, &how, err);
    if (rc == 0)
        rc = es_cluster_new_kube(ret, kube, &house, err);
    if (rc == 0 && d->election)
        es_cluster_set_gate(*ret, es_election_gate(d->election));
    return rc;
}

/* The main thread sleeps for a signal; the others have them all blocked. */
static void wake_main(void *ctx)
{
    (void)ctx;
    kill(getpid(), SIGUSR1);
}

/* A client of its own: what the workers ask for, and how fast they may, is
 * nothing to the lease. */
static int join_election(struct es_daemon *d, struct es_error *err)
{
    const struct es_config *c = d->config;
    struct es_kube_config *login = NULL;
    struct es_kube *kube = NULL;
    struct es_kube_opts how = {
        .timeout_ms = es_election_timeout_ms(c->lease_renew_ms), .user_agent = ES_USER_AGENT, .prompt = true};

    if (!c->elect)
        return 0;
    int rc = es_load_login(&login, c, err);
    if (rc < 0)
        return rc;
    struct es_election_opts opts = {.ns = c->lease_ns ? c->lease_ns : es_kube_config_namespace(login),
                                    .name = c->lease_name,
                                    .lease_ms = c->lease_ms,
                                    .renew_ms = c->lease_renew_ms,
                                    .retry_ms = c->lease_retry_ms,
                                    .metrics = d->metrics,
                                    .changed = wake_main};
    rc = es_kube_new(&kube, d->http, login, &how, err);
    return rc < 0 ? rc : es_election_new(&d->election, kube, &opts, err);
}

static int open_pages(struct es_daemon *d, struct es_pages **ret, struct es_error *err)
{
    struct es_kube_config *login = NULL;
    int rc = d->config->metrics_auth ? es_load_login(&login, d->config, err) : 0;

    return rc < 0 ? rc : es_pages_new(ret, d, login, err);
}

/* The signals arrive here, not in some thread that holds a lock. */
static sigset_t block_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1); /* wake_main */
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    return set;
}

/* Waits for a signal for a tick; the number of one that ends us, or 0. */
static int wait_for_signal(const sigset_t *set, int64_t ms)
{
    struct timespec t = {.tv_sec = (time_t)(ms / 1000), .tv_nsec = (long)(ms % 1000) * 1000000};
    int n = sigtimedwait(set, NULL, &t);
    return n > 0 && n != SIGUSR1 ? n : 0;
}

/* The main thread's: what became of the election. */
struct campaign {
    struct es_daemon *daemon;
    bool asked, leads, lost;
};

/* As client-go's recorder says it, about the Lease. */
static void tell_of_lease(struct es_daemon *d, const char *what)
{
    const char *identity = es_election_identity(d->election);
    json_t *lease = es_election_lease(d->election);
    char *message = es_strf("%s %s", identity, what);

    if (lease && message)
        es_event_record(d->env.events, &es_kind_lease, lease, ES_EVENT_NORMAL, "LeaderElection", identity,
                        message);
    es_mem_free(message);
    json_decref(lease);
}

static void lead(struct es_daemon *d)
{
    es_engine_lead(d->engine);
    es_log(ES_INFO, "leaderelection", "this replica is the leader",
           ES_F_STR("identity", es_election_identity(d->election)));
    tell_of_lease(d, "became leader");
}

/* Runs for leader as soon as it could lead, and does as the election says. 1:
 * something has changed. */
static int follow_election(struct campaign *c, bool ready, struct es_error *err)
{
    struct es_daemon *d = c->daemon;

    if (!d->election || !ready)
        return 0;
    if (!c->asked) {
        c->asked = true;
        return es_election_start(d->election, err);
    }
    enum es_election_state state = es_election_state(d->election);
    c->lost = state == ES_LEADERSHIP_LOST;
    if (state != ES_LEADER || c->leads)
        return c->lost;
    c->leads = true;
    lead(d);
    return 1;
}

/* What we are at, in a sentence. */
static const char *status_of(const struct campaign *c, bool ready, const struct es_trouble *trouble)
{
    if (*trouble->first)
        return trouble->first;
    if (!ready)
        return "the first lists are still being read";
    return c->daemon->election && !c->leads ? "standing by: another replica leads" : "serving";
}

static int serve(struct es_daemon *d, struct es_pages *pages, struct campaign *campaign,
                 const sigset_t *signals, struct es_trouble *trouble, struct es_error *err)
{
    struct es_supervisor supervisor = {0};

    while (!campaign->lost) {
        int rc = es_engine_tick(d->engine, err);
        if (rc < 0)
            return rc;
        bool ready = es_engine_ready(d->engine);
        es_pages_tick(pages, ready);
        es_trouble_log(trouble, d->env.cluster, d->config);
        rc = follow_election(campaign, ready, err);
        if (rc < 0)
            return rc;
        es_supervisor_tick(&supervisor, es_pages_alive(pages), status_of(campaign, ready, trouble));
        if (rc > 0)
            continue;
        int number = wait_for_signal(signals, ready ? TICK_RUNNING_MS : TICK_STARTING_MS);
        if (number) {
            es_log(ES_INFO, "setup", "stopping", ES_F_STR("signal", strsignal(number)));
            if (campaign->leads)
                tell_of_lease(d, "stopped leading");
            return 0;
        }
    }
    es_log_plain(ES_ERROR, "leaderelection",
                 "the lease was lost: nothing is written any more, and esod ends, to come back as a standby");
    return 0;
}

static void log_ignored(const struct es_config *c)
{
    for (const char *const *flag = es_config_ignored(c); *flag; flag++)
        es_log(ES_WARN, "setup", "this flag of the reference operator has no effect here",
               ES_F_STR("flag", *flag));
}

/* Everything from the cluster on; the transport and the plugins are there. */
static int run_daemon(struct es_daemon *d, const sigset_t *signals, bool *ret_lost, struct es_error *err)
{
    struct campaign campaign = {.daemon = d};
    struct es_engine_opts engine = {.workers = (int)d->config->concurrent, .standby = d->config->elect};
    struct es_cluster *cluster = NULL;
    struct es_pages *pages = NULL;
    struct es_trouble trouble = {0};

    int rc = es_process_metrics(d->metrics, err);
    if (rc == 0)
        rc = es_cgroup_metrics(d->metrics, err);
    if (rc == 0)
        rc = join_election(d, err);
    if (rc == 0)
        rc = connect_cluster(d, &cluster, err);
    if (rc == 0)
        rc = es_daemon_start(d, cluster, &engine, err);
    if (rc == 0)
        rc = es_figures_register(d, err);
    if (rc == 0)
        rc = open_pages(d, &pages, err);
    if (rc == 0)
        rc = serve(d, pages, &campaign, signals, &trouble, err);
    es_trouble_fini(&trouble);
    es_notify("STOPPING=1");
    es_pages_free(pages);
    *ret_lost = campaign.lost;
    return rc;
}

static int cmd_run(int argc, char **argv)
{
    struct es_config config;
    struct es_daemon daemon;
    struct es_error err = ES_ERROR_INIT;
    bool lost = false;

    if (es_wants_help(argc, argv))
        return es_print_help(&es_command_run);
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
        rc = run_daemon(&daemon, &signals, &lost, &err);
        /* Without the lease there is nothing to be brought to an end. */
        es_daemon_fini(&daemon, lost ? 0 : config.shutdown_grace_ms);
    }
    int exit_code = rc < 0 ? es_complain(&err) : lost ? ES_EXIT_LEADERSHIP_LOST : ES_EXIT_OK;
    if (rc == 0)
        es_log_plain(ES_INFO, "setup", "stopped");
    es_config_fini(&config);
    return exit_code;
}

/* ---- what people are told ---- */

const struct es_command es_command_run = {
    .name = "run",
    .summary = "serve a Kubernetes cluster",
    .usage = "esod run [--config FILE] [FLAGS]",
    .about = "Watches ExternalSecrets and stores in a Kubernetes cluster and keeps the Secrets that they\n"
             "describe. Ends on SIGTERM or SIGINT. Exit code 2: the configuration or a plugin is wrong;\n"
             "3: another replica leads, or may.",
    .settings = ES_FOR_RUN,
    .run = cmd_run,
};
