/* esod local: the same controllers on a folder of manifests. */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/cluster/local_house.h"
#include "core/cmd/cmd.h"
#include "core/cmd/daemon.h"
#include "core/cmd/load.h"
#include "core/cmd/local_folder.h"
#include "core/cmd/local_output.h"
#include "core/cmd/providers.h"
#include "core/ops/process.h"

#define SETTLE_MAX_MS 60000
#define TICK_MS 2
#define WATCH_TICK_MS 250

struct local {
    const char *dir;
    bool watch;
    struct es_output_opts output;
    struct es_daemon daemon;
    struct es_local *house;
    struct es_crds *crds;
    struct es_folder *folder;
    int complaints;
};

static void set_output(struct local *l, const char *form)
{
    static const char *const words[] = {
        [ES_OUT_TABLE] = "table", [ES_OUT_YAML] = "yaml", [ES_OUT_JSON] = "json"};

    for (int i = 0; i <= ES_OUT_JSON; i++)
        if (es_streq(form, words[i])) {
            l->output.form = (enum es_output)i;
            return;
        }
    l->output.form = ES_OUT_FOLDER;
    l->output.folder = form;
}

static int read_arguments(struct local *l, int argc, char **argv, struct es_error *err)
{
    for (int i = 0; i < argc; i++) {
        const char *a = argv[i], *form = es_read_output(argc, argv, &i);
        if (es_streq(a, "--watch"))
            l->watch = true;
        else if (es_streq(a, "--show-values"))
            l->output.show_values = true;
        else if (form && *form)
            set_output(l, form);
        else if (*a == '-')
            return es_error_set(err, ES_E_CONFIG,
                                "local: unknown or incomplete flag \"%s\"; see esod local --help", a);
        else if (l->dir)
            return es_error_set(err, ES_E_CONFIG, "local: one folder, not both \"%s\" and \"%s\"", l->dir, a);
        else
            l->dir = a;
    }
    return l->dir ? 0 : es_error_set(err, ES_E_CONFIG, "local: which folder? see esod local --help");
}

static void complain(void *ctx, const char *text)
{
    (void)ctx;
    fprintf(stderr, "esod: %s\n", text);
}

static int apply_folder(struct local *l, struct es_error *err)
{
    int rc = es_folder_apply(l->folder, l->house, l->crds, complain, NULL, err);
    if (rc >= 0)
        l->complaints = rc;
    return rc < 0 ? rc : 0;
}

static void progress(const char *text)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "\r\033[K%s", text);
}

/* Until nothing is due any more; failures wait for their next try meanwhile. */
static int settle(struct local *l, struct es_error *err)
{
    int64_t started_ms = es_mono_ms(), until_ms = started_ms + SETTLE_MAX_MS;

    do {
        int rc = es_engine_tick(l->daemon.engine, err);
        if (rc < 0)
            return rc;
        usleep(TICK_MS * 1000);
        if (es_mono_ms() - started_ms > 1000)
            progress("syncing ...");
    } while ((!es_engine_ready(l->daemon.engine) || !es_engine_idle(l->daemon.engine)) &&
             es_mono_ms() < until_ms);
    progress("");
    return 0;
}

static sigset_t stop_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

/* Goes on until a signal: files and intervals change the Secrets. */
static int keep_watching(struct local *l, const sigset_t *signals, struct es_error *err)
{
    struct timespec tick = {.tv_nsec = WATCH_TICK_MS * 1000000L};
    uint64_t files = es_folder_fingerprint(l->folder), shown = es_local_revision(l->house);
    int rc = 0;

    fprintf(stderr, "watching %s; ^C ends\n", l->dir);
    while (rc == 0 && sigtimedwait(signals, NULL, &tick) < 0) {
        uint64_t now = es_folder_fingerprint(l->folder);
        if (now != files)
            rc = apply_folder(l, err);
        files = now;
        if (rc == 0)
            rc = settle(l, err);
        if (rc == 0 && es_local_revision(l->house) != shown) {
            shown = es_local_revision(l->house);
            rc = es_output_write(l->house, &l->output, err);
            es_output_failures(l->house);
            fflush(stdout);
        }
    }
    return rc;
}

