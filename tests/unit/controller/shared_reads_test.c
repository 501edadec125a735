/* One read for many ExternalSecrets, on the real engine: when it serves, and
 * when a pass reads for itself. The window is 10 s. */
#include <stdio.h>
#include <unistd.h>

#include "externalsecret_test.h"

#define MANY 12
#define MANY_SPEC(more)                                                                                      \
    "{" more "'secretStoreRef':{'name':'store'},'data':[{'secretKey':'k','remoteRef':{'key':'db'}}]}"

static const char *name_of(int i)
{
    static char name[16];
    snprintf(name, sizeof name, "es%d", i);
    return name;
}

static void apply_many(const char *spec)
{
    for (int i = 0; i < MANY; i++)
        world_external_secret(name_of(i), spec);
}

static void expect_many(const char *value)
{
    for (int i = 0; i < MANY; i++)
        world_expect_value(name_of(i), "k", value);
    world_settle();
}

/* All are there and synced; nothing has been counted yet. */
static void start_many(const char *spec)
{
    vault_set("db", "old");
    world_store();
    world_expect_store("True|Valid|store validated");
    apply_many(spec);
    expect_many("old");
    world_skip_ms(1000); /* nobody was asked in the moment that follows */
    world_forget_calls();
}

static void test_a_store_that_becomes_ready_is_read_once(void **state)
{
    (void)state;
    vault_set("db", "old");
    vault_validation = ESP_E_DENIED;
    world_store();
    world_expect_store("False|InvalidProviderConfig|unable to validate store: validate of the probe provider "
                       "failed without a reason (denied)");
    apply_many(MANY_SPEC(""));
    world_settle();
    assert_int_equal(is(&vault_reads), 0);
    __atomic_store_n(&vault_validation, ESP_OK, __ATOMIC_SEQ_CST);
    __atomic_store_n(&vault_delay_ms, 20, __ATOMIC_SEQ_CST);
    world_patch(&es_kind_secret_store, "ns", "store", "{'metadata':{'annotations':{'a':'1'}}}");
    expect_many("old");
    /* Who backs off may come back in the very moment, and read for himself. */
    assert_in_range(is(&vault_reads), 1, 3);
}

static void test_an_interval_shares_a_read(void **state)
{
    (void)state;
    start_many(MANY_SPEC(""));
    vault_set("db", "new");
    world_skip_ms(HOUR);
    expect_many("new");
    assert_int_equal(is(&vault_reads), 1);
}

/* Due within the window of each other: the later ones take what the first has read. */
static void test_a_refresh_takes_a_read_from_before_it_was_due(void **state)
{
    (void)state;
    start_many(MANY_SPEC(""));
    world_external_secret("early", MANY_SPEC("'refreshInterval':'30m',"));
    world_expect_value("early", "k", "old");
    world_skip_ms(HOUR / 2 + 100); /* early is due, reads, and is due again at the end of the hour */
    world_settle();
    int before = is(&vault_reads);
    vault_set("db", "new");
    world_skip_ms(HOUR / 2 - 3000);
    world_skip_ms(4000);
    expect_many("new");
    assert_in_range(is(&vault_reads), before, before + 2);
}

static void test_an_edit_reads_for_itself(void **state)
{
    (void)state;
    start_many(MANY_SPEC(""));
    for (int n = 0; n < 8; n++) {
        char value[16], patch[100];
        snprintf(value, sizeof value, "value %d", n);
        snprintf(patch, sizeof patch, "{'metadata':{'annotations':{'force-sync':'%d'}}}", n);
        vault_set("db", value);
        usleep(2000); /* as long as any API server needs: the clock counts milliseconds */
        world_patch(ES, "ns", name_of(n % 3), patch);
        world_settle();
        assert_string_equal(world_value(name_of(n % 3), "k"), value);
        assert_int_equal(is(&vault_reads), n + 1);
    }
}

static void test_a_lost_secret_comes_back_with_what_there_is_now(void **state)
{
    (void)state;
    start_many(MANY_SPEC(""));
    vault_set("db", "new");
    world_delete(SECRET, "ns", "es3");
    world_expect_value("es3", "k", "new");
    assert_int_equal(is(&vault_reads), 1);
    assert_string_equal(world_value("es4", "k"), "old"); /* its hour has not come */
}

static void test_one_alone_keeps_nothing(void **state)
{
    (void)state;
    vault_set("db", "old");
    world_store();
    world_external_secret("es", MANY_SPEC(""));
    world_expect_value("es", "k", "old");
    assert_int_equal(es_reads_bytes(world_env.reads), 0);
}

static void test_what_is_kept_goes_with_the_window(void **state)
{
    (void)state;
    start_many(MANY_SPEC(""));
    assert_int_not_equal(es_reads_bytes(world_env.reads), 0);
    world_skip_ms(10000);
    world_tick();
    assert_int_equal(es_reads_bytes(world_env.reads), 0);
}

static void test_what_is_kept_goes_with_the_store(void **state)
{
    (void)state;
    start_many(MANY_SPEC(""));
    assert_int_not_equal(es_reads_bytes(world_env.reads), 0);
    world_delete(&es_kind_secret_store, "ns", "store");
    world_settle();
    assert_int_equal(es_reads_bytes(world_env.reads), 0);
}

static void test_several_properties_are_one_read(void **state)
{
    (void)state;
    vault_set("db", "{\"user\":\"anna\",\"password\":\"pw\"}");
    world_store();
    world_external_secret("es", "{'secretStoreRef':{'name':'store'},'dataFrom':[{'extract':{'key':'db'}}],"
                                "'data':[{'secretKey':'u','remoteRef':{'key':'db','property':'user'}},"
                                "{'secretKey':'p','remoteRef':{'key':'db','property':'password'}}]}");
    world_expect_value("es", "u", "anna");
    world_expect_value("es", "p", "pw");
    world_expect_value("es", "password", "pw");
    assert_int_equal(is(&vault_reads), 1);
    world_settle();
    assert_int_equal(es_reads_bytes(world_env.reads), 0); /* held for the pass, not longer */
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(test_a_store_that_becomes_ready_is_read_once),
        T(test_an_interval_shares_a_read),
        T(test_a_refresh_takes_a_read_from_before_it_was_due),
        T(test_an_edit_reads_for_itself),
        T(test_a_lost_secret_comes_back_with_what_there_is_now),
        T(test_one_alone_keeps_nothing),
        T(test_what_is_kept_goes_with_the_window),
        T(test_what_is_kept_goes_with_the_store),
        T(test_several_properties_are_one_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
