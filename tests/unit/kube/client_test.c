#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "core/base/buf.h"
#include "core/base/clock.h"
#include "core/base/mem.h"
#include "core/kube/client.h"
#include "core/kube/obj.h"
#include "tests/unit/kube/fake_api.h"

#define CM (&es_kind_config_map)

static void ok(int rc, const struct es_error *err)
{
    if (rc != 0)
        fail_msg("%d %s", rc, err->text);
}

static const char *header(const json_t *echo, const char *name)
{
    return es_obj_str(echo, "headers", name);
}

static void test_reads(void **state)
{
    const struct es_kube_opts opts = {.user_agent = "esod-test/1"};
    struct fake_api *api = fake_api_new("echo", NULL, &opts);
    struct es_error err = ES_ERROR_INIT;
    json_t *echo = NULL;
    (void)state;

    ok(es_kube_get(api->kube, CM, "ns", "a", &echo, &err), &err);
    assert_string_equal(es_obj_str(echo, "method"), "GET");
    assert_string_equal(es_obj_str(echo, "path"), "/api/v1/namespaces/ns/configmaps/a");
    assert_string_equal(es_obj_str(echo, "query"), "");
    assert_string_equal(header(echo, "accept"), "application/json");
    assert_string_equal(header(echo, "authorization"), "Bearer secret-token");
    assert_string_equal(header(echo, "user-agent"), "esod-test/1");
    assert_string_equal(header(echo, "content-type"), "");
    json_decref(echo);

    /* A namespace given for what has none is not used. */
    ok(es_kube_get(api->kube, &es_kind_cluster_secret_store, "ns", "x y", &echo, &err), &err);
    assert_string_equal(es_obj_str(echo, "path"), "/apis/external-secrets.io/v1/clustersecretstores/x%20y");
    json_decref(echo);
    fake_api_free(api);
}

static void test_names_that_would_change_the_path(void **state)
{
    static const char *const names[] = {"", ".", "..", "a/b", "a%2fb", "../../secrets/x", NULL};
    struct fake_api *api = fake_api_new("echo", NULL, NULL);
    struct es_error err = ES_ERROR_INIT;
    json_t *echo = NULL;
    (void)state;

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        assert_int_equal(es_kube_get(api->kube, CM, "ns", names[i], &echo, &err), ES_E_INVALID);
        assert_int_equal(es_kube_get(api->kube, CM, names[i], "a", &echo, &err), ES_E_INVALID);
        assert_int_equal(es_kube_delete(api->kube, CM, "ns", names[i], NULL, &err), ES_E_INVALID);
    }
    json_t *obj = json_object();
    assert_int_equal(es_kube_create(api->kube, CM, "..", obj, NULL, NULL, &err), ES_E_INVALID);
    assert_int_equal(es_kube_create(api->kube, CM, "", obj, NULL, NULL, &err), ES_E_INVALID);
    json_decref(obj);
    json_t *log = fake_api_log(api);
    assert_int_equal(json_array_size(log), 0);
    json_decref(log);
    fake_api_free(api);
}

static void check_write(json_t *echo, const char *method, const char *path, const char *query,
                        const char *type, const char *body)
{
    assert_string_equal(es_obj_str(echo, "method"), method);
    assert_string_equal(es_obj_str(echo, "path"), path);
    assert_string_equal(es_obj_str(echo, "query"), query);
    assert_string_equal(header(echo, "content-type"), type);
    assert_string_equal(es_obj_str(echo, "body"), body);
    json_decref(echo);
}

