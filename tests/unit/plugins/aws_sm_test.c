/* Secrets Manager: what is asked, and what becomes of answers that a test server does not give. */
#include "aws_service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

#define STORE "\"service\":\"SecretsManager\",\"prefix\":\"app/\""
#define SM "secretsmanager."
#define REF(key, version, policy)                                                                            \
    "{\"key\":\"" key "\",\"property\":\"\",\"version\":\"" version "\",\"metadataPolicy\":\"" policy "\"}"
#define GET(key) REF(key, "", "None")
#define REFS(...) "{\"refs\":[" __VA_ARGS__ "]}"

/* ---- get ---- */

static void test_which_version_is_asked_for(void **state)
{
    (void)state;
    expect_outputs(&(struct scene){.more = STORE,
                                   .op = service_ops->get,
                                   .document = GET("db"),
                                   ANSWERS(ASKED(SM "GetSecretValue",
                                                 "{\"SecretId\":\"app/db\",\"VersionStage\":\"AWSCURRENT\"}",
                                                 "{\"SecretString\":\"a\\\"b\"}"))},
                   "1 =a\"b");
    expect_outputs(
        &(struct scene){.more = STORE,
                        .op = service_ops->get,
                        .document = REF("db", "uuid/1-2", "None"),
                        ANSWERS(ASKED(SM "GetSecretValue", "{\"SecretId\":\"app/db\",\"VersionId\":\"1-2\"}",
                                      "{\"SecretString\":null,\"SecretBinary\":\"aGk=\"}"))},
        "1 =hi");
    expect_outputs(&(struct scene){.more = STORE,
                                   .op = service_ops->get,
                                   .document = REF("db", "OLD", "Fetch"),
                                   ANSWERS(ASKED(SM "DescribeSecret", "{\"SecretId\":\"app/db\"}",
                                                 "{\"Tags\":[{\"Key\":\"z\",\"Value\":\"1\"},"
                                                 "{\"Key\":\"a\",\"Value\":\"\"}]}"))},
                   "1 ={\"a\":\"\",\"z\":\"1\"}");
}

static void test_answers_without_a_value(void **state)
{
    (void)state;
    struct scene s = {.more = STORE,
                      .op = service_ops->get,
                      .document = GET("db"),
                      ANSWERS(ASKED(SM "GetSecretValue", NULL, "{\"Name\":\"app/db\"}"))};
    expect_fails(&s, ESP_E_CONFIG, "invalid secret received. no secret string nor binary for key: app/db");
    s.script = (const struct exchange[]){ASKED(SM "GetSecretValue", NULL, "{\"SecretBinary\":\"a*b\"}")};
    expect_fails(&s, ESP_E_RETRY, "the binary value of app/db arrived as something that is no base64");
    s.script = (const struct exchange[]){
        REFUSED(SM "GetSecretValue", "InvalidRequestException",
                "You can't perform this operation on the secret because it was marked for deletion.")};
    expect_fails(&s, ESP_E_NOT_FOUND, "");
    s.script = (const struct exchange[]){REFUSED(SM "GetSecretValue", "ResourceNotFoundException", "gone")};
    expect_fails(&s, ESP_E_NOT_FOUND, "");
    s.script = (const struct exchange[]){REFUSED(SM "GetSecretValue", "InvalidRequestException", "hunter2")};
    expect_fails(&s, ESP_E_RETRY,
                 "GetSecretValue of app/db: AWS answers InvalidRequestException (status 400)");
}

/* ---- get_batch ---- */

static void test_a_batch_takes_what_it_can(void **state)
{
    (void)state;
    expect_outputs(
        &(struct scene){
            .more = STORE,
            .op = service_ops->get_batch,
            .document = REFS(
                GET("a") "," REF("a", "OLD", "None") "," GET("b") "," GET("a") "," GET("c") "," GET("d")),
            ANSWERS(ASKED(SM "BatchGetSecretValue",
                          "{\"SecretIdList\":[\"app/a\",\"app/b\",\"app/c\",\"app/d\"]}",
                          "{\"SecretValues\":[{\"Name\":\"app/b\",\"SecretBinary\":\"aGk=\"},"
                          "{\"ARN\":\"arn:x\",\"Name\":\"app/a\",\"SecretString\":\"A\"}],"
                          "\"Errors\":[{\"SecretId\":\"app/c\",\"ErrorCode\":\"ResourceNotFoundException\","
                          "\"Message\":\"no\"}]}"),
                    /* AWS said nothing of one */
                    ASKED(SM "GetSecretValue", "{\"SecretId\":\"app/d\",\"VersionStage\":\"AWSCURRENT\"}",
                          "{\"SecretString\":\"D\"}"),
                    ASKED(SM "GetSecretValue", "{\"SecretId\":\"app/a\",\"VersionStage\":\"OLD\"}",
                          "{\"SecretString\":\"old\"}"))},
        "1 2=hi\n1 0=A\n1 3=A\n-1 4=Secret does not exist\n1 5=D\n1 1=old");
}

