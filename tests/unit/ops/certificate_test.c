/* Certificates from files, and made on the spot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/ops/certificate.h"

static char dir[64], chain_file[96], key_file[96];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/esod-certificate-XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(chain_file, sizeof chain_file, "%s/tls.crt", dir);
    snprintf(key_file, sizeof key_file, "%s/tls.key", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(chain_file);
    unlink(key_file);
    return rmdir(dir);
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static struct es_certificate make(void)
{
    struct es_certificate c = {0};
    struct es_error err = ES_ERROR_INIT;

    if (es_certificate_make(&c, &err) < 0)
        fail_msg("%s", err.text);
    return c;
}

/* Loading fails with this, said of one of the files. */
static void assert_refused(const char *file, const char *why)
{
    struct es_certificate c = {0};
    struct es_error err = ES_ERROR_INIT;
    char want[512];

    snprintf(want, sizeof want, "%s: %s", file, why);
    assert_int_equal(es_certificate_load(&c, chain_file, key_file, &err), ES_E_CONFIG);
    assert_string_equal(err.text, want);
    assert_null(c.chain.ptr);
    assert_null(c.key.ptr);
}

static void test_what_is_made_can_be_loaded(void **state)
{
    struct es_certificate made = make(), loaded = {0}, other = make();
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_string_not_equal(es_buf_str(&made.key), es_buf_str(&other.key));
    put(chain_file, es_buf_str(&made.chain));
    put(key_file, es_buf_str(&made.key));
    assert_int_equal(es_certificate_load(&loaded, chain_file, key_file, &err), 0);
    assert_string_equal(es_buf_str(&loaded.chain), es_buf_str(&made.chain));
    assert_string_equal(es_buf_str(&loaded.key), es_buf_str(&made.key));
    es_certificate_fini(&made);
    es_certificate_fini(&loaded);
    es_certificate_fini(&other);
}

static void test_what_is_wrong_is_named(void **state)
{
    struct es_certificate one = make(), other = make();
    char mismatch[256];
    (void)state;

    assert_refused(chain_file, "No such file or directory");
    put(chain_file, es_buf_str(&one.chain));
    assert_refused(key_file, "No such file or directory");
    put(key_file, "");
    assert_refused(key_file, "not a private key in PEM without a passphrase");
    put(key_file, es_buf_str(&other.key));
    snprintf(mismatch, sizeof mismatch, "not the key of the certificate in %s", chain_file);
    assert_refused(key_file, mismatch);
    put(chain_file, es_buf_str(&one.key));
    assert_refused(chain_file, "not a certificate in PEM");
    es_certificate_fini(&one);
    es_certificate_fini(&other);
}

/* Nobody is asked on the terminal. */
static void test_a_key_with_a_passphrase_is_refused(void **state)
{
    static const char locked[] = "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
                                 "MIIBvTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIAAAAAAAAAAACAggA\n"
                                 "-----END ENCRYPTED PRIVATE KEY-----\n";
    struct es_certificate one = make();
    (void)state;

    put(chain_file, es_buf_str(&one.chain));
    put(key_file, locked);
    assert_refused(key_file, "not a private key in PEM without a passphrase");
    es_certificate_fini(&one);
}

#define IN_A_FOLDER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_FOLDER(test_what_is_made_can_be_loaded),
        IN_A_FOLDER(test_what_is_wrong_is_named),
        IN_A_FOLDER(test_a_key_with_a_passphrase_is_refused),
    };
    es_mem_init();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
