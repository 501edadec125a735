#include "core/ops/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/ops/config_own.h"
#include "core/ops/election.h"
#include "core/ops/paths.h"

#define DEFAULT_FILE "/etc/esod/esod.yaml"
#define DEFAULT_ISOLATION "process"

/* ---- the table ---- */

#define AT(member) offsetof(struct es_config, member)
#define DAY_MS (24 * 60 * 60 * INT64_C(1000))
#define ALL_COMMANDS (ES_FOR_RUN | ES_FOR_LOCAL | ES_FOR_PLUGINS)

const struct es_setting es_settings_table[] = {
    {"config", NULL, ES_SET_PATH, AT(config), "", ALL_COMMANDS | ES_FOR_RENDER, 0, 0,
     "Configuration file. Default: " DEFAULT_FILE " if it exists (esod run)."},
    {"kubeconfig", "kubeconfig", ES_SET_PATH, AT(kubeconfig), "", ES_FOR_RUN | ES_FOR_CRDS, 0, 0,
     "Kubeconfig file. Default: $KUBECONFIG, then the pod's service account, then ~/.kube/config."},
    {"context", "context", ES_SET_TEXT, AT(context), "", ES_FOR_RUN | ES_FOR_CRDS, 0, 0,
     "Context of the kubeconfig. Default: its current one."},
    {"namespace", "namespace", ES_SET_TEXT, AT(ns), "", ES_FOR_RUN, 0, 0,
     "Watch this namespace only. ClusterSecretStores are read if their controller stays switched on."},
    {"concurrent", "concurrent", ES_SET_INTEGER, AT(concurrent), "24", ES_FOR_RUN | ES_FOR_LOCAL, 1, 256,
     "Objects worked on at the same time."},
    {"controller-class", "controllerClass", ES_SET_TEXT, AT(controller_class), "default",
     ES_FOR_RUN | ES_FOR_LOCAL, 0, 0, "Serve stores whose spec.controller is this, or empty."},
    {"store-requeue-interval", "storeRequeueInterval", ES_SET_DURATION, AT(store_requeue_ms), "5m",
     ES_FOR_RUN | ES_FOR_LOCAL, 1000, 365 * DAY_MS,
     "How often a store without a refreshInterval is validated again."},
    {"enable-secret-store-reconciler", "enableSecretStoreReconciler", ES_SET_BOOLEAN, AT(secret_stores),
     "true", ES_FOR_RUN, 0, 0, "Serve SecretStores."},
    {"enable-cluster-store-reconciler", "enableClusterStoreReconciler", ES_SET_BOOLEAN, AT(cluster_stores),
     "true", ES_FOR_RUN, 0, 0, "Serve ClusterSecretStores."},
    {"enable-push-secret-reconciler", "enablePushSecretReconciler", ES_SET_BOOLEAN, AT(push_secrets), "true",
     ES_FOR_RUN, 0, 0, "Serve PushSecrets. Their definition has to be installed."},
    {"enable-cluster-external-secret-reconciler", "enableClusterExternalSecretReconciler", ES_SET_BOOLEAN,
     AT(cluster_external_secrets), "true", ES_FOR_RUN, 0, 0,
     "Serve ClusterExternalSecrets, unless namespace restricts to one. Their definition has to be "
     "installed."},
    {"enable-cluster-push-secret-reconciler", "enableClusterPushSecretReconciler", ES_SET_BOOLEAN,
     AT(cluster_push_secrets), "true", ES_FOR_RUN, 0, 0,
     "Serve ClusterPushSecrets, where PushSecrets are served and namespace does not restrict to one. Their "
     "definition has to be installed."},
    {"enable-flood-gate", "enableFloodGate", ES_SET_BOOLEAN, AT(flood_gate), "true",
     ES_FOR_RUN | ES_FOR_LOCAL, 0, 0, "Ask a store for values only while its Ready condition is True."},
    {"read-window", "readWindow", ES_SET_DURATION, AT(read_window_ms), "10s", ES_FOR_RUN | ES_FOR_LOCAL, 0,
     600000,
     "How much older than its due time a read may be that a periodic refresh shares with others; at most a "
     "tenth of its refreshInterval. 0: it shares only what is read from then on."},
    {"template-left-delimiter", "templateLeftDelimiter", ES_SET_TEXT, AT(template_left), "{{",
     ES_FOR_RUN | ES_FOR_LOCAL | ES_FOR_RENDER, 0, 0, "What begins an action in target.template."},
    {"template-right-delimiter", "templateRightDelimiter", ES_SET_TEXT, AT(template_right), "}}",
     ES_FOR_RUN | ES_FOR_LOCAL | ES_FOR_RENDER, 0, 0, "What ends one."},
    {"unsafe-allow-generic-targets", "unsafeAllowGenericTargets", ES_SET_BOOLEAN, AT(generic_targets),
     "false", ES_FOR_RUN, 0, 0,
     "Serve target.manifest: objects of other kinds than Secret, where values stand in the clear."},
    {"client-qps", "clientQPS", ES_SET_NUMBER, AT(client_qps), "0", ES_FOR_RUN, 0, 1000000,
     "Requests per second to the API server. 0: no limit here, the API server has its own."},
    {"client-burst", "clientBurst", ES_SET_INTEGER, AT(client_burst), "100", ES_FOR_RUN, 1, 1000000,
     "Requests at once before client-qps limits."},
    {"metrics-addr", "metricsAddr", ES_SET_TEXT, AT(metrics_addr), ":8080", ES_FOR_RUN, 0, 0,
     "Where /metrics is served. 0: nowhere."},
    {"metrics-secure", "metricsSecure", ES_SET_BOOLEAN, AT(metrics_secure), "false", ES_FOR_RUN, 0, 0,
     "Serve /metrics over TLS."},
    {"metrics-cert-dir", "metricsCertDir", ES_SET_PATH, AT(metrics_cert_dir), "", ES_FOR_RUN, 0, 0,
     "Where the certificate for /metrics is; read again when it changes. Default: a self-signed one is "
     "made."},
    {"metrics-cert-name", "metricsCertName", ES_SET_TEXT, AT(metrics_cert_name), "tls.crt", ES_FOR_RUN, 0, 0,
     "The certificate's file in metrics-cert-dir."},
    {"metrics-key-name", "metricsKeyName", ES_SET_TEXT, AT(metrics_key_name), "tls.key", ES_FOR_RUN, 0, 0,
     "The key's file in metrics-cert-dir."},
    {"metrics-auth", "metricsAuth", ES_SET_BOOLEAN, AT(metrics_auth), "false", ES_FOR_RUN, 0, 0,
     "Serve /metrics only to bearer tokens whose user may get the URL /metrics. Needs metrics-secure."},
    {"enable-extended-metric-labels", "enableExtendedMetricLabels", ES_SET_BOOLEAN, AT(metric_labels),
     "false", ES_FOR_RUN, 0, 0, "Give the series of objects their app.kubernetes.io labels."},
    {"live-addr", "liveAddr", ES_SET_TEXT, AT(live_addr), ":8082", ES_FOR_RUN, 0, 0,
     "Where /healthz and /readyz are served. 0: nowhere."},
    {"shutdown-grace", "shutdownGrace", ES_SET_DURATION, AT(shutdown_grace_ms), "10s", ES_FOR_RUN, 0, DAY_MS,
     "How long passes in flight may go on after SIGTERM before they are cancelled."},
    {"enable-leader-election", "enableLeaderElection", ES_SET_BOOLEAN, AT(elect), "false", ES_FOR_RUN, 0, 0,
     "Of several replicas one works, the others stand by; see operations.md."},
    {"leader-election-id", "leaderElectionID", ES_SET_TEXT, AT(lease_name), "external-secrets-controller",
     ES_FOR_RUN, 0, 0, "Name of the Lease. Who works on the same objects has to use the same."},
    {"leader-election-namespace", "leaderElectionNamespace", ES_SET_TEXT, AT(lease_ns), "", ES_FOR_RUN, 0, 0,
     "Namespace of the Lease. Default: the pod's, or that of the kubeconfig's context."},
    {"leader-election-lease-duration", "leaderElectionLeaseDuration", ES_SET_DURATION, AT(lease_ms), "15s",
     ES_FOR_RUN, 1000, DAY_MS, "How long others wait before they replace a leader that has gone silent."},
    {"leader-election-renew-deadline", "leaderElectionRenewDeadline", ES_SET_DURATION, AT(lease_renew_ms),
     "10s", ES_FOR_RUN, 100, DAY_MS, "How long a leader goes on that cannot renew its lease."},
    {"leader-election-retry-period", "leaderElectionRetryPeriod", ES_SET_DURATION, AT(lease_retry_ms), "2s",
     ES_FOR_RUN, 50, DAY_MS, "How often the lease is renewed, or asked for."},
    {"loglevel", "logLevel", ES_SET_LEVEL, AT(log_level), "", ES_FOR_RUN | ES_FOR_LOCAL, 0, 0,
     "debug, info, warn or error. Default: info (esod local: warn)."},
    {"log-format", "logFormat", ES_SET_LOG_FORMAT, AT(log_format), "", ES_FOR_RUN | ES_FOR_LOCAL, 0, 0,
     "json or console. Default: console on a terminal, else json."},
    {"zap-time-encoding", "logTime", ES_SET_TIME_ENCODING, AT(log_time), "epoch", ES_FOR_RUN | ES_FOR_LOCAL,
     0, 0, "Time stamps in logs: epoch, millis, nano, iso8601, rfc3339 or rfc3339nano."},
    {"plugin-path", "pluginPath", ES_SET_DIRS, 0, "", ALL_COMMANDS, 0, 0,
     "Where plugins are looked up by name; the flag may be given again. Default: ../lib/esod/plugins beside "
     "the program, "
     "then the place it was built to be installed in."},
    {"plugin", "plugins", ES_SET_PLUGINS, 0, "", ALL_COMMANDS, 0, 0,
     "What to load, by name or path; the flag may be given again. Default: every plugin in the plugin path."},
    {"isolation", "isolation", ES_SET_ISOLATION, AT(isolation), DEFAULT_ISOLATION, ALL_COMMANDS, 0, 0,
     "Where the plugins' code runs: process, each in a process of its own that reaches nothing but esod; or "
     "none, inside esod. An entry of plugins may say otherwise."},
    {0},
};

