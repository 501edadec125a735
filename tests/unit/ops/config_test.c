#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/ops/config.h"

#define ARGS_MAX 64
#define SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define SHA256_UPPER "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"

/* A configuration that was loaded from a text, and what it left of the flags. */
struct loaded {
    struct es_config config;
    struct es_error err;
    char file[64]; /* "" without one */
    char *argv[ARGS_MAX];
    int argc, rc;
};

static void write_file(char path[64], const char *text)
{
    snprintf(path, 64, "/tmp/esod-config-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* `text` NULL: no file. The arguments end with NULL. */
static struct loaded *load(unsigned command, const char *text, ...)
{
    struct loaded *l = calloc(1, sizeof *l);
    const char *arg;
    va_list args;

    assert_non_null(l);
    l->err = (struct es_error)ES_ERROR_INIT;
    if (text) {
        write_file(l->file, text);
        l->argv[l->argc++] = (char *)(uintptr_t) "--config";
        l->argv[l->argc++] = l->file;
    }
    va_start(args, text);
    while ((arg = va_arg(args, const char *)))
        l->argv[l->argc++] = (char *)(uintptr_t)arg;
    va_end(args);
    l->rc = es_config_load(&l->config, command, &l->argc, l->argv, &l->err);
    return l;
}

static void unload(struct loaded *l)
{
    es_config_fini(&l->config);
    if (*l->file)
        unlink(l->file);
    free(l);
}

static struct loaded *load_fine(struct loaded *l)
{
    if (l->rc != 0)
        fail_msg("%s", l->err.text);
    return l;
}
#define fine(...) load_fine(load(__VA_ARGS__, NULL))

/* Loading has to fail with a text; "%s" in it stands for the file. */
static void assert_refused(struct loaded *l, const char *text)
{
    char *want = es_strf("%s", text);
    const char *mark = strstr(text, "FILE");

    if (mark && *l->file) {
        es_mem_free(want);
        want = es_strf("%.*s%s%s", (int)(mark - text), text, l->file, mark + 4);
    }
    assert_int_equal(l->rc, ES_E_CONFIG);
    assert_int_equal(l->err.code, ES_E_CONFIG);
    assert_string_equal(l->err.text, want);
    es_mem_free(want);
    unload(l);
}

static void test_defaults(void **state)
{
    struct loaded *l = fine(ES_FOR_LOCAL, NULL);
    const struct es_config *c = &l->config;

    (void)state;
    assert_null(c->config);
    assert_null(c->kubeconfig);
    assert_null(c->context);
    assert_null(c->ns);
    assert_int_equal(c->concurrent, 24);
    assert_string_equal(c->controller_class, "default");
    assert_int_equal(c->store_requeue_ms, 5 * 60 * 1000);
    assert_int_equal(c->read_window_ms, 10000);
    assert_true(c->secret_stores && c->cluster_stores && c->flood_gate);
    assert_false(c->generic_targets);
    assert_int_equal(c->isolation, ES_ISOLATION_PROCESS);
    assert_true(c->client_qps >= 0 && c->client_qps <= 0);
    assert_int_equal(c->client_burst, 100);
    assert_string_equal(c->metrics_addr, ":8080");
    assert_string_equal(c->live_addr, ":8082");
    assert_int_equal(c->shutdown_grace_ms, 10000);
    assert_false(c->elect);
    assert_string_equal(c->lease_name, "external-secrets-controller");
    assert_null(c->lease_ns);
    assert_int_equal(c->lease_ms, 15000);
    assert_int_equal(c->lease_renew_ms, 10000);
    assert_int_equal(c->lease_retry_ms, 2000);
    assert_null(c->log_level);
    assert_null(c->log_format);
    assert_string_equal(c->log_time, "epoch");
    assert_false(c->plugins_given);
    assert_int_equal(c->plugin_count, 0);
    assert_true(c->plugin_path_count >= 1); /* where it would be installed */
    assert_null(c->plugin_path[c->plugin_path_count]);
    assert_null(es_config_ignored(c)[0]);
    unload(l);
}

static const char everything[] = "kubeconfig: /k\n"
                                 "context: c\n"
                                 "namespace: apps\n"
                                 "concurrent: 3\n"
                                 "controllerClass: mine\n"
                                 "storeRequeueInterval: 90s\n"
                                 "enableSecretStoreReconciler: false\n"
                                 "enableClusterStoreReconciler: no\n"
                                 "enableFloodGate: false\n"
                                 "readWindow: 3s\n"
                                 "unsafeAllowGenericTargets: true\n"
                                 "clientQPS: 12.5\n"
                                 "clientBurst: 20\n"
                                 "metricsAddr: 0\n"
                                 "liveAddr: :9\n"
                                 "shutdownGrace: 1h1ms\n"
                                 "enableLeaderElection: true\n"
                                 "leaderElectionID: mine\n"
                                 "leaderElectionNamespace: there\n"
                                 "leaderElectionLeaseDuration: 3s\n"
                                 "leaderElectionRenewDeadline: 2s\n"
                                 "leaderElectionRetryPeriod: 500ms\n"
                                 "logLevel: debug\n"
                                 "logFormat: json\n"
                                 "logTime: iso8601\n"
                                 "isolation: none\n"
                                 "metricsSecure: true\n"
                                 "metricsCertDir: /tls\n"
                                 "metricsCertName: a.crt\n"
                                 "metricsKeyName: a.key\n"
                                 "metricsAuth: true\n"
                                 "enableExtendedMetricLabels: true\n";

static void test_every_key(void **state)
{
    struct loaded *l = fine(ES_FOR_RUN, everything);
    const struct es_config *c = &l->config;

    (void)state;
    assert_int_equal(l->argc, 0);
    assert_string_equal(c->config, l->file);
    assert_string_equal(c->kubeconfig, "/k");
    assert_string_equal(c->context, "c");
    assert_string_equal(c->ns, "apps");
    assert_int_equal(c->concurrent, 3);
    assert_string_equal(c->controller_class, "mine");
    assert_int_equal(c->store_requeue_ms, 90000);
    assert_int_equal(c->read_window_ms, 3000);
    assert_false(c->secret_stores || c->cluster_stores || c->flood_gate);
    assert_true(c->generic_targets);
    assert_true(c->client_qps > 12.4 && c->client_qps < 12.6);
    assert_int_equal(c->client_burst, 20);
    assert_string_equal(c->metrics_addr, "0");
    assert_string_equal(c->live_addr, ":9");
    assert_int_equal(c->shutdown_grace_ms, 3600001);
    assert_true(c->elect);
    assert_string_equal(c->lease_name, "mine");
    assert_string_equal(c->lease_ns, "there");
    assert_int_equal(c->lease_ms, 3000);
    assert_int_equal(c->lease_renew_ms, 2000);
    assert_int_equal(c->lease_retry_ms, 500);
    assert_string_equal(c->log_level, "debug");
    assert_string_equal(c->log_format, "json");
    assert_string_equal(c->log_time, "iso8601");
    assert_int_equal(c->isolation, ES_ISOLATION_NONE);
    assert_true(c->metrics_secure && c->metrics_auth && c->metric_labels);
    assert_string_equal(c->metrics_cert_dir, "/tls");
    assert_string_equal(c->metrics_cert_name, "a.crt");
    assert_string_equal(c->metrics_key_name, "a.key");
    unload(l);
}

static void test_every_flag_overrides_the_file(void **state)
{
    struct loaded *l = fine(
        ES_FOR_RUN, everything, "--kubeconfig", "relative/k", "--context=d", "-namespace", "",
        "--concurrent=256", "--controller-class", "other", "--store-requeue-interval=1m",
        "--enable-secret-store-reconciler", "--enable-cluster-store-reconciler=True", "--enable-flood-gate=1",
        "--read-window=0", "--client-qps=0", "--client-burst=1", "--metrics-addr", "127.0.0.1:0",
        "--live-addr=", "--shutdown-grace=0", "--loglevel", "error", "--log-format=console",
        "--zap-time-encoding=nano", "--isolation", "process", "--enable-leader-election=false",
        "--leader-election-id=other", "--leader-election-namespace=", "--leader-election-lease-duration=30s",
        "--leader-election-renew-deadline=20s", "--leader-election-retry-period=5s", "--metrics-secure=false",
        "--metrics-auth=false", "--metrics-cert-dir=", "--metrics-cert-name=tls.crt", "--metrics-key-name",
        "b.key", "--enable-extended-metric-labels=false");
    const struct es_config *c = &l->config;

    (void)state;
    assert_int_equal(l->argc, 0);
    assert_string_equal(c->kubeconfig, "relative/k");
    assert_string_equal(c->context, "d");
    assert_null(c->ns);
    assert_int_equal(c->concurrent, 256);
    assert_string_equal(c->controller_class, "other");
    assert_int_equal(c->store_requeue_ms, 60000);
    assert_int_equal(c->read_window_ms, 0);
    assert_true(c->secret_stores && c->cluster_stores && c->flood_gate);
    assert_true(c->client_qps >= 0 && c->client_qps <= 0);
    assert_int_equal(c->client_burst, 1);
    assert_string_equal(c->metrics_addr, "127.0.0.1:0");
    assert_null(c->live_addr);
    assert_int_equal(c->shutdown_grace_ms, 0);
    assert_false(c->elect);
    assert_string_equal(c->lease_name, "other");
    assert_null(c->lease_ns);
    assert_int_equal(c->lease_ms, 30000);
    assert_int_equal(c->lease_renew_ms, 20000);
    assert_int_equal(c->lease_retry_ms, 5000);
    assert_string_equal(c->log_level, "error");
    assert_string_equal(c->log_format, "console");
    assert_string_equal(c->log_time, "nano");
    assert_int_equal(c->isolation, ES_ISOLATION_PROCESS);
    assert_false(c->metrics_secure || c->metrics_auth || c->metric_labels);
    assert_null(c->metrics_cert_dir);
    assert_string_equal(c->metrics_cert_name, "tls.crt");
    assert_string_equal(c->metrics_key_name, "b.key");
    unload(l);
}

static void test_empty_files_say_nothing(void **state)
{
    static const char *const texts[] = {"", "# a comment\n", "---\n", "{}\n", "null\n"};

    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct loaded *l = fine(ES_FOR_RUN, texts[i]);
        assert_int_equal(l->config.concurrent, 24);
        unload(l);
    }
}

static const struct {
    const char *text, *error;
} wrong_files[] = {
    {"\nconcurrent: x\n", "FILE:2: concurrent: expected a whole number, got a text"},
    {"concurrent: 2.5\n", "FILE:1: concurrent: expected a whole number, got a number"},
    {"concurrent: [1]\n", "FILE:1: concurrent: expected a whole number, got a list"},
    {"concurrent: 0\n", "FILE:1: concurrent: 0 is not between 1 and 256"},
    {"concurrent: 257\n", "FILE:1: concurrent: 257 is not between 1 and 256"},
    {"concurrent: 99999999999999999999\n", "FILE:1: concurrent: expected a whole number, got a number"},
    {"clientQPS: true\n", "FILE:1: clientQPS: expected a number, got a boolean"},
    {"clientQPS: -1\n", "FILE:1: clientQPS: \"-1\" is not a number between 0 and 1000000"},
    {"enableFloodGate: 1\n", "FILE:1: enableFloodGate: expected true or false, got a number"},
    {"enableFloodGate: 'true'\n", "FILE:1: enableFloodGate: expected true or false, got a text"},
    {"storeRequeueInterval: 5\n", "FILE:1: storeRequeueInterval: expected a duration like 5m, got a number"},
    {"storeRequeueInterval: 5 minutes\n",
     "FILE:1: storeRequeueInterval: \"5 minutes\" is not a duration like 90s, 5m or 1h30m"},
    {"storeRequeueInterval: 10ms\n", "FILE:1: storeRequeueInterval: 10ms is not between 1s and 8760h0m0s"},
    {"shutdownGrace: -1s\n", "FILE:1: shutdownGrace: -1s is not between 0s and 24h0m0s"},
    {"namespace: {a: b}\n", "FILE:1: namespace: expected a text, got a mapping"},
    {"namespace: 7\n", "FILE:1: namespace: expected a text, got a number"},
    {"namespace:\n", "FILE:1: namespace: expected a text, got nothing"},
    {"logLevel: loud\n", "FILE:1: logLevel: \"loud\" is none of: debug, info, warn or error. Default: "
                         "info (esod local: warn)."},
    {"logFormat: xml\n", "FILE:1: logFormat: \"xml\" is none of: json or console. Default: console on a "
                         "terminal, else json."},
    {"context: a\n\ncolour: red\n",
     "FILE:3: colour: unknown key; docs/configuration.md lists the known ones"},
    {"concurent: 3\n", "FILE:1: concurent: unknown key; did you mean concurrent?"},
    {"clientqps: 3\n", "FILE:1: clientqps: unknown key; did you mean clientQPS?"},
    {"metrics-addr: ':1'\n", "FILE:1: metrics-addr: unknown key; did you mean metricsAddr?"},
    {"zap-time-encoding: epoch\n", "FILE:1: zap-time-encoding: unknown key; did you mean logTime?"},
    {"pluginpath: [a]\n", "FILE:1: pluginpath: unknown key; did you mean pluginPath?"},
    {"config: a\n", "FILE:1: config: unknown key; docs/configuration.md lists the known ones"},
    {"- a\n", "FILE:1: expected a mapping, got a list"},
    {"a\n", "FILE:1: expected a mapping, got a text"},
    {"context: a\n---\ncontext: b\n", "FILE:3: one document is expected, here begins a second one"},
    {"context: a\ncontext: b\n", "FILE:2: key \"context\" is already defined at line 1"},
    {"pluginPath: /a\n", "FILE:1: pluginPath: expected a list of directories, got a text"},
    {"pluginPath:\n- 1\n", "FILE:1: pluginPath: expected a directory, got a number"},
    {"pluginPath: ['']\n", "FILE:1: pluginPath: a directory has a name"},
    {"plugins: fake\n", "FILE:1: plugins: expected a list of plugins, got a text"},
    {"plugins:\n- fake\n- 7\n", "FILE:3: expected a name, or a mapping with name or path, got a number"},
    {"plugins: ['']\n", "FILE:1: a plugin needs a name or a path"},
    {"plugins:\n- {}\n", "FILE:2: a plugin has either a name (looked up in pluginPath) or a path"},
    {"plugins:\n- {name: a, path: /b}\n",
     "FILE:2: a plugin has either a name (looked up in pluginPath) or a path"},
    {"plugins:\n- {name: 5}\n", "FILE:2: expected a name, got a number"},
    {"plugins:\n- {path: [a]}\n", "FILE:2: expected a path, got a list"},
    {"plugins:\n- path: a.so\n",
     "FILE:2: path: \"a.so\" has no slash: use name for what is looked up in pluginPath"},
    {"plugins:\n- name: a\n  optional: 1\n", "FILE:3: optional: expected true or false, got a number"},
    {"plugins:\n- name: a\n  config: []\n", "FILE:3: config: expected a mapping, got a list"},
    {"plugins:\n- name: a\n  file: b\n",
     "FILE:3: file: unknown key; a plugin has name or path, optional, config, isolation, sha256, hosts, "
     "ambient, memory"},
    {"isolation: thread\n", "FILE:1: isolation: \"thread\" is neither process nor none"},
    {"isolation: no\n", "FILE:1: isolation: expected process or none, got a boolean"},
    {"plugins:\n- name: a\n  isolation: vm\n", "FILE:3: isolation: \"vm\" is neither process nor none"},
    {"plugins:\n- name: a\n  isolation: false\n",
     "FILE:3: isolation: expected process or none, got a boolean"},
    {"plugins:\n- name: a\n  sha256: 'ba7816'\n",
     "FILE:3: sha256: a SHA-256 has 64 hexadecimal digits and this has 6; `esod plugins verify` prints "
     "the line"},
    {"plugins:\n- name: a\n  sha256: '" SHA256 "0'\n",
     "FILE:3: sha256: a SHA-256 has 64 hexadecimal digits and this has 65; `esod plugins verify` prints "
     "the line"},
    {"plugins:\n- name: a\n  sha256: ''\n",
     "FILE:3: sha256: a SHA-256 has 64 hexadecimal digits and this has 0; `esod plugins verify` prints "
     "the line"},
    {"plugins:\n- name: a\n  sha256: sha256:ba7816\n",
     "FILE:3: sha256: \"sha256:ba7816\" is not 64 hexadecimal digits; `esod plugins verify` prints the "
     "line"},
    {"plugins:\n- name: a\n  sha256: 1234\n",
     "FILE:3: sha256: expected 64 hexadecimal digits in quotes, got a number"},
    {"plugins:\n- name: a\n  hosts: example.com\n", "FILE:3: hosts: expected a list of hosts, got a text"},
    {"plugins:\n- name: a\n  hosts: [1]\n", "FILE:3: hosts: expected a host, got a number"},
    {"plugins:\n- name: a\n  hosts: [spec, 'https://example.com/v1']\n",
     "FILE:3: hosts: \"https://example.com/v1\" is a URL; write its host alone: example.com"},
    {"plugins:\n- name: a\n  hosts: ['*']\n",
     "FILE:3: hosts: \"*\" is no host; leave hosts away to allow every one"},
    {"plugins:\n- name: a\n  ambient: env:HOME\n",
     "FILE:3: ambient: expected a list like [env:AWS_*], or the word all, got a text"},
    {"plugins:\n- name: a\n  ambient: [HOME]\n",
     "FILE:3: ambient: \"HOME\" is neither env:NAME nor file:PATH; `esod plugins --json` shows what the "
     "plugin asks "
     "for"},
    {"plugins:\n- name: a\n  ambient: [1]\n",
     "FILE:3: ambient: expected a name like env:AWS_REGION, got a number"},
    {"plugins:\n- name: a\n  memory: 64\n", "FILE:3: memory: expected a size like 64Mi, got a number"},
    {"plugins:\n- name: a\n  memory: 64M\n",
     "FILE:3: memory: \"64M\" is not a size like 65536Ki, 64Mi or 1Gi"},
    {"plugins:\n- name: a\n  memory: Mi\n", "FILE:3: memory: \"Mi\" is not a size like 65536Ki, 64Mi or 1Gi"},
    {"plugins:\n- name: a\n  memory: -64Mi\n",
     "FILE:3: memory: \"-64Mi\" is not a size like 65536Ki, 64Mi or 1Gi"},
    {"plugins:\n- name: a\n  memory: 999999999999999Gi\n",
     "FILE:3: memory: \"999999999999999Gi\" is not a size like 65536Ki, 64Mi or 1Gi"},
    {"plugins:\n- name: a\n  memory: 16383Ki\n", "FILE:3: memory: 16383Ki is not between 16Mi and 16Gi"},
    {"plugins:\n- name: a\n  memory: 17Gi\n", "FILE:3: memory: 17Gi is not between 16Mi and 16Gi"},
    {"plugins:\n- name: a\n  memory: 64Mi\n  isolation: none\n",
     "FILE:3: memory: only a process of its own can be limited; leave memory away, or set isolation: "
     "process"},
};

static void test_what_is_wrong_in_a_file(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof wrong_files / sizeof *wrong_files; i++)
        assert_refused(load(ES_FOR_RUN, wrong_files[i].text, NULL), wrong_files[i].error);
}

