/* What the Vault plugin sends, and what it makes of the answers. */
#include "vault.h"

#include <stdio.h>

/* ---- paths ---- */

static void get_at(const char *spec, const char *key, const char *policy, const char *url)
{
    char open[400], get[400];
    struct exchange x = {.method = "GET", .url = url, .status = 404, .answer = NONE};
    snprintf(open, sizeof open, OPEN("%s"), spec);
    snprintf(get, sizeof get,
             "{\"key\":\"%s\",\"property\":\"\",\"version\":\"\",\"metadataPolicy\":\"%s\"," STORE "}", key,
             policy);
    void *store = vault_opened(open);
    world.script = &x;
    world.script_count = 1;
    world.script_at = 0;
    vault_fails(vault->store->get, store, get, ESP_E_NOT_FOUND, "");
    vault_closed(store);
}

#define V1 ",\"version\":\"v1\""
#define AT ",\"path\":"
#define API "https://vault:8200/v1/"

static void test_keys_become_paths(void **state)
{
    static const struct {
        const char *spec, *key, *url;
    } rows[] = {
        {AT "\"kv\"", "a/b", API "kv/data/a/b"},
        {AT "\"kv\"", "kv/a/b", API "kv/data/a/b"},
        {AT "\"kv\"", "kv/data/a/b", API "kv/data/a/b"},
        {AT "\"kv\"", "kvx/a", API "kv/data/kvx/a"},
        {AT "\"kv/\"", "/a//b/", API "kv/data/a/b"},
        {AT "\"team/kv\"", "a", API "team/kv/data/a"},
        {AT "\"kv\"" V1, "a/b", API "kv/a/b"},
        {AT "\"kv\"" V1, "kv/a/b", API "kv/a/b"},
        {AT "\"kv\"" V1, "kv/data/a", API "kv/data/a"},
        {"", "kv/a/b", API "kv/data/a/b"},
        {"", "team/kv/data/a", API "team/kv/data/a"},
        {"", "kv", API "kv/data"},
        {V1, "kv/a/b", API "kv/a/b"},
        {AT "\"kv\"", "a b/\xc3\xbc?x#y%2F", API "kv/data/a%20b/%C3%BC%3Fx%23y%252F"},
        {AT "\"kv\"", "./a/.", API "kv/data/a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        get_at(rows[i].spec, rows[i].key, "None", rows[i].url);
}

static void test_keys_become_paths_of_metadata(void **state)
{
    (void)state;
    get_at(AT "\"kv\"", "a/b", "Fetch", API "kv/metadata/a/b");
    get_at(AT "\"kv\"", "kv/data/a/b", "Fetch", API "kv/metadata/a/b");
    get_at("", "kv/data/a/data/b", "Fetch", API "kv/metadata/a/data/b");
}

#define FETCH(key)                                                                                           \
    "{\"key\":\"" key "\",\"property\":\"\",\"version\":\"\",\"metadataPolicy\":\"Fetch\"," STORE "}"

static void test_keys_without_a_path(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(AT "\"kv\""));
    vault_fails(vault->store->get, store, GET("a/../../sys/x"), ESP_E_CONFIG,
                "the key \"a/../../sys/x\" has a part \"..\": a key names a place below the mount");
    vault_closed(store);
    store = vault_opened(OPEN(""));
    vault_fails(vault->store->get, store, FETCH("kv/a"), ESP_E_CONFIG,
                "provided Path isn't a valid kv v2 path: the key \"kv/a\" has no part \"data\"; set path in "
                "the store");
    vault_closed(store);
    store = vault_opened(OPEN(AT "\"kv\"" V1));
    vault_fails(vault->store->get, store, FETCH("a"), ESP_E_CONFIG,
                "cannot perform metadata fetch operations with kv version v1");
    vault_closed(store);
}

/* ---- headers ---- */

static void test_headers_of_a_request(void **state)
{
    (void)state;
    void *store =
        vault_opened(OPEN(AT "\"kv\",\"namespace\":\"team\",\"headers\":{\"X-Own\":\"1\",\"X-Vault-Token\":"
                             "\"from-spec\"}"));
    EXPECT({.headers = "X-Vault-Request: true\nX-Vault-Namespace: team\nX-Own: 1\nX-Vault-Token: from-spec\n"
                       "!X-Vault-Index\n!X-Vault-Inconsistent",
            .body = "",
            .status = 404,
            .answer = NONE,
            .answer_headers = "x-vault-index: ignored"},
           {.headers = "!X-Vault-Index", .status = 404, .answer = NONE});
    test_run(&call, vault->store->get, store, GET("a"), NULL, 0);
    vault_fails(vault->store->get, store, GET("a"), ESP_E_NOT_FOUND, "");
    vault_closed(store);
}

/* base64 of v1:c:5:7:mac, v1:c:4:7:mac and v1:other:1:1:mac */
#define STATE_5 "djE6Yzo1Ojc6bWFj"
#define STATE_4 "djE6Yzo0Ojc6bWFj"
#define STATE_OTHER "djE6b3RoZXI6MToxOm1hYw=="

static void test_the_state_of_the_replication_goes_along(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(",\"readYourWrites\":true,\"forwardInconsistent\":true"));
    EXPECT({.headers = "!X-Vault-Index\nX-Vault-Inconsistent: forward-active-node",
            .status = 404,
            .answer = NONE,
            .answer_headers = "x-vault-index: " STATE_5},
           {.headers = "X-Vault-Index: " STATE_5,
            .status = 404,
            .answer = NONE,
            .answer_headers = "x-vault-index: " STATE_4},
           {.headers = "X-Vault-Index: " STATE_5,
            .status = 404,
            .answer = NONE,
            .answer_headers = "x-vault-index: " STATE_OTHER},
           {.headers = "X-Vault-Index: " STATE_OTHER, .status = 404, .answer = NONE});
    for (int i = 0; i < 4; i++)
        assert_int_equal(test_run(&call, vault->store->get, store, GET("kv/a"), NULL, 0), ESP_E_NOT_FOUND);
    vault_closed(store);
}

