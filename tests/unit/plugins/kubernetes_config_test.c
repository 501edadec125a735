/* The kubeconfig that authRef names: YAML or JSON, and what of it a store can use. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kubeconfig.h"

#define HEAD                                                                                                 \
    "apiVersion: v1\nkind: Config\ncurrent-context: x\ncontexts:\n- name: w\n  context: {cluster: d, user: " \
    "v}\n"                                                                                                   \
    "- name: x\n  context:\n    cluster: c\n    user: u\n"
#define CLUSTER "clusters:\n- name: c\n  cluster:\n    server: https://api.example:6443\n"
#define USER "users:\n- name: u\n  user:\n"

struct good {
    const char *text;
    const char *server, *ca, *server_name, *token, *cert, *key, *username, *password;
    bool insecure;
};

static const struct good good[] = {
    {HEAD CLUSTER USER "    token: abc\n", .server = "https://api.example:6443", .token = "abc"},
    {HEAD CLUSTER "    certificate-authority-data: Q0E=\n    tls-server-name: kube\n" USER
                  "    token: 'a: b'\n",
     .server = "https://api.example:6443", .ca = "CA", .server_name = "kube", .token = "a: b"},
    {HEAD CLUSTER "    insecure-skip-tls-verify: true\n" USER
                  "    client-certificate-data: Q0VSVA==\n    client-key-data: S0VZ\n",
     .server = "https://api.example:6443", .cert = "CERT", .key = "KEY", .insecure = true},
    {HEAD CLUSTER USER "    username: bob\n    password: 12345\n", .server = "https://api.example:6443",
     .username = "bob", .password = "12345"},
    /* kubectl takes the token as well */
    {HEAD CLUSTER USER "    token: abc\n    exec: {command: login}\n", .server = "https://api.example:6443",
     .token = "abc"},
    /* The data wins over the file, as with kubectl. */
    {HEAD CLUSTER "    certificate-authority: /ca\n    certificate-authority-data: Q0E=\n" USER
                  "    token: abc\n",
     .server = "https://api.example:6443", .ca = "CA", .token = "abc"},
    {HEAD CLUSTER USER "    {}\n", .server = "https://api.example:6443"},
    {"{\"current-context\":\"x\",\"contexts\":[{\"name\":\"x\",\"context\":{\"cluster\":\"c\",\"user\":\"u\"}"
     "}],"
     "\"clusters\":[{\"name\":\"c\",\"cluster\":{\"server\":\"https://"
     "a\",\"insecure-skip-tls-verify\":false}}],"
     "\"users\":[{\"name\":\"other\",\"user\":{}},{\"name\":\"u\",\"user\":{\"token\":\"t\\u0041\"}}]}",
     .server = "https://a", .token = "tA"},
    {"---\n" HEAD CLUSTER USER "    token: |\n      abc\n", .server = "https://api.example:6443",
     .token = "abc\n"},
};

static void expect(const struct esp_text *got, const char *want)
{
    assert_string_equal(esp_text_str(got), want ? want : "");
}

static void test_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct kube_config c;
        struct esp_text why;
        esp_text_init(&why, 1000);
        if (!kube_config_read(&c, esp_str(good[i].text), &why))
            fail_msg("%zu: %s", i, esp_text_str(&why));
        expect(&c.server, good[i].server);
        expect(&c.ca, good[i].ca);
        expect(&c.server_name, good[i].server_name);
        expect(&c.token, good[i].token);
        expect(&c.cert, good[i].cert);
        expect(&c.key, good[i].key);
        expect(&c.username, good[i].username);
        expect(&c.password, good[i].password);
        assert_int_equal(c.insecure, good[i].insecure);
        kube_config_free(&c);
        esp_text_free(&why);
    }
}

struct bad {
    const char *text, *why;
};

