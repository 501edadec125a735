/* A template is read, or refused with a sentence of Go's form that is UTF-8. */
#include "core/base/text.h"
#include "core/template/template.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct es_template_opts opts = {0};
    struct es_error err = ES_ERROR_INIT;
    struct es_template *t = NULL;
    int rc = es_template_new(&t, "k", (const char *)data, size, &opts, &err);

    REQUIRE((rc == 0) == (t != NULL));
    if (rc < 0)
        REQUIRE(rc == ES_E_CONFIG && strncmp(err.text, "template: k:", 12) == 0);
    es_template_free(t);
    return 0;
}