/* ---- answers ---- */

static void refused(int32_t status, const char *answer, const char *headers, esp_status want, const char *why)
{
    char sentence[400];
    struct exchange x = {.status = status, .answer = answer, .answer_headers = headers};
    void *store = vault_opened(OPEN(AT "\"kv\""));
    snprintf(sentence, sizeof sentence, "cannot read secret data from Vault: key \"a\": %s", why);
    world.script = &x;
    world.script_count = 1;
    world.script_at = 0;
    vault_fails(vault->store->get, store, GET("a"), want, sentence);
    vault_closed(store);
}

#define SAYS(text) "{\"errors\":[\"" text "\"]}"

static void test_what_statuses_mean(void **state)
{
    (void)state;
    refused(403, SAYS("permission denied"), NULL, ESP_E_DENIED, "status 403: permission denied");
    refused(403, SAYS("2 errors occurred: permission denied, invalid token"), NULL, ESP_E_DENIED,
            "status 403: the token is invalid or has expired");
    refused(401, SAYS("s3same"), NULL, ESP_E_DENIED, "status 401");
    refused(400, SAYS("missing client token"), NULL, ESP_E_CONFIG, "status 400: no token was sent: set auth");
    refused(404, SAYS("no handler for route \\\"x\\\""), NULL, ESP_E_CONFIG,
            "status 404: no secrets engine or login method is mounted there");
    refused(404, SAYS("s3same"), NULL, ESP_E_CONFIG, "status 404");
    refused(404, "<html>s3same", NULL, ESP_E_CONFIG, "status 404: the answer is not Vault's: it is no JSON");
    refused(404, "", NULL, ESP_E_CONFIG, "status 404: the answer is not Vault's: it is no JSON");
    refused(404, "[]", NULL, ESP_E_CONFIG, "status 404");
    refused(405, SAYS("s3same"), NULL, ESP_E_CONFIG, "status 405");
    refused(412, "{}", NULL, ESP_E_RETRY, "status 412: the node has not caught up yet");
    refused(472, "{}", NULL, ESP_E_RETRY, "status 472: the node is a standby");
    refused(473, "{}", NULL, ESP_E_RETRY, "status 473: the node is a standby");
    refused(500, SAYS("s3same"), NULL, ESP_E_RETRY, "status 500");
    refused(502, "bad gateway", NULL, ESP_E_RETRY, "status 502: the answer is not Vault's: it is no JSON");
    refused(503, SAYS("Vault is sealed"), NULL, ESP_E_RETRY, "status 503: Vault is sealed");
    refused(307, "", "location: https://active:8200/", ESP_E_RETRY,
            "status 307: a redirect, which is not followed: let server be the address of the active node");
    refused(429, "{}", "retry-after: 7", ESP_E_RETRY, "status 429: too many requests");
    assert_int_equal(call.retry_after_ms, 7000);
    refused(200, "{\"data\":\"s3same\"", NULL, ESP_E_RETRY,
            "the answer is not Vault's: it is no JSON object with data");
    refused(200, "{\"data\":{\"k\":\"s3same\"}}", NULL, ESP_E_CONFIG,
            "failed to find data field: is the engine KV v1?");
    refused(200, "{\"data\":{\"data\":\"s3same\"}}", NULL, ESP_E_CONFIG, "failed to unmarshall JSON");
}

