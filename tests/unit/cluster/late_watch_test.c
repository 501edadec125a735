/* Watches of a real API server's house that begin while the cluster runs. */
#include "cluster_test.h"

#include <pthread.h>
#include <unistd.h>

#include "core/cluster/kube_house.h"
#include "core/cluster/shelf.h"
#include "tests/unit/kube/fake_api.h"

#define MAPS (&es_kind_config_map)

static struct fake_api *api;
static struct es_cluster *cluster;
static struct es_error err;

/* The cluster takes the client over; the rest of the fake stays. */
static int begin(const char *scenario)
{
    const struct es_kube_house_opts opts = {0};

    err = (struct es_error)ES_ERROR_INIT;
    api = fake_api_new(scenario, NULL, NULL);
    struct es_kube *kube = api->kube;
    api->kube = NULL;
    return es_cluster_new_kube(&cluster, kube, &opts, &err);
}

static int setup(void **state)
{
    (void)state;
    return begin("late");
}

static int setup_unavailable(void **state)
{
    (void)state;
    return begin("unavailable");
}

static int teardown(void **state)
{
    (void)state;
    es_cluster_free(cluster);
    fake_api_free(api);
    return 0;
}

static struct es_cache *watch(const struct es_kind *kind, bool metadata_only)
{
    struct es_cache_opts opts = {.kind = kind, .metadata_only = metadata_only};
    struct es_cache *cache = NULL;
    check_ok(es_cluster_watch(cluster, &opts, &cache, &err), &err);
    return cache;
}

#define WITHIN(ms, condition)                                                                                \
    do {                                                                                                     \
        int left = (ms);                                                                                     \
        for (; !(condition) && left > 0; left -= 5)                                                          \
            usleep(5000);                                                                                    \
        assert_true(left > 0);                                                                               \
    } while (0)

static bool has(struct es_cache *cache, const char *name)
{
    char rv[ES_RV_MAX];
    return es_cache_rv(cache, "ns", name, rv);
}

static void test_a_late_watch_is_fed_at_once(void **state)
{
    (void)state;
    struct es_cache *early = watch(MAPS, false);
    check_ok(es_cluster_start(cluster, &err), &err);
    WITHIN(10000, es_cluster_synced(cluster));
    struct es_cache *late = watch(MAPS, true);
    assert_true(es_cluster_synced(cluster)); /* what is late does not take it back */
    WITHIN(10000, es_cache_synced(late));
    assert_true(has(early, "whole"));
    assert_true(has(late, "metadata"));
    es_cluster_unwatch(cluster, late);
    assert_true(has(early, "whole"));
}

/* Of a kind that was found at run time, and of one struct that is the caller's. */
static void test_kinds_of_ones_own(void **state)
{
    const struct es_kind own = {"example.org", "v1", "things", "Thing", true, ES_HOLDS_NONE};
    const struct es_kind *found = NULL;
    (void)state;

    check_ok(es_cluster_start(cluster, &err), &err);
    check_ok(es_cluster_resolve(cluster, "v1", "ConfigMap", &found, &err), &err);
    struct es_cache *a = watch(&own, false), *b = watch(found, false);
    WITHIN(10000, es_cache_synced(a) && es_cache_synced(b));
    es_cluster_unwatch(cluster, a);
    es_cluster_unwatch(cluster, b);
}

static void test_trouble_of_a_late_watch_is_told(void **state)
{
    struct es_error trouble = ES_ERROR_INIT;
    (void)state;

    check_ok(es_cluster_start(cluster, &err), &err);
    assert_false(es_cluster_trouble(cluster, &trouble));
    struct es_cache *late = watch(MAPS, false);
    WITHIN(10000, es_cluster_trouble(cluster, &trouble));
    assert_non_null(strstr(trouble.text, "configmaps"));
    assert_non_null(strstr(trouble.text, "starting"));
    assert_true(es_cluster_synced(cluster));
    es_cluster_unwatch(cluster, late);
    assert_false(es_cluster_trouble(cluster, &trouble));
}

/* ---- the shelf ---- */

struct holder {
    struct es_shelf *shelf;
    int in_hand, may_go; /* atomic */
};

static bool hold(void *ctx, struct es_cache *cache)
{
    struct holder *h = ctx;
    (void)cache;
    __atomic_store_n(&h->in_hand, 1, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&h->may_go, __ATOMIC_ACQUIRE))
        usleep(1000);
    return true;
}

static void *use(void *ctx)
{
    struct holder *h = ctx;
    es_shelf_each(h->shelf, hold, h);
    return NULL;
}

static void *let_go_later(void *ctx)
{
    struct holder *h = ctx;
    usleep(50000);
    __atomic_store_n(&h->may_go, 2, __ATOMIC_RELEASE);
    return NULL;
}

static void test_a_cache_in_hand_is_not_taken_away(void **state)
{
    struct holder h = {.shelf = es_shelf_new()};
    struct es_cache_opts opts = {.kind = MAPS};
    struct es_cache *cache = NULL;
    pthread_t user, releaser;
    (void)state;

    assert_non_null(h.shelf);
    err = (struct es_error)ES_ERROR_INIT;
    check_ok(es_cache_new(&cache, &opts, &err), &err);
    es_shelf_close(h.shelf);
    check_ok(es_shelf_put(h.shelf, cache, &err), &err);
    assert_int_equal(pthread_create(&user, NULL, use, &h), 0);
    WITHIN(10000, __atomic_load_n(&h.in_hand, __ATOMIC_ACQUIRE));
    assert_int_equal(pthread_create(&releaser, NULL, let_go_later, &h), 0);
    es_shelf_take(h.shelf, cache);
    assert_int_equal(__atomic_load_n(&h.may_go, __ATOMIC_ACQUIRE), 2);
    pthread_join(user, NULL);
    pthread_join(releaser, NULL);
    es_cache_free(cache);
    assert_true(es_shelf_each(h.shelf, hold, &h)); /* nothing is left to hold */
    es_shelf_free(h.shelf);
}

#define WITH_API(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_API(test_a_late_watch_is_fed_at_once),
        WITH_API(test_kinds_of_ones_own),
        cmocka_unit_test_setup_teardown(test_trouble_of_a_late_watch_is_told, setup_unavailable, teardown),
        cmocka_unit_test(test_a_cache_in_hand_is_not_taken_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
