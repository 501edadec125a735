/* A template that can be read is run: to an end, with a result below the ceiling or an
 * error. Steps and time are the clock's, which goes by a second with each look. */
#include <jansson.h>

#include "core/template/template.h"
#include "tests/fuzz/fuzz.h"

static int64_t fast_ms(void *ctx)
{
    static int64_t now;
    (void)ctx;
    return now += 1000;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct es_clock clock = es_system_clock;
    clock.mono_ms = fast_ms;
    const struct es_template_opts opts = {.missing_key_fails = size % 2, .clock = &clock};
    struct es_error err = ES_ERROR_INIT;
    struct es_template *t = NULL;
    struct es_blob out = {0};

    if (es_template_new(&t, "k", (const char *)data, size, &opts, NULL) < 0)
        return 0;
    json_t *values = json_pack("{s:s,s:[i,s,n],s:{s:s},s:f,s:n,s:b}", "a", "alpha", "list", 1, "two", "map",
                               "k", "v", "f", 2.5, "none", "t", 1);
    REQUIRE(values);
    int rc = es_template_execute(t, "k", values, &opts, &out, &err);
    if (rc < 0)
        REQUIRE((rc == ES_E_CONFIG || rc == ES_E_TOO_LARGE) && *err.text);
    else
        REQUIRE(out.len <= ES_TEMPLATE_OUTPUT_MAX);
    es_blob_fini(&out);
    json_decref(values);
    es_template_free(t);
    return 0;
}
