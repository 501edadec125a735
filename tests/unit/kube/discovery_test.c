/* From apiVersion and kind to a resource, and what is remembered of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "core/kube/discovery.h"
#include "core/kube/kind_set.h"
#include "tests/unit/kube/fake_api.h"

static int64_t now_ms;

static int64_t tell_time(void *ctx)
{
    (void)ctx;
    return now_ms;
}

static const struct es_clock test_clock = {.unix_ms = tell_time, .mono_ms = tell_time};
static struct fake_api *api;
static struct es_discovery *discovery;
static struct es_error err;

static int setup(void **state)
{
    (void)state;
    now_ms = 1000;
    err = (struct es_error)ES_ERROR_INIT;
    api = fake_api_new("late", NULL, NULL);
    discovery = es_discovery_new(api->kube, &test_clock);
    return discovery ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    es_discovery_free(discovery);
    fake_api_free(api);
    return 0;
}

static const struct es_kind *resolve(const char *api_version, const char *kind)
{
    const struct es_kind *found = NULL;
    return es_discovery_resolve(discovery, api_version, kind, &found, &err) == 0 ? found : NULL;
}

static size_t questions(void)
{
    json_t *log = fake_api_log(api);
    size_t n = json_array_size(log);
    json_decref(log);
    return n;
}

static void test_plural_and_scope(void **state)
{
    (void)state;
    const struct es_kind *node = resolve("v1", "Node");
    assert_non_null(node);
    assert_string_equal(node->group, "");
    assert_string_equal(node->version, "v1");
    assert_string_equal(node->plural, "nodes"); /* and not its subresource */
    assert_false(node->namespaced);
    const struct es_kind *map = resolve("v1", "ConfigMap");
    assert_true(es_kind_same(map, &es_kind_config_map));
    assert_true(map->namespaced);
}

static void test_answers_are_remembered_for_a_while(void **state)
{
    (void)state;
    const struct es_kind *first = resolve("v1", "Node");
    assert_ptr_equal(resolve("v1", "Node"), first);
    assert_int_equal(questions(), 1);
    now_ms += ES_DISCOVERY_TTL_MS;
    assert_ptr_equal(resolve("v1", "Node"), first); /* the same answer: the same kind */
    assert_int_equal(questions(), 2);
}

static void test_what_is_missing_is_asked_for_again(void **state)
{
    (void)state;
    assert_null(resolve("example.com/v1", "Mouse"));
    assert_int_equal(err.code, ES_E_NOT_FOUND);
    assert_string_equal(err.text, "no matches for kind \"Mouse\" in version \"example.com/v1\": is its "
                                  "CustomResourceDefinition installed?");
    const struct es_kind *mouse = resolve("example.com/v1", "Mouse");
    assert_non_null(mouse);
    assert_string_equal(mouse->plural, "mice");
    assert_null(resolve("example.com/v1", "Cat"));
    assert_int_equal(err.code, ES_E_NOT_FOUND);
}

static void test_failures_keep_their_code(void **state)
{
    (void)state;
    assert_null(resolve("example.com/v2", "Mouse"));
    assert_int_equal(err.code, ES_E_RETRY);
    assert_string_equal(err.text, "asking for the resources of example.com/v2: starting");
}

static void test_names_that_would_change_the_path(void **state)
{
    static const char *const versions[] = {"",       "/",  "/v1",     "apps/",   "a/b/c", "../v1",    "v1?x",
                                           "a b/v1", "..", "a..b/v1", "Apps/v1", "v1#",   "%2e%2e/v1"};
    (void)state;
    for (size_t i = 0; i < sizeof versions / sizeof *versions; i++) {
        assert_null(resolve(versions[i], "Node"));
        assert_int_equal(err.code, ES_E_INVALID);
    }
    char longest[100];
    memset(longest, 'a', sizeof longest);
    longest[sizeof longest - 1] = '\0';
    assert_null(resolve(longest, "Node"));
    assert_int_equal(err.code, ES_E_INVALID);
    assert_int_equal(questions(), 0);
}

static void test_a_set_of_kinds_has_an_end(void **state)
{
    struct es_kind_set set = {0};
    char plural[16];
    struct es_kind kind = {"g", "v1", plural, "K", true, ES_HOLDS_NONE};
    (void)state;

    for (int i = 0; i < ES_KIND_SET_MAX; i++) {
        snprintf(plural, sizeof plural, "p%d", i);
        assert_non_null(es_kind_set_put(&set, &kind));
        assert_ptr_equal(es_kind_set_put(&set, &kind), es_kind_set_put(&set, &kind));
    }
    snprintf(plural, sizeof plural, "one-more");
    assert_null(es_kind_set_put(&set, &kind));
    es_kind_set_fini(&set);
}

#define WITH_API(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_API(test_plural_and_scope),
        WITH_API(test_answers_are_remembered_for_a_while),
        WITH_API(test_what_is_missing_is_asked_for_again),
        WITH_API(test_failures_keep_their_code),
        WITH_API(test_names_that_would_change_the_path),
        cmocka_unit_test(test_a_set_of_kinds_has_an_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
