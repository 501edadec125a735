/* Pushes to Vault and removals. */
#include "vault.h"

#define API "https://vault:8200/v1/"
#define PUSH(key, property, secret_key)                                                                      \
    "{\"remoteKey\":\"" key "\",\"property\":\"" property "\",\"secretKey\":\"" secret_key                   \
    "\",\"type\":\"Opaque\",\"labels\":{},\"annotations\":{}," STORE "}"
#define REMOVE(key, property) "{\"remoteKey\":\"" key "\",\"property\":\"" property "\"," STORE "}"
#define DATA(fields) "{\"data\":{\"data\":" fields ",\"metadata\":{\"version\":4}}}"
#define OURS                                                                                                 \
    "{\"data\":{\"current_version\":4,\"custom_metadata\":{\"managed-by\":\"external-secrets\",\"x\":\"y\"}" \
    "}}"
#define MARK "{\"custom_metadata\":{\"managed-by\":\"external-secrets\"}}"
#define CAS ",\"checkAndSet\":{\"required\":true}"
#define KV ",\"path\":\"kv\""

/* What is there is read first, and whose it is. */
#define READ(fields)                                                                                         \
    {                                                                                                        \
        .method = "GET", .url = API "kv/data/a", .status = 200, .answer = DATA(fields)                       \
    }
#define READ_ABSENT                                                                                          \
    {                                                                                                        \
        .method = "GET", .url = API "kv/data/a", .status = 404, .answer = NONE                               \
    }
#define WHOSE(metadata)                                                                                      \
    {                                                                                                        \
        .method = "GET", .url = API "kv/metadata/a", .status = 200, .answer = metadata                       \
    }
#define WRITE(json)                                                                                          \
    {                                                                                                        \
        .method = "PUT", .url = API "kv/data/a", .body = json, .status = 200, .answer = "{}"                 \
    }
#define DELETE(path)                                                                                         \
    {                                                                                                        \
        .method = "DELETE", .url = API path, .body = "", .status = 204, .answer = ""                         \
    }

static esp_pair pair(const char *name, const char *value)
{
    return (esp_pair){esp_str(name), esp_str(value)};
}

static void push(void *store, const char *json, const char *value)
{
    const esp_pair values[] = {pair("k", value)};
    vault_works(vault->store->push, store, json, values, 1);
}

static void push_fails(void *store, const char *json, const char *value, esp_status status, const char *why)
{
    const esp_pair values[] = {pair("k", value)};
    assert_int_equal(test_run(&call, vault->store->push, store, json, values, 1), status);
    assert_string_equal(call.why, why);
    test_script_done(&world);
}

static void test_a_new_secret(void **state)
{
    const esp_pair both[] = {pair("user", "bob"), pair("pass", "<s3same>")};
    (void)state;
    void *store = vault_opened(OPEN(KV));
    EXPECT(READ_ABSENT,
           {.method = "PUT", .url = API "kv/metadata/a", .body = MARK, .status = 204, .answer = ""},
           WRITE("{\"data\":{\"pass\":\"<s3same>\",\"user\":\"bob\"}}"));
    vault_works(vault->store->push, store, PUSH("a", "", ""), both, 2);
    EXPECT(READ_ABSENT,
           {.method = "PUT", .url = API "kv/metadata/a", .body = MARK, .status = 204, .answer = ""},
           WRITE("{\"data\":{\"p\":\"one\"}}"));
    push(store, PUSH("a", "p", "k"), "one");
    EXPECT(READ_ABSENT,
           {.method = "PUT", .url = API "kv/metadata/a", .body = MARK, .status = 204, .answer = ""},
           WRITE("{\"data\":{ \"as\": \"is\" }}"));
    push(store, PUSH("a", "", "k"), "{ \"as\": \"is\" }");
    vault_closed(store);
}

static void test_a_property_is_set_beside_the_others(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(KV));
    EXPECT(READ("{\"a.b\":\"old\",\"other\":1.50}"), WHOSE(OURS),
           WRITE("{\"data\":{\"other\":1.50,\"a.b\":\"new\"}}"));
    push(store, PUSH("a", "a.b", "k"), "new");
    EXPECT(READ("{\"n\":1}"), WHOSE(OURS));
    push_fails(store, PUSH("a", "n", "k"), "new", ESP_E_CONFIG, "error converting n to string");
    vault_closed(store);
}