static void test_errors_in_a_batch_are_each_references_own(void **state)
{
    (void)state;
    expect_outputs(
        &(struct scene){
            .more = STORE,
            .op = service_ops->get_batch,
            .document = REFS(GET("a") "," GET("b")),
            ANSWERS(ASKED(SM "BatchGetSecretValue", NULL,
                          "{\"Errors\":[{\"SecretId\":\"app/a\",\"ErrorCode\":\"AccessDeniedException\","
                          "\"Message\":\"User: arn:aws:iam::1:user/u is not authorized to perform: "
                          "secretsmanager:GetSecretValue on resource: hunter2\"},"
                          "{\"SecretId\":\"app/b\",\"ErrorCode\":\"DecryptionFailure\"}]}"))},
        "-3 0=GetSecretValue of app/a: AWS answers AccessDeniedException (status 400): arn:aws:iam::1:user/u "
        "may "
        "not secretsmanager:GetSecretValue\n"
        "-3 1=GetSecretValue of app/b: AWS answers DecryptionFailure (status 400): may these credentials use "
        "the "
        "KMS key?");
}

/* Asks an open store for two keys. */
static void ask_for_two(struct esp_call *call, void *store, const struct exchange *script, size_t count)
{
    const struct scene s = {.op = service_ops->get_batch,
                            .document = REFS(GET("a") "," GET("b")),
                            .script = script,
                            .script_count = count};
    assert_int_equal(service_ask(call, store, &s), ESP_OK);
    assert_int_equal(call->count, 2);
}

static void test_a_missing_right_is_remembered_for_an_hour(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = service_open(&call, &(struct scene){.more = STORE});
    const struct exchange denied[] = {REFUSED(SM "BatchGetSecretValue", "AccessDeniedException", ""),
                                      ASKED(SM "GetSecretValue", NULL, "{\"SecretString\":\"1\"}"),
                                      ASKED(SM "GetSecretValue", NULL, "{\"SecretString\":\"2\"}")};
    const struct exchange together[] = {
        ASKED(SM "BatchGetSecretValue", NULL,
              "{\"SecretValues\":[{\"Name\":\"app/a\",\"SecretString\":\"1\"},{\"Name\":\"app/"
              "b\",\"SecretString\":\"2\"}]}")};
    ask_for_two(&call, store, denied, 3);
    ask_for_two(&call, store, denied + 1, 2);
    service_world.now_ms += 3599 * 1000;
    ask_for_two(&call, store, denied + 1, 2);
    service_world.now_ms += 1000;
    ask_for_two(&call, store, together, 1);
    service_close(&call, store);
    test_reset(&call);
}

static void test_one_denied_secret_costs_nobody_the_batch(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *store = service_open(&call, &(struct scene){.more = STORE});
    const struct exchange denied[] = {REFUSED(SM "BatchGetSecretValue", "AccessDeniedException", ""),
                                      ASKED(SM "GetSecretValue", NULL, "{\"SecretString\":\"1\"}"),
                                      REFUSED(SM "GetSecretValue", "AccessDeniedException", "")};
    ask_for_two(&call, store, denied, 3);
    ask_for_two(&call, store, denied, 3);
    service_close(&call, store);
    test_reset(&call);
}

/* ---- list ---- */

static void test_pages_are_followed(void **state)
{
    (void)state;
    expect_outputs(
        &(struct scene){
            .more = STORE,
            .op = service_ops->list,
            .document = "{\"name\":{\"regexp\":\"^d\"},\"prefix\":\"d\"}",
            ANSWERS(ASKED(SM "ListSecrets", "{\"Filters\":[{\"Key\":\"name\",\"Values\":[\"app/d\"]}]}",
                          "{\"SecretList\":[{\"Name\":\"app/d1\"},{\"Name\":\"apart\"}],"
                          "\"NextToken\":\"t\\\"1\"}"),
                    ASKED(SM "ListSecrets",
                          "{\"Filters\":[{\"Key\":\"name\",\"Values\":[\"app/d\"]}],"
                          "\"NextToken\":\"t\\\"1\"}",
                          "{\"SecretList\":[{\"Name\":\"app/d2\"}],\"NextToken\":null}"))},
        "2 d1=\n2 d2=");
}

