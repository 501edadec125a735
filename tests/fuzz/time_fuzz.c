/* Durations and times: what is read and written again means the same. */
#include "core/base/clock.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size), out[ES_TIME_TEXT_MAX];
    int64_t ms, back;

    if (es_duration_parse(text, &ms) == 0) {
        REQUIRE(es_duration_parse(es_duration_format(ms, out), &back) == 0);
        REQUIRE(back == ms);
    }
    if (es_time_parse(text, &ms) == 0) {
        es_time_format_micro(ms, out);
        /* An offset may lead out of the years that have four digits. */
        if (ms >= INT64_C(-62135596800000) && ms < INT64_C(253402300800000)) {
            REQUIRE(es_time_parse(out, &back) == 0);
            REQUIRE(back == ms);
        }
    }
    free(text);
    return 0;
}
