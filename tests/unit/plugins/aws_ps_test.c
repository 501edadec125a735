/* Parameter Store and Certificate Manager: what is asked, and what becomes of answers that a test server does
 * not give. */
#include "aws_service.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

#define STORE "\"service\":\"ParameterStore\",\"prefix\":\"/app/\""
#define SSM "AmazonSSM."
#define REF(key, version, policy)                                                                            \
    "{\"key\":\"" key "\",\"property\":\"\",\"version\":\"" version "\",\"metadataPolicy\":\"" policy "\"}"
#define GET(key) REF(key, "", "None")

/* ---- reading ---- */

static void test_versions_and_tags(void **state)
{
    (void)state;
    struct scene s = {.more = STORE,
                      .op = service_ops->get,
                      .document = REF("db", "3", "None"),
                      ANSWERS(ASKED(SSM "GetParameter", "{\"Name\":\"/app/db:3\",\"WithDecryption\":true}",
                                    "{\"Parameter\":{\"Name\":\"/app/db\",\"Value\":\"three\"}}"))};
    expect_outputs(&s, "1 =three");
    s.script =
        (const struct exchange[]){ASKED(SSM "GetParameter", NULL, "{\"Parameter\":{\"Name\":\"/app/db\"}}")};
    expect_fails(&s, ESP_E_CONFIG, "invalid secret received. parameter value is nil for key: /app/db:3");
    s.script = (const struct exchange[]){REFUSED(SSM "GetParameter", "ParameterVersionNotFound", "hunter2")};
    expect_fails(&s, ESP_E_RETRY,
                 "GetParameter of /app/db:3: AWS answers ParameterVersionNotFound (status 400)");
    s.script = (const struct exchange[]){REFUSED(SSM "GetParameter", "ParameterNotFound", "")};
    expect_fails(&s, ESP_E_NOT_FOUND, "");
    /* tags are the parameter's */
    s.document = REF("db", "3", "Fetch");
    s.script = (const struct exchange[]){
        ASKED(SSM "ListTagsForResource", "{\"ResourceType\":\"Parameter\",\"ResourceId\":\"/app/db\"}",
              "{\"TagList\":[{\"Key\":\"b\",\"Value\":\"2\"},{\"Key\":\"a\",\"Value\":\"1\"}]}")};
    expect_outputs(&s, "1 ={\"a\":\"1\",\"b\":\"2\"}");
}

static void test_versions_are_read_by_themselves(void **state)
{
    (void)state;
    expect_outputs(
        &(struct scene){
            .more = STORE,
            .op = service_ops->get_batch,
            .document =
                "{\"refs\":[" GET("a") "," REF("a", "2", "None") "," GET("b") "," GET("c") "," GET("a") "]}",
            ANSWERS(ASKED(SSM "GetParameters",
                          "{\"Names\":[\"/app/a\",\"/app/b\",\"/app/c\"],\"WithDecryption\":true}",
                          "{\"Parameters\":[{\"Name\":\"/app/b\",\"Value\":\"B\"},"
                          "{\"Name\":\"/app/a\",\"Value\":\"new\"}],\"InvalidParameters\":[\"/app/c\"]}"),
                    /* that it is invalid does not mean that it is not there */
                    REFUSED(SSM "GetParameter", "ParameterNotFound", ""),
                    ASKED(SSM "GetParameter", "{\"Name\":\"/app/a:2\",\"WithDecryption\":true}",
                          "{\"Parameter\":{\"Value\":\"two\"}}"))},
        "1 2=B\n1 0=new\n1 4=new\n-1 3=Secret does not exist\n1 1=two");
}

static void test_ten_at_a_time(void **state)
{
    (void)state;
#define FIVE(p) GET(p "1") "," GET(p "2") "," GET(p "3") "," GET(p "4") "," GET(p "5")
#define EMPTY ASKED(SSM "GetParameters", NULL, "{\"Parameters\":[]}")
#define ONE ASKED(SSM "GetParameter", NULL, "{\"Parameter\":{\"Value\":\"v\"}}")
    struct esp_call call = {0};
    struct scene s = {.more = STORE,
                      .op = service_ops->get_batch,
                      .document = "{\"refs\":[" FIVE("a") "," FIVE("b") "," GET("c1") "," GET("c2") "]}",
                      ANSWERS(EMPTY, ONE, ONE, ONE, ONE, ONE, ONE, ONE, ONE, ONE, ONE, EMPTY, ONE, ONE)};
    assert_int_equal(service_play(&call, &s), ESP_OK);
    assert_int_equal(call.count, 12);
    test_reset(&call);
}

