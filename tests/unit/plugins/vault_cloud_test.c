/* Logins of the Vault plugin with identities of Google Cloud and AWS. */
#include "vault.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>

#include <esp/codec.h>
#include <esp/json.h>

#define AUTH(auth) OPEN(",\"path\":\"kv\",\"auth\":{" auth "}")
#define LOGIN(mount, sent)                                                                                   \
    {                                                                                                        \
        .method = "PUT", .url = "https://vault:8200/v1/auth/" mount "/login", .body = sent, .status = 200,   \
        .answer = "{\"auth\":{\"client_token\":\"t\",\"token_type\":\"batch\"}}"                             \
    }

static void opens(const char *json)
{
    void *store = vault_opened(json);
    vault_closed(store);
}

static void open_fails(const char *json, esp_status status, const char *why)
{
    void *store = NULL;
    assert_int_equal(test_open(&call, vault->store, json, &store), status);
    assert_string_equal(call.why, why);
    test_script_done(&world);
}

/* ---- Google Cloud: the machine ---- */

#define MACHINE AUTH("\"gcp\":{\"path\":\"gcp\",\"role\":\"a&b\"}")

static void test_the_identity_of_the_machine(void **state)
{
    static const struct object elsewhere[] = {
        {ESP_AMBIENT_ENV, NULL, "GCE_METADATA_HOST", NULL, "127.0.0.1:80", 0}, {0}};
    (void)state;
    EXPECT({.method = "GET",
            .url = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/"
                   "identity?audience=http%3A%2F%2Fvault%2Fa%26b&format=full",
            .headers = "Metadata-Flavor: Google",
            .status = 200,
            .answer = "id.token\n"},
           LOGIN("gcp", "{\"role\":\"a&b\",\"jwt\":\"id.token\"}"));
    opens(MACHINE);
    world.ambient = elsewhere;
    EXPECT({.url = "http://127.0.0.1:80/computeMetadata/v1/instance/service-accounts/default/"
                   "identity?audience=http%3A%2F%2Fvault%2Fa%26b&format=full",
            .status = 404,
            .answer = "s3same"});
    open_fails(MACHINE, ESP_E_DENIED, "Google Cloud refuses the metadata of this machine: status 404");
}

/* ---- Google Cloud: a key ---- */

#define KEY                                                                                                  \
    AUTH("\"gcp\":{\"role\":\"r\",\"secretRef\":{\"secretAccessKeySecretRef\":{\"name\":\"key\",\"key\":"    \
         "\"json\"}}}")

/* The key file of a service account, with a new key. */
static void write_key_file(char *out, size_t max)
{
    struct esp_text text;
    char *pem = NULL;
    EVP_PKEY *key = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_true(key && bio && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL));
    long len = BIO_get_mem_data(bio, &pem);
    esp_text_init(&text, max - 1);
    esp_text_adds(
        &text,
        "{\"client_email\":\"me@p.iam.gserviceaccount.com\",\"private_key_id\":\"k1\",\"private_key\":");
    esp_json_quote(esp_span(pem, (size_t)len), &text);
    esp_text_addc(&text, '}');
    snprintf(out, max, "%s", esp_text_str(&text));
    esp_text_free(&text);
    BIO_free(bio);
    EVP_PKEY_free(key);
}

static char sent[8192];

static esp_status note_login(struct world *w, struct esp_call *c, const struct esp_http_request *request,
                             struct esp_http_response *response)
{
    (void)w;
    snprintf(sent, sizeof sent, "%.*s", (int)request->body.len, (const char *)request->body.ptr);
    return test_answer(c, response, 200, NULL,
                       "{\"auth\":{\"client_token\":\"t\",\"token_type\":\"batch\"}}");
}

static void test_a_key_signs_for_itself(void **state)
{
    char file[4096], want[200];
    struct esp_text token, claims;
    (void)state;
    write_key_file(file, sizeof file);
    const struct object objects[] = {{ESP_KUBE_SECRET, "apps", "key", "json", file, 0}, {0}};
    world.objects = objects;
    world.http = note_login;
    opens(KEY);
    esp_text_init(&token, sizeof sent);
    esp_text_init(&claims, sizeof sent);
    assert_int_equal(esp_json_get(esp_str(sent), esp_str("jwt"), ESP_JSON_PATH, &token), 1);
    assert_true(esp_jwt_claims(esp_text_bytes(&token), &claims));
    snprintf(want, sizeof want, "{\"sub\":\"me@p.iam.gserviceaccount.com\",\"aud\":\"vault/r\",\"exp\":%d}",
             1000 + 600);
    assert_string_equal(esp_text_str(&claims), want);
    esp_text_cut(&claims, 0);
    assert_true(esp_base64_decode(esp_span(token.ptr, strcspn((const char *)token.ptr, ".")), &claims));
    assert_string_equal(esp_text_str(&claims), "{\"alg\":\"RS256\",\"kid\":\"k1\",\"typ\":\"JWT\"}");
    esp_text_free(&token);
    esp_text_free(&claims);
}

