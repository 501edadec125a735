/* One login for all threads: sharing, ends, refusals, failures, calls that run out of time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#include <esp/token.h>

struct esp_call {
    char why[1100];
    esp_status failed_with;
    int64_t remaining;
};

static _Atomic int64_t now_ms;

static esp_status record(struct esp_call *call, esp_status status, uint64_t retry_after_ms, esp_bytes why)
{
    (void)retry_after_ms;
    snprintf(call->why, sizeof call->why, "%.*s", ESP_ARG(why));
    call->failed_with = status;
    return status;
}

static int64_t now(struct esp_call *call)
{
    (void)call;
    return now_ms;
}

static int64_t remaining(struct esp_call *call)
{
    return call->remaining;
}

static const struct esp_host host = {
    .size = sizeof host, .fail = record, .now_unix_ms = now, .remaining_ms = remaining};

/* A backend that counts logins. */
struct backend {
    _Atomic int logins;
    int64_t life_ms;
    esp_status status;
    const char *why;
    int heals;         /* after so many logins they go well; 0: never */
    _Atomic bool hold; /* logins wait until it is false */
};

static esp_status log_in(void *ctx, struct esp_call *call, struct esp_text *token, int64_t *expires,
                         struct esp_text *why)
{
    struct backend *b = ctx;
    (void)call;
    int n = ++b->logins;
    while (b->hold)
        usleep(1000);
    if (b->status != ESP_OK && (b->heals == 0 || n <= b->heals)) {
        esp_text_adds(why, b->why);
        return b->status;
    }
    esp_text_addf(token, "token-%d", n);
    *expires = b->life_ms ? now_ms + b->life_ms : 0;
    return ESP_OK;
}

static void assert_token(struct esp_token *token, struct backend *b, const char *wanted)
{
    struct esp_call call = {.remaining = 1000};
    struct esp_text out;
    esp_text_init(&out, 1000);
    assert_int_equal(esp_token_get(token, &host, &call, log_in, b, &out), ESP_OK);
    assert_string_equal(esp_text_str(&out), wanted);
    esp_text_free(&out);
}

static void test_a_token_is_kept_until_its_margin(void **state)
{
    (void)state;
    struct esp_token *token = esp_token_new();
    struct backend b = {.life_ms = 100000};
    now_ms = 5000;
    assert_token(token, &b, "token-1");
    now_ms += 89999;
    assert_token(token, &b, "token-1");
    now_ms += 1; /* a tenth of its life is left */
    b.life_ms = 3600000;
    assert_token(token, &b, "token-2");
    now_ms += 3600000 - 60001;
    assert_token(token, &b, "token-2");
    now_ms += 1; /* a minute is left */
    b.life_ms = 0;
    assert_token(token, &b, "token-3");
    now_ms += INT64_C(1000000000000);
    assert_token(token, &b, "token-3");
    assert_int_equal(b.logins, 3);
    esp_token_free(token);
}

static void test_a_refused_token_is_dropped_once(void **state)
{
    (void)state;
    struct esp_token *token = esp_token_new();
    struct backend b = {0};
    struct esp_text out;
    esp_text_init(&out, 100);
    assert_false(esp_token_peek(token, &out));
    assert_token(token, &b, "token-1");
    esp_token_drop(token, esp_str("token-1"));
    assert_token(token, &b, "token-2");
    esp_token_drop(token, esp_str("token-1")); /* a second call that was refused with the old one */
    assert_token(token, &b, "token-2");
    assert_true(esp_token_peek(token, &out));
    assert_string_equal(esp_text_str(&out), "token-2");
    assert_int_equal(b.logins, 2);
    esp_text_free(&out);
    esp_token_free(token);
}

static void test_a_token_that_is_born_old_serves_its_call(void **state)
{
    (void)state;
    struct esp_token *token = esp_token_new();
    struct backend b = {.life_ms = -5};
    struct esp_call call = {.remaining = 1000};
    struct esp_text out;
    esp_text_init(&out, 100);
    assert_int_equal(esp_token_get(token, &host, &call, log_in, &b, &out), ESP_OK);
    assert_string_equal(esp_text_str(&out), "token-1");
    assert_int_equal(b.logins, 1);
    esp_text_free(&out);
    esp_token_free(token);
}

struct caller {
    pthread_t thread;
    struct esp_token *token;
    struct backend *backend;
    struct esp_call call;
    esp_status status;
    char got[100];
};

static void *call_it(void *arg)
{
    struct caller *c = arg;
    struct esp_text out;
    esp_text_init(&out, 1000);
    c->status = esp_token_get(c->token, &host, &c->call, log_in, c->backend, &out);
    snprintf(c->got, sizeof c->got, "%s", esp_text_str(&out));
    esp_text_free(&out);
    return NULL;
}

#define CALLERS 16

/* Starts one caller, and when its login is held the others; lets the login go on when all have had time to
 * wait. */
static void run_callers(struct caller *callers, struct esp_token *token, struct backend *b,
                        int64_t remaining_ms)
{
    b->hold = true;
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.token = token, .backend = b, .call.remaining = i ? remaining_ms : 1000};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_it, &callers[i]), 0);
        while (i == 0 && b->logins == 0)
            usleep(100);
    }
    usleep(50000);
    if (remaining_ms > 0)
        b->hold = false;
    for (size_t i = 1; i < CALLERS; i++)
        pthread_join(callers[i].thread, NULL);
    b->hold = false;
    pthread_join(callers[0].thread, NULL);
}