static int sync_folder(struct local *l, const sigset_t *signals, struct es_error *err)
{
    struct es_engine_opts engine = {.workers = (int)l->daemon.config->concurrent};
    struct es_cluster *cluster = NULL;

    int rc = es_folder_new(&l->folder, l->dir, err);
    if (rc == 0)
        rc = es_crds_of_registry(&l->crds, l->daemon.env.registry, err);
    if (rc == 0)
        rc = es_cluster_new_local(&cluster, &l->house, err);
    if (rc == 0)
        rc = es_daemon_start(&l->daemon, cluster, &engine, err);
    if (rc == 0)
        rc = apply_folder(l, err);
    if (rc == 0)
        rc = settle(l, err);
    if (rc == 0)
        rc = es_output_write(l->house, &l->output, err);
    if (rc == 0 && l->watch)
        rc = keep_watching(l, signals, err);
    return rc;
}

/* The transport, the plugins, and then the folder. */
static int run_local(struct local *l, const struct es_config *config, struct es_error *err)
{
    sigset_t signals = stop_signals();

    if (l->watch)
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
    int rc = es_daemon_init(&l->daemon, config, err);
    if (rc < 0)
        return es_complain(err);
    l->daemon.env.settings.push_secrets = false; /* a preview writes nothing to backends */
    l->daemon.env.settings.cluster_external_secrets = false;
    es_log_plugins(l->daemon.env.registry);
    rc = sync_folder(l, &signals, err);
    int exit_code = rc < 0 ? es_complain(err) : ES_EXIT_OK;
    if (rc == 0 && (es_output_failures(l->house) || l->complaints) && !l->watch)
        exit_code = ES_EXIT_FAILED;
    es_daemon_fini(&l->daemon, 1000);
    es_folder_free(l->folder);
    es_crds_free(l->crds);
    return exit_code;
}

static int cmd_local(int argc, char **argv)
{
    struct local l = {.output = {.color = isatty(STDOUT_FILENO)}};
    struct es_config config;
    struct es_error err = ES_ERROR_INIT;

    if (es_wants_help(argc, argv))
        return es_print_help(&es_command_local);
    argc--, argv++;
    if (es_config_load(&config, ES_FOR_LOCAL, &argc, argv, &err) < 0)
        return es_complain(&err);
    int exit_code = ES_EXIT_USAGE;
    if (read_arguments(&l, argc, argv, &err) < 0) {
        es_complain(&err);
    } else {
        es_log_from_config(&config, ES_WARN);
        es_process_harden();
        exit_code = run_local(&l, &config, &err);
        int flushed = es_flush_stdout();
        exit_code = exit_code ? exit_code : flushed;
    }
    es_config_fini(&config);
    return exit_code;
}

/* ---- what people are told ---- */

static const struct es_flag flags[] = {
    {.name = "watch", .help = "Go on: apply changed files, refresh on the intervals."},
    {.name = "output",
     .letter = 'o',
     .value = "table|yaml|json|" ES_VALUE_FOLDER,
     .help = "Form of the result; a folder gets a file a Secret, mode 0600."},
    {.name = "show-values", .help = "Print the values, not only their lengths."},
    {0},
};

const struct es_command es_command_local = {
    .name = "local",
    .summary = "sync a folder of manifests, without a cluster",
    .usage = "esod local DIR [--watch] [-o table|yaml|json|FOLDER] [--show-values] [FLAGS]",
    .about =
        "Syncs the ExternalSecrets that the manifests below DIR describe, without a cluster, and prints the\n"
        "Secrets. Exit code 1: something could not be synced; 2: wrong use.",
    .settings = ES_FOR_LOCAL,
    .flags = flags,
    .operands = ES_VALUE_DIR,
    .run = cmd_local,
};
