/* No input makes the reader crash, run away or contradict itself: random bytes, and
 * documents and paths that were good before a few bytes changed. Meant to be run with
 * the sanitizers; the seed is fixed, so a failure comes again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <esp/json.h>

#include "json_cases.h"

#define ROUNDS 30000

static uint64_t seed = UINT64_C(0x9E3779B97F4A7C15);

static size_t below(size_t n)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (size_t)(seed >> 11) % n;
}

/* A copy in memory of its own size, with some bytes changed, doubled or cut off. */
static uint8_t *mutate(const char *text, size_t *len)
{
    static const char special[] = "{}[]()\"\\#.|@*?!,:=<>%~0-e \n";
    size_t n = strlen(text);
    uint8_t *copy = malloc(n + 1);
    assert_non_null(copy);
    memcpy(copy, text, n + 1);
    for (size_t i = below(4); i > 0 && n > 0; i--)
        copy[below(n)] = below(4) ? (uint8_t)special[below(sizeof special - 1)] : (uint8_t)below(256);
    *len = below(3) ? n : below(n + 1);
    uint8_t *tight = malloc(*len ? *len : 1);
    assert_non_null(tight);
    memcpy(tight, copy, *len);
    free(copy);
    return tight;
}

static void look(esp_bytes json, esp_bytes path)
{
    struct esp_text text, raw;
    enum esp_json_kind kind;
    esp_text_init(&text, 4u << 20);
    esp_text_init(&raw, 4u << 20);
    int rc = esp_json_get(json, path, ESP_JSON_ESCAPED_FIRST, &text);
    assert_in_range(rc + 1, 0, 2);
    assert_true(rc == 1 || text.len == 0);
    rc = esp_json_get_raw(json, path, &raw, &kind);
    assert_int_equal(rc == 1, kind != ESP_JSON_NONE);
    esp_text_free(&text);
    esp_text_free(&raw);
}

static void test_mutated_documents_and_paths(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t json_len, path_len, count = sizeof cases / sizeof *cases;
        uint8_t *json = mutate(cases[below(count)].json, &json_len);
        uint8_t *path = mutate(cases[below(count)].path, &path_len);
        look(esp_span(json, json_len), esp_span(path, path_len));
        free(json);
        free(path);
    }
}

static void test_random_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROUNDS; i++) {
        uint8_t bytes[48];
        size_t len = below(sizeof bytes);
        for (size_t k = 0; k < len; k++)
            bytes[k] = below(3) ? (uint8_t) "{}[]\"\\:,#.@!*u0"[below(15)] : (uint8_t)below(256);
        uint8_t *tight = malloc(len ? len : 1);
        assert_non_null(tight);
        memcpy(tight, bytes, len);
        look(esp_span(tight, len), esp_str("a"));
        look(esp_str(cases[0].json), esp_span(tight, len));
        free(tight);
    }
}

/* Whatever is well-formed is read to its end, member by member. */
static void test_checked_objects_have_whole_members(void **state)
{
    (void)state;
    size_t objects = 0;
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t len;
        uint8_t *json = mutate(cases[below(sizeof cases / sizeof *cases)].json, &len);
        struct esp_json_iter it;
        esp_bytes key, value;
        if (esp_json_members(&it, esp_span(json, len))) {
            objects++;
            while (esp_json_next(&it, &key, &value)) {
                assert_true(esp_json_check(key, NULL));
                assert_true(esp_json_check(value, NULL));
            }
            assert_true(it.at < len && (json[it.at] == '}' || json[it.at] <= ' '));
        }
        free(json);
    }
    assert_true(objects > ROUNDS / 20);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mutated_documents_and_paths),
        cmocka_unit_test(test_random_bytes),
        cmocka_unit_test(test_checked_objects_have_whole_members),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
