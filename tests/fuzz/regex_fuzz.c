/* Input: pattern, NUL, replacement, NUL, subject. */
#include "core/base/regex.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = fuzz_text(data, size);
    struct es_error err = ES_ERROR_INIT;
    struct es_regex *re = NULL;
    const char *end = text + size;
    const char *replacement = text + strlen(text) + (strlen(text) < size);
    const char *subject = replacement + strlen(replacement);
    subject += subject < end;
    size_t len = (size_t)(end - subject);

    int rc = es_regex_new(&re, text, &err);
    if (rc < 0) {
        REQUIRE(rc == ES_E_CONFIG && !re);
        REQUIRE(strncmp(err.text, "error parsing regexp: ", 22) == 0);
    } else {
        struct es_buf out;
        es_buf_init(&out, 1 << 20);
        int found = es_regex_search(re, subject, len, &err);
        REQUIRE(found >= 0 || found == ES_E_TOO_LARGE);
        rc = es_regex_replace_all(re, subject, len, replacement, &out, &err);
        REQUIRE(rc == 0 || rc == ES_E_TOO_LARGE);
        if (rc == 0 && found == 0)
            REQUIRE(out.len == len && (!len || memcmp(out.ptr, subject, len) == 0));
        es_buf_fini(&out);
        es_regex_free(re);
    }
    free(text);
    return 0;
}
