#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/config.h"

#define PEM "-----BEGIN CERTIFICATE-----\nQUJD\n-----END CERTIFICATE-----\n"
#define PEM64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tClFVSkQKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

static char dir[64];

static const char *in_dir(const char *name)
{
    static char paths[8][128];
    static size_t next;
    char *path = paths[next++ % 8];
    snprintf(path, sizeof paths[0], "%s/%s", dir, name);
    return path;
}

static void put_mode(const char *name, const char *text, mode_t mode)
{
    FILE *f = fopen(in_dir(name), "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(in_dir(name), mode), 0);
}

static void put(const char *name, const char *text)
{
    put_mode(name, text, 0600);
}

static void append(const char *name, const char *text)
{
    FILE *f = fopen(in_dir(name), "ae");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

/* A kubeconfig with one of each, the parts given as YAML flow mappings. */
static void put_config(const char *cluster, const char *user)
{
    char *text =
        es_strf("current-context: main\ncontexts:\n- name: main\n  context: {cluster: c, user: u, "
                "namespace: team}\nclusters:\n- name: c\n  cluster: %s\nusers:\n- name: u\n  user: %s\n",
                cluster, user);
    put("config", text);
    es_mem_free(text);
}

static int load_file(struct es_kube_config **ret, const char *context, struct es_error *err)
{
    const struct es_kube_config_opts opts = {.kubeconfig = in_dir("config"), .context = context};
    *ret = NULL;
    *err = (struct es_error)ES_ERROR_INIT;
    return es_kube_config_load(ret, &opts, err);
}

static struct es_kube_config *load(const char *cluster, const char *user)
{
    struct es_kube_config *c;
    struct es_error err;

    put_config(cluster, user);
    if (load_file(&c, NULL, &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

static struct es_kube_credential login(struct es_kube_config *c)
{
    struct es_kube_credential cred = {0};
    struct es_error err = ES_ERROR_INIT;

    if (es_kube_config_credential(c, &cred, &err) < 0)
        fail_msg("%s", err.text);
    return cred;
}

#define CLUSTER "{server: 'https://k:6443'}"

/* What loading, or else the first login, complains about. */
static void check_error(const char *cluster, const char *user, const char *want)
{
    struct es_kube_credential cred = {0};
    struct es_kube_config *c;
    struct es_error err;

    put_config(cluster, user);
    int rc = load_file(&c, NULL, &err);
    if (rc == 0)
        rc = es_kube_config_credential(c, &cred, &err);
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);
    if (rc != ES_E_CONFIG || !strstr(err.text, want) || !strstr(err.text, in_dir("config")))
        fail_msg("%s %s: %d %s (wanted %s)", cluster, user, rc, err.text, want);
    assert_null(strstr(err.text, "hunter2"));
}

static void test_cluster(void **state)
{
    size_t len;
    (void)state;

    struct es_kube_config *c = load("{server: 'https://k:6443/prefix//', certificate-authority-data: " PEM64
                                    ", tls-server-name: inner, proxy-url: 'http://proxy:3128'}",
                                    "{}");
    assert_string_equal(es_kube_config_server(c), "https://k:6443/prefix");
    assert_string_equal(es_kube_config_namespace(c), "team");
    assert_string_equal(es_kube_config_proxy(c), "http://proxy:3128");
    assert_string_equal(es_kube_config_ca(c, &len), PEM);
    assert_int_equal(len, strlen(PEM));
    struct es_kube_credential cred = login(c);
    assert_string_equal(cred.tls.ca_pem, PEM);
    assert_string_equal(cred.tls.server_name, "inner");
    assert_false(cred.tls.insecure);
    assert_null(cred.authorization);
    assert_int_equal(cred.header_count, 0);
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);

    c = load("{server: 'http://k', insecure-skip-tls-verify: true}", "{}");
    cred = login(c);
    assert_true(cred.tls.insecure);
    assert_null(es_kube_config_ca(c, &len));
    assert_null(es_kube_config_proxy(c));
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);
}

static void test_users(void **state)
{
    (void)state;

    struct es_kube_config *c = load(CLUSTER, "{token: hunter2}");
    struct es_kube_credential cred = login(c);
    assert_string_equal(cred.authorization, "Bearer hunter2");
    assert_string_equal(cred.headers[0].name, "Authorization");
    assert_string_equal(cred.headers[0].value, "Bearer hunter2");
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);

    c = load(CLUSTER, "{username: joe, password: 'a:b'}");
    cred = login(c);
    assert_string_equal(cred.authorization, "Basic am9lOmE6Yg==");
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);

    put("cert.pem", PEM);
    put("key.pem", PEM);
    c = load(CLUSTER, "{client-certificate: cert.pem, client-key-data: " PEM64 ", client-key: nowhere.pem}");
    cred = login(c);
    assert_string_equal(cred.tls.cert_pem, PEM);
    assert_int_equal(cred.tls.key_len, strlen(PEM));
    assert_null(cred.authorization);
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);
}

