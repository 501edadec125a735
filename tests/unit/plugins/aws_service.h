/* tests/unit/plugins/aws_service.h: a store of the AWS plugin, opened and asked once, by operations that AWS
 * answers from a script. */
#ifndef TEST_AWS_SERVICE_H
#define TEST_AWS_SERVICE_H

#include "host.h"

#define SERVICE_NOW INT64_C(1772337906000)

/* One call of AWS and its answer: which operation ("secretsmanager.GetSecretValue"), with which body (NULL:
 * any). */
#define ASKED(operation, sent, said)                                                                         \
    {                                                                                                        \
        .method = "POST", .headers = "x-amz-target: " operation, .body = sent, .status = 200, .answer = said \
    }
#define REFUSED(operation, code, message)                                                                    \
    {                                                                                                        \
        .headers = "x-amz-target: " operation, .status = 400,                                                \
        .answer = "{\"__type\":\"" code "\",\"message\":\"" message "\"}"                                    \
    }

/* A store, and what happens. `more` is what the spec has beside region and keys: "\"service\":...". */
struct scene {
    const char *more;
    esp_op op;
    const char *document;
    const esp_pair *values;
    size_t value_count;
    const struct object *objects; /* beside the keys; NULL: none */
    const struct exchange *script;
    size_t script_count;
};

#define ANSWERS(...)                                                                                         \
    .script = (const struct exchange[]){__VA_ARGS__},                                                        \
    .script_count = sizeof((const struct exchange[]){__VA_ARGS__}) / sizeof(struct exchange)
#define PUSHED(...)                                                                                          \
    .values = (const esp_pair[]){__VA_ARGS__},                                                               \
    .value_count = sizeof((const esp_pair[]){__VA_ARGS__}) / sizeof(esp_pair)

extern const struct esp_store_ops *service_ops;

/* The world of the last scene. */
extern struct world service_world;

/* Opens a store; it stays open until service_close. */
void *service_open(struct esp_call *call, const struct scene *s);
void service_close(struct esp_call *call, void *store);

/* Asks an open store. Fails the test unless all expected requests came. */
esp_status service_ask(struct esp_call *call, void *store, const struct scene *s);

/* A scene from its beginning to its end; what came out stays in `call` until test_reset. */
esp_status service_play(struct esp_call *call, const struct scene *s);

/* The scene ends well, with these outputs in this order: "channel key=value" in lines; 2 is a name, 1 a
 * value, -1 a reference that is not found. */
void expect_outputs(const struct scene *s, const char *outputs);

/* It fails in these words. */
void expect_fails(const struct scene *s, esp_status status, const char *why);

/* A group set-up that loads the plugin. */
int service_load(void **state);

#endif