/* A missing credential must not read as "no such secret", for nobody: that could delete what was made of it.
 */
static void test_a_missing_credential_is_no_missing_secret(void **state)
{
    (void)state;
    struct caller callers[CALLERS];
    struct esp_token *token = esp_token_new();
    struct backend b = {.status = ESP_E_NOT_FOUND, .why = ""};
    run_callers(callers, token, &b, 1000);
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(callers[i].status, ESP_E_CONFIG);
        assert_true(callers[i].call.failed_with == 0 || callers[i].call.failed_with == ESP_E_CONFIG);
    }
    esp_token_free(token);
}

/* The first one's deadline is his own: the next one logs in, and the rest share that. */
static void test_the_end_of_one_call_is_not_that_of_all(void **state)
{
    (void)state;
    struct caller callers[CALLERS];
    struct esp_token *token = esp_token_new();
    struct backend b = {.status = ESP_E_CANCELLED, .why = "", .heals = 1};
    run_callers(callers, token, &b, 1000);
    assert_int_equal(callers[0].status, ESP_E_CANCELLED);
    for (size_t i = 1; i < CALLERS; i++) {
        assert_int_equal(callers[i].status, ESP_OK);
        assert_string_equal(callers[i].got, "token-2");
    }
    assert_int_equal(b.logins, 2);
    esp_token_free(token);
}

/* While a login runs, the token that has ended is there for it to renew, and for nobody else. */
static void test_nobody_gets_a_token_that_has_ended(void **state)
{
    (void)state;
    struct caller callers[CALLERS];
    struct esp_token *token = esp_token_new();
    struct backend b = {.life_ms = 1000};
    now_ms = 5000;
    assert_token(token, &b, "token-1");
    now_ms += 1000;
    b.logins = 1;
    b.hold = true;
    for (size_t i = 0; i < CALLERS; i++) {
        callers[i] = (struct caller){.token = token, .backend = &b, .call.remaining = 1000};
        assert_int_equal(pthread_create(&callers[i].thread, NULL, call_it, &callers[i]), 0);
    }
    usleep(250000); /* some have woken and looked again */
    b.hold = false;
    for (size_t i = 0; i < CALLERS; i++) {
        pthread_join(callers[i].thread, NULL);
        assert_string_equal(callers[i].got, "token-2");
    }
    esp_token_free(token);
}

static void test_all_share_one_login(void **state)
{
    (void)state;
    struct caller callers[CALLERS];
    struct esp_token *token = esp_token_new();
    struct backend b = {0};
    run_callers(callers, token, &b, 1000);
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(callers[i].status, ESP_OK);
        assert_string_equal(callers[i].got, "token-1");
    }
    assert_int_equal(b.logins, 1);
    esp_token_free(token);
}

static void test_all_share_a_failure(void **state)
{
    (void)state;
    struct caller callers[CALLERS];
    struct esp_token *token = esp_token_new();
    struct backend b = {.status = ESP_E_DENIED, .why = "login refused: status 403"};
    run_callers(callers, token, &b, 1000);
    int told = 0;
    for (size_t i = 0; i < CALLERS; i++) {
        assert_int_equal(callers[i].status, ESP_E_DENIED);
        told += strcmp(callers[i].call.why, "login refused: status 403") == 0;
    }
    assert_int_equal(told, CALLERS);
    /* A thread that came too late to share asked itself; on the whole, one login served all. */
    assert_true(b.logins <= 2);
    b.status = ESP_OK;
    int before = b.logins;
    struct esp_call call = {.remaining = 1000};
    struct esp_text out;
    esp_text_init(&out, 100);
    assert_int_equal(esp_token_get(token, &host, &call, log_in, &b, &out), ESP_OK);
    assert_int_equal(b.logins, before + 1);
    esp_text_free(&out);
    esp_token_free(token);
}

static void test_a_call_without_time_does_not_wait(void **state)
{
    (void)state;
    struct caller callers[CALLERS];
    struct esp_token *token = esp_token_new();
    struct backend b = {0};
    run_callers(callers, token, &b, 0);
    assert_int_equal(callers[0].status, ESP_OK);
    for (size_t i = 1; i < CALLERS; i++) {
        assert_int_equal(callers[i].status, ESP_E_CANCELLED);
        assert_string_equal(callers[i].call.why, "there was no time left to wait for a login");
    }
    assert_int_equal(b.logins, 1);
    esp_token_free(token);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_token_is_kept_until_its_margin),
        cmocka_unit_test(test_a_refused_token_is_dropped_once),
        cmocka_unit_test(test_a_token_that_is_born_old_serves_its_call),
        cmocka_unit_test(test_all_share_one_login),
        cmocka_unit_test(test_all_share_a_failure),
        cmocka_unit_test(test_a_call_without_time_does_not_wait),
        cmocka_unit_test(test_a_missing_credential_is_no_missing_secret),
        cmocka_unit_test(test_the_end_of_one_call_is_not_that_of_all),
        cmocka_unit_test(test_nobody_gets_a_token_that_has_ended),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