static void test_no_yaml_is_named_with_its_line(void **state)
{
    struct loaded *l = load(ES_FOR_RUN, "context: a\nnamespace: [\n", NULL);
    char want[80];

    (void)state;
    snprintf(want, sizeof want, "%s:3: ", l->file);
    assert_int_equal(l->rc, ES_E_CONFIG);
    assert_memory_equal(l->err.text, want, strlen(want));
    unload(l);
}

static void test_a_file_that_is_not_there(void **state)
{
    (void)state;
    assert_refused(load(ES_FOR_LOCAL, NULL, "--config", "/nowhere/esod.yaml", NULL),
                   "/nowhere/esod.yaml: No such file or directory");
    assert_refused(load(ES_FOR_LOCAL, NULL, "--config=/", NULL), "/: Is a directory");
    assert_refused(load(ES_FOR_LOCAL, NULL, "--config", NULL), "--config needs a value");
}

static void test_wrong_flags(void **state)
{
    (void)state;
    assert_refused(load(ES_FOR_RUN, "", "--concurrent", NULL), "--concurrent needs a value");
    assert_refused(load(ES_FOR_RUN, "", "--concurrent=", NULL), "--concurrent: \"\" is not a whole number");
    assert_refused(load(ES_FOR_RUN, "", "--concurrent", "1x", NULL),
                   "--concurrent: \"1x\" is not a whole number");
    assert_refused(load(ES_FOR_RUN, "", "--enable-flood-gate=yes", NULL),
                   "--enable-flood-gate: \"yes\" is neither true nor false");
    assert_refused(load(ES_FOR_RUN, "", "--client-qps=nan", NULL),
                   "--client-qps: \"nan\" is not a number between 0 and 1000000");
    assert_refused(load(ES_FOR_RUN, "", "--shutdown-grace=10", NULL),
                   "--shutdown-grace: \"10\" is not a duration like 90s, 5m or 1h30m");
    assert_refused(load(ES_FOR_RUN, "", "--plugin=", NULL), "--plugin: a plugin needs a name or a path");
    assert_refused(load(ES_FOR_PLUGINS, "", "--isolation=process,none", NULL),
                   "--isolation: \"process,none\" is neither process nor none");
    assert_refused(
        load(ES_FOR_RUN, "metricsAuth: true\n", "--metrics-secure=false", NULL),
        "--metrics-auth requires --metrics-secure; bearer tokens over plaintext HTTP is not allowed");
}