static void test_what_is_equal_is_not_written(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(KV));
    EXPECT(READ("{\"p\":\"same\"}"), WHOSE(OURS));
    push(store, PUSH("a", "p", "k"), "same");
    EXPECT(READ("{\"b\":[1,2],\"a\":\"x\"}"), WHOSE(OURS));
    push(store, PUSH("a", "", "k"), "{\"a\": \"\\u0078\", \"b\": [1, 2]}");
    vault_closed(store);
}

static void test_what_is_not_ours_stays(void **state)
{
    static const char why[] =
        "secret not managed by external-secrets: \"a\" has no custom metadata managed-by: "
        "external-secrets";
    (void)state;
    void *store = vault_opened(OPEN(KV));
    EXPECT(READ("{\"p\":\"1\"}"), WHOSE("{\"data\":{\"custom_metadata\":null}}"));
    push_fails(store, PUSH("a", "p", "k"), "2", ESP_E_CONFIG, why);
    EXPECT(READ("{\"p\":\"1\"}"), WHOSE("{\"data\":{\"custom_metadata\":{\"managed-by\":\"somebody\"}}}"));
    push_fails(store, PUSH("a", "", "k"), "{}", ESP_E_CONFIG, why);
    EXPECT(READ("{\"p\":\"1\"}"), WHOSE("{\"data\":{\"custom_metadata\":null}}"));
    vault_works(vault->store->remove, store, REMOVE("a", ""), NULL, 0);
    vault_closed(store);
}

static void test_values_that_are_no_objects(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(KV));
    EXPECT(READ_ABSENT);
    push_fails(store, PUSH("a", "", "k"), "s3same", ESP_E_CONFIG,
               "error unmarshalling vault secret: invalid JSON format: without a property, the value pushed "
               "to \"a\" "
               "must be a JSON object");
    vault_closed(store);
}

static void test_check_and_set(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(KV CAS));
    EXPECT(READ_ABSENT, {.url = API "kv/metadata/a", .status = 204, .answer = ""},
           WRITE("{\"data\":{\"p\":\"1\"},\"options\":{\"cas\":0}}"));
    push(store, PUSH("a", "p", "k"), "1");
    EXPECT(READ("{}"), WHOSE(OURS), WRITE("{\"data\":{\"p\":\"1\"},\"options\":{\"cas\":4}}"));
    push(store, PUSH("a", "p", "k"), "1");
    /* One that was deleted keeps its number. */
    EXPECT({.url = API "kv/data/a", .status = 404, .answer = DATA("null")},
           {.url = API "kv/metadata/a", .status = 204, .answer = ""},
           WRITE("{\"data\":{\"p\":\"1\"},\"options\":{\"cas\":4}}"));
    push(store, PUSH("a", "p", "k"), "1");
    EXPECT(READ("{}"), WHOSE(OURS),
           {.status = 400,
            .answer = "{\"errors\":[\"check-and-set parameter did not match the current version\"]}"});
    push_fails(store, PUSH("a", "p", "k"), "1", ESP_E_RETRY,
               "cannot write the secret to Vault: key \"a\": status 400: somebody else has written the "
               "secret meanwhile");
    vault_closed(store);
    store = vault_opened(OPEN(KV));
    EXPECT(READ("{}"), WHOSE(OURS),
           {.status = 400, .answer = "{\"errors\":[\"check-and-set parameter required for this call\"]}"});
    push_fails(
        store, PUSH("a", "p", "k"), "1", ESP_E_CONFIG,
        "cannot write the secret to Vault: key \"a\": status 400: the engine demands check-and-set: set "
        "checkAndSet.required");
    vault_closed(store);
}