static void test_impersonation(void **state)
{
    static const char *const want[][2] = {{"Authorization", "Bearer t"},    {"Impersonate-User", "jane"},
                                          {"Impersonate-Uid", "42"},        {"Impersonate-Group", "g1"},
                                          {"Impersonate-Group", "g2"},      {"Impersonate-Extra-a%2Fb", "x1"},
                                          {"Impersonate-Extra-a%2Fb", "x2"}};
    (void)state;

    struct es_kube_config *c = load(
        CLUSTER, "{token: t, as: jane, as-uid: '42', as-groups: [g1, g2], as-user-extra: {a/b: [x1, x2]}}");
    struct es_kube_credential cred = login(c);
    assert_string_equal(cred.impersonate_user, "jane");
    assert_string_equal(cred.impersonate_groups[1], "g2");
    assert_null(cred.impersonate_groups[2]);
    assert_int_equal(cred.header_count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_string_equal(cred.headers[i].name, want[i][0]);
        assert_string_equal(cred.headers[i].value, want[i][1]);
    }
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);
}

static void test_errors_name_file_and_what_to_do(void **state)
{
    (void)state;

    check_error("{}", "{}", "the cluster has no server");
    check_error("{server: 'k:6443'}", "{}", "must begin with https://");
    check_error("{server: [x]}", "{}", "server must be a string");
    check_error("{server: 'https://k?x=1'}", "{}", "without spaces, query and fragment");
    check_error("{server: 'https://k', insecure-skip-tls-verify: 'yes'}", "{}", "must be true or false");
    check_error("{server: 'https://k', insecure-skip-tls-verify: true, certificate-authority: ca.crt}", "{}",
                "exclude each other");
    check_error("{server: 'https://k', certificate-authority-data: '%%'}", "{}",
                "is not base64 (character 1)");
    check_error("{server: 'https://k', certificate-authority-data: aHVudGVyMg==}", "{}", "holds no PEM");
    check_error("{server: 'https://k', certificate-authority: nowhere.crt}", "{}",
                "nowhere.crt: No such file");
    check_error("[]", "{}", "cluster must be a mapping");
    check_error(CLUSTER, "{token: 123}", "token must be a string; put it in quotes");
    check_error(CLUSTER, "{token: \"hun\\nter2\"}", "character that cannot be sent");
    check_error(CLUSTER, "{tokenFile: nowhere}", "nowhere: No such file");
    check_error(CLUSTER, "{token: a, username: b}", "only one can be used");
    check_error(CLUSTER, "{client-certificate-data: " PEM64 "}", "without a client-key");
    check_error(CLUSTER, "{client-key-data: " PEM64 "}", "without a client-certificate");
    check_error(CLUSTER, "{auth-provider: {name: gcp}}", "auth-provider \"gcp\" was removed");
    check_error(CLUSTER, "{as-groups: [g]}", "need as, the user to act as");
    check_error(CLUSTER, "{as: j, as-groups: g}", "as-groups must be a list");
    check_error(CLUSTER, "{as: j, as-groups: [1]}", "list of strings");
    check_error(CLUSTER, "{as: \"j\\r\\nX: y\"}", "line end");
    check_error(CLUSTER, "{as: j, as-user-extra: {a: b}}", "names to lists");
}

