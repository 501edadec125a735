/* The kubeconfig that a store of the kubernetes provider finds in a Secret. */
#include "kubeconfig.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct kube_config config;
    struct esp_text why;

    esp_text_init(&why, 4000);
    bool read = kube_config_read(&config, esp_span(data, size), &why);
    REQUIRE(read == (why.len == 0));
    REQUIRE(!read || (config.server.len && !config.cert.len == !config.key.len));
    kube_config_free(&config);
    esp_text_free(&why);
    return 0;
}