static void test_tokens_in_circles_are_noticed(void **state)
{
    (void)state;
#define PAGE(token) ASKED(SM "ListSecrets", NULL, "{\"SecretList\":[],\"NextToken\":\"" token "\"}")
    expect_fails(&(struct scene){.more = STORE,
                                 .op = service_ops->list,
                                 .document = "{\"name\":{\"regexp\":\".\"}}",
                                 ANSWERS(PAGE("start"), PAGE("a"), PAGE("b"), PAGE("c"), PAGE("a"), PAGE("b"),
                                         PAGE("c"))},
                 ESP_E_RETRY, "ListSecrets: AWS answered with a page token that it gave before");
}

static void test_a_search_that_may_not_read_all_fails(void **state)
{
    (void)state;
    struct scene s = {
        .more = STORE,
        .op = service_ops->list,
        .document = "{\"name\":{\"regexp\":\".\"},\"path\":\"app/\"}",
        ANSWERS(
            ASKED(SM "BatchGetSecretValue", "{\"Filters\":[{\"Key\":\"name\",\"Values\":[\"app/\"]}]}",
                  "{\"SecretValues\":[{\"Name\":\"app/a\",\"SecretString\":\"1\"}],\"Errors\":[{\"SecretId\":"
                  "\"app/b\",\"ErrorCode\":\"AccessDeniedException\",\"Message\":\"\"}]}"))};
    expect_fails(&s, ESP_E_DENIED, "GetSecretValue of app/b: AWS answers AccessDeniedException (status 400)");
    s.script = (const struct exchange[]){
        ASKED(SM "BatchGetSecretValue", NULL,
              "{\"SecretValues\":[{\"Name\":\"app/a\",\"SecretString\":\"1\"}],\"Errors\":[{\"SecretId\":"
              "\"app/b\",\"ErrorCode\":\"ResourceNotFoundException\",\"Message\":\"\"}]}")};
    expect_outputs(&s, "1 app/a=1");
    s.document = "{\"path\":\"app/\"}";
    s.script_count = 0;
    expect_fails(&s, ESP_E_CONFIG, "unexpected find operator");
}

/* ---- push ---- */

#define DATA(more) "{\"remoteKey\":\"db\",\"property\":\"\",\"secretKey\":\"k\"" more "}"
#define METADATA(spec)                                                                                       \
    ",\"metadata\":{\"apiVersion\":\"kubernetes.external-secrets.io/"                                        \
    "v1alpha1\",\"kind\":\"PushSecretMetadata\","                                                            \
    "\"spec\":" spec "}"
#define MANAGED "\"Tags\":[{\"Key\":\"managed-by\",\"Value\":\"external-secrets\"}]"
#define ONE_VALUE PUSHED({esp_str("k"), esp_str("v")})
#define NO_POLICY ASKED(SM "GetResourcePolicy", "{\"SecretId\":\"app/db\"}", "{\"Name\":\"app/db\"}")

static void test_what_a_new_secret_is_made_with(void **state)
{
    (void)state;
    expect_outputs(
        &(struct scene){
            .more = STORE,
            .op = service_ops->push,
            .document = DATA(METADATA("{\"kmsKeyId\":\"own\",\"tags\":{\"team\":\"blue\"},"
                                      "\"replicationLocations\":[\"eu-west-1\"]}")),
            ONE_VALUE,
            ANSWERS(
                REFUSED(SM "DescribeSecret", "ResourceNotFoundException", ""),
                ASKED(SM "CreateSecret",
                      "{\"Name\":\"app/db\",\"ClientRequestToken\":\"00000000-0000-0000-0000-000000000001\","
                      "\"Description\":\"secret 'managed-by:external-secrets'\",\"KmsKeyId\":\"own\","
                      "\"Tags\":[{\"Key\":\"team\",\"Value\":\"blue\"},"
                      "{\"Key\":\"managed-by\",\"Value\":\"external-secrets\"}],"
                      "\"AddReplicaRegions\":[{\"Region\":\"eu-west-1\",\"KmsKeyId\":\"own\"}],"
                      "\"SecretBinary\":\"dg==\"}",
                      "{}"))},
        "");
    expect_fails(&(struct scene){.more = STORE,
                                 .op = service_ops->push,
                                 .document = DATA(""),
                                 ONE_VALUE,
                                 ANSWERS(REFUSED(SM "DescribeSecret", "ResourceNotFoundException", ""),
                                         REFUSED(SM "CreateSecret", "ResourceExistsException", ""))},
                 ESP_E_RETRY, "somebody created the secret app/db in this very moment");
}