static void test_keys_that_are_none(void **state)
{
    static const struct object nothing[] = {
        {ESP_KUBE_SECRET, "apps", "key", "json", "{\"client_email\":\"x\"}", 0}, {0}};
    static const struct object bad[] = {
        {ESP_KUBE_SECRET, "apps", "key", "json",
         "{\"client_email\":\"x\",\"private_key_id\":\"k\",\"private_key\":\"s3same\"}", 0},
        {0}};
    (void)state;
    world.objects = nothing;
    open_fails(KEY, ESP_E_CONFIG,
               "auth.gcp.secretRef: no key file of a service account: client_email, private_key and "
               "private_key_id belong "
               "to it");
    world.objects = bad;
    open_fails(KEY, ESP_E_CONFIG, "auth.gcp.secretRef: private_key of the key file is no RSA private key");
}

/* ---- Google Cloud: GKE ---- */

#define WORKLOAD(more)                                                                                       \
    AUTH("\"gcp\":{\"role\":\"r\",\"workloadIdentity\":{\"serviceAccountRef\":{\"name\":\"app\"}" more "}}")
#define KNOWN ",\"clusterProjectID\":\"p\",\"clusterLocation\":\"l\",\"clusterName\":\"c\""
#define META(path, text)                                                                                     \
    {                                                                                                        \
        .url = "http://metadata.google.internal/computeMetadata/v1/" path, .status = 200, .answer = text     \
    }
#define EXCHANGE                                                                                             \
    {                                                                                                        \
        .method = "POST", .url = "https://securetoken.googleapis.com/v1/identitybindingtoken",               \
        .headers = "!Authorization\nContent-Type: application/json",                                         \
        .body =                                                                                              \
            "{\"grant_type\":\"urn:ietf:params:oauth:grant-type:token-exchange\",\"subject_token_type\":"    \
            "\"urn:ietf:params:oauth:token-type:jwt\",\"requested_token_type\":"                             \
            "\"urn:ietf:params:oauth:token-type:access_token\",\"subject_token\":\"k8s\",\"audience\":"      \
            "\"identitynamespace:p.svc.id.goog:https://container.googleapis.com/v1/projects/p/locations/l/"  \
            "clusters/c\",\"scope\":\"https://www.googleapis.com/auth/cloud-platform\"}",                    \
        .status = 200, .answer = "{\"access_token\":\"federated\"}"                                          \
    }
#define ACCOUNT                                                                                              \
    "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/me@p.iam.gserviceaccount.com"

static const struct object accounts[] = {
    {ESP_KUBE_SERVICE_ACCOUNT, "apps", "app", "",
     "{\"metadata\":{\"annotations\":{\"iam.gke.io/gcp-service-account\":\"me@p.iam.gserviceaccount.com\"}}}",
     0},
    {0}};
static const struct object bare_accounts[] = {
    {ESP_KUBE_SERVICE_ACCOUNT, "apps", "app", "", "{\"metadata\":{}}", 0}, {0}};
static const struct sa_token account_tokens[] = {{"apps", "app", "p.svc.id.goog", 900, "k8s"}, {0}};

static void test_a_workload_on_gke(void **state)
{
    (void)state;
    world.objects = accounts;
    world.tokens = account_tokens;
    EXPECT(META("project/project-id", "p\n"), META("instance/attributes/cluster-location", "l"),
           META("instance/attributes/cluster-name", "c"), EXCHANGE,
           {.method = "POST",
            .url = ACCOUNT ":generateAccessToken",
            .headers = "Authorization: Bearer federated",
            .body = "{\"scope\":[\"https://www.googleapis.com/auth/cloud-platform\"]}",
            .status = 200,
            .answer = "{\"accessToken\":\"access\"}"},
           {.method = "POST",
            .url = ACCOUNT ":signJwt",
            .headers = "Authorization: Bearer access",
            .body = "{\"payload\":\"{\\\"sub\\\":\\\"me@p.iam.gserviceaccount.com\\\",\\\"aud\\\":\\\"vault/"
                    "r\\\",\\\"exp\\\":1600}\"}",
            .status = 200,
            .answer = "{\"keyId\":\"x\",\"signedJwt\":\"signed\"}"},
           LOGIN("gcp", "{\"role\":\"r\",\"jwt\":\"signed\"}"));
    opens(WORKLOAD(""));
}

