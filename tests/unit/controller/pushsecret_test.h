/* What the tests of the PushSecret controller share. */
#ifndef TESTS_CONTROLLER_PUSHSECRET_TEST_H
#define TESTS_CONTROLLER_PUSHSECRET_TEST_H

#include "world.h"

#include "core/controller/push_watched.h"
#include "core/controller/store_hold.h"

#define PS (&es_kind_push_secret)
#define STORE (&es_kind_secret_store)
#define SECRET (&es_kind_secret)
#define HOUR INT64_C(3600000)
#define SYNCED "True|Synced|PushSecret synced successfully"
#define FAILED "False|Errored|set secret failed: "

/* Pushes the key "k" of the Secret "src" as "r"; `more` comes first, with a comma. */
#define SPEC(more) SPEC_WITH(more, "'data':[{'match':{'secretKey':'k','remoteRef':{'remoteKey':'r'}}}]")
#define SPEC_WITH(more, data)                                                                                \
    "{" more "'secretStoreRefs':[{'name':'store'}],'selector':{'secret':{'name':'src'}}," data "}"
#define DELETE "'deletionPolicy':'Delete',"

#define IN_WORLD(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)

static inline int is(int *counter)
{
    return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

/* "ps" is in step with src, whose k is "v1", and everything is quiet. */
static inline void start_pushed(const char *spec)
{
    world_store();
    world_secret("src", "{'k':'v1'}");
    world_push_secret("ps", spec);
    world_expect_push("ps", SYNCED);
    world_settle();
    world_forget_calls();
}

static inline bool has_finalizer_of(const struct es_kind *kind, const char *name, const char *finalizer)
{
    json_t *o = world_get(kind, "ns", name);
    bool has = es_obj_has_finalizer(o, finalizer);
    json_decref(o);
    return has;
}

static inline bool is_push_gone(void *ctx)
{
    json_t *o = world_get(PS, "ns", ctx);
    json_decref(o);
    return !o;
}

static inline bool is_store_gone(void *ctx)
{
    json_t *o = world_get(STORE, "ns", ctx);
    json_decref(o);
    return !o;
}

static inline bool is_store_free(void *ctx)
{
    (void)ctx;
    return !has_finalizer_of(STORE, "store", ES_STORE_FINALIZER);
}

#define NAME(text) ((void *)(uintptr_t)(text))

#endif