static void test_times_of_the_election_go_together(void **state)
{
    (void)state;
    assert_refused(
        load(ES_FOR_RUN, "", "--enable-leader-election", "--leader-election-lease-duration=10s", NULL),
        "--leader-election-lease-duration (10s) has to be longer than --leader-election-renew-deadline "
        "(10s), or two replicas could lead at once");
    assert_refused(
        load(ES_FOR_RUN, "", "--enable-leader-election", "--leader-election-renew-deadline=2400ms", NULL),
        "--leader-election-renew-deadline (2.4s) has to be longer than 1.2 times "
        "--leader-election-retry-period (2s), or there is no time to try again");
    assert_refused(load(ES_FOR_RUN, "enableLeaderElection: true\nleaderElectionID: ''\n", NULL),
                   "--leader-election-id is empty, but the Lease needs a name");
    assert_refused(load(ES_FOR_RUN, "", "--leader-election-lease-duration=999ms", NULL),
                   "--leader-election-lease-duration: 999ms is not between 1s and 24h0m0s");
    unload(fine(ES_FOR_RUN, "", "--enable-leader-election", "--leader-election-renew-deadline=2401ms"));
    /* Without an election they decide nothing. */
    unload(fine(ES_FOR_RUN, "", "--leader-election-lease-duration=1s"));
}