static void test_writes(void **state)
{
    static const char one[] = "/api/v1/namespaces/ns/configmaps/a";
    struct fake_api *api = fake_api_new("echo", NULL, NULL);
    struct es_kube *k = api->kube;
    struct es_error err = ES_ERROR_INIT;
    json_t *obj = json_pack("{s:{s:s}}", "data", "k", "v"), *echo = NULL;
    const char *body = "{\"data\":{\"k\":\"v\"}}";
    (void)state;

    ok(es_kube_create(k, CM, "ns", obj, "externalsecrets.external-secrets.io/x", &echo, &err), &err);
    check_write(echo, "POST", "/api/v1/namespaces/ns/configmaps",
                "fieldManager=externalsecrets.external-secrets.io%2Fx", "application/json", body);
    ok(es_kube_update(k, CM, "ns", "a", NULL, obj, "m", &echo, &err), &err);
    check_write(echo, "PUT", one, "fieldManager=m", "application/json", body);
    ok(es_kube_update(k, CM, "ns", "a", "status", obj, NULL, &echo, &err), &err);
    check_write(echo, "PUT", "/api/v1/namespaces/ns/configmaps/a/status", "", "application/json", body);
    ok(es_kube_patch(k, CM, "ns", "a", NULL, ES_PATCH_MERGE, obj, "m", &echo, &err), &err);
    check_write(echo, "PATCH", one, "fieldManager=m", "application/merge-patch+json", body);
    ok(es_kube_patch(k, CM, "ns", "a", NULL, ES_PATCH_APPLY, obj, "m", &echo, &err), &err);
    check_write(echo, "PATCH", one, "fieldManager=m&force=true", "application/apply-patch+yaml", body);
    ok(es_kube_patch(k, CM, "ns", "a", "status", ES_PATCH_JSON, obj, NULL, &echo, &err), &err);
    check_write(echo, "PATCH", "/api/v1/namespaces/ns/configmaps/a/status", "", "application/json-patch+json",
                body);
    ok(es_kube_create_sub(k, &es_kind_service_account, "ns", "sa", "token", obj, &echo, &err), &err);
    check_write(echo, "POST", "/api/v1/namespaces/ns/serviceaccounts/sa/token", "", "application/json", body);
    ok(es_kube_create(k, CM, "ns", obj, NULL, NULL, &err), &err);
    json_decref(obj);
    fake_api_free(api);
}

static const char *always_barred(void *ctx)
{
    (void)ctx;
    return "closed for today";
}

/* GETs pass, and nothing else does. */
static void test_a_gate_for_writes(void **state)
{
    static const struct es_gate gate = {always_barred, NULL};
    struct fake_api *api = fake_api_new("echo", NULL, NULL);
    struct es_kube *k = api->kube;
    struct es_error err = ES_ERROR_INIT;
    json_t *obj = json_object(), *echo = NULL;
    (void)state;

    es_kube_set_gate(k, &gate);
    assert_int_equal(es_kube_create(k, CM, "ns", obj, NULL, NULL, &err), ES_E_CANCELLED);
    assert_non_null(strstr(err.text, "closed for today"));
    assert_int_equal(es_kube_update(k, CM, "ns", "a", NULL, obj, NULL, NULL, &err), ES_E_CANCELLED);
    assert_int_equal(es_kube_update(k, CM, "ns", "a", "status", obj, NULL, NULL, &err), ES_E_CANCELLED);
    assert_int_equal(es_kube_patch(k, CM, "ns", "a", NULL, ES_PATCH_MERGE, obj, NULL, NULL, &err),
                     ES_E_CANCELLED);
    assert_int_equal(es_kube_delete(k, CM, "ns", "a", NULL, &err), ES_E_CANCELLED);
    assert_int_equal(es_kube_create(k, &es_kind_secret, "ns", obj, NULL, NULL, &err), ES_E_CANCELLED);
    ok(es_kube_get(k, CM, "ns", "a", &echo, &err), &err);
    json_decref(echo);
    json_t *log = fake_api_log(api);
    assert_int_equal(json_array_size(log), 1);
    json_decref(log);
    json_decref(obj);
    fake_api_free(api);
}

