/* One session of AWS, many threads, and credentials that AWS takes back again and again. */
#include "aws_story.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define THREADS 8
#define ROUNDS 200
#define GENERATION 100 /* answers that one key is good for */

static atomic_uint logins, answered, refused, wrong;
static void *session;

/* STS hands out key after key; the service takes the newest only, and says of the others that they have
 * expired. */
static esp_status answer(struct world *w, struct esp_call *call, const struct esp_http_request *request,
                         struct esp_http_response *response)
{
    char text[600];
    (void)w;
    if (esp_equal_str(request->url, STS)) {
        snprintf(text, sizeof text, CREDENTIALS("AssumeRole", "ASIA%u", "2026-03-01T05:00:00Z"), logins + 1,
                 logins + 1);
        logins++;
        return test_answer(call, response, 200, NULL, text);
    }
    if (answered / GENERATION < logins) {
        answered++;
        return test_answer(call, response, 200, NULL, "{\"ok\":true}");
    }
    refused++;
    return test_answer(call, response, 400, NULL, "{\"__type\":\"ExpiredTokenException\"}");
}

static void *work(void *arg)
{
    struct esp_call call = {.world = arg};
    for (int i = 0; i < ROUNDS; i++) {
        esp_status status = test_run(&call, story_get, session, "{}", NULL, 0);
        bool right =
            status == ESP_OK && call.count == 1 && strcmp(call.outputs[0].value, "{\"ok\":true}") == 0;
        /* Slower than a whole generation between its two attempts: told, and not tried a third time. */
        bool late = status == ESP_E_DENIED && strstr(call.why, "the credentials have expired");
        if (!right && !late)
            wrong++;
    }
    test_reset(&call);
    return NULL;
}

static void test_one_login_for_all(void **state)
{
    (void)state;
    pthread_t threads[THREADS];
    struct esp_call call = {0};
    struct world world = {.http = answer, .namespace = "apps", .objects = story_keys, .now_ms = NOW};
    call.world = &world;
    assert_int_equal(test_run(&call, story_open, &session, OPEN(SECRET_REF ",\"role\":\"arn\""), NULL, 0),
                     ESP_OK);
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &world), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    aws_session_close(session);
    test_reset(&call);
    assert_int_equal(wrong, 0);
    assert_true(refused > 0);
    /* One login for each time that the service wanted another key, not one for each thread that heard it. */
    assert_in_range(logins, 2, answered / GENERATION + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_one_login_for_all)};
    return cmocka_run_group_tests(tests, story_enter, NULL);
}
