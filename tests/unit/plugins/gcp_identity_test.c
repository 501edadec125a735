/* Identities that stand around esod: files, variables, what a credential configuration sends where. */
#include "gcp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <esp/text.h>

#define KSA_TOKEN "/var/run/secrets/tokens/gcp-ksa/token"
#define REF "{\"key\":\"db\",\"property\":\"\",\"version\":\"\",\"metadataPolicy\":\"None\"," STORE "}"
#define VALUE "{\"payload\":{\"data\":\"dg==\"}}"
#define CREDENTIALS "GOOGLE_APPLICATION_CREDENTIALS"

static struct esp_call call;

static int forget(void **state)
{
    (void)state;
    test_reset(&call);
    return 0;
}

/* Reads with what surrounds the process. */
static esp_status reads(const struct object *ambient, const struct exchange *script, size_t count)
{
    struct world world = {
        .ambient = ambient, .script = script, .script_count = count, .now_ms = 1700000000000};
    call.world = &world;
    void *store = NULL;
    esp_status status = gcp_test_try(&call, "", &store);
    if (status == ESP_OK)
        status = test_run(&call, gcp_test_ops->get, store, REF, NULL, 0);
    test_script_done(&world);
    if (store)
        gcp_test_ops->close(store, &call);
    return status;
}
#define READS(ambient, script) reads(ambient, script, sizeof script / sizeof *script)

static void test_a_configuration_with_a_file(void **state)
{
    (void)state;
    static const struct object ambient[] = {
        {ESP_AMBIENT_ENV, NULL, CREDENTIALS, NULL, "/etc/google.json", ESP_OK},
        {ESP_AMBIENT_FILE, NULL, "$" CREDENTIALS, NULL,
         "{\"type\":\"external_account\",\"audience\":\"//iam/pool\",\"subject_token_type\":\"kind\","
         "\"token_url\":\"https://sts.europe-west3.rep.googleapis.com/v1/"
         "token\",\"client_id\":\"me:\",\"client_secret\":"
         "\"s3\",\"quota_project_id\":\"payer\",\"credential_source\":{\"file\":\"" KSA_TOKEN "\"}}",
         ESP_OK},
        {ESP_AMBIENT_FILE, NULL, KSA_TOKEN, NULL, "subject/token+\n", ESP_OK},
        {0, NULL, NULL, NULL, NULL, ESP_OK}};
    const struct exchange script[] = {
        {.method = "POST",
         .url = "https://sts.europe-west3.rep.googleapis.com/v1/token",
         .headers = "authorization: Basic bWUlM0E6czM=\ncontent-type: application/x-www-form-urlencoded",
         .body =
             "audience=%2F%2Fiam%2Fpool&grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange&"
             "requested_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token&subject_token_"
             "type=kind&"
             "subject_token=subject%2Ftoken%2B&scope=https%3A%2F%2Fwww.googleapis.com%2Fauth%2Fcloud-"
             "platform",
         .status = 200,
         .answer = "{\"access_token\":\"t\",\"expires_in\":3600}"},
        {.url = SECRETS "/db/versions/latest:access",
         .headers = "authorization: Bearer t\nx-goog-user-project: payer",
         .status = 200,
         .answer = VALUE}};
    assert_int_equal(READS(ambient, script), ESP_OK);
}

static void test_a_file_that_is_not_granted(void **state)
{
    (void)state;
    static const struct object ambient[] = {
        {ESP_AMBIENT_ENV, NULL, CREDENTIALS, NULL, "/etc/google.json", ESP_OK},
        {ESP_AMBIENT_FILE, NULL, "$" CREDENTIALS, NULL,
         "{\"type\":\"external_account\",\"audience\":\"a\",\"credential_source\":{\"file\":\"/etc/"
         "shadow\"}}",
         ESP_OK},
        {ESP_AMBIENT_FILE, NULL, "/etc/shadow", NULL, NULL, ESP_E_DENIED},
        {0, NULL, NULL, NULL, NULL, ESP_OK}};
    assert_int_equal(reads(ambient, NULL, 0), ESP_E_DENIED);
}