static void test_delete(void **state)
{
    struct fake_api *api = fake_api_new("echo", NULL, NULL);
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    ok(es_kube_delete(api->kube, CM, "ns", "a", NULL, &err), &err);
    ok(es_kube_delete(api->kube, CM, "ns", "a", "uid-1", &err), &err);
    json_t *log = fake_api_log(api);
    assert_string_equal(es_obj_str(json_array_get(log, 0), "method"), "DELETE");
    assert_string_equal(es_obj_str(json_array_get(log, 0), "body"), "");
    json_t *options = json_loads(es_obj_str(json_array_get(log, 1), "body"), 0, NULL);
    assert_string_equal(es_obj_str(options, "kind"), "DeleteOptions");
    assert_string_equal(es_obj_str(options, "preconditions", "uid"), "uid-1");
    json_decref(options);
    json_decref(log);
    fake_api_free(api);
}

static void test_refusals(void **state)
{
    static const struct {
        const char *status, *reason;
        int code;
        const char *text;
    } cases[] = {
        {"400", "BadRequest", ES_E_INVALID, "the message for 400"},
        {"401", "Unauthorized", ES_E_DENIED,
         "the API server does not accept the credential (401 Unauthorized)"},
        {"403", "Forbidden", ES_E_DENIED, "the message for 403"},
        {"403", "ending", ES_E_GONE, "the namespace is being terminated"},
        {"404", "NotFound", ES_E_NOT_FOUND, "the message for 404"},
        {"405", "MethodNotAllowed", ES_E_UNSUPPORTED, "the message for 405"},
        {"408", "Timeout", ES_E_RETRY, "the message for 408"},
        {"409", "Conflict", ES_E_CONFLICT, "the message for 409"},
        {"409", "AlreadyExists", ES_E_EXISTS, "the message for 409"},
        {"410", "Expired", ES_E_GONE, "the message for 410"},
        {"413", "RequestEntityTooLarge", ES_E_TOO_LARGE, "the message for 413"},
        {"418", "Odd", ES_E_INVALID, "the message for 418"},
        {"422", "Invalid", ES_E_INVALID, "the message for 422"},
        {"429", "TooManyRequests", ES_E_RETRY, "the message for 429"},
        {"500", "InternalError", ES_E_RETRY, "the message for 500"},
        {"504", "Timeout", ES_E_RETRY, "the message for 504"},
        {"302", "plain", ES_E_CONFIG, "the API server answered 302"},
        {"502", "plain", ES_E_RETRY, "the API server answered 502"},
        {"404", "plain", ES_E_NOT_FOUND, "the API server answered 404"},
        {"400", "old", ES_E_INVALID, "decode: illegal base64"},
        {"422", "patch", ES_E_INVALID,
         "\"\" is invalid: patch: Invalid value: \"(not shown)\": json: cannot unmarshal number"},
        {"422", "key", ES_E_INVALID,
         "is invalid: data[a b]: Invalid value: \"a b\": not a key; x: Invalid value: \"(not shown)\": no"},
        {"422", "long", ES_E_INVALID, "x: Invalid value: \"(not shown)\": too long"},
        {"422", "open", ES_E_INVALID, "x: Invalid value: \"(not shown)\""},
        {"500", "apply", ES_E_RETRY, "failed to create typed patch object: .data.k: expected string, got"},
        {"422", "go", ES_E_INVALID, "x"},
    };
    struct fake_api *api = fake_api_new("answers", NULL, NULL);
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct es_error err = ES_ERROR_INIT;
        json_t *obj = NULL;
        int rc = es_kube_get(api->kube, CM, cases[i].status, cases[i].reason, &obj, &err);
        if (rc != cases[i].code || err.code != rc || strcmp(err.text, cases[i].text) != 0)
            fail_msg("%s %s: %d %s", cases[i].status, cases[i].reason, rc, err.text);
        assert_null(obj);
        char status[8];
        snprintf(status, sizeof status, "%d", err.http_status);
        assert_string_equal(status, cases[i].status);
    }
    fake_api_free(api);
}