static void test_what_google_refuses(void **state)
{
    (void)state;
    world.objects = accounts;
    world.tokens = account_tokens;
    EXPECT(EXCHANGE, {.status = 403, .answer = "s3same"});
    open_fails(WORKLOAD(KNOWN), ESP_E_DENIED, "Google Cloud refuses generateAccessToken: status 403");
    EXPECT({.status = 503, .answer = "s3same"});
    open_fails(WORKLOAD(KNOWN), ESP_E_RETRY, "Google Cloud refuses identitybindingtoken: status 503");
    EXPECT({.status = 200, .answer = "s3same"});
    open_fails(WORKLOAD(KNOWN), ESP_E_RETRY,
               "Google Cloud: identitybindingtoken: the answer is not what it should be");
    world.objects = bare_accounts;
    world.script_count = world.script_at = 0;
    open_fails(WORKLOAD(KNOWN), ESP_E_CONFIG,
               "the service account app has no annotation iam.gke.io/gcp-service-account: it names the "
               "account that signs "
               "for Vault");
}

/* ---- AWS ---- */

#define IAM(more) AUTH("\"iam\":{\"vaultRole\":\"r\"" more "}")
#define KEYS                                                                                                 \
    ",\"secretRef\":{\"accessKeyIDSecretRef\":{\"name\":\"aws\",\"key\":\"id\"},"                            \
    "\"secretAccessKeySecretRef\":{\"name\":\"aws\",\"key\":\"key\"},"                                       \
    "\"sessionTokenSecretRef\":{\"name\":\"aws\",\"key\":\"token\"}}"

static const struct object aws_secrets[] = {
    {ESP_KUBE_SECRET, "apps", "aws", "id", "AKID\n", 0},
    {ESP_KUBE_SECRET, "apps", "aws", "key", "s3same", 0},
    {ESP_KUBE_SECRET, "apps", "aws", "token", "session", 0},
    {0},
};

/* The decoded member of what was sent. */
static void sent_is(const char *member, const char *want)
{
    struct esp_text text, plain;
    esp_text_init(&text, sizeof sent);
    esp_text_init(&plain, sizeof sent);
    assert_int_equal(esp_json_get(esp_str(sent), esp_str(member), ESP_JSON_PATH, &text), 1);
    assert_true(esp_base64_decode(esp_text_bytes(&text), &plain));
    assert_string_equal(esp_text_str(&plain), want);
    esp_text_free(&text);
    esp_text_free(&plain);
}

/* A header of the request that was signed for Vault. */
static void header_is(const char *name, const char *want)
{
    struct esp_text text, plain, value;
    esp_text_init(&text, sizeof sent);
    esp_text_init(&plain, sizeof sent);
    esp_text_init(&value, sizeof sent);
    esp_json_get(esp_str(sent), esp_str("iam_request_headers"), ESP_JSON_PATH, &text);
    assert_true(esp_base64_decode(esp_text_bytes(&text), &plain));
    assert_int_equal(esp_json_get(esp_text_bytes(&plain), esp_str(name), ESP_JSON_PATH, &value), 1);
    assert_non_null(strstr(esp_text_str(&value), want));
    esp_text_free(&text);
    esp_text_free(&plain);
    esp_text_free(&value);
}