static void test_unknown_flags_and_words_are_left_alone(void **state)
{
    struct loaded *l = fine(ES_FOR_RUN, NULL, "word", "--config=/dev/null", "--no-such-flag", "--concurrent",
                            "5", "-o", "json", "-", "--enable-flood-gate", "false");
    static const char *const left[] = {"word", "--no-such-flag", "-o", "json", "-", "false"};

    (void)state;
    assert_int_equal(l->config.concurrent, 5);
    assert_int_equal(l->argc, sizeof left / sizeof *left);
    for (size_t i = 0; i < sizeof left / sizeof *left; i++)
        assert_string_equal(l->argv[i], left[i]);
    unload(l);

    /* A flag of another command is an unknown one. */
    l = fine(ES_FOR_LOCAL, NULL, "--kubeconfig", "x", "--enable-http2");
    assert_int_equal(l->argc, 3);
    unload(l);
}

static void test_flags_of_the_reference_without_effect(void **state)
{
    struct loaded *l =
        fine(ES_FOR_RUN, "", "--enable-http2", "--vault-token-cache-size", "100", "--enable-http2=false",
             "--doppler-etag-cache-size=5", "--enable-secrets-caching", "--concurrent=2");
    const char *const *ignored = es_config_ignored(&l->config);

    (void)state;
    assert_int_equal(l->argc, 0);
    assert_int_equal(l->config.concurrent, 2);
    assert_string_equal(ignored[0], "enable-http2");
    assert_string_equal(ignored[1], "vault-token-cache-size");
    assert_string_equal(ignored[2], "doppler-etag-cache-size");
    assert_string_equal(ignored[3], "enable-secrets-caching");
    assert_null(ignored[4]);
    unload(l);
}

