/* Certificates in every wrapping that people send them in. */
#include "secret_test.h"

#include "core/base/buf.h"
#include "core/base/codec.h"
#include "core/secret/ca_bundle.h"
#include "tests/unit/certificate.h"

#define NOT_PEM "failed to parse the new certificate, not valid pem data"

static struct es_error err;

static int open_text(struct es_blob *bundle, const char *text, size_t len)
{
    err = (struct es_error)ES_ERROR_INIT;
    assert_int_equal(es_blob_set(bundle, text, len), 0);
    return es_ca_bundle_open(bundle, &err);
}

static void assert_opens(const char *text, const char *want)
{
    struct es_blob bundle = {0};
    if (open_text(&bundle, text, strlen(text)) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(bundle.len, strlen(want));
    assert_memory_equal(bundle.ptr, want, bundle.len);
    es_blob_fini(&bundle);
}

static void assert_refused(const char *text, size_t len, const char *why)
{
    struct es_blob bundle = {0};
    assert_int_equal(open_text(&bundle, text, len), ES_E_CONFIG);
    assert_string_equal(err.text, why);
    es_blob_fini(&bundle);
}

static struct es_buf wrapped(const char *text, int times)
{
    struct es_buf inner, outer;

    es_buf_init(&inner, 1 << 20);
    es_buf_adds(&inner, text);
    for (; times > 0; times--) {
        es_buf_init(&outer, 1 << 20);
        es_base64_encode(&outer, inner.ptr, inner.len);
        es_buf_fini(&inner);
        inner = outer;
    }
    return inner;
}

static void test_wrappings(void **state)
{
    (void)state;
    for (int times = 0; times < 3; times++) {
        struct es_buf text = wrapped(CERTIFICATE, times);
        assert_opens(es_buf_str(&text), CERTIFICATE);
        es_buf_fini(&text);
    }
    struct es_buf often = wrapped(CERTIFICATE, 3);
    assert_refused(es_buf_str(&often), often.len, NOT_PEM);
    es_buf_fini(&often);
}

static void test_several_certificates_stay_as_they_are(void **state)
{
    static const char both[] = "# our root\n" CERTIFICATE "\n" CERTIFICATE;
    (void)state;
    assert_opens(both, both);
}

static void test_what_is_no_certificate(void **state)
{
    static const char key[] = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n" CERTIFICATE;
    static const char empty_block[] = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    static const char hidden[] = CERTIFICATE "\0" CERTIFICATE;
    (void)state;

    assert_refused("", 0, NOT_PEM);
    assert_refused("trust me", 8, NOT_PEM);
    assert_refused("dHJ1c3QgbWU=", 12, NOT_PEM);
    assert_refused(CERTIFICATE, 200, NOT_PEM); /* cut off */
    assert_refused(hidden, sizeof hidden - 1, NOT_PEM);
    assert_refused(key, sizeof key - 1,
                   "failed to validate certificate: the first PEM block is no X.509 certificate");
    assert_refused(empty_block, sizeof empty_block - 1,
                   "failed to validate certificate: the first PEM block is no X.509 certificate");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wrappings),
        cmocka_unit_test(test_several_certificates_stay_as_they_are),
        cmocka_unit_test(test_what_is_no_certificate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