static void test_what_is_signed_for_aws(void **state)
{
    (void)state;
    world.objects = aws_secrets;
    world.http = note_login;
    world.now_ms = INT64_C(1440938160000);
    opens(IAM(KEYS ",\"vaultAwsIamServerID\":\"vault.example\""));
    sent_is("iam_request_url", "https://sts.amazonaws.com/");
    sent_is("iam_request_body", "Action=GetCallerIdentity&Version=2011-06-15");
    assert_non_null(strstr(sent, "{\"role\":\"r\",\"iam_http_request_method\":\"POST\","));
    header_is("X-Vault-AWS-IAM-Server-ID", "vault.example");
    header_is("X-Amz-Date", "20150830T123600Z");
    header_is("X-Amz-Security-Token", "session");
    header_is("Authorization",
              "AWS4-HMAC-SHA256 Credential=AKID/20150830/us-east-1/sts/aws4_request, "
              "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-vault-aws-iam-server-id, ");
    assert_null(strstr(sent, "s3same"));
    opens(IAM(KEYS ",\"region\":\"eu-west-3\""));
    sent_is("iam_request_url", "https://sts.eu-west-3.amazonaws.com/");
    header_is("Authorization", "/eu-west-3/sts/");
    opens(IAM(KEYS ",\"region\":\"cn-north-1\""));
    sent_is("iam_request_url", "https://sts.cn-north-1.amazonaws.com.cn/");
}

static void test_the_agent_of_pod_identity(void **state)
{
    static const struct object pod[] = {
        {ESP_AMBIENT_ENV, NULL, "AWS_CONTAINER_CREDENTIALS_FULL_URI", NULL,
         "http://169.254.170.23/v1/credentials", 0},
        {ESP_AMBIENT_FILE, NULL, "$AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", NULL, "of-the-pod\n", 0},
        {0},
    };
    (void)state;
    world.ambient = pod;
    EXPECT({.method = "GET",
            .url = "http://169.254.170.23/v1/credentials",
            .headers = "Authorization: of-the-pod",
            .status = 200,
            .answer = "{\"AccessKeyId\":\"AKID\",\"SecretAccessKey\":\"s3\\/same\",\"Token\":\"t\"}"},
           LOGIN("aws", NULL));
    opens(IAM(""));
    EXPECT({.status = 400, .answer = "s3same"});
    open_fails(IAM(""), ESP_E_DENIED, "the agent of EKS Pod Identity refuses credentials: status 400");
    EXPECT({.status = 200, .answer = "{}"});
    open_fails(IAM(""), ESP_E_RETRY, "the agent of EKS Pod Identity: the answer holds no credentials");
}

static void test_no_identity_of_aws(void **state)
{
    static const struct object denied[] = {
        {ESP_AMBIENT_FILE, NULL, "$AWS_WEB_IDENTITY_TOKEN_FILE", NULL, NULL, ESP_E_DENIED}, {0}};
    (void)state;
    open_fails(IAM(""), ESP_E_CONFIG,
               "no AWS authentication method found: expected either IRSA or Pod Identity");
    world.ambient = denied;
    open_fails(IAM(""), ESP_E_DENIED, "refused by the test's world");
    open_fails(IAM(",\"jwt\":{}"), ESP_E_CONFIG, "auth.iam.jwt: serviceAccountRef is missing");
    open_fails(IAM(",\"secretRef\":{}"), ESP_E_CONFIG,
               "auth.iam.secretRef.accessKeyIDSecretRef: the name of a Secret is missing");
    world.objects = aws_secrets;
    EXPECT({.status = 403, .answer = "<Error><Code>AccessDenied</Code><Message>s3same</Message></Error>"});
    open_fails(IAM(KEYS ",\"role\":\"arn\""), ESP_E_DENIED,
               "AWS refuses AssumeRole: status 403: AccessDenied");
    EXPECT({.status = 400, .answer = "<Code>Throttling</Code>"});
    open_fails(IAM(KEYS ",\"role\":\"arn\""), ESP_E_RETRY, "AWS refuses AssumeRole: status 400: Throttling");
    EXPECT({.status = 400, .answer = "<Code>s3same \"!</Code>"});
    open_fails(IAM(KEYS ",\"role\":\"arn\""), ESP_E_DENIED, "AWS refuses AssumeRole: status 400");
    EXPECT({.status = 200, .answer = "<html>"});
    open_fails(IAM(KEYS ",\"role\":\"arn\""), ESP_E_RETRY, "AssumeRole: the answer holds no credentials");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_identity_of_the_machine), TEST(test_a_key_signs_for_itself),
        TEST(test_keys_that_are_none),          TEST(test_a_workload_on_gke),
        TEST(test_what_google_refuses),         TEST(test_what_is_signed_for_aws),
        TEST(test_the_agent_of_pod_identity),   TEST(test_no_identity_of_aws),
    };
    return cmocka_run_group_tests(tests, vault_load, NULL);
}