#define EXEC(rest) "{exec: {apiVersion: client.authentication.k8s.io/v1, " rest "}}"

static void test_exec_errors(void **state)
{
    (void)state;

    check_error(CLUSTER, EXEC("interactiveMode: Never"), "there is no command");
    check_error(CLUSTER, EXEC("command: x"), "interactiveMode must be");
    check_error(CLUSTER, EXEC("command: x, interactiveMode: Sometimes"), "interactiveMode must be");
    check_error(CLUSTER, EXEC("command: x, interactiveMode: Always"), "needs a terminal");
    check_error(CLUSTER, EXEC("command: x, interactiveMode: Never, args: [1]"),
                "args must be a list of strings");
    check_error(CLUSTER, EXEC("command: x, interactiveMode: Never, env: [{value: x}]"), "name and value");
    check_error(CLUSTER, EXEC("command: x, interactiveMode: Never, provideClusterInfo: 1"), "true or false");
    check_error(CLUSTER, "{exec: {apiVersion: client.authentication.k8s.io/v1alpha1, command: x}}",
                "update the plugin");
    check_error(CLUSTER, "{exec: {command: x}}", "apiVersion must be");
    check_error(CLUSTER,
                EXEC("command: esod-no-such, interactiveMode: Never, installHint: 'see example.com'"),
                "user \"u\": credential plugin \"esod-no-such\" is not installed; see example.com");
}

static void test_lines_are_named(void **state)
{
    struct es_kube_config *c;
    struct es_error err;
    char want[128];
    (void)state;

    put_config("\n    server: 'https://k'\n    tls-server-name: [1]", "{}");
    assert_int_equal(load_file(&c, NULL, &err), ES_E_CONFIG);
    snprintf(want, sizeof want, "%s:9: tls-server-name must be a string", in_dir("config"));
    assert_memory_equal(err.text, want, strlen(want));

    put("config", "clusters: [\n  oops: {\n");
    assert_int_equal(load_file(&c, NULL, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "config:"));
    put("config", "- a list\n");
    assert_int_equal(load_file(&c, NULL, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "not a kubeconfig"));
    put("config", "");
    assert_int_equal(load_file(&c, NULL, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "no current-context"));
    unlink(in_dir("config"));
    assert_true(load_file(&c, NULL, &err) < 0);
    assert_non_null(strstr(err.text, in_dir("config")));
}

static void test_contexts(void **state)
{
    struct es_kube_config *c;
    struct es_error err;
    (void)state;

    put_config(CLUSTER, "{}");
    append("config", "- name: other\n  user: {token: o}\n");
    assert_int_equal(load_file(&c, "nothing", &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "there is no context \"nothing\""));

    put("config", "current-context: x\ncontexts: [{name: x, context: {cluster: gone}}]\n");
    assert_int_equal(load_file(&c, NULL, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "there is no cluster \"gone\""));
    put("config", "current-context: x\ncontexts: [{name: x, context: {user: u}}]\n");
    assert_int_equal(load_file(&c, NULL, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "names no cluster"));

    put("config", "contexts: [{name: x, context: {cluster: c}}]\n"
                  "clusters: [{name: c, cluster: {server: 'https://k'}}]\n");
    assert_int_equal(load_file(&c, NULL, &err), ES_E_CONFIG);
    assert_int_equal(load_file(&c, "x", &err), 0);
    assert_string_equal(es_kube_config_namespace(c), "default");
    es_kube_config_free(c);
}

static int load_env(struct es_kube_config **ret, struct es_error *err)
{
    const struct es_kube_config_opts opts = {.service_account_dir = in_dir("pod")};
    *ret = NULL;
    *err = (struct es_error)ES_ERROR_INIT;
    return es_kube_config_load(ret, &opts, err);
}