/* About objects that hold secrets in the clear, nothing that was sent is told. */
static void test_refusals_of_secrets_in_the_clear(void **state)
{
    static const struct es_kind thing = {"example.com", "v1", "things", "Thing", true, ES_HOLDS_PLAIN};
    static const struct {
        const char *name;
        int code;
        const char *text;
    } cases[] = {
        {"fields", ES_E_INVALID,
         "the API server refused the content (Invalid): spec.x (FieldValueInvalid), the object "
         "(FieldValueRequired)"},
        {"type", ES_E_INVALID,
         "the API server refused the content (BadRequest): Thing.data has to be of type string"},
        {"webhook", ES_E_DENIED, "admission webhook \"w.example.com\" denied the request"},
        {"rights", ES_E_DENIED, "things is forbidden: User \"u\" cannot create resource \"things\""},
    };
    struct fake_api *api = fake_api_new("refusals", NULL, NULL);
    json_t *obj = json_object();
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct es_error err = ES_ERROR_INIT;
        assert_int_equal(es_kube_update(api->kube, &thing, "ns", cases[i].name, NULL, obj, "m", NULL, &err),
                         cases[i].code);
        assert_string_equal(err.text, cases[i].text);
        assert_int_not_equal(err.http_status, 0);
    }
    json_decref(obj);
    fake_api_free(api);
}

static void test_missing_crd(void **state)
{
    struct fake_api *api = fake_api_new("answers", NULL, NULL);
    struct es_error err = ES_ERROR_INIT;
    json_t *obj = NULL;
    (void)state;

    assert_int_equal(es_kube_get(api->kube, &es_kind_secret_store, "404", "plain", &obj, &err),
                     ES_E_NOT_FOUND);
    assert_string_equal(err.text,
                        "the API server has no secretstores.external-secrets.io/v1; is its CRD installed?");
    assert_int_equal(err.http_status, 404);
    fake_api_free(api);
}

static void test_retry_after(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *obj = NULL;
    (void)state;

    struct fake_api *api = fake_api_new("retry_after", NULL, NULL);
    assert_int_equal(es_kube_get(api->kube, CM, "ns", "a", &obj, &err), ES_E_RETRY);
    assert_int_equal(err.retry_after_ms, 2000);
    fake_api_free(api);

    api = fake_api_new("answers", NULL, NULL);
    assert_int_equal(es_kube_get(api->kube, CM, "503", "details", &obj, &err), ES_E_RETRY);
    assert_int_equal(err.retry_after_ms, 3000);
    fake_api_free(api);
}

static size_t requests(struct fake_api *api)
{
    json_t *log = fake_api_log(api);
    size_t count = json_array_size(log);
    json_decref(log);
    return count;
}

static void test_reset_connection(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *obj = NULL;
    (void)state;

    /* A read is tried once more, and only once. */
    struct fake_api *api = fake_api_new("resets", NULL, NULL);
    ok(es_kube_get(api->kube, CM, "ns", "a", &obj, &err), &err);
    assert_string_equal(es_obj_name(obj), "a");
    json_decref(obj);
    fake_api_free(api);

    api = fake_api_new("always_resets", NULL, NULL);
    assert_int_equal(es_kube_get(api->kube, CM, "ns", "a", &obj, &err), ES_E_RETRY);
    assert_int_equal(requests(api), 2);
    fake_api_free(api);

    /* A write is not: it may have been done. */
    api = fake_api_new("always_resets", NULL, NULL);
    json_t *body = json_object();
    assert_int_equal(es_kube_create(api->kube, CM, "ns", body, NULL, NULL, &err), ES_E_RETRY);
    json_decref(body);
    assert_int_equal(requests(api), 1);
    fake_api_free(api);
}

static void test_token_is_read_again_after_401(void **state)
{
    struct fake_api *api = fake_api_new("tokens", "{tokenFile: token}", NULL);
    struct es_error err = ES_ERROR_INIT;
    json_t *obj = NULL;
    (void)state;

    ok(es_kube_get(api->kube, CM, "ns", "a", &obj, &err), &err);
    json_decref(obj);
    fake_api_write(api, "token", "two", 0600);
    ok(es_kube_get(api->kube, CM, "ns", "a", &obj, &err), &err);
    json_decref(obj);
    assert_int_equal(requests(api), 3);
    fake_api_free(api);
}

