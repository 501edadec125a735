/* tests/unit/plugins/host.h: a core for one plugin, made of memory.
 *
 * Loads a plugin as the daemon does, runs its operations one at a time and keeps
 * what they emitted and why they failed. Services that reach the world answer
 * ESP_E_UNSUPPORTED. */
#ifndef TEST_PLUGIN_HOST_H
#define TEST_PLUGIN_HOST_H

#include <esp/plugin.h>

#include <stdbool.h>

struct output {
    int32_t channel;
    char *key, *value; /* NUL-terminated copies */
    size_t key_len, value_len;
};

/* One operation: what it said. Fields are reset by the next run. */
struct esp_call {
    struct output *outputs;
    size_t count;
    esp_status failed_with; /* what `fail` was called with, 1 if it was not */
    char why[1100];
    size_t emit_limit; /* emit fails after so many; 0: never */
};

/* Set while the host works on this thread, so that a test that makes allocations fail can spare it. */
extern _Thread_local bool test_in_host;

/* The table of the plugin in the file. Fails the test when it does not load. */
const struct esp_plugin *test_load(const char *file);

/* The same for a plugin that is linked in. */
const struct esp_plugin *test_enter(esp_entry_fn entry);

/* Runs an operation; `json` is the document, `values` the secret side. */
esp_status test_run(struct esp_call *call, esp_op op, void *instance, const char *json,
                    const esp_pair *values, size_t value_count);
esp_status test_open(struct esp_call *call, const struct esp_store_ops *ops, const char *json,
                     void **instance);
void test_reset(struct esp_call *call);

/* The output on VALUE with that key, NULL if there is none. */
const struct output *test_value(const struct esp_call *call, const char *key);

#endif
