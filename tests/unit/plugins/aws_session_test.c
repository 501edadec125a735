/* A store's way to AWS: whose credentials sign what, and what becomes of trouble. */
#include "host.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session.h"

#define NOW INT64_C(1772337906000) /* 2026-03-01T04:05:06Z */
#define STORE                                                                                                \
    "\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"apps\",\"name\":\"s\",\"generation\":1},"           \
    "\"namespace\":\"apps\""
#define OPEN(more) "{\"spec\":{\"region\":\"eu-central-1\"" more "}," STORE "}"
#define SECRET_REF                                                                                           \
    ",\"auth\":{\"secretRef\":{\"accessKeyIDSecretRef\":{\"name\":\"keys\",\"key\":\"id\"},"                 \
    "\"secretAccessKeySecretRef\":{\"name\":\"keys\",\"key\":\"secret\"}}}"
#define JWT(more) ",\"auth\":{\"jwt\":{\"serviceAccountRef\":{\"name\":\"app\"" more "}}}"
#define SM "https://secretsmanager.eu-central-1.amazonaws.com/"
#define STS "https://sts.eu-central-1.amazonaws.com/"
#define SIGNED_BY(id, service, names)                                                                        \
    "AWS4-HMAC-SHA256 Credential=" id "/20260301/eu-central-1/" service "/aws4_request, "                    \
                                                                        "SignedHeaders=" names
#define CREDENTIALS(action, id, expires)                                                                     \
    "<" action "Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><" action                       \
    "Result><Credentials>"                                                                                   \
    "<AccessKeyId>" id "</AccessKeyId><SecretAccessKey>assumed</SecretAccessKey><SessionToken>tok+/=" id     \
    "</SessionToken><Expiration>" expires "</Expiration></Credentials></" action "Result></" action          \
    "Response>"
#define ASSUMED(id) CREDENTIALS("AssumeRole", id, "2026-03-01T04:20:06Z")
#define ENV(name, value)                                                                                     \
    {                                                                                                        \
        ESP_AMBIENT_ENV, NULL, name, NULL, value, ESP_OK                                                     \
    }
#define FILE_OF(name, value)                                                                                 \
    {                                                                                                        \
        ESP_AMBIENT_FILE, NULL, name, NULL, value, ESP_OK                                                    \
    }
#define DONE                                                                                                 \
    {                                                                                                        \
        .status = 200, .answer = "{\"ok\":true}"                                                             \
    }

/* ---- a plugin around the session ---- */

static const struct esp_plugin nothing = {.size = sizeof nothing};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *services)
{
    aws_host = services;
    return &nothing;
}

static esp_status open_op(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *doc = json_loadb((const char *)req->json.ptr, req->json.len, 0, NULL);
    assert_non_null(doc);
    esp_status status = aws_session_open(call, json_object_get(doc, "spec"), doc, instance);
    json_decref(doc);
    return status;
}

static esp_status check_op(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)instance;
    json_t *doc = json_loadb((const char *)req->json.ptr, req->json.len, 0, NULL);
    assert_non_null(doc);
    esp_status status = aws_session_check(call, json_object_get(doc, "spec"), doc);
    json_decref(doc);
    return status;
}

static esp_status ready_op(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)req;
    return aws_session_ready(instance, call);
}

static esp_status get_op(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)req;
    const struct aws_ask ask = {.service = "secretsmanager",
                                .target = "secretsmanager.GetSecretValue",
                                .operation = "GetSecretValue",
                                .key = esp_str("db"),
                                .body = esp_str("{\"SecretId\":\"db\"}")};
    struct aws_answer answer;
    esp_status status = aws_ask(instance, call, &ask, &answer);
    if (status != ESP_OK)
        return status;
    if (answer.status != 200)
        return aws_fail(call, &ask, &answer);
    return aws_host->emit(call, ESP_OUT_VALUE, esp_str(""), answer.body);
}

/* ---- what the tests share ---- */

static const struct object keys[] = {{ESP_KUBE_SECRET, "apps", "keys", "id", "AKIAFIXED", ESP_OK},
                                     {ESP_KUBE_SECRET, "apps", "keys", "secret", "fixed", ESP_OK},
                                     {0}};

