/* esod's own credentials of AWS: where they are looked for, and in which order. */
#include "aws_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- esod's own ---- */

static void test_own_credentials_have_to_be_granted(void **state)
{
    (void)state;
    expect_failure(
        &(struct story){.document = OPEN(""),
                        AMBIENT({ESP_AMBIENT_ENV, NULL, "AWS_REGION", NULL, NULL, ESP_E_DENIED})},
        ESP_E_DENIED,
        "the store has no auth, and the aws plugin may not use the credentials of esod: grant it env:AWS_* "
        "under ambient: in the configuration, or give the store an auth");
}

static void test_variables_come_first(void **state)
{
    (void)state;
    expect_ok(&(struct story){.document = OPEN(""),
                              AMBIENT(ENV("AWS_ACCESS_KEY_ID", "AKIAENV"), ENV("AWS_SECRET_ACCESS_KEY", "e"),
                                      ENV("AWS_SESSION_TOKEN", "envtok"), ENV("AWS_ROLE_ARN", "arn"),
                                      ENV("AWS_WEB_IDENTITY_TOKEN_FILE", "/token")),
                              SCRIPT({.url = SM,
                                      .headers = "X-Amz-Security-Token: envtok",
                                      .status = 200,
                                      .answer = "{\"ok\":true}"})});
}

static void test_then_a_token_file(void **state)
{
    (void)state;
    expect_ok(&(struct story){
        .document = OPEN(""),
        AMBIENT(ENV("AWS_ROLE_ARN", "arn"), ENV("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"),
                ENV("AWS_ROLE_SESSION_NAME", "pod"), FILE_OF("$AWS_WEB_IDENTITY_TOKEN_FILE", "p.o.d\n"),
                ENV("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/x")),
        SCRIPT(
            {.url = STS,
             .body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn&RoleSessionName=pod"
                     "&WebIdentityToken=p.o.d",
             .status = 200,
             .answer = CREDENTIALS("AssumeRoleWithWebIdentity", "ASIAPOD", "2026-03-01T05:05:06Z")},
            {.headers = "X-Amz-Security-Token: tok+/=ASIAPOD", .status = 200, .answer = "{\"ok\":true}"})});
    expect_failure(
        &(struct story){.document = OPEN(""),
                        AMBIENT(ENV("AWS_ROLE_ARN", "arn"), ENV("AWS_WEB_IDENTITY_TOKEN_FILE", "/token"))},
        ESP_E_CONFIG, "there is no file at the path that AWS_WEB_IDENTITY_TOKEN_FILE holds");
}

static const char profiles[] =
    "[default]\naws_access_key_id=AKIAFILE\naws_secret_access_key=f\n"
    "[via]\nrole_arn=arn:r\nsource_profile=default\nexternal_id=x\n"
    "[self]\nrole_arn=arn:s\nsource_profile=self\naws_access_key_id=AKIASELF\n"
    "aws_secret_access_key=f\n"
    "[a]\nrole_arn=arn:a\nsource_profile=b\n[b]\nrole_arn=arn:b\nsource_profile=a\n"
    "[alone]\nrole_arn=arn:a\n[empty]\nregion=x\n[sso]\nrole_arn=arn:a\nsource_profile=empty\n"
    "[odd]\nrole_arn=arn:a\ncredential_source=Sso\n"
    "[env]\nrole_arn=arn:e\ncredential_source=Environment\n";

#define PROFILE(name)                                                                                        \
    AMBIENT(ENV("AWS_PROFILE", name), ENV("AWS_SHARED_CREDENTIALS_FILE", "/c"),                              \
            FILE_OF("$AWS_SHARED_CREDENTIALS_FILE", profiles), ENV("AWS_EC2_METADATA_DISABLED", "true"))
#define ASSUME(arn, more)                                                                                    \
    "Action=AssumeRole&Version=2011-06-15&RoleArn=" arn "&RoleSessionName=external-secrets-provider-aws"     \
    "&DurationSeconds=900" more

