/* Roles and service accounts: whose credentials an AWS session ends up with. */
#include "aws_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- roles ---- */

static void test_roles_are_assumed_in_order(void **state)
{
    (void)state;
    expect_ok(&(struct story){
        .document =
            OPEN(SECRET_REF
                 ",\"additionalRoles\":[\"arn:aws:iam::1:role/one\",\"arn:aws:iam::2:role/two\"],"
                 "\"role\":\"arn:aws:iam::3:role/three\",\"externalID\":\"ex & id\","
                 "\"sessionTags\":[{\"key\":\"team\",\"value\":\"a b\"}],\"transitiveTagKeys\":[\"team\"]"),
        .objects = story_keys,
        SCRIPT({.method = "POST",
                .url = STS,
                .headers =
                    "Content-Type: application/x-www-form-urlencoded; charset=utf-8\n!X-Amz-Security-Token",
                .body = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fone"
                        "&RoleSessionName=external-secrets-provider-aws&DurationSeconds=900",
                .status = 200,
                .answer = ASSUMED("ASIAONE")},
               {.url = STS,
                .headers = "X-Amz-Security-Token: tok+/=ASIAONE",
                .body = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A2%3Arole%2Ftwo"
                        "&RoleSessionName=external-secrets-provider-aws&DurationSeconds=900",
                .status = 200,
                .answer = ASSUMED("ASIATWO")},
               {.url = STS,
                .headers = "X-Amz-Security-Token: tok+/=ASIATWO",
                .body =
                    "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A3%3Arole%2Fthree"
                    "&RoleSessionName=external-secrets-provider-aws&DurationSeconds=900&ExternalId=ex+%26+id"
                    "&Tags.member.1.Key=team&Tags.member.1.Value=a+b&TransitiveTagKeys.member.1=team",
                .status = 200,
                .answer = ASSUMED("ASIATHREE")},
               {.url = SM,
                .headers = "X-Amz-Security-Token: tok+/=ASIATHREE",
                .status = 200,
                .answer = "{\"ok\":true}"})});
}

static void tags_are(const char *spec, const char *want)
{
    char body[1000];
    snprintf(body, sizeof body,
             "Action=AssumeRole&Version=2011-06-15&RoleArn=arn&RoleSessionName=external-secrets-provider-aws"
             "&DurationSeconds=900%s",
             want);
    char document[2000];
    snprintf(document, sizeof document,
             "{\"spec\":{\"region\":\"eu-central-1\"" SECRET_REF ",\"role\":\"arn\",%s}," STORE "}", spec);
    expect_ok(&(struct story){.document = document,
                              .objects = story_keys,
                              SCRIPT({.body = body, .status = 200, .answer = ASSUMED("ASIA")}, DONE)});
}

static void test_policies_of_tags_replace_the_list(void **state)
{
    (void)state;
    static const char injected[] = "&Tags.member.1.Key=esoNamespace&Tags.member.1.Value=apps"
                                   "&Tags.member.2.Key=esoStoreName&Tags.member.2.Value=s"
                                   "&Tags.member.3.Key=esoStoreKind&Tags.member.3.Value=SecretStore";
    char custom[500];
    snprintf(custom, sizeof custom, "%s&Tags.member.4.Key=team&Tags.member.4.Value=blue", injected);
    tags_are(
        "\"sessionTags\":[{\"key\":\"esoNamespace\",\"value\":\"other\"}],\"sessionTagsPolicy\":\"Simple\","
        "\"customSessionTags\":{\"team\":\"blue\"}",
        injected);
    tags_are("\"sessionTags\":[{\"key\":\"x\",\"value\":\"y\"}],\"sessionTagsPolicy\":\"Custom\","
             "\"customSessionTags\":{\"team\":\"blue\"}",
             custom);
    tags_are("\"sessionTags\":[{\"key\":\"x\",\"value\":\"y\"}],\"sessionTagsPolicy\":\"None\"",
             "&Tags.member.1.Key=x&Tags.member.1.Value=y");
    tags_are("\"transitiveTagKeys\":[\"x\"]", ""); /* of no tags: AWS would refuse it */
}

/* A ClusterSecretStore is looked at before anybody uses it: then there is no namespace to put into a tag. */
static void test_tags_of_nobodys_namespace(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *session = NULL;
    static const char *const documents[] = {
        "{\"spec\":{\"region\":\"eu-central-1\",\"role\":\"arn\",\"sessionTagsPolicy\":\"Simple\"},"
        "\"store\":{\"kind\":\"ClusterSecretStore\",\"namespace\":\"\",\"name\":\"s\"},\"namespace\":\"\"}",
        "{\"spec\":{\"region\":\"eu-central-1\",\"role\":\"arn\",\"sessionTagsPolicy\":\"None\"},"
        "\"store\":{\"kind\":\"ClusterSecretStore\",\"namespace\":\"\",\"name\":\"s\"},\"namespace\":\"\"}"};
    story_world = (struct world){.now_ms = NOW};
    call.world = &story_world;
    assert_int_equal(test_run(&call, story_open, &session, documents[0], NULL, 0), ESP_E_UNDECIDED);
    assert_null(session);
    assert_int_equal(test_run(&call, story_open, &session, documents[1], NULL, 0), ESP_OK);
    aws_session_close(session);
    test_reset(&call);
}

