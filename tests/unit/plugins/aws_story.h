/* tests/unit/plugins/aws_story.h: a session of the AWS plugin, opened and asked once, in a world that a test
 * makes up. */
#ifndef TEST_AWS_STORY_H
#define TEST_AWS_STORY_H

#include "host.h"
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

/* What there is, and which requests come, in this order. */
struct story {
    const char *document;
    const struct object *objects, *ambient;
    const struct sa_token *tokens;
    const struct exchange *script;
    size_t script_count;
    int64_t remaining_ms;
};

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

/* The world of the last story; counters stay until the next. */
extern struct world story_world;

/* The Secret apps/keys with the key AKIAFIXED, which SECRET_REF names. */
extern const struct object story_keys[];

/* Operations around a session: `instance` of open is where it puts one. get asks for the secret "db". */
esp_status story_open(void *instance, struct esp_call *call, const struct esp_request *req);
esp_status story_check(void *instance, struct esp_call *call, const struct esp_request *req);
esp_status story_ready(void *instance, struct esp_call *call, const struct esp_request *req);
esp_status story_get(void *instance, struct esp_call *call, const struct esp_request *req);

/* Opens and asks; the sentence stays in call->why. Fails the test unless all expected requests came. */
esp_status story_tell(struct esp_call *call, const struct story *s);

void expect_ok(const struct story *s);
void expect_failure(const struct story *s, esp_status want, const char *why);

/* A group set-up that gives the plugin its host. */
int story_enter(void **state);

#endif
