#include "aws_service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MAX_OBJECTS 8

const struct esp_store_ops *service_ops;
struct world service_world;

static const struct object keys[] = {{ESP_KUBE_SECRET, "apps", "keys", "id", "AKIAFIXED", ESP_OK},
                                     {ESP_KUBE_SECRET, "apps", "keys", "secret", "fixed", ESP_OK}};
static struct object objects[MAX_OBJECTS + 1];

static void set_objects(const struct object *more)
{
    size_t count = sizeof keys / sizeof *keys;

    memset(objects, 0, sizeof objects);
    memcpy(objects, keys, sizeof keys);
    for (; more && more->name && count < MAX_OBJECTS; more++)
        objects[count++] = *more;
}

static void begin(struct esp_call *call, const struct scene *s)
{
    int64_t now = service_world.now_ms ? service_world.now_ms : SERVICE_NOW;

    set_objects(s->objects);
    service_world = (struct world){.script = s->script,
                                   .script_count = s->script_count,
                                   .namespace = "apps",
                                   .objects = objects,
                                   .now_ms = now};
    call->world = &service_world;
}

void *service_open(struct esp_call *call, const struct scene *s)
{
    char document[2000];
    void *store = NULL;

    service_world.now_ms = 0;
    begin(call, s);
    snprintf(document, sizeof document,
             "{\"spec\":{\"region\":\"eu-central-1\",%s,\"auth\":{\"secretRef\":{"
             "\"accessKeyIDSecretRef\":{\"name\":\"keys\",\"key\":\"id\"},"
             "\"secretAccessKeySecretRef\":{\"name\":\"keys\",\"key\":\"secret\"}}}},"
             "\"store\":{\"kind\":\"SecretStore\",\"namespace\":\"apps\",\"name\":\"s\",\"generation\":1},"
             "\"namespace\":\"apps\"}",
             s->more);
    if (test_open(call, service_ops, document, &store) != ESP_OK)
        fail_msg("open: %s", call->why);
    return store;
}

void service_close(struct esp_call *call, void *store)
{
    service_ops->close(store, call);
}

esp_status service_ask(struct esp_call *call, void *store, const struct scene *s)
{
    begin(call, s);
    esp_status status = test_run(call, s->op, store, s->document, s->values, s->value_count);
    test_script_done(&service_world);
    return status;
}

esp_status service_play(struct esp_call *call, const struct scene *s)
{
    void *store = service_open(call, s);
    esp_status status = service_ask(call, store, s);
    service_close(call, store);
    return status;
}

void expect_outputs(const struct scene *s, const char *outputs)
{
    struct esp_call call = {0};
    char got[4000] = "";
    size_t len = 0;

    if (service_play(&call, s) != ESP_OK)
        fail_msg("it fails: %s", call.why);
    for (size_t i = 0; i < call.count; i++)
        len += (size_t)snprintf(got + len, sizeof got - len, "%s%d %s=%s", i ? "\n" : "",
                                (int)call.outputs[i].channel, call.outputs[i].key, call.outputs[i].value);
    assert_string_equal(got, outputs);
    test_reset(&call);
}

void expect_fails(const struct scene *s, esp_status status, const char *why)
{
    struct esp_call call = {0};

    assert_int_equal(service_play(&call, s), status);
    assert_string_equal(call.why, why);
    assert_int_equal(call.count, 0);
    test_reset(&call);
}

int service_load(void **state)
{
    (void)state;
    service_ops = test_load(AWS_PLUGIN)->components[0]->store;
    return 0;
}