static void test_where_the_metadata_server_is(void **state)
{
    (void)state;
    static const struct object ambient[] = {
        {ESP_AMBIENT_ENV, NULL, "GCE_METADATA_HOST", NULL, "metadata.example:8080", ESP_OK},
        {0, NULL, NULL, NULL, NULL, ESP_OK}};
    const struct exchange script[] = {
        {.url = "http://metadata.example:8080/computeMetadata/v1/instance/service-accounts/default/token",
         .headers = "metadata-flavor: Google",
         .status = 200,
         .answer = "{\"access_token\":\"t\"}"},
        {.url = SECRETS "/db/versions/latest:access",
         .headers = "authorization: Bearer t\n!x-goog-user-project",
         .status = 200,
         .answer = VALUE}};
    assert_int_equal(READS(ambient, script), ESP_OK);
}

/* ---- the project ---- */

static esp_status open_with(const char *spec, struct world *world, void **store)
{
    char json[1024];
    snprintf(json, sizeof json, "{\"spec\":%s," STORE "}", spec);
    call.world = world;
    return test_open(&call, gcp_test_ops, json, store);
}

#define PROJECT_URL "http://169.254.169.254/computeMetadata/v1/project/project-id"

static void test_the_project_of_the_machine(void **state)
{
    (void)state;
    const struct exchange script[] = {
        {.url = PROJECT_URL,
         .headers = "metadata-flavor: Google",
         .status = 200,
         .answer_headers = "metadata-flavor: Google",
         .answer = "here"},
        TOKEN,
        {.url = "https://secretmanager.googleapis.com/v1/projects/here/secrets/db/versions/"
                "latest:access",
         .status = 200,
         .answer = VALUE}};
    struct world world = {.script = script, .script_count = 3, .now_ms = 1};
    void *store = NULL;
    assert_int_equal(open_with("{}", &world, &store), ESP_OK);
    assert_int_equal(test_run(&call, gcp_test_ops->get, store, REF, NULL, 0), ESP_OK);
    test_script_done(&world);
    gcp_test_ops->close(store, &call);
}

static void no_project(const struct exchange *answer, esp_status status)
{
    struct world world = {.script = answer, .script_count = answer ? 1 : 0, .now_ms = 1};
    void *store = NULL;
    assert_int_equal(
        open_with(answer ? "{}"
                         : "{\"auth\":{\"secretRef\":{\"secretAccessKeySecretRef\":{\"name\":\"n\",\"key\":"
                           "\"k\"}}}}",
                  &world, &store),
        status);
    assert_null(store);
    if (status == ESP_E_CONFIG)
        assert_string_equal(call.why, "unable to find ProjectID in storeSpec: set projectID");
}

/* Whoever answers there need not be Google's: without its header it is somebody else. */
static void test_no_project(void **state)
{
    (void)state;
    no_project(&(struct exchange){.url = PROJECT_URL, .status = 200, .answer = "<html>"}, ESP_E_CONFIG);
    no_project(
        &(struct exchange){.url = PROJECT_URL, .status = 404, .answer_headers = "metadata-flavor: Google"},
        ESP_E_CONFIG);
    no_project(&(struct exchange){.url = PROJECT_URL, .fails = ESP_E_RETRY}, ESP_E_CONFIG);
    no_project(NULL, ESP_E_CONFIG);
}

static void test_nobody_uses_the_store_yet(void **state)
{
    (void)state;
    struct world world = {.now_ms = 1};
    void *store = NULL;
    assert_int_equal(open_with("{\"projectID\":\"p\",\"auth\":{\"secretRef\":{\"secretAccessKeySecretRef\":{"
                               "\"name\":\"n\",\"key\":"
                               "\"k\"}}}}",
                               &world, &store),
                     ESP_E_UNDECIDED);
    assert_int_equal(
        open_with(
            "{\"projectID\":\"p\",\"auth\":{\"workloadIdentity\":{\"serviceAccountRef\":{\"name\":\"n\"}}}}",
            &world, &store),
        ESP_E_UNDECIDED);
    assert_null(store);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, forget)
    const struct CMUnitTest tests[] = {
        TEST(test_a_configuration_with_a_file),
        TEST(test_a_file_that_is_not_granted),
        TEST(test_where_the_metadata_server_is),
        TEST(test_the_project_of_the_machine),
        TEST(test_no_project),
        TEST(test_nobody_uses_the_store_yet),
    };
    return cmocka_run_group_tests(tests, gcp_test_load, NULL);
}
