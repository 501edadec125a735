#include "core/secret/path.h"
#include "tests/fuzz/fuzz.h"

/* A path is put where it says or refused with a sentence, and what was put can be
 * put again. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char tree_text[] =
        "{\"spec\":{\"rules\":[{\"from\":null},1,\"x\"],\"n\":1.5},\"a\":[[],{}]}";
    char *path = fuzz_text(data, size);
    struct es_error err = ES_ERROR_INIT;
    json_t *tree = json_loads(tree_text, 0, NULL), *value = json_pack("{s:i}", "k", 1);

    REQUIRE(tree && value);
    for (int merge = 0; merge < 2; merge++) {
        int rc = es_path_put(tree, path, value, merge, &err);
        REQUIRE(rc == 0 || (rc == ES_E_CONFIG && err.text[0]));
        REQUIRE(rc < 0 || es_path_put(tree, path, value, merge, &err) == 0);
    }
    json_decref(value);
    json_decref(tree);
    free(path);
    return 0;
}
