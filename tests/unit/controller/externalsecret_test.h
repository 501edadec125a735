/* What the tests of the ExternalSecret controller share. */
#ifndef TESTS_CONTROLLER_EXTERNALSECRET_TEST_H
#define TESTS_CONTROLLER_EXTERNALSECRET_TEST_H

#include "world.h"

#include <unistd.h>

#include "core/secret/target.h"

#define ES (&es_kind_external_secret)
#define SECRET (&es_kind_secret)
#define HOUR INT64_C(3600000)
#define SYNCED "True|SecretSynced|secret synced"
#define FETCH_FAILED "False|SecretSyncedError|could not get secret data from provider: "

/* A spec that reads the key "db" as "password"; `more` comes first, with a comma. */
#define SPEC(more)                                                                                           \
    "{" more "'secretStoreRef':{'name':'store'},'data':[{'secretKey':'password','remoteRef':{'key':'db'}}]}"

#define NAME(text) ((void *)(uintptr_t)(text))

static inline int is(int *counter)
{
    return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

/* "es" is synced with hunter2, and everything is quiet. */
static inline void start_synced(const char *spec)
{
    vault_set("db", "hunter2");
    world_store();
    world_expect_store("True|Valid|store validated");
    world_external_secret("es", spec);
    world_expect("es", SYNCED);
    world_settle();
    world_forget_calls();
}

static inline void assert_no_secret(const char *name)
{
    assert_string_equal(world_value(name, "password"), "(no secret)");
}

static inline bool has_finalizer(void *ctx)
{
    json_t *es = world_get(ES, "ns", ctx);
    bool has = es_obj_has_finalizer(es, ES_FINALIZER);
    json_decref(es);
    return has;
}

static inline bool is_gone(void *ctx)
{
    json_t *es = world_get(ES, "ns", ctx);
    json_decref(es);
    return !es;
}

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

#endif