static void test_removals(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(KV));
    EXPECT(READ_ABSENT);
    vault_works(vault->store->remove, store, REMOVE("a", "p"), NULL, 0);
    EXPECT(READ("{\"p\":\"1\"}"), WHOSE(OURS), DELETE("kv/data/a"), DELETE("kv/metadata/a"));
    vault_works(vault->store->remove, store, REMOVE("a", ""), NULL, 0);
    EXPECT(READ("{\"p\":\"1\"}"), WHOSE(OURS), DELETE("kv/data/a"), DELETE("kv/metadata/a"));
    vault_works(vault->store->remove, store, REMOVE("a", "p"), NULL, 0);
    EXPECT(READ("{\"p\":\"1\",\"q\":\"2\"}"), WHOSE(OURS), WRITE("{\"data\":{\"q\":\"2\"}}"));
    vault_works(vault->store->remove, store, REMOVE("a", "p"), NULL, 0);
    EXPECT(READ("{\"q\":\"2\"}"), WHOSE(OURS));
    vault_works(vault->store->remove, store, REMOVE("a", "p"), NULL, 0);
    EXPECT(READ("{}"), WHOSE(OURS), {.status = 403, .answer = "{\"errors\":[\"permission denied\"]}"});
    vault_fails(vault->store->remove, store, REMOVE("a", ""), ESP_E_DENIED,
                "cannot delete the secret in Vault: key \"a\": status 403: permission denied");
    vault_closed(store);
}

#define V1_OURS "{\"data\":{\"p\":\"1\",\"custom_metadata\":{\"managed-by\":\"external-secrets\"}}}"

static void test_v1_keeps_the_marker_in_the_secret(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(KV ",\"version\":\"v1\""));
    EXPECT({.url = API "kv/a", .status = 404, .answer = NONE},
           {.method = "PUT",
            .url = API "kv/a",
            .body = "{\"p\":\"1\",\"custom_metadata\":{\"managed-by\":\"external-secrets\"}}",
            .status = 204,
            .answer = ""});
    push(store, PUSH("a", "p", "k"), "1");
    EXPECT({.url = API "kv/a", .status = 200, .answer = V1_OURS});
    push(store, PUSH("a", "p", "k"), "1");
    EXPECT({.url = API "kv/a", .status = 200, .answer = "{\"data\":{\"p\":\"1\"}}"});
    push_fails(
        store, PUSH("a", "p", "k"), "2", ESP_E_CONFIG,
        "secret not managed by external-secrets: \"a\" has no custom metadata managed-by: external-secrets");
    EXPECT({.url = API "kv/a", .status = 200, .answer = V1_OURS}, DELETE("kv/a"));
    vault_works(vault->store->remove, store, REMOVE("a", "p"), NULL, 0);
    vault_closed(store);
}

static void exists(void *store, const char *json, const char *want)
{
    vault_works(vault->store->exists, store, json, NULL, 0);
    assert_string_equal(call.outputs[0].value, want);
}

static void test_what_exists(void **state)
{
    (void)state;
    void *store = vault_opened(OPEN(KV));
    EXPECT(READ_ABSENT);
    exists(store, REMOVE("a", ""), "false");
    EXPECT(READ("{}"));
    exists(store, REMOVE("a", ""), "true");
    EXPECT(READ("{\"p\":{\"q\":1}}"));
    exists(store, REMOVE("a", "p.q"), "true");
    EXPECT(READ("{\"p\":null}"));
    exists(store, REMOVE("a", "p"), "false");
    EXPECT(READ("{\"p\":1}"));
    exists(store, REMOVE("a", "q"), "false");
    EXPECT({.status = 503, .answer = "{}"});
    vault_fails(vault->store->exists, store, REMOVE("a", ""), ESP_E_RETRY,
                "cannot read secret data from Vault: key \"a\": status 503");
    vault_closed(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_new_secret),
        TEST(test_a_property_is_set_beside_the_others),
        TEST(test_what_is_equal_is_not_written),
        TEST(test_what_is_not_ours_stays),
        TEST(test_values_that_are_no_objects),
        TEST(test_check_and_set),
        TEST(test_removals),
        TEST(test_v1_keeps_the_marker_in_the_secret),
        TEST(test_what_exists),
    };
    return cmocka_run_group_tests(tests, vault_load, NULL);
}