/* ---- values ---- */

/* A copy that lives as long as the config; NULL without memory. */
const char *es_config_keep(struct es_config *c, const char *text)
{
    struct es_config_hold *h = c->hold;
    char **texts = realloc(h->texts, (h->text_count + 1) * sizeof *texts);
    char *copy = texts ? es_mem_strdup(text) : NULL;

    if (texts)
        h->texts = texts;
    if (copy)
        h->texts[h->text_count++] = copy;
    return copy;
}

const char **es_config_keep_list(struct es_config *c, size_t count)
{
    struct es_config_hold *h = c->hold;
    const char **list =
        h->list_count < sizeof h->lists / sizeof *h->lists ? calloc(count + 1, sizeof *list) : NULL;

    if (list)
        h->lists[h->list_count++] = list;
    return list;
}

static int set_text(struct es_config *c, const struct es_setting *s, const char *value, struct es_error *err)
{
    static const char *const formats[] = {"json", "console"};
    bool known = true;

    if (s->type == ES_SET_LEVEL)
        known = !*value || es_log_level_parse(value) >= 0;
    else if (s->type == ES_SET_TIME_ENCODING)
        known = es_log_time_parse(value) >= 0;
    else if (s->type == ES_SET_LOG_FORMAT)
        known = !*value || es_streq(value, formats[0]) || es_streq(value, formats[1]);
    if (!known)
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is none of: %s", value, s->help);
    const char *copy = *value ? es_config_keep(c, value) : NULL;
    if (*value && !copy)
        return es_error_nomem(err);
    memcpy((char *)c + s->offset, &copy, sizeof copy);
    return 0;
}