static void test_plugins(void **state)
{
    struct loaded *l = fine(ES_FOR_PLUGINS,
                            "plugins:\n"
                            "- fake\n"
                            "- name: vault\n"
                            "  optional: true\n"
                            "  config: {a: {b: 1}}\n"
                            "- path: ./mine.so\n"
                            "  optional: false\n"
                            "- /abs/other.so\n",
                            "--plugin", "more", "--plugin=./here.so");
    const struct es_plugin_entry *p = l->config.plugins;
    char origin[80];

    (void)state;
    assert_true(l->config.plugins_given);
    assert_int_equal(l->config.plugin_count, 6);
    snprintf(origin, sizeof origin, "%s:2", l->file);
    assert_string_equal(p[0].name, "fake");
    assert_string_equal(p[0].origin, origin);
    assert_false(p[0].optional);
    assert_null(p[0].config);
    snprintf(origin, sizeof origin, "%s:3", l->file);
    assert_string_equal(p[1].name, "vault");
    assert_string_equal(p[1].origin, origin);
    assert_true(p[1].optional);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(p[1].config, "a"), "b")), 1);
    assert_string_equal(p[2].name, "/tmp/./mine.so"); /* beside the file */
    assert_string_equal(p[3].name, "/abs/other.so");
    assert_string_equal(p[4].name, "more");
    assert_string_equal(p[4].origin, "--plugin");
    assert_string_equal(p[5].name, "./here.so"); /* as seen from here */
    unload(l);

    /* An empty list is a list: nothing is to be loaded. */
    l = fine(ES_FOR_PLUGINS, "plugins: []\n");
    assert_true(l->config.plugins_given);
    assert_int_equal(l->config.plugin_count, 0);
    unload(l);
}

