/* tests/unit/plugins/vault.h: what the tests of the Vault plugin share. */
#ifndef TEST_PLUGIN_VAULT_H
#define TEST_PLUGIN_VAULT_H

#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

#define STORE                                                                                                \
    "\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"apps\",\"name\":\"s\",\"generation\":1},"           \
    "\"namespace\":\"apps\""
#define OPEN(spec) "{\"spec\":{\"server\":\"https://vault:8200\"" spec "}," STORE "}"
#define GET(key)                                                                                             \
    "{\"key\":\"" key "\",\"property\":\"\",\"version\":\"\",\"metadataPolicy\":\"None\"," STORE "}"
#define NONE "{\"errors\":[]}"
#define TOKEN(life, more)                                                                                    \
    "{\"auth\":{\"client_token\":\"s3same\",\"lease_duration\":" life ",\"renewable\":true" more "}}"

/* The tables of the plugin, loaded once. */
extern const struct esp_component *vault, *bao;
int vault_load(void **state);

/* The world of the test that runs, and one call in it; both are new for each test. */
extern struct world world;
extern struct esp_call call;
int vault_begin(void **state);
int vault_end(void **state);

#define EXPECT(...)                                                                                          \
    do {                                                                                                     \
        static const struct exchange vault_script[] = {__VA_ARGS__};                                         \
        world.script = vault_script;                                                                         \
        world.script_count = sizeof vault_script / sizeof *vault_script;                                     \
        world.script_at = 0;                                                                                 \
    } while (0)

#define TEST(name) cmocka_unit_test_setup_teardown(name, vault_begin, vault_end)

/* Opens the store of a document, or fails the test. */
void *vault_opened(const char *json);
void vault_closed(void *store);

/* Runs an operation and compares its status and, when it fails, its sentence. */
void vault_fails(esp_op op, void *store, const char *json, esp_status status, const char *why);
void vault_gets(void *store, const char *json, const char *value);
void vault_works(esp_op op, void *store, const char *json, const esp_pair *values, size_t count);

#endif