/* Of each name the first file's entry counts, whole; relative paths are
 * relative to the file they stand in. */
static void test_kubeconfig_list_is_merged(void **state)
{
    struct es_kube_config *c;
    struct es_error err;
    (void)state;

    mkdir(in_dir("sub"), 0700);
    put("one", "contexts: [{name: x, context: {cluster: c, user: u}}]\n"
               "users: [{name: u, user: {as: first}}]\n");
    put("sub/two", "current-context: x\nclusters: [{name: c, cluster: {server: 'https://two', "
                   "certificate-authority: ca.crt}}]\nusers: [{name: u, user: {token: second}}]\n");
    put("sub/ca.crt", PEM);
    put("three", "current-context: y\nclusters: [{name: c, cluster: {server: 'https://three'}}]\n");
    char *list =
        es_strf("%s:%s::%s:%s", in_dir("one"), in_dir("nothing"), in_dir("sub/two"), in_dir("three"));
    setenv("KUBECONFIG", list, 1);
    if (load_env(&c, &err) < 0)
        fail_msg("%s", err.text);
    assert_string_equal(es_kube_config_server(c), "https://two");
    struct es_kube_credential cred = login(c);
    assert_string_equal(cred.impersonate_user, "first");
    assert_null(cred.authorization);
    assert_string_equal(cred.tls.ca_pem, PEM);
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);

    setenv("KUBECONFIG", in_dir("nothing"), 1);
    assert_int_equal(load_env(&c, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "none of its files exists"));
    unsetenv("KUBECONFIG");
    es_mem_free(list);
}

static void test_order_of_sources(void **state)
{
    struct es_kube_config *c;
    struct es_error err;
    (void)state;

    unsetenv("KUBECONFIG");
    unsetenv("KUBERNETES_SERVICE_HOST");
    setenv("HOME", dir, 1);
    assert_int_equal(load_env(&c, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, "no Kubernetes configuration"));

    mkdir(in_dir(".kube"), 0700);
    put(".kube/config", "current-context: x\ncontexts: [{name: x, context: {cluster: c}}]\n"
                        "clusters: [{name: c, cluster: {server: 'https://home'}}]\n");
    assert_int_equal(load_env(&c, &err), 0);
    assert_string_equal(es_kube_config_server(c), "https://home");
    es_kube_config_free(c);

    mkdir(in_dir("pod"), 0700);
    put("pod/token", "pod-token\n");
    put("pod/namespace", "esod-system\n");
    put("pod/ca.crt", PEM);
    setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    assert_int_equal(load_env(&c, &err), 0);
    assert_string_equal(es_kube_config_server(c), "https://[fd00::1]:443");
    assert_string_equal(es_kube_config_namespace(c), "esod-system");
    struct es_kube_credential cred = login(c);
    assert_string_equal(cred.authorization, "Bearer pod-token");
    assert_string_equal(cred.tls.ca_pem, PEM);

    /* The token is rotated: read again once the API server refuses it. */
    put("pod/token", "next-token");
    es_kube_config_refused(c, cred.generation);
    struct es_kube_credential next = login(c);
    assert_string_equal(next.authorization, "Bearer next-token");
    assert_true(next.generation != cred.generation);
    /* Who still holds the old one can go on reading it. */
    assert_string_equal(cred.authorization, "Bearer pod-token");
    es_kube_credential_fini(&cred);
    es_kube_credential_fini(&next);
    es_kube_config_free(c);

    unlink(in_dir("pod/ca.crt"));
    unlink(in_dir("pod/namespace"));
    setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1);
    assert_int_equal(load_env(&c, &err), 0);
    assert_string_equal(es_kube_config_server(c), "https://10.0.0.1:443");
    assert_string_equal(es_kube_config_namespace(c), "default");
    cred = login(c);
    assert_null(cred.tls.ca_pem);
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);
    unsetenv("KUBERNETES_SERVICE_HOST");
}

