/* A JSONPath and a document, each up to a NUL: both are the foreign bytes of the webhook provider. */
#include <esp/json.h>

#include "jsonpath.h"
#include "tests/fuzz/fuzz.h"

static void evaluate(esp_bytes path, const struct hook_node *root)
{
    struct hook_path *p = NULL;
    struct hook_value value;
    struct esp_text why;

    esp_text_init(&why, 4000);
    bool found = hook_path_get(&p, path, root, &value, &why);
    REQUIRE(found == (why.len == 0) && found == (p != NULL));
    hook_path_free(p);
    esp_text_free(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size ? memchr(data, 0, size) : NULL;
    size_t len = end ? (size_t)(end - data) : 0;
    esp_bytes document = end ? esp_span(end + 1, size - len - 1) : esp_span(data, size);
    struct hook_tree tree;
    struct esp_text why;

    esp_text_init(&why, 4000);
    bool read = hook_tree_read(&tree, document, &why);
    REQUIRE(read == (why.len == 0) && read == esp_json_check(document, NULL));
    if (read)
        evaluate(esp_span(data, len), tree.root);
    hook_tree_free(&tree);
    esp_text_free(&why);
    return 0;
}
