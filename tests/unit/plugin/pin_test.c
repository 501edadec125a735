/* A pinned file: what was checked is what is loaded, whatever happens to the file. */
#include "probe.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/plugin/pin.h"

#define ABC_SHA256 "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" /* of "abc" */
#define ABC_UPPER "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"

static char folder[64], file[96];

static void put(const char *path, const void *data, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
    close(fd);
}

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/esod-pin-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/plugin.so", folder);
    put(file, "abc", 3);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(file);
    rmdir(folder);
    return 0;
}

static int open_pinned(const char *sha256)
{
    struct es_error err = ES_ERROR_INIT;
    int fd = -1;

    if (es_pin_open(&fd, file, sha256, &err) < 0)
        fail_msg("%s", err.text);
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    return fd;
}

static void assert_holds(int fd, const char *text)
{
    char buf[64];
    ssize_t n = pread(fd, buf, sizeof buf, 0);

    assert_int_equal(n, (ssize_t)strlen(text));
    assert_memory_equal(buf, text, strlen(text));
}

static void test_digest(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    char hex[ES_SHA256_HEX_MAX];
    (void)state;

    assert_int_equal(es_pin_digest(hex, file, &err), 0);
    assert_string_equal(hex, ABC_SHA256);
    put(file, "", 0);
    assert_int_equal(es_pin_digest(hex, file, &err), 0);
    assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

static void test_a_match_in_either_case(void **state)
{
    (void)state;
    int fd = open_pinned(ABC_SHA256);
    assert_holds(fd, "abc");
    close(fd);
    fd = open_pinned(ABC_UPPER);
    assert_holds(fd, "abc");
    close(fd);
}

static void test_a_mismatch_names_both(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    int fd = -7;
    (void)state;

    put(file, "abd", 3);
    int rc = es_pin_open(&fd, file, ABC_SHA256, &err);
    assert_error(rc, &err, ES_E_CONFIG,
                 "its SHA-256 is a52d159f262b2c6ddb724a61840befc36eb30c88877a4030b65cbe86298449c9 and the "
                 "configuration pins " ABC_SHA256 "; if the file was meant to change, pin the new one");
    assert_int_equal(fd, -7);
}

static void test_what_cannot_be_pinned(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    char hex[ES_SHA256_HEX_MAX] = "";
    char fifo[96];
    int fd = -7;
    (void)state;

    int rc = es_pin_open(&fd, "/nowhere/plugin.so", ABC_SHA256, &err);
    assert_error(rc, &err, ES_E_CONFIG, "it cannot be read: No such file or directory");
    rc = es_pin_open(&fd, folder, ABC_SHA256, &err);
    assert_error(rc, &err, ES_E_CONFIG, "it is no regular file");
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    rc = es_pin_digest(hex, fifo, &err);
    unlink(fifo);
    assert_error(rc, &err, ES_E_CONFIG, "it is no regular file");
    /* A hole of one byte more than is taken; it costs no disk. */
    assert_int_equal(truncate(file, ((off_t)256 << 20) + 1), 0);
    rc = es_pin_digest(hex, file, &err);
    assert_error(rc, &err, ES_E_CONFIG, "it is larger than 256 MiB");
    assert_string_equal(hex, "");
    assert_int_equal(fd, -7);
}

static void test_the_copy_cannot_be_changed(void **state)
{
    (void)state;
    int fd = open_pinned(ABC_SHA256);

    assert_int_equal(pwrite(fd, "x", 1, 0), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(fd, 0), -1);
    assert_int_equal(ftruncate(fd, 100), -1);
    assert_ptr_equal(mmap(NULL, 3, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
    assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1); /* nor the seals */
    assert_holds(fd, "abc");
    close(fd);
}

static void test_what_happens_to_the_file_later_is_not_seen(void **state)
{
    char other[96];
    (void)state;

    /* Written in place. */
    int fd = open_pinned(ABC_SHA256);
    put(file, "evil", 4);
    assert_holds(fd, "abc");
    close(fd);

    /* Another file under the same name. */
    put(file, "abc", 3);
    fd = open_pinned(ABC_SHA256);
    snprintf(other, sizeof other, "%s/other.so", folder);
    put(other, "evil", 4);
    assert_int_equal(rename(other, file), 0);
    assert_holds(fd, "abc");
    close(fd);
}

/* ---- real modules ---- */

static void copy_module(const char *name)
{
    char from[512], buf[65536];
    ssize_t n;

    snprintf(from, sizeof from, "%s/%s.so", BAD_PLUGINS, name);
    int in = open(from, O_RDONLY | O_CLOEXEC),
        out = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
    assert_true(in >= 0 && out >= 0);
    while ((n = read(in, buf, sizeof buf)) > 0)
        assert_int_equal(write(out, buf, (size_t)n), n);
    close(in);
    close(out);
}

static void digest_of_module(char hex[ES_SHA256_HEX_MAX], const char *name)
{
    struct es_error err = ES_ERROR_INIT;
    char from[512];

    snprintf(from, sizeof from, "%s/%s.so", BAD_PLUGINS, name);
    if (es_pin_digest(hex, from, &err) < 0)
        fail_msg("%s", err.text);
}

static int load(struct es_registry *r, const char *sha256, struct es_error *err)
{
    const struct es_plugin_entry entry = {.name = file, .sha256 = sha256};

    return es_registry_load(r, NULL, &entry, err);
}

static struct es_registry *new_registry(void)
{
    struct es_registry *r = NULL;

    assert_int_equal(es_registry_new(&r, NULL, NULL), 0);
    return r;
}

static void test_pinned_plugins_load(void **state)
{
    const struct es_plugin *const *plugins;
    struct es_error err = ES_ERROR_INIT;
    char hex[ES_SHA256_HEX_MAX];
    struct es_registry *r = new_registry();
    (void)state;

    /* Two through one name: neither is mistaken for the other. */
    static const char *const names[] = {"plain", "never_returns"};
    for (size_t i = 0; i < 2; i++) {
        copy_module(names[i]);
        digest_of_module(hex, names[i]);
        if (load(r, hex, &err) < 0)
            fail_msg("%s", err.text);
        assert_int_equal(es_registry_plugins(r, &plugins), i + 1);
        assert_string_equal(plugins[i]->name, names[i]);
        assert_string_equal(plugins[i]->path, file);
    }
    es_registry_free(r);
}

static void test_a_file_that_was_swapped_does_not_load(void **state)
{
    const struct es_plugin *const *plugins;
    struct es_error err = ES_ERROR_INIT;
    char plain[ES_SHA256_HEX_MAX], other[ES_SHA256_HEX_MAX];
    struct es_registry *r = new_registry();
    (void)state;

    digest_of_module(plain, "plain");
    digest_of_module(other, "veto");
    copy_module("veto");
    char *want = es_strf("plugin %s: its SHA-256 is %s and the configuration pins %s; if the file was meant "
                         "to change, pin the new one",
                         file, other, plain);
    int rc = load(r, plain, &err);
    assert_error(rc, &err, ES_E_CONFIG, want);
    assert_int_equal(es_registry_plugins(r, &plugins), 0);
    es_mem_free(want);
    es_registry_free(r);
}

/* The moment between the check and the load, held open: the loader gets what was checked. */
static void test_a_swap_after_the_check_changes_nothing(void **state)
{
    char hex[ES_SHA256_HEX_MAX], copy[32];
    (void)state;

    copy_module("plain");
    digest_of_module(hex, "plain");
    int fd = open_pinned(hex);
    copy_module("future_major");
    snprintf(copy, sizeof copy, "/proc/self/fd/%d", fd);
    void *module = dlopen(copy, RTLD_NOW | RTLD_LOCAL);
    assert_non_null(module);
    assert_non_null(dlsym(module, "esp_plugin_entry_v1"));
    assert_null(dlsym(module, "esp_plugin_entry_v2"));
    dlclose(module);
    close(fd);
}

static int open_files(void)
{
    int count = 0;

    for (int fd = 0; fd < 256; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

/* A pinned file may be none that loads; the reason is the loader's, and nothing stays. */
static void test_a_pin_does_not_make_a_plugin(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    struct es_registry *r = new_registry();
    int before = open_files();
    (void)state;

    assert_int_equal(load(r, ABC_SHA256, &err), ES_E_CONFIG);
    assert_non_null(strstr(err.text, ": the loader refuses it: "));
    assert_null(strstr(err.text, "/proc/"));
    assert_int_equal(open_files(), before);
    es_registry_free(r);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_digest),
        TEST(test_a_match_in_either_case),
        TEST(test_a_mismatch_names_both),
        TEST(test_what_cannot_be_pinned),
        TEST(test_the_copy_cannot_be_changed),
        TEST(test_what_happens_to_the_file_later_is_not_seen),
        TEST(test_pinned_plugins_load),
        TEST(test_a_file_that_was_swapped_does_not_load),
        TEST(test_a_swap_after_the_check_changes_nothing),
        TEST(test_a_pin_does_not_make_a_plugin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
