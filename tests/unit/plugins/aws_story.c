#include "aws_story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct esp_plugin nothing = {.size = sizeof nothing};

const struct esp_plugin *esp_plugin_entry_v1(const struct esp_host *services)
{
    aws_host = services;
    return &nothing;
}

/* The plugin's own parser, which is no part of the session: its memory never fails. */
static json_t *parse(const struct esp_request *req)
{
    test_in_host = true;
    json_t *document = json_loadb((const char *)req->json.ptr, req->json.len, 0, NULL);
    test_in_host = false;
    assert_non_null(document);
    return document;
}

esp_status story_open(void *instance, struct esp_call *call, const struct esp_request *req)
{
    json_t *doc = parse(req);
    esp_status status = aws_session_open(call, json_object_get(doc, "spec"), doc, instance);
    json_decref(doc);
    return status;
}

esp_status story_check(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)instance;
    json_t *doc = parse(req);
    esp_status status = aws_session_check(call, json_object_get(doc, "spec"), doc);
    json_decref(doc);
    return status;
}

esp_status story_ready(void *instance, struct esp_call *call, const struct esp_request *req)
{
    (void)req;
    return aws_session_ready(instance, call);
}

esp_status story_get(void *instance, struct esp_call *call, const struct esp_request *req)
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

const struct object story_keys[] = {{ESP_KUBE_SECRET, "apps", "keys", "id", "AKIAFIXED", ESP_OK},
                                    {ESP_KUBE_SECRET, "apps", "keys", "secret", "fixed", ESP_OK},
                                    {0}};

struct world story_world;

esp_status story_tell(struct esp_call *call, const struct story *s)
{
    void *session = NULL;
    story_world = (struct world){.script = s->script,
                                 .script_count = s->script_count,
                                 .namespace = "apps",
                                 .objects = s->objects,
                                 .ambient = s->ambient,
                                 .tokens = s->tokens,
                                 .now_ms = NOW,
                                 .remaining_ms = s->remaining_ms};
    call->world = &story_world;
    esp_status status = test_run(call, story_open, &session, s->document, NULL, 0);
    if (status == ESP_OK)
        status = test_run(call, story_get, session, "{}", NULL, 0);
    aws_session_close(session);
    test_script_done(&story_world);
    return status;
}

void expect_ok(const struct story *s)
{
    struct esp_call call = {0};
    esp_status status = story_tell(&call, s);
    if (status != ESP_OK)
        fail_msg("%d: %s", status, call.why);
    assert_string_equal(call.outputs[0].value, "{\"ok\":true}");
    test_reset(&call);
}

void expect_failure(const struct story *s, esp_status want, const char *why)
{
    struct esp_call call = {0};
    esp_status status = story_tell(&call, s);
    assert_string_equal(call.why, why);
    assert_int_equal(status, want);
    assert_int_equal(call.failed_with, want);
    test_reset(&call);
}

int story_enter(void **state)
{
    (void)state;
    (void)test_enter(esp_plugin_entry_v1);
    return 0;
}
