/* Writes under way, and the watch that waits for their answers: what it hears of
 * first is known by the time it has waited, and nobody waits without a reason. */
#include "cluster_test.h"

#include <pthread.h>

#include "core/base/clock.h"
#include "core/cluster/cache.h"
#include "core/cluster/cluster.h"
#include "core/cluster/writes.h"

#define ES (&es_kind_external_secret)

/* ---- the table ---- */

static void test_nobody_waits_for_others(void **state)
{
    struct es_writes *w = es_writes_new();
    struct es_write one = {.kind = ES, .ns = "ns", .name = "one"},
                    two = {.kind = ES, .ns = "ns", .name = "two"};
    (void)state;

    assert_false(es_writes_wait(w, ES, "ns", "one"));
    es_writes_begin(w, &one);
    es_writes_begin(w, &two);
    assert_false(es_writes_wait(w, ES, "other", "one"));
    assert_false(es_writes_wait(w, ES, "ns", "three"));
    assert_false(es_writes_wait(w, &es_kind_secret, "ns", "one"));
    es_writes_end(w, &one);
    assert_false(es_writes_wait(w, ES, "ns", "one"));
    es_writes_end(w, &two);
    assert_false(es_writes_wait(w, ES, "ns", "two"));
    es_writes_free(w);
    es_writes_free(NULL);
}

static void test_an_answer_that_does_not_come_is_not_waited_for_long(void **state)
{
    struct es_writes *w = es_writes_new();
    struct es_write one = {.kind = ES, .ns = "ns", .name = "one"};
    (void)state;

    es_writes_begin(w, &one);
    int64_t begun = es_mono_ms();
    assert_true(es_writes_wait(w, ES, "ns", "one"));
    int64_t took = es_mono_ms() - begun;
    assert_true(took >= 40 && took < 5000);
    es_writes_end(w, &one);
    es_writes_free(w);
}

/* ---- a house whose watch is quicker than its answers ---- */

/* What the watch is told while a write is under way. */
struct echo {
    struct es_cache *cache;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t asked;
    bool asking, known;
};

static struct echo echo;
static int told; /* by the cache */

static void *hear(void *arg)
{
    struct es_watch_sink sink = es_cache_sink(echo.cache);
    (void)arg;

    pthread_mutex_lock(&echo.lock);
    echo.asking = true;
    pthread_cond_signal(&echo.asked);
    pthread_mutex_unlock(&echo.lock);
    echo.known = sink.known(sink.ctx, "ns", "a", "7");
    return NULL;
}

static void tell_the_watch(void)
{
    echo.asking = echo.known = false;
    pthread_mutex_lock(&echo.lock);
    assert_int_equal(pthread_create(&echo.thread, NULL, hear, NULL), 0);
    while (!echo.asking)
        pthread_cond_wait(&echo.asked, &echo.lock);
    pthread_mutex_unlock(&echo.lock);
}

#define ANSWER                                                                                               \
    "{'apiVersion':'external-secrets.io/v1','kind':'ExternalSecret','metadata':{'name':'a','namespace':"     \
    "'ns','resourceVersion':'7'},'spec':{'of':'the API server'}}"

static int answer(char **ret_text, size_t *ret_len)
{
    json_t *o = quoted(ANSWER);
    *ret_text = es_json_text(o, ret_len);
    json_decref(o);
    return 0;
}

static int update_status(void *self, const struct es_kind *kind, const char *ns, const char *name,
                         const json_t *obj, char **ret_text, size_t *ret_len, struct es_error *err)
{
    (void)self, (void)kind, (void)ns, (void)name, (void)obj, (void)err;
    tell_the_watch();
    return answer(ret_text, ret_len);
}

static int patch_version(void *self, const struct es_kind *kind, const char *ns, const char *name,
                         const json_t *patch, char **ret_text, size_t *ret_len, struct es_error *err)
{
    (void)patch;
    return update_status(self, kind, ns, name, NULL, ret_text, ret_len, err);
}