static void test_a_walk_begins_where_matches_can_be(void **state)
{
    (void)state;
    static const struct {
        const char *path, *hint, *asked;
    } walks[] = {
        {"", "", "/"},
        {"", "/app/db", "/app"},
        {"", "db", "/"},
        {"/app", "/app/db/x", "/app/db"},
        {"/app/", "/app/d", "/app/"},
        {"/app", "/apple/x", "/app"},
        {"/app", "/other/x", "/app"},
        {"/", "/a/b/", "/a/b"},
    };
    for (size_t i = 0; i < sizeof walks / sizeof *walks; i++) {
        struct esp_text document, body;
        esp_text_init(&document, 1000);
        esp_text_init(&body, 1000);
        esp_text_addf(&document, "{\"name\":{\"regexp\":\".\"},\"path\":\"%s\",\"prefix\":\"%s\"}",
                      walks[i].path, walks[i].hint);
        esp_text_addf(&body, "{\"Path\":\"%s\",\"Recursive\":true,\"WithDecryption\":true}", walks[i].asked);
        expect_outputs(
            &(struct scene){.more = STORE,
                            .op = service_ops->list,
                            .document = esp_text_str(&document),
                            ANSWERS(ASKED(SSM "GetParametersByPath", esp_text_str(&body),
                                          "{\"Parameters\":[{\"Name\":\"/x\",\"Value\":\"1\"}]}"))},
            "1 /x=1");
        esp_text_free(&document);
        esp_text_free(&body);
    }
}

static void test_what_has_gone_meanwhile_is_not_found(void **state)
{
    (void)state;
    expect_outputs(
        &(struct scene){
            .more = STORE,
            .op = service_ops->list,
            .document = "{\"tags\":{\"t\":\"v\"}}",
            ANSWERS(
                ASKED(SSM "DescribeParameters",
                      "{\"ParameterFilters\":[{\"Key\":\"tag:t\",\"Option\":\"Equals\",\"Values\":[\"v\"]}]}",
                      "{\"Parameters\":[{\"Name\":\"/other/a\"},{\"Name\":\"/other/b\"}]}"),
                ASKED(SSM "GetParameters", "{\"Names\":[\"/other/a\",\"/other/b\"],\"WithDecryption\":true}",
                      "{\"Parameters\":[{\"Name\":\"/other/b\",\"Value\":\"B\"}]}"),
                REFUSED(SSM "GetParameter", "ParameterNotFound", ""))},
        "1 /other/b=B");
    expect_fails(&(struct scene){.more = STORE,
                                 .op = service_ops->list,
                                 .document = "{\"tags\":{\"t\":\"v\"}}",
                                 ANSWERS(ASKED(SSM "DescribeParameters", NULL,
                                               "{\"Parameters\":[{\"Name\":\"/other/a\"}]}"),
                                         REFUSED(SSM "GetParameter", "AccessDeniedException", ""))},
                 ESP_E_DENIED, "GetParameter of /other/a: AWS answers AccessDeniedException (status 400)");
}

/* ---- push ---- */

#define DATA(more) "{\"remoteKey\":\"db\",\"property\":\"\",\"secretKey\":\"k\"" more "}"
#define METADATA(spec)                                                                                       \
    ",\"metadata\":{\"apiVersion\":\"kubernetes.external-secrets.io/"                                        \
    "v1alpha1\",\"kind\":\"PushSecretMetadata\","                                                            \
    "\"spec\":" spec "}"
#define ONE_VALUE PUSHED({esp_str("k"), esp_str("v")})