static void test_then_a_profile(void **state)
{
    (void)state;
    expect_ok(&(struct story){
        .document = OPEN(""),
        AMBIENT(ENV("AWS_SHARED_CREDENTIALS_FILE", "/c"), FILE_OF("$AWS_SHARED_CREDENTIALS_FILE", profiles)),
        SCRIPT({.url = SM, .headers = "!X-Amz-Security-Token", .status = 200, .answer = "{\"ok\":true}"})});
    expect_ok(&(struct story){
        .document = OPEN(""),
        PROFILE("via"),
        SCRIPT(
            {.url = STS,
             .body = ASSUME("arn%3Ar", "&ExternalId=x"),
             .status = 200,
             .answer = ASSUMED("ASIAVIA")},
            {.headers = "X-Amz-Security-Token: tok+/=ASIAVIA", .status = 200, .answer = "{\"ok\":true}"})});
    expect_ok(&(struct story){
        .document = OPEN(""),
        PROFILE("self"),
        SCRIPT({.url = STS, .body = ASSUME("arn%3As", ""), .status = 200, .answer = ASSUMED("ASIASELF")},
               DONE)});
}

static void profile_fails(const char *name, esp_status status, const char *why)
{
    expect_failure(&(struct story){.document = OPEN(""), PROFILE(name)}, status, why);
}

static void test_profiles_that_do_not_work(void **state)
{
    (void)state;
    profile_fails("none", ESP_E_CONFIG,
                  "there is no AWS profile \"none\" in the files that AWS_SHARED_CREDENTIALS_FILE and "
                  "AWS_CONFIG_FILE name");
    profile_fails("a", ESP_E_CONFIG, "the AWS profile \"b\": more than 5 profiles in a row, or a circle");
    profile_fails("alone", ESP_E_CONFIG,
                  "the AWS profile \"alone\" has a role_arn, but no source_profile and no credential_source");
    profile_fails("sso", ESP_E_CONFIG,
                  "the AWS profile \"empty\" has neither keys nor a role that esod can use");
    profile_fails(
        "odd", ESP_E_CONFIG,
        "the AWS profile \"odd\": its credential_source \"Sso\" has no credentials; it may be Environment, "
        "EcsContainer or Ec2InstanceMetadata");
    profile_fails(
        "empty", ESP_E_DENIED,
        "the store has no auth, and esod itself has no credentials of AWS: none in its environment, no token "
        "file, no profile, no container endpoint, no instance role");
}

static const char document[] =
    "{\"Code\":\"Success\",\"AccessKeyId\":\"ASIAMETA\",\"SecretAccessKey\":\"m\",\"Token\":\"metatok\","
    "\"Expiration\":\"2026-03-01T10:00:00Z\"}";

