/* What each operation may hand out: the table of esp/plugin.h, written once more. */
#include "wire_test.h"

#include "core/wire/fence.h"
#include "core/wire/op.h"

#define VALUE (1 << ESP_OUT_VALUE)
#define NAME (1 << ESP_OUT_NAME)
#define WARNING (1 << ESP_OUT_WARNING)

static const struct {
    const char *name;
    int channels;
    size_t most;
} table[] = {
    [ES_OP_CONFIGURE] = {"configure", 0, 10000},
    [ES_OP_CHECK] = {"check", WARNING, 10000},
    [ES_OP_OPEN] = {"open", 0, 10000},
    [ES_OP_CLOSE] = {"close", 0, 10000},
    [ES_OP_VALIDATE] = {"validate", 0, 10000},
    [ES_OP_GET] = {"get", VALUE, 1},
    [ES_OP_GET_MAP] = {"get_map", VALUE, 10000},
    [ES_OP_GET_BATCH] = {"get_batch", VALUE, 10000},
    [ES_OP_LIST] = {"list", VALUE | NAME, 10000},
    [ES_OP_EXISTS] = {"exists", VALUE, 1},
    [ES_OP_PUSH] = {"push", 0, 10000},
    [ES_OP_REMOVE] = {"remove", 0, 10000},
};

static void test_names_and_numbers(void **state)
{
    (void)state;
    assert_int_equal(COUNT_OF(table), ES_OPS);
    for (enum es_op op = 0; op < ES_OPS; op++) {
        assert_string_equal(es_op_name(op), table[op].name);
        assert_int_equal(es_op_max_outputs(op), table[op].most);
    }
}

static void test_channels(void **state)
{
    static const int32_t odd[] = {INT32_MIN, -1, 0, 5, 31, 32, 33, INT32_MAX};
    const esp_bytes none = {0};
    (void)state;

    for (enum es_op op = 0; op < ES_OPS; op++) {
        for (int32_t channel = ESP_OUT_VALUE; channel <= ESP_OUT_WARNING; channel++)
            assert_int_equal(es_emit_judge(op, channel, none, none, 0, 0),
                             table[op].channels & (1 << channel) ? ES_EMIT_OK : ES_EMIT_CHANNEL);
        for (size_t i = 0; i < COUNT_OF(odd); i++)
            assert_int_equal(es_emit_judge(op, odd[i], none, none, 0, 0), ES_EMIT_CHANNEL);
    }
}

static void test_counts(void **state)
{
    const esp_bytes none = {0};
    (void)state;

    for (enum es_op op = 0; op < ES_OPS; op++)
        for (int32_t channel = ESP_OUT_VALUE; channel <= ESP_OUT_WARNING; channel++)
            if (table[op].channels & (1 << channel)) {
                assert_int_equal(es_emit_judge(op, channel, none, none, table[op].most - 1, 0), ES_EMIT_OK);
                assert_int_equal(es_emit_judge(op, channel, none, none, table[op].most, 0), ES_EMIT_COUNT);
            }
}

static void test_bytes(void **state)
{
    const uint8_t byte = 'x';
    const size_t most = ES_CALL_MAX_BYTES;
    const struct {
        size_t key, value, before;
        enum es_emit_verdict want;
    } cases[] = {
        {0, most, 0, ES_EMIT_OK},           {0, most + 1, 0, ES_EMIT_BYTES},
        {1, most - 1, 0, ES_EMIT_OK},       {1, most, 0, ES_EMIT_BYTES},
        {most + 1, 0, 0, ES_EMIT_BYTES},    {1, 1, most - 2, ES_EMIT_OK},
        {1, 1, most - 1, ES_EMIT_BYTES},    {0, 0, most, ES_EMIT_OK},
        {0, 1, most, ES_EMIT_BYTES},        {1, 0, most, ES_EMIT_BYTES},
        {1, SIZE_MAX, 0, ES_EMIT_BYTES},    {SIZE_MAX, 1, 0, ES_EMIT_BYTES},
        {1, SIZE_MAX, most, ES_EMIT_BYTES}, {SIZE_MAX, SIZE_MAX, 5, ES_EMIT_BYTES},
    };
    (void)state;

    /* Of the value nothing is read, of the key only what is not too long. */
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(es_emit_judge(ES_OP_LIST, ESP_OUT_VALUE, (esp_bytes){&byte, cases[i].key},
                                       (esp_bytes){&byte, cases[i].value}, 0, cases[i].before),
                         cases[i].want);
}

static void test_addresses_and_names(void **state)
{
    const esp_bytes nowhere = {NULL, 1}, none = {0}, value = {(const uint8_t *)"a\0b", 3};
    (void)state;

    assert_int_equal(es_emit_judge(ES_OP_GET, ESP_OUT_VALUE, none, nowhere, 0, 0), ES_EMIT_ADDRESS);
    assert_int_equal(es_emit_judge(ES_OP_GET, ESP_OUT_VALUE, nowhere, none, 0, 0), ES_EMIT_ADDRESS);
    assert_int_equal(es_emit_judge(ES_OP_GET_MAP, ESP_OUT_VALUE, text("key"), value, 0, 0), ES_EMIT_OK);
    assert_int_equal(es_emit_judge(ES_OP_GET_MAP, ESP_OUT_VALUE, value, none, 0, 0), ES_EMIT_NUL);
    assert_int_equal(es_emit_judge(ES_OP_LIST, ESP_OUT_NAME, value, none, 0, 0), ES_EMIT_NUL);
}

static void test_fences_have_words(void **state)
{
    (void)state;
    for (unsigned i = 0; i < ES_FENCE_COUNT; i++) {
        assert_non_null(es_fence_word(i));
        for (unsigned other = 0; other < i; other++)
            assert_string_not_equal(es_fence_word(i), es_fence_word(other));
    }
    assert_int_equal(ES_FENCE_LIMITS, 1 << (ES_FENCE_COUNT - 1));
    assert_null(es_fence_word(ES_FENCE_COUNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_and_numbers),
        cmocka_unit_test(test_channels),
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_addresses_and_names),
        cmocka_unit_test(test_fences_have_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
