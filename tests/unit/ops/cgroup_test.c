/* A container's memory, as either version of control groups tells it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "core/ops/cgroup.h"

static char mount[64], membership[96];

/* Writes `text` to `path` below the mount, and makes its folders. */
static void put(const char *path, const char *text)
{
    char full[256];

    snprintf(full, sizeof full, "%s/%s", mount, path);
    for (char *at = strchr(full + strlen(mount) + 1, '/'); at; at = strchr(at + 1, '/')) {
        *at = '\0';
        mkdir(full, 0700);
        *at = '/';
    }
    FILE *f = fopen(full, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static int set_up(void **state)
{
    (void)state;
    snprintf(mount, sizeof mount, "/tmp/esod-cgroup-XXXXXX");
    if (!mkdtemp(mount))
        return -1;
    snprintf(membership, sizeof membership, "%s/membership", mount);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st;
    (void)type;
    (void)at;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(mount, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void expect(double limit, double working_set)
{
    struct es_cgroup_memory memory = {0};

    assert_true(es_cgroup_memory(membership, mount, &memory));
    assert_true(memory.limit_bytes == limit);
    assert_true(memory.working_set_bytes == working_set);
}

static void expect_nothing(void)
{
    struct es_cgroup_memory memory;

    assert_false(es_cgroup_memory(membership, mount, &memory));
}

static void test_version_2(void **state)
{
    (void)state;
    put("membership", "0::/\n");
    expect_nothing();
    put("memory.max", "max\n");
    put("memory.current", "41943040\n");
    expect_nothing();
    put("memory.max", "67108864\n");
    expect(67108864, 41943040);
    put("memory.stat", "anon 20971520\nfile 20971520\ninactive_file 10485760\nactive_file 10485760\n");
    expect(67108864, 31457280);
}

static void test_a_unit_of_systemd_has_a_folder_of_its_own(void **state)
{
    (void)state;
    put("membership", "0::/system.slice/esod.service\n");
    put("memory.max", "max\n");
    put("system.slice/esod.service/memory.max", "67108864\n");
    put("system.slice/esod.service/memory.current", "1048576\n");
    expect(67108864, 1048576);
}

static void test_version_1_in_a_container_that_shows_its_own_group_only(void **state)
{
    (void)state;
    put("membership", "9:name=systemd:/\n4:cpuset,memory:/kubepods/pod1/esod\n0::/\n");
    put("memory/memory.limit_in_bytes", "67108864\n");
    put("memory/memory.usage_in_bytes", "41943040\n");
    put("memory/memory.stat", "inactive_file 4096\ntotal_inactive_file 10485760\n");
    expect(67108864, 31457280);
}

static void test_version_1_without_a_limit(void **state)
{
    (void)state;
    put("membership", "4:memory:/\n");
    put("memory/memory.limit_in_bytes", "9223372036854771712\n");
    put("memory/memory.usage_in_bytes", "41943040\n");
    expect_nothing();
}

static void test_odd_numbers(void **state)
{
    (void)state;
    put("membership", "\nnonsense\n0::/\n");
    put("memory.max", "\n");
    put("memory.current", "10\n");
    expect_nothing();
    put("memory.max", "100\n");
    put("memory.stat", "inactive_file 11\n"); /* read a moment later */
    expect(100, 0);
}

static void test_no_control_groups(void **state)
{
    (void)state;
    expect_nothing();
}

#define WITH(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_version_2),
        WITH(test_a_unit_of_systemd_has_a_folder_of_its_own),
        WITH(test_version_1_in_a_container_that_shows_its_own_group_only),
        WITH(test_version_1_without_a_limit),
        WITH(test_odd_numbers),
        WITH(test_no_control_groups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