static int set_integer(struct es_config *c, const struct es_setting *s, const char *value,
                       struct es_error *err)
{
    int64_t n;
    bool duration = s->type == ES_SET_DURATION;

    if ((duration ? es_duration_parse(value, &n) : es_parse_i64(value, &n)) < 0)
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is not %s", value,
                            duration ? "a duration like 90s, 5m or 1h30m" : "a whole number");
    if (n < s->least || n > s->most) {
        char least[ES_TIME_TEXT_MAX], most[ES_TIME_TEXT_MAX];
        if (duration)
            return es_error_set(err, ES_E_CONFIG, "%s is not between %s and %s", value,
                                es_duration_format(s->least, least), es_duration_format(s->most, most));
        return es_error_set(err, ES_E_CONFIG, "%lld is not between %lld and %lld", (long long)n,
                            (long long)s->least, (long long)s->most);
    }
    memcpy((char *)c + s->offset, &n, sizeof n);
    return 0;
}

static int set_number(struct es_config *c, const struct es_setting *s, const char *value,
                      struct es_error *err)
{
    char *end;

    errno = 0;
    double d = strtod(value, &end);
    if (!*value || *end || errno || !(d >= (double)s->least && d <= (double)s->most))
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is not a number between %lld and %lld", value,
                            (long long)s->least, (long long)s->most);
    memcpy((char *)c + s->offset, &d, sizeof d);
    return 0;
}