static void test_fences_of_plugins(void **state)
{
    struct loaded *l = fine(ES_FOR_RUN, "plugins:\n"
                                        "- name: a\n"
                                        "  isolation: process\n"
                                        "  sha256: '" SHA256 "'\n"
                                        "  hosts: [spec, example.com:8443, '*.example.com']\n"
                                        "  memory: 64Mi\n"
                                        "- path: /b.so\n"
                                        "  isolation: none\n"
                                        "  sha256: " SHA256_UPPER "\n"
                                        "  hosts: []\n"
                                        "- {name: c, memory: 16384Ki}\n"
                                        "- {name: d, memory: 16Gi}\n"
                                        "- e\n");
    const struct es_plugin_entry *p = l->config.plugins;

    (void)state;
    assert_int_equal(l->config.plugin_count, 5);
    assert_string_equal(p[0].name, "a");
    assert_int_equal(p[0].isolation, ES_ISOLATION_PROCESS);
    assert_string_equal(p[0].sha256, SHA256);
    assert_string_equal(p[0].hosts[0], "spec");
    assert_string_equal(p[0].hosts[1], "example.com:8443");
    assert_string_equal(p[0].hosts[2], "*.example.com");
    assert_null(p[0].hosts[3]);
    assert_int_equal(p[0].memory_bytes, 64 << 20);
    assert_string_equal(p[1].name, "/b.so");
    assert_int_equal(p[1].isolation, ES_ISOLATION_NONE);
    assert_string_equal(p[1].sha256, SHA256_UPPER);
    assert_non_null(p[1].hosts); /* a list without hosts, not no list */
    assert_null(p[1].hosts[0]);
    assert_int_equal(p[2].memory_bytes, 16 << 20);
    assert_true(p[3].memory_bytes == INT64_C(16) << 30);
    assert_int_equal(p[4].isolation, ES_ISOLATION_DEFAULT);
    assert_null(p[4].sha256);
    assert_null(p[4].hosts);
    assert_int_equal(p[4].memory_bytes, 0);
    unload(l);
}