static void test_refusal_of_what_cannot_change(void **state)
{
    struct es_kube_config *c = load(CLUSTER, "{token: fixed}");
    (void)state;

    struct es_kube_credential cred = login(c);
    uint64_t generation = cred.generation;
    es_kube_credential_fini(&cred);
    es_kube_config_refused(c, generation);
    cred = login(c);
    assert_true(cred.generation == generation);
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);

    /* A file that says the same is no new credential either. */
    put("token", "same");
    c = load(CLUSTER, "{tokenFile: token, token: fallback}");
    cred = login(c);
    assert_string_equal(cred.authorization, "Bearer same");
    generation = cred.generation;
    es_kube_credential_fini(&cred);
    es_kube_config_refused(c, generation);
    cred = login(c);
    assert_true(cred.generation == generation);
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);

    unlink(in_dir("token"));
    c = load(CLUSTER, "{tokenFile: token, token: fallback}");
    cred = login(c);
    assert_string_equal(cred.authorization, "Bearer fallback");
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);
}

/* Counts its runs, and gives a token with the number. */
static void put_plugin(const char *status_rest, const char *before)
{
    char *text =
        es_strf("#!/bin/sh\n%s\necho x >>%s\n"
                "printf %%s '{\"kind\":\"ExecCredential\",\"apiVersion\":\"client.authentication.k8s.io/v1\","
                "\"status\":{\"token\":\"t'$(wc -l <%s)'\"%s}}'\n",
                before, in_dir("ran"), in_dir("ran"), status_rest);
    put_mode("plugin", text, 0700);
    es_mem_free(text);
    put("ran", "");
}

static int runs(void)
{
    FILE *f = fopen(in_dir("ran"), "re");
    int count = 0;
    assert_non_null(f);
    for (int c = fgetc(f); c != EOF; c = fgetc(f))
        count += c == '\n';
    fclose(f);
    return count;
}

static void test_plugin_runs_once_and_again_after_a_refusal(void **state)
{
    (void)state;

    put_plugin("", "");
    struct es_kube_config *c = load(CLUSTER, EXEC("command: ./plugin, interactiveMode: IfAvailable"));
    struct es_kube_credential cred = login(c);
    assert_string_equal(cred.authorization, "Bearer t1");
    uint64_t generation = cred.generation;
    es_kube_credential_fini(&cred);
    cred = login(c);
    es_kube_credential_fini(&cred);
    assert_int_equal(runs(), 1);

    es_kube_config_refused(c, generation);
    cred = login(c);
    assert_string_equal(cred.authorization, "Bearer t2");
    es_kube_credential_fini(&cred);
    /* The late answer to an old credential, and a refusal right after. */
    es_kube_config_refused(c, generation);
    es_kube_config_refused(c, generation + 1);
    cred = login(c);
    es_kube_credential_fini(&cred);
    assert_int_equal(runs(), 2);
    es_kube_config_free(c);
}

static void test_plugin_runs_again_before_its_token_expires(void **state)
{
    char stamp[ES_TIME_TEXT_MAX];
    (void)state;

    /* It is believed for ten seconds at least, and asked again in the last
     * quarter: here after 7.5 of them. */
    char *rest = es_strf(",\"expirationTimestamp\":\"%s\"", es_time_format(es_unix_ms() + 2000, stamp));
    put_plugin(rest, "");
    es_mem_free(rest);
    struct es_kube_config *c = load(CLUSTER, EXEC("command: ./plugin, interactiveMode: Never"));
    int64_t begun = es_mono_ms();
    struct es_kube_credential cred = login(c);
    es_kube_credential_fini(&cred);
    while (runs() < 2 && es_mono_ms() - begun < 15000) {
        cred = login(c);
        es_kube_credential_fini(&cred);
        usleep(20000);
    }
    int64_t took = es_mono_ms() - begun;
    assert_int_equal(runs(), 2);
    assert_true(took >= 7000);
    es_kube_config_free(c);
}