struct story {
    const char *document;
    const struct object *objects, *ambient;
    const struct sa_token *tokens;
    const struct exchange *script;
    size_t script_count;
    int64_t remaining_ms;
};

static struct world world;

/* Opens a session and asks once; the sentence stays in call->why. */
static esp_status tell(struct esp_call *call, const struct story *s)
{
    void *session = NULL;
    world = (struct world){.script = s->script,
                           .script_count = s->script_count,
                           .namespace = "apps",
                           .objects = s->objects,
                           .ambient = s->ambient,
                           .tokens = s->tokens,
                           .now_ms = NOW,
                           .remaining_ms = s->remaining_ms};
    call->world = &world;
    esp_status status = test_run(call, open_op, &session, s->document, NULL, 0);
    if (status == ESP_OK)
        status = test_run(call, get_op, session, "{}", NULL, 0);
    aws_session_close(session);
    test_script_done(&world);
    return status;
}

#define SCRIPT(...)                                                                                          \
    .script = (const struct exchange[]){__VA_ARGS__},                                                        \
    .script_count = sizeof((const struct exchange[]){__VA_ARGS__}) / sizeof(struct exchange)
#define AMBIENT(...)                                                                                         \
    .ambient = (const struct object[])                                                                       \
    {                                                                                                        \
        __VA_ARGS__,                                                                                         \
        {                                                                                                    \
            0                                                                                                \
        }                                                                                                    \
    }

static void expect_ok(const struct story *s)
{
    struct esp_call call = {0};
    esp_status status = tell(&call, s);
    if (status != ESP_OK)
        fail_msg("%d: %s", status, call.why);
    assert_string_equal(call.outputs[0].value, "{\"ok\":true}");
    test_reset(&call);
}

static void expect_failure(const struct story *s, esp_status want, const char *why)
{
    struct esp_call call = {0};
    esp_status status = tell(&call, s);
    assert_string_equal(call.why, why);
    assert_int_equal(status, want);
    assert_int_equal(call.failed_with, want);
    test_reset(&call);
}

/* Whether the header Authorization begins so; the rest is a signature. */
static bool signed_by(const struct esp_http_request *request, const char *begin)
{
    const esp_pair *h = test_header(request, "Authorization");
    return h && h->value.len > strlen(begin) && memcmp(h->value.ptr, begin, strlen(begin)) == 0;
}

/* ---- the keys of a Secret ---- */

static esp_status look_at_request(struct world *w, struct esp_call *call,
                                  const struct esp_http_request *request, struct esp_http_response *response)
{
    (void)w;
    assert_true(esp_equal_str(request->url, SM));
    assert_true(esp_equal_str(request->method, "POST"));
    assert_true(esp_equal_str(request->body, "{\"SecretId\":\"db\"}"));
    assert_true(esp_equal_str(request->api, "GetSecretValue"));
    assert_true(esp_equal_str(test_header(request, "Content-Type")->value, "application/x-amz-json-1.1"));
    assert_true(esp_equal_str(test_header(request, "X-Amz-Target")->value, "secretsmanager.GetSecretValue"));
    assert_true(esp_equal_str(test_header(request, "X-Amz-Date")->value, "20260301T040506Z"));
    assert_null(test_header(request, "X-Amz-Security-Token"));
    assert_true(signed_by(request, SIGNED_BY("AKIAFIXED", "secretsmanager",
                                             "content-type;host;x-amz-date;x-amz-target, Signature=")));
    return test_answer(call, response, 200, NULL, "{\"ok\":true}");
}

static void test_signs_with_the_keys_of_a_secret(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *session = NULL;
    world = (struct world){.http = look_at_request, .namespace = "apps", .objects = keys, .now_ms = NOW};
    call.world = &world;
    assert_int_equal(test_run(&call, open_op, &session, OPEN(SECRET_REF), NULL, 0), ESP_OK);
    assert_int_equal(world.requests, 0);
    assert_true(esp_equal_str(aws_session_region(session), "eu-central-1"));
    assert_int_equal(test_run(&call, ready_op, session, "{}", NULL, 0), ESP_OK);
    assert_int_equal(world.requests, 0);
    assert_int_equal(test_run(&call, get_op, session, "{}", NULL, 0), ESP_OK);
    assert_int_equal(world.requests, 1);
    aws_session_close(session);
    test_reset(&call);
}

