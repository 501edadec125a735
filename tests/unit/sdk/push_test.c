/* The documents of a push: which value, and what its metadata says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <esp/push.h>

struct esp_call {
    char why[1100];
};

static esp_status record(struct esp_call *call, esp_status status, uint64_t retry_after_ms, esp_bytes why)
{
    (void)retry_after_ms;
    snprintf(call->why, sizeof call->why, "%.*s", ESP_ARG(why));
    return status;
}

static const struct esp_host host = {.size = sizeof host, .fail = record};

static void assert_value(const char *json, const char *wanted, const char *why)
{
    const esp_pair values[] = {{esp_str("b"), esp_str("2")}, {esp_str("a"), esp_str("1")}};
    struct esp_request request = {
        .size = sizeof request, .json = esp_str(json), .values = values, .value_count = 2};
    struct esp_call call = {""};
    struct esp_text out;
    esp_text_init(&out, 100);
    esp_status status = esp_push_value(&host, &call, &request, &out);
    assert_int_equal(status, why ? ESP_E_CONFIG : ESP_OK);
    assert_string_equal(esp_text_str(&out), wanted);
    assert_string_equal(call.why, why ? why : "");
    esp_text_free(&out);
}

static void test_the_value_is_one_key_or_all(void **state)
{
    (void)state;
    assert_value("{\"secretKey\":\"a\"}", "1", NULL);
    assert_value("{\"secretKey\":\"\"}", "{\"a\":\"1\",\"b\":\"2\"}", NULL);
    assert_value("{}", "{\"a\":\"1\",\"b\":\"2\"}", NULL);
    assert_value("{\"secretKey\":\"c\"}", "", "the Secret has no key c");
}

#define ENVELOPE "\"apiVersion\":\"kubernetes.external-secrets.io/v1alpha1\",\"kind\":\"PushSecretMetadata\""
#define PARSE "failed to parse kubernetes.external-secrets.io/v1alpha1 PushSecretMetadata: "

static void assert_spec(const char *json, const char *wanted, const char *why)
{
    static const char *const known[] = {"tags", "description", NULL};
    struct esp_request request = {.size = sizeof request, .json = esp_str(json)};
    struct esp_call call = {""};
    struct esp_text out;
    esp_text_init(&out, 1000);
    esp_status status = esp_push_spec(&host, &call, &request, known, &out);
    assert_int_equal(status, why ? ESP_E_CONFIG : ESP_OK);
    assert_string_equal(call.why, why ? why : "");
    if (!why)
        assert_string_equal(esp_text_str(&out), wanted);
    esp_text_free(&out);
}

static void test_metadata_is_read_strictly(void **state)
{
    (void)state;
    assert_spec("{\"remoteKey\":\"x\"}", "{}", NULL);
    assert_spec("{\"metadata\":null}", "{}", NULL);
    assert_spec("{\"metadata\":{" ENVELOPE "}}", "{}", NULL);
    assert_spec("{\"metadata\":{" ENVELOPE ",\"spec\":null}}", "{}", NULL);
    assert_spec("{\"metadata\":{" ENVELOPE ",\"spec\":{\"tags\":{\"a\":\"b\"}}}}", "{\"tags\":{\"a\":\"b\"}}",
                NULL);
    assert_spec("{\"metadata\":{" ENVELOPE ",\"spec\":{\"tag\":1}}}", NULL,
                PARSE "error unmarshaling JSON: while decoding JSON: json: unknown field \"tag\"");
    assert_spec("{\"metadata\":{" ENVELOPE ",\"more\":1}}", NULL,
                PARSE "error unmarshaling JSON: while decoding JSON: json: unknown field \"more\"");
    assert_spec("{\"metadata\":{" ENVELOPE ",\"spec\":[]}}", NULL, PARSE "it is not an object");
    assert_spec("{\"metadata\":\"text\"}", NULL, PARSE "it is not an object");
    assert_spec("{\"metadata\":{\"kind\":\"PushSecretMetadata\"}}", NULL,
                "unexpected apiVersion \"\", expected \"kubernetes.external-secrets.io/v1alpha1\"");
    assert_spec("{\"metadata\":{\"apiVersion\":\"kubernetes.external-secrets.io/v1alpha1\",\"kind\":\"X\"}}",
                NULL, "unexpected kind \"X\", expected \"PushSecretMetadata\"");
}

static void test_sentences_may_begin_with_the_plugins_words(void **state)
{
    static const char *const known[] = {NULL};
    static const char *const documents[] = {"{\"metadata\":{\"kind\":1}}", "{\"metadata\":{\"x\":1}}",
                                            "{\"metadata\":[]}"};
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        struct esp_request request = {.size = sizeof request, .json = esp_str(documents[i])};
        struct esp_call call = {""};
        struct esp_text out;
        esp_text_init(&out, 1000);
        assert_int_equal(esp_push_spec_of(&host, &call, &request, known, "cannot push: ", &out),
                         ESP_E_CONFIG);
        assert_ptr_equal(strstr(call.why, "cannot push: "), call.why);
        esp_text_free(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_value_is_one_key_or_all),
        cmocka_unit_test(test_metadata_is_read_strictly),
        cmocka_unit_test(test_sentences_may_begin_with_the_plugins_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