static int create(void *self, const struct es_kind *kind, const char *ns, const json_t *obj,
                  const char *manager, json_t **ret, struct es_error *err)
{
    (void)self, (void)kind, (void)ns, (void)obj, (void)manager, (void)err;
    tell_the_watch();
    *ret = quoted(ANSWER);
    return 0;
}

static int no_answer(void *self, const struct es_kind *kind, const char *ns, const char *name,
                     const json_t *obj, char **ret_text, size_t *ret_len, struct es_error *err)
{
    (void)self, (void)kind, (void)ns, (void)name, (void)obj;
    *ret_text = es_mem_strdup("<html>");
    *ret_len = strlen(*ret_text);
    (void)err;
    return 0;
}

static void let_go(void *self)
{
    (void)self;
}

static const struct es_house house = {
    .create = create, .update_status = update_status, .patch_version = patch_version, .free = let_go};

static void note(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept)
{
    (void)ctx, (void)ns, (void)name, (void)kept;
    assert_true(what & ES_CHANGED_OWN);
    told++;
}

static struct es_cluster *cluster_of(const struct es_house *h)
{
    static const struct es_cache_opts opts = {.kind = ES, .packed = true, .changed = note};
    struct es_cluster *c = NULL;
    struct es_error err = ES_ERROR_INIT;

    told = 0;
    assert_int_equal(es_cluster_new(&c, h, NULL, &err), 0);
    assert_int_equal(es_cluster_watch(c, &opts, &echo.cache, &err), 0);
    return c;
}

static void assert_kept(const char *want)
{
    json_t *kept = NULL;
    assert_int_equal(es_cache_get(echo.cache, "ns", "a", &kept, NULL), 0);
    check_json(kept, want);
    json_decref(kept);
}

static void test_the_echo_of_a_creation_is_known(void **state)
{
    struct es_cluster *c = cluster_of(&house);
    json_t *o = object(ES, "ns", "a", NULL);
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_cluster_create(c, ES, "ns", o, "m", NULL, &err), 0);
    pthread_join(echo.thread, NULL);
    assert_true(echo.known);
    assert_kept(ANSWER);
    json_decref(o);
    es_cluster_free(c);
}

/* What is kept is the answer as it came; what was sent gets its version. */
static void test_the_answer_to_a_status_is_kept_as_it_came(void **state)
{
    struct es_cluster *c = cluster_of(&house);
    json_t *o = object(ES, "ns", "a", "{'metadata':{'resourceVersion':'6'}}");
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_cluster_update_status(c, ES, o, &err), 0);
    pthread_join(echo.thread, NULL);
    assert_true(echo.known);
    assert_string_equal(es_obj_str(o, "metadata", "resourceVersion"), "7");
    assert_kept(ANSWER);
    assert_int_equal(told, 1); /* nothing was known of it before */
    json_decref(o);
    es_cluster_free(c);
}

static void test_so_is_the_answer_to_a_patch_of_one_version(void **state)
{
    struct es_cluster *c = cluster_of(&house);
    json_t *o = object(ES, "ns", "a", "{'metadata':{'resourceVersion':'6'}}");
    json_t *patch = quoted("{'metadata':{'resourceVersion':'6','finalizers':['f']}}");
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_cluster_patch_metadata(c, ES, o, patch, &err), 0);
    pthread_join(echo.thread, NULL);
    assert_true(echo.known);
    assert_string_equal(es_obj_str(o, "metadata", "resourceVersion"), "7");
    assert_true(es_obj_has_finalizer(o, "f"));
    assert_kept(ANSWER);
    json_decref(patch);
    json_decref(o);
    es_cluster_free(c);
}

/* ---- a webhook that edits whatever is written ---- */

#define EDITED                                                                                               \
    "{'apiVersion':'external-secrets.io/v1','kind':'ExternalSecret','metadata':{'name':'a','namespace':"     \
    "'ns','resourceVersion':'7','generation':2},'spec':{'of':'the webhook'}}"