static void test_a_value_is_written_when_it_differs(void **state)
{
    (void)state;
    struct scene s = {
        .more = STORE,
        .op = service_ops->push,
        .document = DATA(""),
        ONE_VALUE,
        ANSWERS(
            ASKED(SM "DescribeSecret", NULL, "{" MANAGED ",\"VersionIdsToStages\":{\"1\":[\"AWSCURRENT\"]}}"),
            ASKED(SM "GetSecretValue", "{\"SecretId\":\"app/db\"}", "{\"SecretString\":\"v\"}"), NO_POLICY)};
    expect_outputs(&s, "");
    s.script = (const struct exchange[]){
        ASKED(SM "DescribeSecret", NULL, "{" MANAGED ",\"VersionIdsToStages\":{\"1\":[\"AWSCURRENT\"]}}"),
        ASKED(SM "GetSecretValue", NULL, "{\"SecretBinary\":\"eA==\"}"), NO_POLICY,
        ASKED(SM "PutSecretValue",
              "{\"SecretId\":\"app/db\",\"ClientRequestToken\":\"0b30557a-9fc4-490e-b358-7da2c7ec1136\","
              "\"SecretBinary\":\"dg==\"}",
              "{}")};
    s.script_count = 4;
    expect_outputs(&s, "");
    /* made by somebody who has not put anything into it yet */
    s.script = (const struct exchange[]){
        ASKED(SM "DescribeSecret", NULL, "{" MANAGED "}"), NO_POLICY,
        ASKED(SM "PutSecretValue",
              "{\"SecretId\":\"app/db\",\"ClientRequestToken\":\"00000000-0000-0000-0000-000000000001\","
              "\"SecretBinary\":\"dg==\"}",
              "{}")};
    s.script_count = 3;
    expect_outputs(&s, "");
}

static void test_what_stands_in_the_way_of_a_push(void **state)
{
    (void)state;
    struct scene s = {.more = STORE,
                      .op = service_ops->push,
                      .document = DATA(""),
                      ONE_VALUE,
                      ANSWERS(ASKED(SM "DescribeSecret", NULL, "{" MANAGED ",\"DeletedDate\":1.5E9}"))};
    expect_fails(&s, ESP_E_CONFIG,
                 "the secret app/db is marked for deletion: restore it, or wait until it is gone");
    s.script = (const struct exchange[]){ASKED(SM "DescribeSecret", NULL, "{\"Tags\":[]}")};
    expect_fails(&s, ESP_E_CONFIG, "secret not managed by external-secrets");
    s.script = (const struct exchange[]){REFUSED(SM "DescribeSecret", "AccessDeniedException", "")};
    expect_fails(&s, ESP_E_DENIED,
                 "DescribeSecret of app/db: AWS answers AccessDeniedException (status 400)");
}

static void test_who_wants_no_policy_needs_no_right_to_see_one(void **state)
{
    (void)state;
    static const struct object rules[] = {
        {ESP_KUBE_CONFIGMAP, "apps", "rules", "policy", "{\"b\": 1, \"a\": []}", ESP_OK}, {0}};
    struct scene s = {
        .more = STORE,
        .op = service_ops->push,
        .document = DATA(""),
        ONE_VALUE,
        .objects = rules,
        ANSWERS(ASKED(SM "DescribeSecret", NULL, "{" MANAGED ",\"VersionIdsToStages\":{\"1\":[]}}"),
                ASKED(SM "GetSecretValue", NULL, "{\"SecretString\":\"v\"}"),
                REFUSED(SM "GetResourcePolicy", "AccessDeniedException", ""))};
    expect_outputs(&s, "");
    s.document =
        DATA(METADATA("{\"resourcePolicy\":{\"blockPublicPolicy\":true,\"policySourceRef\":{\"kind\":"
                      "\"ConfigMap\",\"name\":\"rules\",\"key\":\"policy\"}}}"));
    expect_fails(&s, ESP_E_DENIED,
                 "GetResourcePolicy of app/db: AWS answers AccessDeniedException (status 400)");
    s.script = (const struct exchange[]){
        s.script[0], s.script[1],
        ASKED(SM "GetResourcePolicy", NULL, "{\"ResourcePolicy\":\"{\\\"a\\\":[],\\\"b\\\":1}\"}")};
    expect_outputs(&s, "");
    s.document = DATA(METADATA("{\"resourcePolicy\":{\"policySourceRef\":{\"kind\":\"Pod\"}}}"));
    s.script_count = 0;
    expect_fails(
        &s, ESP_E_CONFIG,
        "failed to resolve resource policy: unsupported PolicySourceRef kind: Pod (must be ConfigMap or "
        "Secret)");
}

