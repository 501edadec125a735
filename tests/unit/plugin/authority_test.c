/* Which hosts a plugin may talk to. */
#include "probe.h"

#include "core/plugin/authority.h"
#include "core/plugin/host_pattern.h"

#define HOSTS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern, *host;
        int port;
        bool allowed;
    } cases[] = {
        {"example.com", "example.com", 443, true},
        {"example.com", "example.com", 8200, true},
        {"EXAMPLE.com.", "example.com", 443, true},
        {"example.com", "a.example.com", 443, false},
        {"example.com", "notexample.com", 443, false},
        {"example.com", "example.com.evil", 443, false},
        {"example.com:8443", "example.com", 8443, true},
        {"example.com:8443", "example.com", 443, false},
        {"example.com:80", "example.com", 80, true},
        {"example.com:80", "example.com", 443, false},
        {"*.example.com", "a.example.com", 443, true},
        {"*.example.com", "a.b.example.com", 443, true},
        {"*.Example.Com", "a.example.com", 443, true},
        {"*.example.com", "example.com", 443, false},
        {"*.example.com", ".example.com", 443, false},
        {"*.example.com", "aexample.com", 443, false},
        {"*.example.com", "a.example.com.evil", 443, false},
        {"*.example.com:8443", "a.example.com", 8443, true},
        {"*.example.com:8443", "a.example.com", 443, false},
        {"127.0.0.1", "127.0.0.1", 443, true},
        {"127.1", "127.0.0.1", 443, true},
        {"127.0.0.1", "127.0.0.10", 443, false},
        {"[2001:DB8:0::1]", "[2001:db8::1]", 443, true},
        {"[2001:db8::1]:8200", "[2001:db8::1]", 8200, true},
        {"[2001:db8::1]:8200", "[2001:db8::1]", 443, false},
        /* What is no pattern allows nothing. */
        {"*", "example.com", 443, false},
        {"*.0.0.1", "127.0.0.1", 443, false},
        {"ex*mple.com", "example.com", 443, false},
        {"https://example.com", "example.com", 443, false},
        {"", "example.com", 443, false},
        {"spec", "spec", 443, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (es_authority_host(NULL, HOSTS(cases[i].pattern), cases[i].host, cases[i].port) !=
            cases[i].allowed)
            fail_msg("%s, %s:%d", cases[i].pattern, cases[i].host, cases[i].port);
    assert_true(es_authority_host(NULL, HOSTS("a.example", "b.example"), "b.example", 443));
    assert_false(es_authority_host(NULL, HOSTS(NULL), "b.example", 443));
}

static void test_hosts_of_the_spec(void **state)
{
    static const struct {
        const char *value, *host;
        int port;
        bool allowed;
    } cases[] = {
        {"https://vault.example", "vault.example", 443, true},
        {"https://vault.example", "vault.example", 8200, true},
        {"HTTPS://Vault.Example./v1?x#y", "vault.example", 443, true},
        {"https://vault.example:8200/v1", "vault.example", 8200, true},
        {"https://vault.example:8200/v1", "vault.example", 443, false},
        {"http://user:pass@vault.example/", "vault.example", 80, true},
        {"http://good.example@evil.example/", "good.example", 80, false},
        {"http://good.example@evil.example/", "evil.example", 80, true},
        {"https://vault.example/evil.example", "evil.example", 443, false},
        {"https://vault.example?to=https://evil.example", "evil.example", 443, false},
        {"https://a.vault.example", "vault.example", 443, false},
        {"https://vault.example", "a.vault.example", 443, false},
        {"ftp://vault.example", "vault.example", 443, false},
        {"vault.example", "vault.example", 443, true},
        {"VAULT.example", "vault.example", 443, true},
        {"vault.example:8200", "vault.example", 8200, true},
        {"vault.example:8200", "vault.example", 443, false},
        {"[2001:DB8::1]", "[2001:db8::1]", 443, true},
        {"[2001:db8::1]:8200", "[2001:db8::1]", 8200, true},
        {"https://[2001:db8:0:0::1]:8200/", "[2001:db8::1]", 8200, true},
        {"2001:db8::1", "[2001:db8::1]", 443, false},
        {"talk to vault.example", "vault.example", 443, false},
        {"vault.example/path", "vault.example", 443, false},
        {"*.example", "vault.example", 443, false},
        {"", "vault.example", 443, false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *spec = json_pack("{s:i,s:{s:[n,s]}}", "n", 1, "deep", "list", cases[i].value);
        assert_non_null(spec);
        if (es_authority_host(spec, HOSTS("elsewhere.example", "spec"), cases[i].host, cases[i].port) !=
            cases[i].allowed)
            fail_msg("%s, %s:%d", cases[i].value, cases[i].host, cases[i].port);
        assert_false(es_authority_host(spec, HOSTS("elsewhere.example"), cases[i].host, cases[i].port));
        json_decref(spec);
    }
    assert_false(es_authority_host(NULL, HOSTS("spec"), "vault.example", 443));
}

/* A key of the block is no value, and a text with a NUL inside is no host. */
static void test_only_whole_values_name_hosts(void **state)
{
    json_t *spec = parse("{\"evil.example\":true,\"https://other.example\":[]}");
    (void)state;

    json_object_set_new(spec, "cut", json_stringn("third.example\0.org", 18));
    assert_false(es_authority_host(spec, HOSTS("spec"), "evil.example", 443));
    assert_false(es_authority_host(spec, HOSTS("spec"), "other.example", 443));
    assert_false(es_authority_host(spec, HOSTS("spec"), "third.example", 443));
    json_decref(spec);
}

static void test_a_pattern_that_is_none_is_explained(void **state)
{
    static const char *const good[] = {"example.com", "example.com:8443", "*.example.com",
                                       "localhost",   "10.0.0.1:8200",    "[2001:db8::1]:443",
                                       "spec",        "xn--bcher-kva.de", "*.a.b:1"};
    static const struct {
        const char *pattern, *text;
    } bad[] = {
        {"*", "\"*\" is no host; leave hosts away to allow every one"},
        {"https://Example.com:1/a",
         "\"https://Example.com:1/a\" is a URL; write its host alone: example.com"},
        {"a.*.com", "\"a.*.com\" has a * where none can be; *.example.com stands for every name below "
                    "example.com"},
        {"*.0.0.1", "\"*.0.0.1\" has a * where none can be; *.example.com stands for every name below "
                    "example.com"},
        {"", "\"\" is no host; write example.com, example.com:8443, *.example.com, [2001:db8::1] or spec"},
        {"a b", "\"a b\" is no host; write example.com, example.com:8443, *.example.com, [2001:db8::1] or "
                "spec"},
        {"::1", "\"::1\" is no host; write example.com, example.com:8443, *.example.com, [2001:db8::1] or "
                "spec"},
        {"a:65536", "\"a:65536\" is no host; write example.com, example.com:8443, *.example.com, "
                    "[2001:db8::1] or spec"},
        {"a/b", "\"a/b\" is no host; write example.com, example.com:8443, *.example.com, [2001:db8::1] or "
                "spec"},
    };
    (void)state;

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        struct es_error err = ES_ERROR_INIT;
        if (es_host_pattern_check(good[i], &err) < 0)
            fail_msg("%s", err.text);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct es_error err = ES_ERROR_INIT;
        int rc = es_host_pattern_check(bad[i].pattern, &err);
        assert_error(rc, &err, ES_E_CONFIG, bad[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_patterns),
        cmocka_unit_test(test_hosts_of_the_spec),
        cmocka_unit_test(test_only_whole_values_name_hosts),
        cmocka_unit_test(test_a_pattern_that_is_none_is_explained),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