static void test_what_a_new_parameter_is_made_with(void **state)
{
    (void)state;
    struct scene s = {
        .more = STORE,
        .op = service_ops->push,
        .document =
            DATA(METADATA("{\"secretType\":\"SecureString\",\"tier\":{\"type\":\"Advanced\",\"policies\":"
                          "[{\"Type\":\"Expiration\"}]},\"tags\":{\"team\":\"blue\"}}")),
        ONE_VALUE,
        ANSWERS(REFUSED(SSM "GetParameter", "ParameterNotFound", ""),
                ASKED(SSM "PutParameter",
                      "{\"Name\":\"/app/db\",\"Value\":\"v\",\"Type\":\"SecureString\","
                      "\"Description\":\"secret 'managed-by:external-secrets'\",\"Overwrite\":false,"
                      "\"KeyId\":\"alias/aws/ssm\",\"Tier\":\"Advanced\","
                      "\"Policies\":\"[{\\\"Type\\\":\\\"Expiration\\\"}]\","
                      "\"Tags\":[{\"Key\":\"team\",\"Value\":\"blue\"},"
                      "{\"Key\":\"managed-by\",\"Value\":\"external-secrets\"}]}",
                      "{}"))};
    expect_outputs(&s, "");
    s.script = (const struct exchange[]){REFUSED(SSM "GetParameter", "ParameterNotFound", ""),
                                         REFUSED(SSM "PutParameter", "ParameterAlreadyExists", "")};
    expect_fails(&s, ESP_E_RETRY, "somebody created the parameter /app/db in this very moment");
}