static int set_boolean(struct es_config *c, const struct es_setting *s, const char *value,
                       struct es_error *err)
{
    bool yes = es_strieq(value, "true") || es_strieq(value, "t") || es_streq(value, "1");

    /* The reference's flags know these words, and charts write them. */
    if (!yes && !es_strieq(value, "false") && !es_strieq(value, "f") && !es_streq(value, "0"))
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is neither true nor false", value);
    memcpy((char *)c + s->offset, &yes, sizeof yes);
    return 0;
}

int es_config_isolation(enum es_isolation *ret, const char *value, struct es_error *err)
{
    if (es_streq(value, "process"))
        *ret = ES_ISOLATION_PROCESS;
    else if (es_streq(value, "none"))
        *ret = ES_ISOLATION_NONE;
    else
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is neither process nor none", value);
    return 0;
}

int es_config_set(struct es_config *c, const struct es_setting *s, const char *value, struct es_error *err)
{
    switch (s->type) {
    case ES_SET_INTEGER:
    case ES_SET_DURATION:
        return set_integer(c, s, value, err);
    case ES_SET_NUMBER:
        return set_number(c, s, value, err);
    case ES_SET_BOOLEAN:
        return set_boolean(c, s, value, err);
    case ES_SET_ISOLATION:
        return es_config_isolation(&c->isolation, value, err);
    default:
        return set_text(c, s, value, err);
    }
}

/* ---- lists ---- */

const char *es_config_keep_path(struct es_config *c, const char *dir, const char *path)
{
    char *full = *path == '/' || !dir ? es_strf("%s", path) : es_strf("%s/%s", dir, path);
    const char *kept = full ? es_config_keep(c, full) : NULL;

    es_mem_free(full);
    return kept;
}

int es_config_add_path(struct es_config *c, size_t place, const char *dir, const char *path,
                       struct es_error *err)
{
    if (!*path)
        return es_error_set(err, ES_E_CONFIG, "a directory has a name");
    if (c->plugin_path_count == ES_CONFIG_LIST_MAX)
        return es_error_set(err, ES_E_CONFIG, "more than %d directories", ES_CONFIG_LIST_MAX);
    const char *kept = es_config_keep_path(c, dir, path);
    if (!kept)
        return es_error_nomem(err);
    memmove(&c->plugin_path[place + 1], &c->plugin_path[place],
            (c->plugin_path_count - place + 1) * sizeof *c->plugin_path);
    c->plugin_path[place] = kept;
    c->plugin_path_count++;
    return 0;
}

int es_config_add_plugin(struct es_config *c, const char *dir, const char *name, const char *origin,
                         struct es_plugin_entry **ret, struct es_error *err)
{
    if (!*name)
        return es_error_set(err, ES_E_CONFIG, "a plugin needs a name or a path");
    if (c->plugin_count == ES_CONFIG_LIST_MAX)
        return es_error_set(err, ES_E_CONFIG, "more than %d plugins", ES_CONFIG_LIST_MAX);
    const char *kept = es_config_keep_path(c, strchr(name, '/') ? dir : NULL, name),
               *kept_origin = es_config_keep(c, origin);
    if (!kept || !kept_origin)
        return es_error_nomem(err);
    c->plugins[c->plugin_count] = (struct es_plugin_entry){.name = kept, .origin = kept_origin};
    if (ret)
        *ret = &c->plugins[c->plugin_count];
    c->plugin_count++;
    c->plugins_given = true;
    return 0;
}