static void test_what_is_surely_not_there(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(AT "\"kv\""));
    EXPECT({.status = 404, .answer = "{\"errors\":[]}"},
           {.status = 404,
            .answer = "{\"data\":{\"data\":null,\"metadata\":{\"destroyed\":true,\"version\":3}}}"},
           {.status = 200, .answer = "{\"data\":{\"data\":null,\"metadata\":{\"version\":3}}}"});
    for (int i = 0; i < 3; i++) {
        assert_int_equal(test_run(&call, vault->store->get, store, GET("a"), NULL, 0), ESP_E_NOT_FOUND);
        assert_int_equal(call.failed_with, 1);
    }
    vault_closed(store);
}

static void test_a_transport_that_fails(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(AT "\"kv\""));
    EXPECT({.fails = ESP_E_RETRY});
    vault_fails(vault->store->get, store, GET("a"), ESP_E_RETRY, "the transport failed");
    vault_closed(store);
}

static void test_values_as_the_reference_has_them(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(AT "\"kv\""));
    EXPECT({.url = API "kv/data/a?version=2",
            .status = 200,
            .answer =
                "{\"data\": {\"data\": {\"z\": 1.50, \"a\": \"<&>\", \"n\": null, \"a\": \"\\u003cb>\"}}}"},
           {.url = API "kv/metadata/a",
            .status = 200,
            .answer =
                "{\"data\":{\"created_time\":\"then\",\"current_version\":3,\"custom_metadata\":{\"owner\":"
                "\"me\","
                "\"created_time\":\"mine\"},\"delete_version_after\":\"0s\",\"versions\":{\"1\":{}}}}"});
    assert_int_equal(test_run(&call, vault->store->get, store,
                              "{\"key\":\"a\",\"version\":\"2\",\"metadataPolicy\":\"None\"}", NULL, 0),
                     ESP_OK);
    assert_string_equal(call.outputs[0].value, "{\"a\":\"\\u003cb\\u003e\",\"n\":null,\"z\":1.50}");
    vault_gets(store, FETCH("a"),
               "{\"created_time\":\"mine\",\"current_version\":\"3\",\"delete_version_after\":\"0s\","
               "\"owner\":\"me\"}");
    vault_closed(store);
}

/* ---- trying again ---- */

#define RETRIES(settings)                                                                                    \
    "{\"spec\":{\"server\":\"https://vault:8200\",\"path\":\"kv\"},\"retrySettings\":{" settings "}," STORE  \
    "}"

static void test_retry_settings(void **state)
{
    (void)state;
    void *store = vault_opened(RETRIES("\"maxRetries\":2,\"retryInterval\":\"1m30s\""));
    world.remaining_ms = 500000;
    EXPECT({.status = 503, .answer = SAYS("Vault is sealed")}, {.fails = ESP_E_RETRY},
           {.status = 200, .answer = "{\"data\":{\"data\":{\"k\":\"v\"}}}"});
    vault_gets(store, GET("a"), "{\"k\":\"v\"}");
    assert_int_equal(world.waited_ms, 180000);
    /* Nobody is asked again about what will not pass, */
    EXPECT({.status = 403, .answer = SAYS("permission denied")});
    vault_fails(vault->store->get, store, GET("a"), ESP_E_DENIED,
                "cannot read secret data from Vault: key \"a\": status 403: permission denied");
    /* more often than it says, */
    EXPECT({.status = 500, .answer = "{}"}, {.status = 500, .answer = "{}"}, {.status = 500, .answer = "{}"});
    vault_fails(vault->store->get, store, GET("a"), ESP_E_RETRY,
                "cannot read secret data from Vault: key \"a\": status 500");
    /* or when there is no time left for it. */
    world.remaining_ms = world.waited_ms + 60000;
    EXPECT({.status = 500, .answer = "{}"});
    vault_fails(vault->store->get, store, GET("a"), ESP_E_RETRY,
                "cannot read secret data from Vault: key \"a\": status 500");
    vault_closed(store);
}