static int edited_status(void *self, const struct es_kind *kind, const char *ns, const char *name,
                         const json_t *obj, char **ret_text, size_t *ret_len, struct es_error *err)
{
    json_t *o = quoted(EDITED);
    (void)self, (void)kind, (void)ns, (void)name, (void)obj, (void)err;
    *ret_text = es_json_text(o, ret_len);
    json_decref(o);
    return 0;
}

static int edited_patch(void *self, const struct es_kind *kind, const char *ns, const char *name,
                        const json_t *patch, char **ret_text, size_t *ret_len, struct es_error *err)
{
    (void)patch;
    return edited_status(self, kind, ns, name, NULL, ret_text, ret_len, err);
}

static void mark_generation(const json_t *kept, struct es_marks *ret)
{
    ret->spec = (uint64_t)es_obj_int(kept, "metadata", "generation");
}

static void note_edit(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept)
{
    (void)ctx, (void)ns, (void)name;
    assert_int_equal(what, ES_CHANGED_SPEC | ES_CHANGED_OWN);
    check_json(kept, EDITED);
    told++;
}

/* The watch will not tell of it: it finds the version known. */
static void test_an_edit_by_a_webhook_is_told(void **state)
{
    static const struct es_house h = {
        .update_status = edited_status, .patch_version = edited_patch, .free = let_go};
    static const struct es_cache_opts opts = {
        .kind = ES, .packed = true, .marks = mark_generation, .changed = note_edit};
    (void)state;

    for (int status = 0; status < 2; status++) {
        json_t *o = object(ES, "ns", "a", "{'metadata':{'resourceVersion':'6','generation':1}}");
        json_t *patch = quoted("{'metadata':{'resourceVersion':'6','finalizers':['f']}}");
        struct es_error err = ES_ERROR_INIT;
        struct es_cluster *c = NULL;

        told = 0;
        assert_int_equal(es_cluster_new(&c, &h, NULL, &err), 0);
        assert_int_equal(es_cluster_watch(c, &opts, &echo.cache, &err), 0);
        es_cache_put(echo.cache, o, true);
        assert_int_equal(status ? es_cluster_update_status(c, ES, o, &err)
                                : es_cluster_patch_metadata(c, ES, o, patch, &err),
                         0);
        assert_int_equal(told, 1);
        check_json(o, EDITED);
        assert_kept(EDITED);
        json_decref(patch);
        json_decref(o);
        es_cluster_free(c);
    }
}

/* A proxy that answers 200 to everything, say. */
static void test_an_answer_that_is_no_object_is_an_error(void **state)
{
    static const struct es_house odd = {.update_status = no_answer, .free = let_go};
    struct es_cluster *c = cluster_of(&odd);
    json_t *o = object(ES, "ns", "a", NULL), *kept = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_int_equal(es_cluster_update_status(c, ES, o, &err), ES_E_INTERNAL);
    assert_string_equal(err.text, "the API server's answer is no ExternalSecret");
    assert_int_equal(es_cache_get(echo.cache, "ns", "a", &kept, NULL), ES_E_NOT_FOUND);
    assert_int_equal(es_cluster_patch_metadata(c, ES, o, o, &err), ES_E_UNSUPPORTED);
    json_decref(o);
    es_cluster_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nobody_waits_for_others),
        cmocka_unit_test(test_an_answer_that_does_not_come_is_not_waited_for_long),
        cmocka_unit_test(test_the_echo_of_a_creation_is_known),
        cmocka_unit_test(test_the_answer_to_a_status_is_kept_as_it_came),
        cmocka_unit_test(test_so_is_the_answer_to_a_patch_of_one_version),
        cmocka_unit_test(test_an_edit_by_a_webhook_is_told),
        cmocka_unit_test(test_an_answer_that_is_no_object_is_an_error),
    };
    pthread_mutex_init(&echo.lock, NULL);
    pthread_cond_init(&echo.asked, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