static void test_then_a_containers_endpoint(void **state)
{
    (void)state;
    static const struct exchange meta = {
        .headers = "X-Amz-Security-Token: metatok", .status = 200, .answer = "{\"ok\":true}"};
    expect_ok(&(struct story){
        .document = OPEN(""),
        AMBIENT(ENV("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://169.254.170.23/v1/credentials"),
                ENV("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "/t"),
                ENV("AWS_CONTAINER_AUTHORIZATION_TOKEN", "not this"),
                FILE_OF("$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "eks.tok\n")),
        SCRIPT({.method = "GET",
                .url = "http://169.254.170.23/v1/credentials",
                .headers = "Authorization: eks.tok",
                .status = 200,
                .answer = document},
               meta)});
    expect_ok(&(struct story){.document = OPEN(""),
                              AMBIENT(ENV("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/credentials/x")),
                              SCRIPT({.url = "http://169.254.170.2/v2/credentials/x",
                                      .headers = "!Authorization",
                                      .status = 200,
                                      .answer = document},
                                     meta)});
}

static void container_fails(const char *url, esp_status status, const char *why)
{
    expect_failure(
        &(struct story){.document = OPEN(""), AMBIENT(ENV("AWS_CONTAINER_CREDENTIALS_FULL_URI", url))},
        status, why);
}

static void test_a_containers_token_stays_near(void **state)
{
    (void)state;
    static const char why[] =
        "AWS_CONTAINER_CREDENTIALS_FULL_URI is neither an https URL nor one of this machine";
    container_fails("http://example.com/", ESP_E_CONFIG, why);
    container_fails("http://127.0.0.1.example.com/", ESP_E_CONFIG, why);
    container_fails("http://169.254.170.2@example.com/", ESP_E_CONFIG, why);
    container_fails("http://[fd00:ec2::24]/", ESP_E_CONFIG, why);
    container_fails("file:///x", ESP_E_CONFIG, why);
    static const char *const near[] = {"http://localhost:1/x", "http://[fd00:ec2::23]/v1", "http://[::1]:80",
                                       "https://example.com/x"};
    for (size_t i = 0; i < 4; i++)
        expect_ok(&(struct story){.document = OPEN(""),
                                  AMBIENT(ENV("AWS_CONTAINER_CREDENTIALS_FULL_URI", near[i])),
                                  SCRIPT({.url = near[i], .status = 200, .answer = document}, DONE)});
}

static void test_a_containers_endpoint_that_fails(void **state)
{
    (void)state;
    const struct story denied = {.document = OPEN(""),
                                 AMBIENT(ENV("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/")),
                                 SCRIPT({.status = 403, .answer = "{\"AccessKeyId\":\"x\"}"})};
    const struct story odd = {.document = OPEN(""),
                              AMBIENT(ENV("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1/")),
                              SCRIPT({.status = 200, .answer = "{\"AccessKeyId\":\"x\"}"})};
    expect_failure(&denied, ESP_E_DENIED,
                   "the container's credentials endpoint answers with status 403 instead of credentials");
    expect_failure(&odd, ESP_E_RETRY,
                   "the container's credentials endpoint answers with something that holds no credentials");
}

static void test_then_the_instances_role(void **state)
{
    (void)state;
    expect_ok(&(struct story){
        .document = OPEN(""),
        AMBIENT(ENV("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1338/")),
        SCRIPT({.method = "PUT",
                .url = "http://127.0.0.1:1338/latest/api/token",
                .headers = "X-aws-ec2-metadata-token-ttl-seconds: 300",
                .status = 200,
                .answer = "imds.tok"},
               {.method = "GET",
                .url = "http://127.0.0.1:1338/latest/meta-data/iam/security-credentials/",
                .headers = "X-aws-ec2-metadata-token: imds.tok",
                .status = 200,
                .answer = "the-role\n"},
               {.url = "http://127.0.0.1:1338/latest/meta-data/iam/security-credentials/the-role",
                .headers = "X-aws-ec2-metadata-token: imds.tok",
                .status = 200,
                .answer = document},
               {.url = SM,
                .headers = "X-Amz-Security-Token: metatok",
                .status = 200,
                .answer = "{\"ok\":true}"})});
}

static void test_nothing_at_the_end_of_the_chain(void **state)
{
    (void)state;
    static const char why[] =
        "the store has no auth, and esod itself has no credentials of AWS: none in its environment, no "
        "token file, no profile, no container endpoint, no instance role";
    expect_failure(
        &(struct story){.document = OPEN(""),
                        SCRIPT({.url = "http://169.254.169.254/latest/api/token", .fails = ESP_E_RETRY})},
        ESP_E_DENIED, why);
    expect_failure(
        &(struct story){
            .document = OPEN(""),
            AMBIENT(ENV("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE", "IPv6")),
            SCRIPT({.url = "http://[fd00:ec2::254]/latest/api/token", .status = 200, .answer = "t"},
                   {.status = 404})},
        ESP_E_DENIED, why);
    expect_failure(&(struct story){.document = OPEN(""), AMBIENT(ENV("AWS_EC2_METADATA_DISABLED", "true"))},
                   ESP_E_DENIED, why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_credentials_have_to_be_granted),
        cmocka_unit_test(test_variables_come_first),
        cmocka_unit_test(test_then_a_token_file),
        cmocka_unit_test(test_then_a_profile),
        cmocka_unit_test(test_profiles_that_do_not_work),
        cmocka_unit_test(test_then_a_containers_endpoint),
        cmocka_unit_test(test_a_containers_token_stays_near),
        cmocka_unit_test(test_a_containers_endpoint_that_fails),
        cmocka_unit_test(test_then_the_instances_role),
        cmocka_unit_test(test_nothing_at_the_end_of_the_chain),
    };
    return cmocka_run_group_tests(tests, story_enter, NULL);
}