static void *log_in(void *ctx)
{
    struct es_kube_credential cred = {0};
    struct es_error err = ES_ERROR_INIT;
    int rc = es_kube_config_credential(ctx, &cred, &err);
    es_kube_credential_fini(&cred);
    return rc == 0 ? NULL : "failed";
}

static int crowd(struct es_kube_config *c)
{
    pthread_t threads[8];
    int failed = 0;

    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_in, c), 0);
    for (size_t i = 0; i < 8; i++) {
        void *answer;
        pthread_join(threads[i], &answer);
        failed += answer != NULL;
    }
    return failed;
}

static void test_a_crowd_runs_the_plugin_once(void **state)
{
    (void)state;

    put_plugin("", "sleep 0.3");
    struct es_kube_config *c = load(CLUSTER, EXEC("command: ./plugin, interactiveMode: Never"));
    assert_int_equal(crowd(c), 0);
    assert_int_equal(runs(), 1);
    es_kube_config_free(c);

    put_plugin("", "echo x >>$(dirname $0)/ran; sleep 0.3; exit 1");
    c = load(CLUSTER, EXEC("command: ./plugin, interactiveMode: Never"));
    assert_int_equal(crowd(c), 8);
    assert_int_equal(runs(), 1);
    es_kube_config_free(c);
}

static void test_cluster_info_for_the_plugin(void **state)
{
    (void)state;

    put_plugin("", "printf %s \"$KUBERNETES_EXEC_INFO\" >$(dirname $0)/info");
    put("ca.crt", PEM);
    struct es_kube_config *c = load(
        "{server: 'https://k', certificate-authority: ca.crt, tls-server-name: inner, extensions: [{name: "
        "client.authentication.k8s.io/exec, extension: {audience: x}}]}",
        EXEC("command: ./plugin, interactiveMode: Never, provideClusterInfo: true"));
    struct es_kube_credential cred = login(c);
    es_kube_credential_fini(&cred);
    es_kube_config_free(c);

    json_t *info = json_load_file(in_dir("info"), 0, NULL);
    json_t *want = json_pack("{s:s,s:s,s:{s:b,s:{s:s,s:s,s:{s:s},s:s}}}", "apiVersion",
                             "client.authentication.k8s.io/v1", "kind", "ExecCredential", "spec",
                             "interactive", 0, "cluster", "server", "https://k", "tls-server-name", "inner",
                             "config", "audience", "x", "certificate-authority-data", PEM64);
    assert_true(json_equal(info, want));
    json_decref(info);
    json_decref(want);
}

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/esod-config-test-XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int remove_dir(void **state)
{
    static const char *const names[] = {
        "config",       "cert.pem", "key.pem", "one", "sub/two", "sub/ca.crt", "three",         "pod/token",
        ".kube/config", "token",    "plugin",  "ran", "info",    "ca.crt",     "pod/namespace", "pod/ca.crt"};
    static const char *const dirs[] = {"sub", "pod", ".kube"};
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in_dir(names[i]));
    for (size_t i = 0; i < sizeof dirs / sizeof *dirs; i++)
        rmdir(in_dir(dirs[i]));
    return rmdir(dir);
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cluster),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_impersonation),
        cmocka_unit_test(test_errors_name_file_and_what_to_do),
        cmocka_unit_test(test_exec_errors),
        cmocka_unit_test(test_lines_are_named),
        cmocka_unit_test(test_contexts),
        cmocka_unit_test(test_kubeconfig_list_is_merged),
        cmocka_unit_test(test_order_of_sources),
        cmocka_unit_test(test_refusal_of_what_cannot_change),
        cmocka_unit_test(test_plugin_runs_once_and_again_after_a_refusal),
        cmocka_unit_test(test_plugin_runs_again_before_its_token_expires),
        cmocka_unit_test(test_a_crowd_runs_the_plugin_once),
        cmocka_unit_test(test_cluster_info_for_the_plugin),
    };
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
