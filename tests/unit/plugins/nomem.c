#include "nomem.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#define ALLOC_ARRAYS
#define ALLOC_SPARES test_in_host
#include "tests/unit/failing_alloc.h"

static esp_op armed;
static size_t armed_at;

/* Neither what surrounds the operation is counted nor what the host does meanwhile. */
static esp_status armed_op(void *instance, struct esp_call *call, const struct esp_request *request)
{
    until_failure = armed_at;
    failed_one = false;
    esp_status status = armed(instance, call, request);
    until_failure = SIZE_MAX;
    return status;
}

esp_status nomem_run(struct esp_call *call, esp_op op, void *instance, const char *json,
                     const esp_pair *values, size_t value_count, size_t at)
{
    json_set_alloc_funcs(malloc, free); /* here, the linker makes them ours */
    armed = op;
    armed_at = at;
    return test_run(call, armed_op, instance, json, values, value_count);
}

bool nomem_failed(void)
{
    return failed_one;
}

/* ---- one allocation after the other ---- */

static const struct nomem_case *now;
static struct esp_call call;
static size_t fail_at;

/* The operation itself; NULL is open of the present case. */
static esp_status now_op(void *instance, struct esp_call *c, const struct esp_request *request)
{
    return now->op ? now->op(instance, c, request) : now->ops->open(c, request, instance);
}

static esp_status open_once(void)
{
    void *store = NULL;
    esp_status status = nomem_run(&call, now_op, &store, now->open, NULL, 0, fail_at);
    assert_int_equal(status == ESP_OK, store != NULL);
    if (store)
        now->ops->close(store, &call);
    return status;
}

static esp_status run_once(void)
{
    void *store = NULL;
    now->world->requests = 0;
    if (!now->op)
        return open_once();
    assert_int_equal(test_open(&call, now->ops, now->open, &store), ESP_OK);
    now->world->requests = 0;
    static const esp_pair pair = {{(const uint8_t *)"k", 1}, {(const uint8_t *)"v", 1}};
    esp_status status = nomem_run(&call, now_op, store, now->json, &pair, 1, fail_at);
    now->ops->close(store, &call);
    return status;
}

/* All outputs of the last run, to be freed. */
static char *outputs(void)
{
    size_t size = 1, len = 0;
    for (size_t i = 0; i < call.count; i++)
        size += call.outputs[i].key_len + call.outputs[i].value_len + 2;
    char *all = malloc(size);
    assert_non_null(all);
    all[0] = 0;
    for (size_t i = 0; i < call.count; i++)
        len += (size_t)snprintf(all + len, size - len, "%s=%s\n", call.outputs[i].key, call.outputs[i].value);
    return all;
}

static void judge(esp_status status, const char *usual, size_t requests)
{
    char *got = outputs();
    bool same = strcmp(got, usual) == 0 && now->world->requests == requests;
    free(got);
    if (status == ESP_E_NOT_FOUND || (status == ESP_OK && (now->in_the_end != ESP_OK || !same)))
        fail_msg("allocation %zu of %s %s: %d", fail_at, now->open, now->json, (int)status);
}

void nomem_torture(const struct nomem_case *c)
{
    now = c;
    call.world = c->world;
    fail_at = NOMEM_NEVER;
    esp_status usually = run_once();
    if (usually != c->in_the_end)
        fail_msg("%s %s: %d, %s", c->open, c->json, (int)usually, call.why);
    char *usual = outputs();
    size_t requests = c->world->requests;
    for (fail_at = 0;; fail_at++) {
        esp_status status = run_once();
        if (!nomem_failed())
            break;
        judge(status, usual, requests);
    }
    assert_true(fail_at > 1);
    free(usual);
    test_reset(&call);
}
