#include "creds.h"
#include "profile.h"
#include "tests/fuzz/fuzz.h"
#include "text.h"
#include "xml.h"

/* What STS, metadata services and files of profiles say, read in every way: within its bounds, and what is
 * found is no longer than what there was. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const elements[] = {"AccessKeyId", "SessionToken", "Code"};
    const esp_bytes text = {data, size};
    int64_t ms;
    for (size_t i = 0; i < sizeof elements / sizeof *elements; i++) {
        struct esp_text found;
        esp_text_init(&found, size);
        (void)aws_xml_text(text, elements[i], &found);
        REQUIRE(!esp_text_failed(&found));
        esp_text_free(&found);
    }
    const struct aws_profiles files = {.credentials = text, .config = text};
    esp_bytes value = aws_profiles_get(&files, esp_str("default"), "aws_access_key_id");
    REQUIRE(value.len == 0 || (value.ptr >= data && value.ptr + value.len <= data + size));
    (void)aws_profiles_has(&files, esp_str("dev"));
    (void)aws_time(text, &ms);
    const struct esp_sigv4_keys keys = aws_creds_unpack(text);
    REQUIRE(keys.id.len + keys.secret.len + keys.token.len <= size);
    return 0;
}