static void test_a_role_that_is_refused(void **state)
{
    (void)state;
    expect_failure(
        &(struct story){
            .document = OPEN(SECRET_REF ",\"role\":\"arn:aws:iam::1:role/r\""),
            .objects = story_keys,
            SCRIPT({.status = 403,
                    .answer =
                        "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>User: "
                        "arn:aws:iam::1:user/u is not authorized to perform: sts:AssumeRole on resource: "
                        "arn:aws:iam::1:role/r</Message></Error><RequestId>r</RequestId></ErrorResponse>"})},
        ESP_E_DENIED,
        "AssumeRole of arn:aws:iam::1:role/r: AWS answers AccessDenied (status 403): arn:aws:iam::1:user/u "
        "may not "
        "sts:AssumeRole");
    expect_failure(
        &(struct story){.document = OPEN(SECRET_REF ",\"role\":\"arn:aws:iam::1:role/r\""),
                        .objects = story_keys,
                        SCRIPT({.status = 200, .answer = "<html>welcome</html>"})},
        ESP_E_RETRY,
        "AssumeRole of arn:aws:iam::1:role/r: the answer of STS holds no credentials; is the endpoint one of "
        "AWS's?");
}

/* ---- service accounts ---- */

#define ACCOUNT(annotations)                                                                                 \
    (const struct object[])                                                                                  \
    {                                                                                                        \
        {ESP_KUBE_SERVICE_ACCOUNT,                                                                           \
         "apps",                                                                                             \
         "app",                                                                                              \
         "",                                                                                                 \
         "{\"metadata\":{\"name\":\"app\",\"annotations\":{" annotations "}}}",                              \
         ESP_OK},                                                                                            \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }

static void test_a_service_account_is_a_role(void **state)
{
    (void)state;
    static const struct sa_token tokens[] = {
        {"apps", "app", "sts.amazonaws.com", 0, "j.w.t"}, {"apps", "app", "mine,more", 0, "o.t.h"}, {0}};
    expect_ok(&(struct story){
        .document = OPEN(JWT()),
        .objects = ACCOUNT("\"eks.amazonaws.com/role-arn\":\"arn:aws:iam::1:role/irsa\""),
        .tokens = tokens,
        SCRIPT({.url = STS,
                .headers = "!Authorization\n!X-Amz-Date",
                .body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A1%"
                        "3Arole%2Firsa"
                        "&RoleSessionName=external-secrets-provider-aws&WebIdentityToken=j.w.t",
                .status = 200,
                .answer = CREDENTIALS("AssumeRoleWithWebIdentity", "ASIAIRSA", "2026-03-01T05:05:06Z")},
               {.url = SM,
                .headers = "X-Amz-Security-Token: tok+/=ASIAIRSA",
                .status = 200,
                .answer = "{\"ok\":true}"})});
    expect_ok(&(struct story){
        .document = OPEN(JWT(",\"audiences\":[\"more\"]")),
        .objects = ACCOUNT("\"eks.amazonaws.com/role-arn\":\"arn\",\"eks.amazonaws.com/audience\":\"mine\""),
        .tokens = tokens,
        SCRIPT({.body = "Action=AssumeRoleWithWebIdentity&Version=2011-06-15&RoleArn=arn"
                        "&RoleSessionName=external-secrets-provider-aws&WebIdentityToken=o.t.h",
                .status = 200,
                .answer = CREDENTIALS("AssumeRoleWithWebIdentity", "ASIAIRSA", "2026-03-01T05:05:06Z")},
               DONE)});
}

static void test_a_service_account_without_a_role(void **state)
{
    (void)state;
    expect_failure(
        &(struct story){.document = OPEN(JWT()), .objects = ACCOUNT("\"other\":\"x\"")}, ESP_E_CONFIG,
        "an IAM role must be associated with service account app (namespace: apps): annotate it with "
        "eks.amazonaws.com/role-arn");
}

static void test_nobody_uses_a_cluster_store_yet(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *session = NULL;
    story_world = (struct world){.namespace = NULL, .objects = story_keys, .now_ms = NOW};
    call.world = &story_world;
    static const char *const documents[] = {OPEN(SECRET_REF), OPEN(JWT())};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(test_run(&call, story_open, &session, documents[i], NULL, 0), ESP_E_UNDECIDED);
    assert_null(session);
    test_reset(&call);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_are_assumed_in_order),
        cmocka_unit_test(test_policies_of_tags_replace_the_list),
        cmocka_unit_test(test_tags_of_nobodys_namespace),
        cmocka_unit_test(test_a_role_that_is_refused),
        cmocka_unit_test(test_a_service_account_is_a_role),
        cmocka_unit_test(test_a_service_account_without_a_role),
        cmocka_unit_test(test_nobody_uses_a_cluster_store_yet),
    };
    return cmocka_run_group_tests(tests, story_enter, NULL);
}
