#include "core/base/cron.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const int64_t times[] = {0, -1, INT64_C(1709164799999), INT64_C(4102444800000)};
    char *text = fuzz_text(data, size);
    struct es_cron cron = {0};
    struct es_error err = ES_ERROR_INIT;

    if (es_cron_parse(&cron, text, &err) < 0) {
        REQUIRE(err.code == ES_E_CONFIG && err.text[0]);
    } else {
        for (size_t i = 0; i < sizeof times / sizeof *times; i++) {
            int64_t next = es_cron_next(&cron, times[i]);
            REQUIRE(next > times[i] || next == -1);
            REQUIRE(next == -1 || next % 1000 == 0);
        }
    }
    free(text);
    return 0;
}
