#include "core/base/codec.h"
#include "core/base/error.h"
#include "tests/fuzz/fuzz.h"

static void check(const char *text, size_t len, enum es_base64_alphabet alphabet)
{
    struct es_blob blob = {0}, back = {0};
    struct es_buf out;
    size_t bad = 0;

    if (es_base64_decode(&blob, alphabet, text, len, &bad) < 0) {
        REQUIRE(bad <= len && !blob.ptr);
        return;
    }
    REQUIRE(blob.len <= len / 4 * 3 && blob.ptr[blob.len] == '\0');
    es_buf_init(&out, len + 4);
    es_base64_encode(&out, blob.ptr, blob.len);
    REQUIRE(!es_buf_failed(&out));
    REQUIRE(es_base64_decode(&back, ES_BASE64_STD, es_buf_str(&out), out.len, NULL) == 0);
    REQUIRE(es_blob_equal(&blob, &back));
    es_buf_fini(&out);
    es_blob_fini(&blob);
    es_blob_fini(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check((const char *)data, size, ES_BASE64_STD);
    check((const char *)data, size, ES_BASE64_URL);
    return 0;
}