static void test_a_missing_key_is_the_clusters_failure(void **state)
{
    (void)state;
    static const struct object empty[] = {{ESP_KUBE_SECRET, "apps", "keys", "id", " \n", ESP_OK},
                                          {ESP_KUBE_SECRET, "apps", "keys", "secret", "s", ESP_OK},
                                          {0}};
    expect_failure(&(struct story){.document = OPEN(SECRET_REF)}, ESP_E_NOT_FOUND,
                   "the test's world has no such object");
    expect_failure(&(struct story){.document = OPEN(SECRET_REF), .objects = empty}, ESP_E_CONFIG,
                   "auth.secretRef: the access key ID or the secret access key is empty");
}

static void test_a_session_token_is_sent(void **state)
{
    (void)state;
    static const struct object all[] = {{ESP_KUBE_SECRET, "apps", "keys", "id", "ASIATEMP", ESP_OK},
                                        {ESP_KUBE_SECRET, "apps", "keys", "secret", "s\n", ESP_OK},
                                        {ESP_KUBE_SECRET, "apps", "keys", "token", "tok", ESP_OK},
                                        {0}};
    expect_ok(&(struct story){
        .document =
            OPEN(",\"auth\":{\"secretRef\":{\"accessKeyIDSecretRef\":{\"name\":\"keys\",\"key\":\"id\"},"
                 "\"secretAccessKeySecretRef\":{\"name\":\"keys\",\"key\":\"secret\"},"
                 "\"sessionTokenSecretRef\":{\"name\":\"keys\",\"key\":\"token\"}}}"),
        .objects = all,
        SCRIPT({.headers = "X-Amz-Security-Token: tok", .status = 200, .answer = "{\"ok\":true}"})});
}

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
        .objects = keys,
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
                              .objects = keys,
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