static void test_401_with_nothing_new_is_sent_once(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *obj = NULL;
    (void)state;

    struct fake_api *api = fake_api_new("never_authorized", "{tokenFile: token}", NULL);
    assert_int_equal(es_kube_get(api->kube, CM, "ns", "a", &obj, &err), ES_E_DENIED);
    assert_int_equal(err.http_status, 401);
    assert_int_equal(requests(api), 1);
    fake_api_free(api);
}

static int collect(void *ctx, json_t *obj)
{
    struct es_buf *names = ctx;
    es_buf_adds(names, es_obj_name(obj));
    return strcmp(es_obj_name(obj), "stop") == 0 ? 7 : 0;
}

static void restarted(void *ctx)
{
    es_buf_adds(ctx, "!");
}

static int list(struct fake_api *api, const char *ns, const struct es_kube_list_opts *opts,
                struct es_buf *names, char **rv, struct es_error *err)
{
    es_buf_init(names, 65536);
    return es_kube_list(api->kube, CM, ns, opts, collect, restarted, names, rv, err);
}

static void test_pages_shrink_when_objects_are_large(void **state)
{
    struct fake_api *api = fake_api_new("pages", NULL, NULL);
    struct es_kube_list_opts opts = {.page = 8, .field_selector = "metadata.name!=z"};
    struct es_error err = ES_ERROR_INIT;
    struct es_buf names;
    char *rv = NULL;
    (void)state;

    ok(list(api, "ns", &opts, &names, &rv, &err), &err);
    assert_string_equal(es_buf_str(&names), "abcde");
    assert_string_equal(rv, "77");
    json_t *log = fake_api_log(api);
    assert_string_equal(es_obj_str(json_array_get(log, 4), "query", "continue"), "4");
    assert_string_equal(es_obj_str(json_array_get(log, 4), "query", "fieldSelector"), "metadata.name!=z");
    json_decref(log);
    es_mem_free(rv);
    es_buf_fini(&names);
    fake_api_free(api);
}

static void test_continue_that_always_expires_is_given_up(void **state)
{
    struct fake_api *api = fake_api_new("always_expired", NULL, NULL);
    struct es_error err = ES_ERROR_INIT;
    struct es_buf names;
    char *rv = NULL;
    (void)state;

    assert_int_equal(list(api, "ns", NULL, &names, &rv, &err), ES_E_GONE);
    assert_string_equal(es_buf_str(&names), "a!a!a!a");
    assert_null(rv);
    es_buf_fini(&names);
    fake_api_free(api);
}

static void test_list_texts(void **state)
{
    static const struct {
        const char *ns;
        int rc;
        const char *names;
    } cases[] = {
        {"spaces", 0, "a\"]}b"},
        {"truncated", ES_E_INTERNAL, "a"},
        {"nolist", ES_E_INTERNAL, ""},
        {"nojson", ES_E_INTERNAL, ""},
        {"deep", 0, "b"},
        {"empty", 0, ""},
    };
    struct fake_api *api = fake_api_new("odd_lists", NULL, NULL);
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct es_error err = ES_ERROR_INIT;
        struct es_buf names;
        char *rv = NULL;
        int rc = list(api, cases[i].ns, NULL, &names, &rv, &err);
        if (rc != cases[i].rc || strcmp(es_buf_str(&names), cases[i].names) != 0)
            fail_msg("%s: %d %s, %s", cases[i].ns, rc, err.text, es_buf_str(&names));
        es_mem_free(rv);
        es_buf_fini(&names);
    }
    fake_api_free(api);
}