/* ---- remove ---- */

static void test_how_secrets_are_deleted(void **state)
{
    (void)state;
    struct scene s = {
        .more = STORE ",\"secretsManager\":{\"recoveryWindowInDays\":9}",
        .op = service_ops->remove,
        .document = DATA(""),
        ANSWERS(ASKED(SM "DescribeSecret", NULL,
                      "{" MANAGED ",\"ReplicationStatus\":[{\"Region\":\"r1\"},{\"Region\":\"r2\"}]}"),
                ASKED(SM "RemoveRegionsFromReplication",
                      "{\"SecretId\":\"app/db\",\"RemoveReplicaRegions\":[\"r1\",\"r2\"]}", "{}"),
                ASKED(SM "DeleteSecret", "{\"SecretId\":\"app/db\",\"RecoveryWindowInDays\":9}", "{}"))};
    expect_outputs(&s, "");
    s.more = STORE ",\"secretsManager\":{\"forceDeleteWithoutRecovery\":true}";
    s.script = (const struct exchange[]){
        ASKED(SM "DescribeSecret", NULL, "{" MANAGED "}"),
        ASKED(SM "DeleteSecret", "{\"SecretId\":\"app/db\",\"ForceDeleteWithoutRecovery\":true}", "{}")};
    s.script_count = 2;
    expect_outputs(&s, "");
    s.script_count = 1;
    s.script = (const struct exchange[]){REFUSED(SM "DescribeSecret", "ResourceNotFoundException", "")};
    expect_outputs(&s, "");
    s.script = (const struct exchange[]){ASKED(SM "DescribeSecret", NULL, "{\"Tags\":[]}")};
    expect_outputs(&s, "");
    s.script = (const struct exchange[]){ASKED(SM "DescribeSecret", NULL, "{" MANAGED ",\"DeletedDate\":1}")};
    expect_outputs(&s, "");
}

static void test_what_exists(void **state)
{
    (void)state;
    struct scene s = {.more = STORE,
                      .op = service_ops->exists,
                      .document = DATA(""),
                      ANSWERS(ASKED(SM "GetSecretValue", NULL, "{\"SecretString\":\"{\\\"p\\\":1}\"}"))};
    expect_outputs(&s, "1 =true");
    s.document = "{\"remoteKey\":\"db\",\"property\":\"p\"}";
    expect_outputs(&s, "1 =true");
    s.document = "{\"remoteKey\":\"db\",\"property\":\"q\"}";
    expect_outputs(&s, "1 =false");
    s.script = (const struct exchange[]){REFUSED(SM "GetSecretValue", "ResourceNotFoundException", "")};
    expect_outputs(&s, "1 =false");
    s.script = (const struct exchange[]){REFUSED(SM "GetSecretValue", "AccessDeniedException", "")};
    expect_fails(&s, ESP_E_DENIED,
                 "GetSecretValue of app/db: AWS answers AccessDeniedException (status 400)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which_version_is_asked_for),
        cmocka_unit_test(test_answers_without_a_value),
        cmocka_unit_test(test_a_batch_takes_what_it_can),
        cmocka_unit_test(test_errors_in_a_batch_are_each_references_own),
        cmocka_unit_test(test_a_missing_right_is_remembered_for_an_hour),
        cmocka_unit_test(test_one_denied_secret_costs_nobody_the_batch),
        cmocka_unit_test(test_pages_are_followed),
        cmocka_unit_test(test_tokens_in_circles_are_noticed),
        cmocka_unit_test(test_a_search_that_may_not_read_all_fails),
        cmocka_unit_test(test_what_a_new_secret_is_made_with),
        cmocka_unit_test(test_a_value_is_written_when_it_differs),
        cmocka_unit_test(test_what_stands_in_the_way_of_a_push),
        cmocka_unit_test(test_who_wants_no_policy_needs_no_right_to_see_one),
        cmocka_unit_test(test_how_secrets_are_deleted),
        cmocka_unit_test(test_what_exists),
    };
    return cmocka_run_group_tests(tests, service_load, NULL);
}
