/* A session of the AWS plugin while each of its allocations fails in turn. */
#include "aws_story.h"
#include "nomem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static size_t fail_at;

/* One whole story: open, log in through a role, ask. In which of the two operations an allocation fails is
 * `tortured`; whether one did is the result. */
static bool tell_once(struct esp_call *call, const struct story *s, esp_op tortured)
{
    void *session = NULL;
    story_world = (struct world){.script = s->script,
                                 .script_count = s->script_count,
                                 .namespace = "apps",
                                 .objects = s->objects,
                                 .ambient = s->ambient,
                                 .tokens = s->tokens,
                                 .now_ms = NOW};
    call->world = &story_world;
    size_t open_at = tortured == story_open ? fail_at : NOMEM_NEVER;
    size_t get_at = tortured == story_get ? fail_at : NOMEM_NEVER;
    esp_status status = nomem_run(call, story_open, &session, s->document, NULL, 0, open_at);
    bool failed = nomem_failed();
    bool failed_open = status != ESP_OK;
    assert_true(session == NULL || !failed_open);
    if (!failed_open) {
        status = nomem_run(call, story_get, session, "{}", NULL, 0, get_at);
        failed = failed || nomem_failed();
    }
    aws_session_close(session);
    if (!failed)
        assert_int_equal(status, ESP_OK);
    if (status == ESP_OK) {
        /* Some memory is for nothing that is needed. But then all of it is there, and was signed by the right
         * one. */
        test_script_done(&story_world);
        assert_string_equal(test_value(call, "")->value, "{\"ok\":true}");
        return failed;
    }
    if (status != ESP_E_INTERNAL && status != ESP_E_RETRY)
        fail_msg("%d without allocation %zu: %s", status, fail_at, call->why);
    assert_true(strlen(call->why) > 0 || status == ESP_E_INTERNAL);
    assert_int_equal(call->count, 0);
    return failed;
}

static void torture(const struct story *s)
{
    struct esp_call call = {0};
    static const esp_op both[] = {story_open, story_get};
    for (size_t i = 0; i < 2; i++) {
        fail_at = 0;
        while (tell_once(&call, s, both[i]) && fail_at < 2000)
            fail_at++;
        assert_true(fail_at > 5 && fail_at < 2000);
    }
    test_reset(&call);
}

#define SIGNED(token)                                                                                        \
    {                                                                                                        \
        .headers = "X-Amz-Security-Token: " token, .status = 200, .answer = "{\"ok\":true}"                  \
    }
#define TAGGED                                                                                               \
    "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Atwo&RoleSessionName=external-secrets-provider-aws"   \
    "&DurationSeconds=900&ExternalId=x&Tags.member.1.Key=esoNamespace&Tags.member.1.Value=apps"              \
    "&Tags.member.2.Key=esoStoreName&Tags.member.2.Value=s&Tags.member.3.Key=esoStoreKind"                   \
    "&Tags.member.3.Value=SecretStore&Tags.member.4.Key=a&Tags.member.4.Value=b"

static void test_roles_with_tags(void **state)
{
    (void)state;
    torture(&(struct story){
        .document =
            OPEN(SECRET_REF ",\"additionalRoles\":[\"arn:one\"],\"role\":\"arn:two\",\"externalID\":\"x\","
                            "\"sessionTagsPolicy\":\"Custom\",\"customSessionTags\":{\"a\":\"b\"}"),
        .objects = story_keys,
        SCRIPT({.url = STS, .status = 200, .answer = ASSUMED("ASIAONE")},
               {.url = STS,
                .headers = "X-Amz-Security-Token: tok+/=ASIAONE",
                .body = TAGGED,
                .status = 200,
                .answer = ASSUMED("ASIATWO")},
               SIGNED("tok+/=ASIATWO"))});
}

static void test_a_service_account(void **state)
{
    (void)state;
    static const struct object account[] = {
        {ESP_KUBE_SERVICE_ACCOUNT, "apps", "app", "",
         "{\"metadata\":{\"annotations\":{\"eks.amazonaws.com/role-arn\":\"arn\"}}}", ESP_OK},
        {0}};
    static const struct sa_token tokens[] = {{"apps", "app", "sts.amazonaws.com", 0, "j.w.t"}, {0}};
    torture(&(struct story){
        .document = OPEN(JWT()),
        .objects = account,
        .tokens = tokens,
        SCRIPT({.status = 200,
                .answer = CREDENTIALS("AssumeRoleWithWebIdentity", "ASIA", "2026-03-01T05:05:06Z")},
               DONE)});
}

static void test_a_containers_endpoint(void **state)
{
    (void)state;
    torture(&(struct story){
        .document = OPEN(""),
        AMBIENT(ENV("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/x")),
        SCRIPT({.status = 200,
                .answer = "{\"AccessKeyId\":\"ASIA\",\"SecretAccessKey\":\"m\",\"Token\":\"t\","
                          "\"Expiration\":\"2026-03-01T10:00:00Z\"}"},
               SIGNED("t"))});
}

static int enter(void **state)
{
    return story_enter(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roles_with_tags),
        cmocka_unit_test(test_a_service_account),
        cmocka_unit_test(test_a_containers_endpoint),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