static void test_get_path(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    json_t *answer = NULL;
    (void)state;

    struct fake_api *api = fake_api_new("text", NULL, NULL);
    ok(es_kube_get_path(api->kube, "/readyz", &answer, &err), &err);
    assert_string_equal(json_string_value(answer), "ok");
    json_decref(answer);
    fake_api_free(api);
    api = fake_api_new("echo", NULL, NULL);
    ok(es_kube_get_path(api->kube, "/version", &answer, &err), &err);
    assert_string_equal(es_obj_str(answer, "path"), "/version");
    json_decref(answer);
    fake_api_free(api);
}

static void test_throttle(void **state)
{
    const struct es_kube_opts opts = {.qps = 20, .burst = 2};
    struct fake_api *api = fake_api_new("echo", NULL, &opts);
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    int64_t begun = es_mono_ms();
    for (int i = 0; i < 6; i++)
        ok(es_kube_delete(api->kube, CM, "ns", "a", NULL, &err), &err);
    int64_t took = es_mono_ms() - begun;
    assert_true(took >= 195);
    assert_true(took < 5000);
    fake_api_free(api);
}

static void *stop_soon(void *ctx)
{
    nanosleep(&(struct timespec){0, 200000000}, NULL);
    es_kube_stop(ctx);
    return NULL;
}

static void check_stopped(const char *scenario, const struct es_kube_opts *opts, int calls)
{
    struct fake_api *api = fake_api_new(scenario, NULL, opts);
    struct es_error err = ES_ERROR_INIT;
    pthread_t thread;
    json_t *obj = NULL;
    int rc = 0;

    int64_t begun = es_mono_ms();
    assert_int_equal(pthread_create(&thread, NULL, stop_soon, api->kube), 0);
    for (int i = 0; i < calls && rc == 0; i++) {
        rc = es_kube_get(api->kube, CM, "ns", "a", &obj, &err);
        json_decref(obj);
        obj = NULL;
    }
    pthread_join(thread, NULL);
    assert_int_equal(rc, ES_E_CANCELLED);
    assert_true(es_mono_ms() - begun < 1500);
    fake_api_free(api);
}

static void test_stop_releases_callers(void **state)
{
    const struct es_kube_opts slow = {.qps = 0.01, .burst = 1};
    (void)state;
    check_stopped("silent", NULL, 1);
    check_stopped("echo", &slow, 2);
}

static void *many_gets(void *ctx)
{
    struct fake_api *api = ctx;
    struct es_error err = ES_ERROR_INIT;

    for (int i = 0; i < 25; i++) {
        json_t *echo = NULL;
        if (es_kube_get(api->kube, CM, "ns", "a", &echo, &err) < 0)
            return "failed";
        json_decref(echo);
    }
    return NULL;
}

static void test_many_threads_share_a_client(void **state)
{
    struct fake_api *api = fake_api_new("echo", "{tokenFile: token}", NULL);
    pthread_t threads[8];
    (void)state;

    for (size_t i = 0; i < 8; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, many_gets, api), 0);
    for (size_t i = 0; i < 8; i++) {
        void *failed = NULL;
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(requests(api), 200);
    fake_api_free(api);
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads),
        cmocka_unit_test(test_names_that_would_change_the_path),
        cmocka_unit_test(test_writes),
        cmocka_unit_test(test_a_gate_for_writes),
        cmocka_unit_test(test_delete),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_refusals_of_secrets_in_the_clear),
        cmocka_unit_test(test_missing_crd),
        cmocka_unit_test(test_retry_after),
        cmocka_unit_test(test_reset_connection),
        cmocka_unit_test(test_token_is_read_again_after_401),
        cmocka_unit_test(test_401_with_nothing_new_is_sent_once),
        cmocka_unit_test(test_pages_shrink_when_objects_are_large),
        cmocka_unit_test(test_continue_that_always_expires_is_given_up),
        cmocka_unit_test(test_list_texts),
        cmocka_unit_test(test_get_path),
        cmocka_unit_test(test_throttle),
        cmocka_unit_test(test_stop_releases_callers),
        cmocka_unit_test(test_many_threads_share_a_client),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