static void test_paths_in_a_file_are_relative_to_it(void **state)
{
    struct loaded *l = fine(ES_FOR_RUN, "pluginPath: [/abs, sub/dir]\nkubeconfig: k/conf\n", "--plugin-path",
                            "first", "--plugin-path=second");
    const struct es_config *c = &l->config;

    (void)state;
    /* What flags name comes first; both replace the default places. */
    assert_int_equal(c->plugin_path_count, 4);
    assert_string_equal(c->plugin_path[0], "first");
    assert_string_equal(c->plugin_path[1], "second");
    assert_string_equal(c->plugin_path[2], "/abs");
    assert_string_equal(c->plugin_path[3], "/tmp/sub/dir");
    assert_null(c->plugin_path[4]);
    assert_string_equal(c->kubeconfig, "/tmp/k/conf");
    unload(l);
}

static void test_lists_have_ends(void **state)
{
    char text[4096] = "plugins:\n", paths[4096] = "pluginPath:\n", error[64];

    (void)state;
    for (int i = 0; i <= ES_CONFIG_LIST_MAX; i++) {
        size_t at = strlen(text), path_at = strlen(paths);
        snprintf(text + at, sizeof text - at, "- p%d\n", i);
        snprintf(paths + path_at, sizeof paths - path_at, "- /p%d\n", i);
    }
    snprintf(error, sizeof error, "FILE:%d: more than %d plugins", ES_CONFIG_LIST_MAX + 2,
             ES_CONFIG_LIST_MAX);
    assert_refused(load(ES_FOR_RUN, text, NULL), error);
    snprintf(error, sizeof error, "FILE:1: pluginPath: more than %d directories", ES_CONFIG_LIST_MAX);
    assert_refused(load(ES_FOR_RUN, paths, NULL), error);

    /* As many as fit, and the end is marked. */
    text[strlen(text) - strlen("- p64\n")] = '\0';
    paths[strlen(paths) - strlen("- /p64\n")] = '\0';
    char *both = es_strf("%s%s", text, paths);
    struct loaded *l = fine(ES_FOR_RUN, both);
    assert_int_equal(l->config.plugin_count, ES_CONFIG_LIST_MAX);
    assert_int_equal(l->config.plugin_path_count, ES_CONFIG_LIST_MAX);
    assert_null(l->config.plugin_path[ES_CONFIG_LIST_MAX]);
    unload(l);
    es_mem_free(both);
}

/* The one too many is named as such, even when it and all others bring lists. */
static void test_lists_in_lists_have_ends(void **state)
{
    char text[8192] = "plugins:\n", error[64];

    (void)state;
    for (int i = 0; i <= ES_CONFIG_LIST_MAX; i++) {
        size_t at = strlen(text);
        snprintf(text + at, sizeof text - at, "- {name: p%d, hosts: [spec]}\n", i);
    }
    snprintf(error, sizeof error, "FILE:%d: more than %d plugins", ES_CONFIG_LIST_MAX + 2,
             ES_CONFIG_LIST_MAX);
    assert_refused(load(ES_FOR_RUN, text, NULL), error);

    snprintf(text, sizeof text, "plugins:\n- name: p\n  hosts:\n");
    for (int i = 0; i <= 64; i++)
        strncat(text, "  - a.example\n", sizeof text - strlen(text) - 1);
    assert_refused(load(ES_FOR_RUN, text, NULL), "FILE:3: hosts: more than 64 hosts");
}

static bool has_flag(unsigned command, const char *name, struct es_flag *ret)
{
    for (size_t at = 0; es_config_next_flag(&at, command, ret);)
        if (strcmp(ret->name, name) == 0)
            return true;
    return false;
}

static void test_a_command_has_its_flags(void **state)
{
    struct es_flag f;

    (void)state;
    assert_true(has_flag(ES_FOR_RUN, "concurrent", &f));
    assert_string_equal(f.value, "N");
    assert_string_equal(f.fallback, "24");
    assert_false(f.on_off);
    assert_false(has_flag(ES_FOR_PLUGINS, "concurrent", &f));
    assert_true(has_flag(ES_FOR_PLUGINS | ES_FOR_RUN, "concurrent", &f));
    assert_true(has_flag(ES_FOR_PLUGINS, "plugin", &f));
    assert_true(has_flag(ES_FOR_RUN, "metrics-secure", &f));
    assert_true(f.on_off);
}