/* ---- all of it ---- */

static bool is_list(const struct es_setting *s)
{
    return s->type == ES_SET_DIRS || s->type == ES_SET_PLUGINS;
}

static int set_defaults(struct es_config *c, struct es_error *err)
{
    int rc = 0;

    for (const struct es_setting *s = es_settings_table; rc == 0 && s->flag; s++)
        if (!is_list(s))
            rc = es_config_set(c, s, s->fallback, err);
    return rc;
}

static int add_default_path(struct es_config *c, struct es_error *err)
{
    char *beside = es_path_beside_program("../lib/esod/plugins");
    int rc = 0;

    if (c->plugin_path_count)
        goto out;
    if (beside)
        rc = es_config_add_path(c, c->plugin_path_count, NULL, beside, err);
    if (rc == 0 && !es_streq(beside, ESOD_PLUGIN_DIR))
        rc = es_config_add_path(c, c->plugin_path_count, NULL, ESOD_PLUGIN_DIR, err);
out:
    es_mem_free(beside);
    return rc;
}

static int find_runner(struct es_config *c, struct es_error *err)
{
    char *beside = es_path_beside_program("../libexec/esod/esod-plugin-runner");

    c->runner = es_config_keep(c, beside ? beside : ESOD_RUNNER);
    es_mem_free(beside);
    return c->runner ? 0 : es_error_nomem(err);
}

static int check_metrics(const struct es_config *c, struct es_error *err)
{
    if (c->metrics_auth && !c->metrics_secure)
        return es_error_set(err, ES_E_CONFIG,
                            "--metrics-auth requires --metrics-secure; bearer tokens over plaintext HTTP is "
                            "not allowed");
    return 0;
}

static int check_election(const struct es_config *c, struct es_error *err)
{
    if (!c->elect)
        return 0;
    if (!c->lease_name)
        return es_error_set(err, ES_E_CONFIG, "--leader-election-id is empty, but the Lease needs a name");
    return es_election_check(c->lease_ms, c->lease_renew_ms, c->lease_retry_ms, err);
}

int es_config_load(struct es_config *ret, unsigned command, int *argc, char **argv, struct es_error *err)
{
    const char *file = es_config_file_flag(*argc, argv);

    *ret = (struct es_config){.hold = calloc(1, sizeof(struct es_config_hold))};
    if (!ret->hold)
        return es_error_nomem(err);
    if (!file && command & ES_FOR_RUN && access(DEFAULT_FILE, F_OK) == 0)
        file = DEFAULT_FILE;
    int rc = set_defaults(ret, err);
    if (rc == 0 && file) {
        rc = es_config_read_file(ret, file, err);
        ret->config = file;
    }
    if (rc == 0)
        rc = es_config_take_flags(ret, command, argc, argv, err);
    if (rc == 0)
        rc = check_election(ret, err);
    if (rc == 0)
        rc = add_default_path(ret, err);
    if (rc == 0)
        rc = find_runner(ret, err);
    if (rc == 0)
        rc = check_metrics(ret, err);
    if (rc < 0)
        es_config_fini(ret);
    return rc;
}

void es_config_fini(struct es_config *c)
{
    struct es_config_hold *h = c->hold;
    if (!h)
        return;
    for (size_t i = 0; i < h->text_count; i++)
        es_mem_free(h->texts[i]);
    free(h->texts);
    for (size_t i = 0; i < h->list_count; i++)
        free(h->lists[i]);
    free(h->ignored);
    es_yaml_fini(&h->yaml);
    free(h);
    *c = (struct es_config){0};
}

const char *const *es_config_ignored(const struct es_config *c)
{
    static const char *const none[] = {NULL};
    const struct es_config_hold *h = c->hold;

    return h->ignored ? h->ignored : none;
}
