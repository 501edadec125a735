/* A pass reads from each store in one call, and nobody can tell by anything but the number
 * of calls. */
#include "externalsecret_test.h"

#define ENTRY(name, key) "{'secretKey':'" name "','remoteRef':{'key':'" key "'}}"
#define ELSEWHERE(name, key)                                                                                 \
    "{'secretKey':'" name "','remoteRef':{'key':'" key "'},'sourceRef':{'storeRef':{'name':'second'}}}"
#define SPEC_OF(more, entries) "{" more "'secretStoreRef':{'name':'store'},'data':[" entries "]}"
#define VALID "True|Valid|store validated"
#define SECOND                                                                                               \
    "{'apiVersion':'external-secrets.io/v1','kind':'SecretStore','metadata':{'name':'second',"               \
    "'namespace':'ns'},'spec':{'provider':{'probe':{}}}}"

static void start(bool batches)
{
    if (batches)
        vault_takes_batches();
    vault_set("a", "1");
    vault_set("b", "{'x':'2'}");
    vault_set("c", "{\"y\":\"3\",\"z\":\"4\"}");
    world_store();
    world_apply(SECOND);
    world_expect_store(VALID);
    world_settle();
    world_forget_calls();
}

static void assert_asked(int batches, int reads)
{
    world_settle();
    assert_int_equal(is(&vault_batches), batches);
    assert_int_equal(is(&vault_reads), reads);
}

static void test_one_call_for_all_keys(void **state)
{
    (void)state;
    start(true);
    world_external_secret("es", SPEC_OF("'dataFrom':[{'extract':{'key':'c'}}],",
                                        ENTRY("p", "a") "," ENTRY("q", "b") "," ENTRY("r", "a")));
    world_expect_value("es", "p", "1");
    world_expect("es", SYNCED);
    assert_string_equal(world_value("es", "q"), "{'x':'2'}");
    assert_string_equal(world_value("es", "r"), "1");
    assert_string_equal(world_value("es", "z"), "4");
    assert_asked(1, 0);
    world_skip_ms(HOUR + 2000);
    assert_asked(2, 0);
}

static void test_each_store_is_a_call(void **state)
{
    (void)state;
    start(true);
    world_external_secret("es", SPEC_OF("", ENTRY("p", "a") "," ELSEWHERE("q", "b") "," ENTRY(
                                                "r", "b") "," ELSEWHERE("s", "a")));
    world_expect_value("es", "s", "1");
    world_expect("es", SYNCED);
    assert_asked(2, 0);
}

/* One key more than others read: that one alone. */
static void test_what_somebody_has_read_is_not_asked_for(void **state)
{
    (void)state;
    start(true);
    world_external_secret("first", SPEC_OF("", ENTRY("p", "a") "," ENTRY("q", "b")));
    world_external_secret("other", SPEC_OF("", ENTRY("p", "a") "," ENTRY("q", "b") "," ENTRY("r", "c")));
    world_expect("first", SYNCED);
    world_expect("other", SYNCED);
    world_settle();
    world_skip_ms(1000);
    world_forget_calls();
    world_skip_ms(HOUR);
    /* Whoever comes first reads his own, the other one what is missing. */
    world_settle();
    assert_true(is(&vault_batches) + is(&vault_reads) <= 2);
    assert_true(is(&vault_batches) >= 1);
}

static const char missing[] =
    SPEC_OF("'refreshInterval':'1h',", ENTRY("p", "a") "," ENTRY("q", "none") "," ENTRY("r", "nil"));

#define MISSING FETCH_FAILED "error processing spec.data[1] (key: none), err: Secret does not exist"

static void test_a_missing_key_is_told_as_ever(void **state)
{
    (void)state;
    start(true);
    world_external_secret("es", missing);
    world_expect("es", MISSING);
    assert_no_secret("es");
    assert_true(is(&vault_batches) >= 1);
    assert_int_equal(is(&vault_reads), 0);
    world_expect_event("Warning", "UpdateFailed",
                       "error processing spec.data[1] (key: none), err: Secret does not exist");
}

static void test_the_same_without_batches(void **state)
{
    (void)state;
    start(false);
    world_external_secret("es", missing);
    world_expect("es", MISSING);
    assert_int_equal(is(&vault_batches), 0);
    world_expect_event("Warning", "UpdateFailed",
                       "error processing spec.data[1] (key: none), err: Secret does not exist");
}

static void test_missing_keys_are_left_out_where_they_may(void **state)
{
    (void)state;
    start(true);
    world_external_secret("es", SPEC_OF("'target':{'deletionPolicy':'Merge','creationPolicy':'Owner'},",
                                        ENTRY("p", "a") "," ENTRY("q", "none") "," ENTRY("r", "b")));
    world_expect_value("es", "p", "1");
    world_expect("es", SYNCED);
    assert_string_equal(world_value("es", "q"), "(none)");
    assert_string_equal(world_value("es", "r"), "{'x':'2'}");
    world_expect_event("Normal", "MissingProviderSecret",
                       "secret does not exist at provider using spec.dataFrom[1] (key=none)");
    assert_asked(1, 0);
}

static void test_a_backend_that_is_throttled_is_asked_once_a_pass(void **state)
{
    (void)state;
    start(true);
    __atomic_store_n(&vault_reason, "too many requests", __ATOMIC_SEQ_CST);
    __atomic_store_n(&vault_status, ESP_E_RETRY, __ATOMIC_SEQ_CST);
    world_external_secret("es", SPEC_OF("", ENTRY("p", "a") "," ENTRY("q", "b")));
    world_expect("es", FETCH_FAILED "error processing spec.data[0] (key: a), err: too many requests");
    __atomic_store_n(&vault_status, ESP_OK, __ATOMIC_SEQ_CST);
    world_expect_value("es", "q", "{'x':'2'}");
    assert_int_equal(is(&vault_reads), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_WORLD(test_one_call_for_all_keys),
        IN_WORLD(test_each_store_is_a_call),
        IN_WORLD(test_what_somebody_has_read_is_not_asked_for),
        IN_WORLD(test_a_missing_key_is_told_as_ever),
        IN_WORLD(test_the_same_without_batches),
        IN_WORLD(test_missing_keys_are_left_out_where_they_may),
        IN_WORLD(test_a_backend_that_is_throttled_is_asked_once_a_pass),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