/* What completion offers is taken, all of it, and the help names it. */
static void test_the_words_of_a_flag_are_taken(void **state)
{
    struct es_flag f;
    size_t len, flags = 0;

    (void)state;
    for (size_t at = 0; es_config_next_flag(&at, ES_FOR_RUN, &f);) {
        const char *words = f.words, *piece;
        if (!words || strcmp(words, ES_VALUE_PLUGIN) == 0)
            continue;
        flags++;
        while ((piece = es_value_piece(&words, &len))) {
            char argument[128], word[32];
            snprintf(word, sizeof word, "%.*s", (int)len, piece);
            snprintf(argument, sizeof argument, "--%s=%s", f.name, word);
            unload(fine(ES_FOR_RUN, NULL, argument));
            assert_non_null(strstr(f.help, word));
        }
    }
    assert_int_equal(flags, 4);
}

/* Every key of the file comes once, and only what the file may say. */
static void test_the_keys_of_the_file(void **state)
{
    struct es_config_key k;
    size_t flags = 0, keys = 0;
    struct es_flag f;

    (void)state;
    for (size_t at = 0; es_config_next_flag(&at, ~0u, &f);)
        flags++;
    for (size_t at = 0; es_config_next_key(&at, &k); keys++)
        assert_string_not_equal(k.flag, "config");
    assert_int_equal(keys, flags - 1);
}

static char *contents(const char *path)
{
    FILE *f = fopen(path, "re");
    char *text = calloc(1, 1 << 18);

    assert_non_null(f);
    assert_non_null(text);
    assert_true(fread(text, 1, (1 << 18) - 1, f) > 0);
    fclose(f);
    return text;
}

/* docs/configuration.md has the tables as the program knows them. To renew one, put
 * what this test prints in its place. */
static void check_page_has(void (*write)(struct es_buf *))
{
    struct es_buf table;
    char *page = contents(CONFIGURATION_PAGE);

    es_buf_init(&table, 64 << 10);
    write(&table);
    assert_false(es_buf_failed(&table));
    if (!strstr(page, es_buf_str(&table))) {
        fputs(es_buf_str(&table), stderr);
        fail_msg("%s", "docs/configuration.md lacks this table");
    }
    es_buf_fini(&table);
    free(page);
}

static void test_the_page_has_the_tables(void **state)
{
    (void)state;
    check_page_has(es_config_markdown);
    check_page_has(es_config_plugin_markdown);
}

/* The example that is installed states the defaults. */
static void test_the_example_is_right(void **state)
{
    struct loaded *l = fine(ES_FOR_RUN, NULL, "--config", EXAMPLE_FILE);
    const struct es_config *c = &l->config;

    (void)state;
    assert_int_equal(l->argc, 0);
    assert_int_equal(c->plugin_count, 1);
    assert_string_equal(c->plugins[0].name, "fake");
    assert_int_equal(c->isolation, ES_ISOLATION_PROCESS);
    assert_int_equal(c->concurrent, 24);
    assert_string_equal(c->metrics_addr, ":8080");
    assert_string_equal(c->live_addr, ":8082");
    unload(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_every_key),
        cmocka_unit_test(test_every_flag_overrides_the_file),
        cmocka_unit_test(test_empty_files_say_nothing),
        cmocka_unit_test(test_what_is_wrong_in_a_file),
        cmocka_unit_test(test_no_yaml_is_named_with_its_line),
        cmocka_unit_test(test_a_file_that_is_not_there),
        cmocka_unit_test(test_wrong_flags),
        cmocka_unit_test(test_times_of_the_election_go_together),
        cmocka_unit_test(test_unknown_flags_and_words_are_left_alone),
        cmocka_unit_test(test_flags_of_the_reference_without_effect),
        cmocka_unit_test(test_plugins),
        cmocka_unit_test(test_fences_of_plugins),
        cmocka_unit_test(test_paths_in_a_file_are_relative_to_it),
        cmocka_unit_test(test_lists_have_ends),
        cmocka_unit_test(test_lists_in_lists_have_ends),
        cmocka_unit_test(test_a_command_has_its_flags),
        cmocka_unit_test(test_the_words_of_a_flag_are_taken),
        cmocka_unit_test(test_the_keys_of_the_file),
        cmocka_unit_test(test_the_page_has_the_tables),
        cmocka_unit_test(test_the_example_is_right),
    };
    es_mem_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