static void test_a_role_that_is_refused(void **state)
{
    (void)state;
    expect_failure(
        &(struct story){
            .document = OPEN(SECRET_REF ",\"role\":\"arn:aws:iam::1:role/r\""),
            .objects = keys,
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
                        .objects = keys,
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
    world = (struct world){.namespace = NULL, .objects = keys, .now_ms = NOW};
    call.world = &world;
    static const char *const documents[] = {OPEN(SECRET_REF), OPEN(JWT())};
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(test_run(&call, open_op, &session, documents[i], NULL, 0), ESP_E_UNDECIDED);
    assert_null(session);
    test_reset(&call);
}

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

/* ---- trouble ---- */

#define FAILS(http, type)                                                                                    \
    {                                                                                                        \
        .status = http, .answer = "{\"__type\":\"" type "\",\"message\":\"quotes hunter2\"}"                 \
    }

static void test_trouble_that_passes_is_tried_again(void **state)
{
    (void)state;
    expect_ok(&(struct story){.document = OPEN(SECRET_REF),
                              .objects = keys,
                              SCRIPT(FAILS(400, "ThrottlingException"), {.fails = ESP_E_RETRY}, DONE)});
    assert_int_equal(world.requests, 3);
    assert_in_range(world.waited_ms, 1, 3000);
    expect_ok(&(struct story){.document = OPEN(SECRET_REF),
                              .objects = keys,
                              SCRIPT({.status = 429}, {.status = 503, .answer = "<html>"}, DONE)});
    expect_ok(&(struct story){
        .document = OPEN(SECRET_REF),
        .objects = keys,
        SCRIPT(FAILS(400, "RequestTimeoutException"), FAILS(500, "InternalServiceError"), DONE)});
}

static void test_trouble_that_stays_comes_back_later(void **state)
{
    (void)state;
    expect_failure(
        &(struct story){.document = OPEN(SECRET_REF),
                        .objects = keys,
                        SCRIPT(FAILS(400, "ThrottlingException"), FAILS(400, "ThrottlingException"),
                               FAILS(400, "ThrottlingException"))},
        ESP_E_RETRY,
        "GetSecretValue of db: AWS answers ThrottlingException (status 400), asked several times");
    expect_failure(
        &(struct story){.document = OPEN(SECRET_REF),
                        .objects = keys,
                        SCRIPT({.status = 404, .answer = "not here"}, {.status = 404, .answer = "not here"},
                               {.status = 404, .answer = "not here"})},
        ESP_E_RETRY,
        "GetSecretValue of db: status 404 without an error code of AWS, asked several times; is the endpoint "
        "one of AWS's?");
    struct esp_call call = {0};
    const struct story lost = {
        .document = OPEN(SECRET_REF),
        .objects = keys,
        SCRIPT({.fails = ESP_E_RETRY}, {.fails = ESP_E_RETRY}, {.fails = ESP_E_RETRY})};
    assert_int_equal(tell(&call, &lost), ESP_E_RETRY);
    assert_string_equal(call.why, "the transport failed");
    test_reset(&call);
}

#define RETRY(settings)                                                                                      \
    "{\"spec\":{\"region\":\"eu-central-1\"" SECRET_REF "},\"retrySettings\":" settings "," STORE "}"

static void test_the_store_says_how_often(void **state)
{
    (void)state;
    expect_failure(&(struct story){.document = RETRY("{\"maxRetries\":1}"),
                                   .objects = keys,
                                   SCRIPT(FAILS(400, "Throttling"))},
                   ESP_E_RETRY, "GetSecretValue of db: AWS answers Throttling (status 400), asked once");
    expect_failure(&(struct story){.document = RETRY("{\"maxRetries\":2,\"retryInterval\":\"1m\"}"),
                                   .objects = keys,
                                   .remaining_ms = 120000,
                                   SCRIPT(FAILS(400, "Throttling"), FAILS(400, "Throttling"))},
                   ESP_E_RETRY, "GetSecretValue of db: AWS answers Throttling (status 400), asked twice");
    assert_int_equal(world.waited_ms, 60000);
    expect_failure(&(struct story){.document = RETRY("{\"retryInterval\":\"1m\"}"),
                                   .objects = keys,
                                   .remaining_ms = 30000,
                                   SCRIPT(FAILS(400, "Throttling"))},
                   ESP_E_RETRY, "GetSecretValue of db: AWS answers Throttling (status 400), asked once");
    assert_int_equal(world.waited_ms, 0);
    expect_failure(
        &(struct story){.document = RETRY("{\"retryInterval\":\"soon\"}"), .objects = keys}, ESP_E_CONFIG,
        "retrySettings.retryInterval: \"soon\" is no duration of at most an hour; write it as 500ms, 10s or "
        "1m30s");
}

static void test_no_more_is_asked_after_the_end(void **state)
{
    (void)state;
    struct esp_call call = {0};
    const struct story cancelled = {
        .document = OPEN(SECRET_REF), .objects = keys, SCRIPT({.fails = ESP_E_CANCELLED})};
    assert_int_equal(tell(&call, &cancelled), ESP_E_CANCELLED);
    assert_int_equal(world.waited_ms, 0);
    test_reset(&call);
}

static void test_credentials_that_expired_are_fetched_once_more(void **state)
{
    (void)state;
    const char *document_of_role = OPEN(SECRET_REF ",\"role\":\"arn\"");
    expect_ok(&(struct story){.document = document_of_role,
                              .objects = keys,
                              SCRIPT({.url = STS, .status = 200, .answer = ASSUMED("ASIAOLD")},
                                     FAILS(400, "ExpiredTokenException"),
                                     {.url = STS, .status = 200, .answer = ASSUMED("ASIANEW")},
                                     {.url = SM,
                                      .headers = "X-Amz-Security-Token: tok+/=ASIANEW",
                                      .status = 200,
                                      .answer = "{\"ok\":true}"})});
    expect_failure(
        &(struct story){.document = document_of_role,
                        .objects = keys,
                        SCRIPT({.url = STS, .status = 200, .answer = ASSUMED("ASIAOLD")},
                               FAILS(400, "ExpiredTokenException"),
                               {.url = STS, .status = 200, .answer = ASSUMED("ASIANEW")},
                               FAILS(400, "ExpiredTokenException"))},
        ESP_E_DENIED,
        "GetSecretValue of db: AWS answers ExpiredTokenException (status 400): the credentials have expired");
    expect_failure(&(struct story){.document = OPEN(SECRET_REF),
                                   .objects = keys,
                                   SCRIPT(FAILS(400, "UnrecognizedClientException"))},
                   ESP_E_DENIED,
                   "GetSecretValue of db: AWS answers UnrecognizedClientException (status 400): AWS does not "
                   "know this access "
                   "key or session token");
}

static void test_credentials_are_kept_until_they_end(void **state)
{
    (void)state;
    struct esp_call call = {0};
    void *session = NULL;
    const struct exchange script[] = {{.url = STS, .status = 200, .answer = ASSUMED("ASIAONE")},
                                      {.url = SM, .status = 200, .answer = "{}"},
                                      {.url = SM, .status = 200, .answer = "{}"},
                                      {.url = STS, .status = 200, .answer = ASSUMED("ASIATWO")},
                                      {.url = SM, .status = 200, .answer = "{}"}};
    world = (struct world){
        .script = script, .script_count = 5, .namespace = "apps", .objects = keys, .now_ms = NOW};
    call.world = &world;
    assert_int_equal(test_run(&call, open_op, &session, OPEN(SECRET_REF ",\"role\":\"arn\""), NULL, 0),
                     ESP_OK);
    assert_int_equal(test_run(&call, get_op, session, "{}", NULL, 0), ESP_OK);
    world.now_ms += 10 * 60 * 1000;
    assert_int_equal(test_run(&call, get_op, session, "{}", NULL, 0), ESP_OK);
    world.now_ms += 4 * 60 * 1000 + 30 * 1000; /* half a minute before their end */
    assert_int_equal(test_run(&call, get_op, session, "{}", NULL, 0), ESP_OK);
    test_script_done(&world);
    aws_session_close(session);
    test_reset(&call);
}

static void answer_means(int status, const char *type, esp_status want, const char *why)
{
    char body[300], sentence[500];
    snprintf(body, sizeof body, "{\"__type\":\"%s\",\"message\":\"quotes hunter2\"}", type);
    snprintf(sentence, sizeof sentence, "GetSecretValue of db: AWS answers %s (status %d)%s", type, status,
             why);
    expect_failure(&(struct story){.document = OPEN(SECRET_REF),
                                   .objects = keys,
                                   SCRIPT({.status = status, .answer = body})},
                   want, sentence);
}

static void test_what_errors_mean(void **state)
{
    (void)state;
    answer_means(400, "AccessDeniedException", ESP_E_DENIED, "");
    answer_means(400, "DecryptionFailure", ESP_E_DENIED, ": may these credentials use the KMS key?");
    answer_means(400, "InvalidSignatureException", ESP_E_DENIED,
                 ": the secret access key does not belong to the access key, or the clocks differ");
    answer_means(400, "ValidationException", ESP_E_CONFIG, "");
    answer_means(400, "InvalidRequestException", ESP_E_RETRY, "");
    answer_means(403, "SomethingNew", ESP_E_DENIED, "");
    answer_means(404, "SomethingNew", ESP_E_RETRY, "");
    /* The caller has to say it: in here, nobody knows what was asked for. */
    answer_means(400, "ResourceNotFoundException", ESP_E_RETRY, "");
}

static void test_who_lacks_which_right(void **state)
{
    (void)state;
    expect_failure(
        &(struct story){
            .document = OPEN(SECRET_REF),
            .objects = keys,
            SCRIPT(
                {.status = 400,
                 .answer =
                     "{\"__type\":\"AccessDeniedException\",\"Message\":\"User: "
                     "arn:aws:sts::1:assumed-role/r/s is not "
                     "authorized to perform: secretsmanager:GetSecretValue on resource: hunter2 because no "
                     "identity-based policy allows it\"}"})},
        ESP_E_DENIED,
        "GetSecretValue of db: AWS answers AccessDeniedException (status 400): "
        "arn:aws:sts::1:assumed-role/r/s may not "
        "secretsmanager:GetSecretValue");
}

static void test_an_answer_that_is_none(void **state)
{
    (void)state;
    expect_failure(&(struct story){.document = OPEN(SECRET_REF),
                                   .objects = keys,
                                   SCRIPT({.status = 200, .answer = "<html>welcome</html>"})},
                   ESP_E_RETRY,
                   "GetSecretValue: an answer that is no JSON object; is the endpoint one of AWS's?");
}

/* ---- check ---- */

static void check_says(const char *json, esp_status want, const char *why)
{
    struct esp_call call = {0};
    assert_int_equal(test_run(&call, check_op, NULL, json, NULL, 0), want);
    if (want != ESP_OK)
        assert_string_equal(call.why, why);
    test_reset(&call);
}

#define OTHER_NS                                                                                             \
    "namespace should either be empty or match the namespace of the SecretStore for a namespaced "           \
    "SecretStore"

static void test_check(void **state)
{
    (void)state;
    check_says(OPEN(SECRET_REF), ESP_OK, NULL);
    check_says(OPEN(""), ESP_OK, NULL);
    check_says("{\"spec\":{\"region\":\"eu-mars-x\"}}", ESP_E_CONFIG, "region not found: eu-mars-x");
    check_says("{\"spec\":{\"region\":\"\"}}", ESP_E_CONFIG, "region not found: ");
    check_says(OPEN(",\"auth\":{\"secretRef\":{}}"), ESP_E_CONFIG,
               "auth.secretRef.accessKeyIDSecretRef: name and key of a Secret are missing");
    check_says(OPEN(JWT(",\"namespace\":\"other\"")), ESP_E_CONFIG,
               "invalid Auth.JWT.ServiceAccountRef: " OTHER_NS);
    check_says(OPEN(JWT(",\"namespace\":\"apps\"")), ESP_OK, NULL);
    check_says(OPEN(",\"auth\":{\"secretRef\":{\"accessKeyIDSecretRef\":{\"name\":\"k\",\"key\":\"i\","
                    "\"namespace\":\"x\"},"
                    "\"secretAccessKeySecretRef\":{\"name\":\"k\",\"key\":\"s\"}}}"),
               ESP_E_CONFIG, "invalid Auth.SecretRef.AccessKeyID: " OTHER_NS);
    check_says("{\"spec\":{\"region\":\"eu-central-1\"" JWT(
                   ",\"namespace\":\"other\"") "},\"store\":{\"kind\":"
                                               "\"ClusterSecretStore\",\"namespace\":\"\",\"name\":\"s\"}}",
               ESP_OK, NULL);
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
        cmocka_unit_test(test_signs_with_the_keys_of_a_secret),
        cmocka_unit_test(test_a_missing_key_is_the_clusters_failure),
        cmocka_unit_test(test_a_session_token_is_sent),
        cmocka_unit_test(test_roles_are_assumed_in_order),
        cmocka_unit_test(test_policies_of_tags_replace_the_list),
        cmocka_unit_test(test_a_role_that_is_refused),
        cmocka_unit_test(test_a_service_account_is_a_role),
        cmocka_unit_test(test_a_service_account_without_a_role),
        cmocka_unit_test(test_nobody_uses_a_cluster_store_yet),
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
        cmocka_unit_test(test_trouble_that_passes_is_tried_again),
        cmocka_unit_test(test_trouble_that_stays_comes_back_later),
        cmocka_unit_test(test_the_store_says_how_often),
        cmocka_unit_test(test_no_more_is_asked_after_the_end),
        cmocka_unit_test(test_credentials_that_expired_are_fetched_once_more),
        cmocka_unit_test(test_credentials_are_kept_until_they_end),
        cmocka_unit_test(test_what_errors_mean),
        cmocka_unit_test(test_who_lacks_which_right),
        cmocka_unit_test(test_an_answer_that_is_none),
        cmocka_unit_test(test_check),
    };
    return cmocka_run_group_tests(tests, enter, NULL);
}
