/* Where the services are: as botocore says, or where the environment says. */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "endpoint.h"
#include "session.h"

static const char *const known[] = {
#define REGIONS
#include "aws_endpoints.inc"
#undef REGIONS
};

static const struct {
    const char *service, *region;
    bool fips, dual_stack;
    const char *url;
} endpoints[] = {
#define ENDPOINTS
#include "aws_endpoints.inc"
#undef ENDPOINTS
};

static const struct esp_plugin nothing = {.size = sizeof nothing};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *services)
{
    aws_host = services;
    return &nothing;
}

static void test_knows_all_regions(void **state)
{
    (void)state;
    assert_true(sizeof known / sizeof *known > 40);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (!aws_region_known(esp_str(known[i])))
            fail_msg("%s is not known", known[i]);
    assert_true(aws_region_known(esp_str("ap-southeast-12"))); /* one that may open one day */
}

static void test_knows_no_others(void **state)
{
    (void)state;
    static const char *const others[] = {"",
                                         "-",
                                         "--1",
                                         "eu",
                                         "eu-central",
                                         "eu-central-",
                                         "eu-Central-1",
                                         "xx-central-1",

                                         "eu-central-1a",
                                         "eu central 1",
                                         "-central-1",
                                         "eu--1",
                                         "aws-global",
                                         "us-isox-east-1",
                                         "eu-central-1/../x",
                                         "a-1",
                                         " -x-1"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (aws_region_known(esp_str(others[i])))
            fail_msg("%s is known", others[i]);
}

static void test_finds_what_botocore_finds(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        struct esp_text url;
        esp_text_init(&url, 300);
        aws_endpoint_usual(aws_service(endpoints[i].service), esp_str(endpoints[i].region), endpoints[i].fips,
                           endpoints[i].dual_stack, &url);
        assert_string_equal(esp_text_str(&url), endpoints[i].url);
        esp_text_free(&url);
    }
    assert_null(aws_service("s3"));
}

static esp_status find(struct esp_call *call, const struct object *ambient, const char *service,
                       const char *want)
{
    struct world world = {.ambient = ambient};
    struct esp_text url;
    call->world = &world;
    test_reset(call);
    esp_text_init(&url, 300);
    esp_status status = aws_endpoint(call, aws_service(service), esp_str("eu-central-1"), &url);
    if (want)
        assert_string_equal(esp_text_str(&url), want);
    esp_text_free(&url);
    return status;
}

#define ENV(name, value)                                                                                     \
    {                                                                                                        \
        ESP_AMBIENT_ENV, NULL, name, NULL, value, ESP_OK                                                     \
    }

static void test_the_environment_has_other_ones(void **state)
{
    (void)state;
    struct esp_call call = {0};
    static const struct object all[] = {ENV("AWS_SSM_ENDPOINT", "http://127.0.0.1:4566"),
                                        ENV("AWS_ENDPOINT_URL_SSM", "http://second/"),
                                        ENV("AWS_ENDPOINT_URL_SECRETS_MANAGER", "https://sm.example/below"),
                                        ENV("AWS_ENDPOINT_URL", "https://all.example"),
                                        ENV("AWS_USE_FIPS_ENDPOINT", "true"),
                                        {0}};
    static const struct object kinds[] = {ENV("AWS_USE_FIPS_ENDPOINT", "TRUE"),
                                          ENV("AWS_USE_DUALSTACK_ENDPOINT", "true"),
                                          ENV("AWS_ENDPOINT_URL", ""),
                                          {0}};
    static const struct object wrong[] = {ENV("AWS_STS_ENDPOINT", "sts.example.com"), {0}};
    assert_int_equal(find(&call, all, "ssm", "http://127.0.0.1:4566/"), ESP_OK);
    assert_int_equal(find(&call, all, "secretsmanager", "https://sm.example/below/"), ESP_OK);
    assert_int_equal(find(&call, all, "acm", "https://all.example/"), ESP_OK);
    assert_int_equal(find(&call, kinds, "acm", "https://acm-fips.eu-central-1.api.aws/"), ESP_OK);
    assert_int_equal(find(&call, NULL, "acm", "https://acm.eu-central-1.amazonaws.com/"), ESP_OK);
    assert_int_equal(find(&call, wrong, "sts", NULL), ESP_E_CONFIG);
    assert_string_equal(call.why,
                        "the environment variable AWS_STS_ENDPOINT of esod holds no http or https URL");
    test_reset(&call);
}

static int enter(void **state)
{
    (void)state;
    (void)test_enter(esp_plugin_entry_v1);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_knows_all_regions),
        cmocka_unit_test(test_knows_no_others),
        cmocka_unit_test(test_finds_what_botocore_finds),
        cmocka_unit_test(test_the_environment_has_other_ones),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