static void test_without_retry_settings_the_core_tries_again(void **state)
{
    (void)state;
    void *store = vault_opened(RETRIES("\"retryInterval\":\"1s\""));
    EXPECT({.status = 500, .answer = "{}"});
    vault_fails(vault->store->get, store, GET("a"), ESP_E_RETRY,
                "cannot read secret data from Vault: key \"a\": status 500");
    vault_closed(store);
}

/* ---- lists ---- */

#define KEYS(keys) "{\"data\":{\"keys\":[" keys "]}}"

static void names_are(const char *want)
{
    char names[400] = "";
    for (size_t i = 0; i < call.count; i++) {
        assert_int_equal(call.outputs[i].channel, ESP_OUT_NAME);
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s ", call.outputs[i].key);
    }
    assert_string_equal(names, want);
}

static void test_a_list_leaves_out_folders_that_cannot_match(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(AT "\"kv\""));
    EXPECT(
        {.method = "GET",
         .url = API "kv/metadata?list=true",
         .status = 200,
         .answer = KEYS("\"a\",\"db/\",\"web/\"")},
        {.url = API "kv/metadata/db?list=true", .status = 200, .answer = KEYS("\"main\",\"old/\",\"prod\"")},
        {.url = API "kv/metadata/db/old?list=true", .status = 404, .answer = NONE});
    vault_works(vault->store->list, store, "{\"name\":{\"regexp\":\"^db/\"},\"prefix\":\"db/\"," STORE "}",
                NULL, 0);
    names_are("db/main db/prod ");
    EXPECT({.url = API "kv/metadata/db?list=true", .status = 200, .answer = KEYS("\"main\"")});
    vault_works(vault->store->list, store,
                "{\"name\":{\"regexp\":\".\"},\"path\":\"db\",\"prefix\":\"\"," STORE "}", NULL, 0);
    names_are("db/main ");
    vault_closed(store);
}

static void test_a_list_by_tags(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(AT "\"kv\""));
    EXPECT({.url = API "kv/metadata?list=true", .status = 200, .answer = KEYS("\"a\",\"b\",\"c\",\"gone\"")},
           {.url = API "kv/metadata/a",
            .status = 200,
            .answer = "{\"data\":{\"custom_metadata\":{\"t\":\"1\"}}}"},
           {.url = API "kv/metadata/b",
            .status = 200,
            .answer = "{\"data\":{\"custom_metadata\":{\"t\":\"2\"}}}"},
           {.url = API "kv/metadata/c", .status = 200, .answer = "{\"data\":{\"custom_metadata\":null}}"},
           {.url = API "kv/metadata/gone", .status = 404, .answer = NONE});
    vault_works(vault->store->list, store, "{\"tags\":{\"t\":\"1\"},\"prefix\":\"\"," STORE "}", NULL, 0);
    names_are("a ");
    vault_closed(store);
}

static void test_a_list_that_fails(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(AT "\"kv\""));
    EXPECT({.status = 403, .answer = SAYS("permission denied")});
    vault_fails(vault->store->list, store,
                "{\"path\":\"db/\",\"name\":{\"regexp\":\".\"},\"prefix\":\"\"," STORE "}", ESP_E_DENIED,
                "cannot read secret data from Vault: listing \"db/\": status 403: permission denied");
    EXPECT({.status = 200, .answer = "{}"});
    vault_fails(
        vault->store->list, store, "{\"name\":{\"regexp\":\".\"},\"prefix\":\"\"," STORE "}", ESP_E_RETRY,
        "cannot read secret data from Vault: listing: the answer is not Vault's: it has no list of keys");
    vault_closed(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_keys_become_paths),
        TEST(test_keys_become_paths_of_metadata),
        TEST(test_keys_without_a_path),
        TEST(test_headers_of_a_request),
        TEST(test_the_state_of_the_replication_goes_along),
        TEST(test_what_statuses_mean),
        TEST(test_what_is_surely_not_there),
        TEST(test_a_transport_that_fails),
        TEST(test_values_as_the_reference_has_them),
        TEST(test_retry_settings),
        TEST(test_without_retry_settings_the_core_tries_again),
        TEST(test_a_list_leaves_out_folders_that_cannot_match),
        TEST(test_a_list_by_tags),
        TEST(test_a_list_that_fails),
    };
    return cmocka_run_group_tests(tests, vault_load, NULL);
}