static void test_metadata_that_cannot_be(void **state)
{
    (void)state;
    static const struct {
        const char *document, *why;
    } wrong[] = {
        {DATA(METADATA("{\"tier\":{\"type\":\"Gold\"}}")),
         "spec.tier.type of the metadata is Gold: it can be Standard or Advanced"},
        {DATA(METADATA("{\"tier\":{\"kind\":\"Gold\"}}")), "spec.tier of the metadata has no field kind"},
        {DATA(METADATA("{\"tier\":\"Gold\"}")), "spec.tier of the metadata is not an object"},
        {DATA(METADATA("{\"encodeAsDecoded\":\"yes\"}")),
         "spec.encodeAsDecoded of the metadata is neither true nor false"},
        {DATA(METADATA("{\"description\":7}")), "spec.description of the metadata is not a string"},
        {DATA(METADATA("{\"tags\":[1]}")), "spec.tags of the metadata is not an object of strings"},
        {DATA(METADATA("{\"tags\":{\"a\":1}}")), "spec.tags.a of the metadata is not a string"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_fails(
            &(struct scene){.more = STORE, .op = service_ops->push, .document = wrong[i].document, ONE_VALUE},
            ESP_E_CONFIG, wrong[i].why);
}

static void test_only_what_is_managed_is_deleted(void **state)
{
    (void)state;
    struct scene s = {
        .more = STORE,
        .op = service_ops->remove,
        .document = DATA(""),
        ANSWERS(ASKED(SSM "GetParameter", "{\"Name\":\"/app/db\",\"WithDecryption\":false}", "{}"),
                ASKED(SSM "ListTagsForResource", NULL, "{}"))};
    expect_outputs(&s, "");
    s.script = (const struct exchange[]){
        s.script[0],
        ASKED(SSM "ListTagsForResource", NULL,
              "{\"TagList\":[{\"Key\":\"managed-by\",\"Value\":\"external-secrets\"}]}"),
        REFUSED(SSM "DeleteParameter", "ParameterNotFound", "")};
    s.script_count = 3;
    expect_outputs(&s, "");
    s.script = (const struct exchange[]){REFUSED(SSM "GetParameter", "ParameterNotFound", "")};
    s.script_count = 1;
    expect_outputs(&s, "");
}

/* A push replaces the whole parameter, so one without the property is there all the same. */
static void test_what_exists(void **state)
{
    (void)state;
    struct scene s = {.more = STORE,
                      .op = service_ops->exists,
                      .document = "{\"remoteKey\":\"db\",\"property\":\"q\"}",
                      ANSWERS(ASKED(SSM "GetParameter", "{\"Name\":\"/app/db\",\"WithDecryption\":true}",
                                    "{\"Parameter\":{\"Value\":\"plain\"}}"))};
    expect_outputs(&s, "1 =true");
    s.script = (const struct exchange[]){REFUSED(SSM "GetParameter", "ParameterNotFound", "")};
    expect_outputs(&s, "1 =false");
}

/* ---- Certificate Manager ---- */

#define CM "\"service\":\"CertificateManager\",\"prefix\":\"app/\""
#define ACM "CertificateManager."
#define TAGGING "ResourceGroupsTaggingAPI_20170126."

static void test_a_certificate_that_cannot_be_had(void **state)
{
    (void)state;
    struct scene s = {.more = CM, .op = service_ops->get, .document = GET(""), .script_count = 0};
    expect_fails(&s, ESP_E_CONFIG, "certificate ARN must be specified in remoteRef.key");
    s.document = GET("arn:c");
    s.script_count = 1;
    s.script = (const struct exchange[]){REFUSED(ACM "GetCertificate", "ResourceNotFoundException", "")};
    expect_fails(&s, ESP_E_CONFIG, "failed to get certificate arn:c: certificate not found");
    s.script = (const struct exchange[]){REFUSED(ACM "GetCertificate", "RequestInProgressException", "")};
    expect_fails(&s, ESP_E_RETRY,
                 "GetCertificate of arn:c: AWS answers RequestInProgressException (status 400)");
    s.script = (const struct exchange[]){
        ASKED(ACM "GetCertificate", "{\"CertificateArn\":\"arn:c\"}", "{\"Certificate\":\"C\"}"),
        ASKED(ACM "DescribeCertificate", NULL, "{\"Certificate\":{\"Options\":{\"Export\":\"ENABLED\"}}}"),
        ASKED(ACM "ExportCertificate", NULL, "{\"Certificate\":\"C\",\"PrivateKey\":\"hunter2\"}")};
    s.script_count = 3;
    expect_fails(&s, ESP_E_RETRY, "failed to decrypt exported private key of arn:c");
}

static void test_certificates_are_found_by_their_tags(void **state)
{
    (void)state;
    struct scene s = {
        .more = CM,
        .op = service_ops->remove,
        .document = "{\"remoteKey\":\"web\",\"property\":\"\"}",
        ANSWERS(
            ASKED(TAGGING "GetResources",
                  "{\"ResourceTypeFilters\":[\"acm:certificate\"],\"TagFilters\":[{\"Key\":\"managed-by\","
                  "\"Values\":[\"external-secrets\"]},{\"Key\":\"external-secrets-remote-key\","
                  "\"Values\":[\"app/web\"]}]}",
                  "{\"PaginationToken\":\"next\",\"ResourceTagMappingList\":[{\"ResourceARN\":\"arn:b\"}]}"),
            ASKED(TAGGING "GetResources", NULL,
                  "{\"PaginationToken\":\"\",\"ResourceTagMappingList\":[{\"ResourceARN\":\"arn:a\"},"
                  "{\"ResourceARN\":\"arn:c\"}]}"),
            ASKED(ACM "ListTagsForCertificate", "{\"CertificateArn\":\"arn:a\"}",
                  "{\"Tags\":[{\"Key\":\"managed-by\",\"Value\":\"external-secrets\"}]}"),
            ASKED(ACM "DeleteCertificate", "{\"CertificateArn\":\"arn:a\"}", "{}"))};
    expect_outputs(&s, "");
    s.script = (const struct exchange[]){
        ASKED(TAGGING "GetResources", NULL, "{\"ResourceTagMappingList\":[{\"ResourceARN\":\"arn:a\"}]}"),
        ASKED(ACM "ListTagsForCertificate", NULL, "{\"Tags\":[]}")};
    s.script_count = 2;
    expect_fails(&s, ESP_E_CONFIG, "certificate not managed by external-secrets");
    s.op = service_ops->exists;
    expect_outputs(&s, "1 =true");
    s.script =
        (const struct exchange[]){ASKED(TAGGING "GetResources", NULL, "{\"ResourceTagMappingList\":[]}")};
    s.script_count = 1;
    expect_outputs(&s, "1 =false");
}

/* Each operation of a certificate looks into what the store remembers, and writes there. */
static esp_status answer_tagging(struct world *world, struct esp_call *call,
                                 const struct esp_http_request *request, struct esp_http_response *response)
{
    const esp_pair *target = test_header(request, "x-amz-target");
    (void)world;
    return test_answer(call, response, 200, NULL,
                       esp_equal_str(target->value, TAGGING "GetResources")
                           ? "{\"ResourceTagMappingList\":[{\"ResourceARN\":\"arn:a\"}]}"
                           : "{\"Tags\":[{\"Key\":\"managed-by\",\"Value\":\"external-secrets\"}]}");
}

static void *look_and_delete(void *store)
{
    struct esp_call call = {.world = &service_world};
    for (int i = 0; i < 50; i++) {
        char document[64];
        snprintf(document, sizeof document, "{\"remoteKey\":\"c%d\",\"property\":\"\"}", i % 5);
        assert_int_equal(test_run(&call, service_ops->exists, store, document, NULL, 0), ESP_OK);
        assert_string_equal(test_value(&call, "")->value, "true");
        assert_int_equal(test_run(&call, service_ops->remove, store, document, NULL, 0), ESP_OK);
    }
    test_reset(&call);
    return NULL;
}

static void test_threads_share_what_a_store_remembers(void **state)
{
    (void)state;
    struct esp_call call = {0};
    pthread_t threads[4];
    void *store = service_open(&call, &(struct scene){.more = CM});
    service_world.http = answer_tagging;
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_and_delete, store), 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    service_close(&call, store);
    test_reset(&call);
}

/* ---- check ---- */

static void check(const char *spec, const char *why)
{
    struct esp_call call = {0};
    struct esp_text document;

    esp_text_init(&document, 2000);
    esp_text_addf(
        &document,
        "{\"spec\":{%s},\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"apps\",\"name\":\"s\"}}", spec);
    esp_status status = test_run(&call, service_ops->check, NULL, esp_text_str(&document), NULL, 0);
    assert_string_equal(call.why, why);
    assert_int_equal(status, *why ? ESP_E_CONFIG : ESP_OK);
    esp_text_free(&document);
    test_reset(&call);
}

static void test_specs_that_cannot_work(void **state)
{
    (void)state;
#define REGION "\"region\":\"eu-central-1\""
    check(REGION ",\"service\":\"ParameterStore\"", "");
    check(REGION ",\"service\":\"S3\"", "unknown AWS Provider Service: S3");
    check("\"region\":\"mars\",\"service\":\"SecretsManager\"", "region not found: mars");
    check(REGION ",\"service\":\"SecretsManager\",\"secretsManager\":{\"recoveryWindowInDays\":31}",
          "invalid DeleteSecretInput: RecoveryWindowInDays must be between 7 and 30 days");
    check(REGION ",\"service\":\"SecretsManager\",\"secretsManager\":{\"recoveryWindowInDays\":0,"
                 "\"forceDeleteWithoutRecovery\":true}",
          "");
    check(REGION ",\"service\":\"SecretsManager\",\"secretsManager\":{\"recoveryWindowInDays\":30,"
                 "\"forceDeleteWithoutRecovery\":true}",
          "invalid DeleteSecretInput: ForceDeleteWithoutRecovery conflicts with RecoveryWindowInDays");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_versions_and_tags),
        cmocka_unit_test(test_versions_are_read_by_themselves),
        cmocka_unit_test(test_ten_at_a_time),
        cmocka_unit_test(test_a_walk_begins_where_matches_can_be),
        cmocka_unit_test(test_what_has_gone_meanwhile_is_not_found),
        cmocka_unit_test(test_what_a_new_parameter_is_made_with),
        cmocka_unit_test(test_metadata_that_cannot_be),
        cmocka_unit_test(test_only_what_is_managed_is_deleted),
        cmocka_unit_test(test_what_exists),
        cmocka_unit_test(test_a_certificate_that_cannot_be_had),
        cmocka_unit_test(test_certificates_are_found_by_their_tags),
        cmocka_unit_test(test_threads_share_what_a_store_remembers),
        cmocka_unit_test(test_specs_that_cannot_work),
    };
    return cmocka_run_group_tests(tests, service_load, NULL);
}