static const struct bad bad[] = {
    {"", "the kubeconfig is no mapping of names to values"},
    {"token", "the kubeconfig is no mapping of names to values"},
    {"{}", "the kubeconfig has no current-context"},
    {"current-context: x\n", "the kubeconfig has no context named \"x\", which is its current-context"},
    {HEAD USER "    token: t\n", "the kubeconfig has no cluster named \"c\""},
    {HEAD CLUSTER, "the kubeconfig has no user named \"u\""},
    {HEAD "clusters: [{name: c, cluster: {}}]\n" USER "    token: t\n",
     "the kubeconfig's cluster has no server"},
    {HEAD CLUSTER "    certificate-authority: /ca.crt\n" USER "    token: t\n",
     "the kubeconfig's cluster has certificate-authority, which names a file; put the certificate into "
     "certificate-authority-data"},
    {HEAD CLUSTER "    certificate-authority-data: '!'\n" USER "    token: t\n",
     "the kubeconfig's certificate-authority-data is not base64"},
    {HEAD CLUSTER "    proxy-url: http://p\n" USER "    token: t\n",
     "the kubeconfig's cluster has proxy-url, which asks for a proxy of its own; proxies are configured for "
     "esod as a whole"},
    {HEAD CLUSTER USER "    exec: {apiVersion: client.authentication.k8s.io/v1, command: aws}\n",
     "the kubeconfig's user has exec, which runs a program to log in, which a store cannot; use a token, a "
     "client "
     "certificate, or auth.serviceAccount"},
    {HEAD CLUSTER USER "    auth-provider: {name: gcp}\n",
     "the kubeconfig's user has auth-provider, which uses an auth-provider plugin, which a store cannot; use "
     "a "
     "token or a client certificate"},
    {HEAD CLUSTER USER "    tokenFile: /token\n",
     "the kubeconfig's user has tokenFile, which names a file; put the token into token"},
    {HEAD CLUSTER USER "    client-certificate: /c\n",
     "the kubeconfig's user has client-certificate, which names a file; put the certificate into "
     "client-certificate-data"},
    {HEAD CLUSTER USER "    client-certificate-data: Q0VSVA==\n",
     "the kubeconfig's user has one of client-certificate-data and client-key-data; both are needed"},
    {HEAD CLUSTER USER "    token: t\n    as: root\n",
     "the kubeconfig's user has as, which acts as somebody else; name a user who has the rights himself"},
    {"a: [1\nb: 2\n", "the kubeconfig is no YAML that can be read: line 2: did not find expected ',' or ']'"},
    {"a: &x 1\nb: *x\n", "the kubeconfig is no YAML that can be read: line 1: an anchor"},
    {"a: *x\n", "the kubeconfig is no YAML that can be read: line 1: an alias"},
    {"? [a]\n: 1\n", "the kubeconfig is no YAML that can be read: line 1: a name that is no text"},
};

static void test_refuses(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct kube_config c;
        struct esp_text why;
        esp_text_init(&why, 1000);
        if (kube_config_read(&c, esp_str(bad[i].text), &why))
            fail_msg("%zu is read", i);
        assert_string_equal(esp_text_str(&why), bad[i].why);
        kube_config_free(&c);
        esp_text_free(&why);
    }
}

static void test_sizes_have_ceilings(void **state)
{
    struct kube_config c;
    struct esp_text text, why;

    (void)state;
    esp_text_init(&text, 4 << 20);
    esp_text_init(&why, 1000);
    for (int i = 0; i < 100; i++)
        esp_text_adds(&text, "[");
    assert_false(kube_config_read(&c, esp_text_bytes(&text), &why));
    assert_string_equal(esp_text_str(&why),
                        "the kubeconfig is no YAML that can be read: line 1: nested too deeply");
    kube_config_free(&c);
    esp_text_cut(&why, 0);
    esp_text_cut(&text, 0);
    while (text.len <= KUBE_MAX_KUBECONFIG)
        esp_text_adds(&text, "# a comment\n");
    assert_false(kube_config_read(&c, esp_text_bytes(&text), &why));
    assert_string_equal(esp_text_str(&why), "the kubeconfig is larger than 1 MiB");
    kube_config_free(&c);
    esp_text_free(&text);
    esp_text_free(&why);
}

/* Any beginning of a kubeconfig is read or refused with a sentence. */
static void test_cut_texts(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        for (size_t len = 0; len < strlen(good[i].text); len++) {
            struct kube_config c;
            struct esp_text why;
            esp_text_init(&why, 1000);
            bool read = kube_config_read(&c, esp_span(good[i].text, len), &why);
            assert_int_equal(read, why.len == 0);
            kube_config_free(&c);
            esp_text_free(&why);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_refuses),
        cmocka_unit_test(test_sizes_have_ceilings),
        cmocka_unit_test(test_cut_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
