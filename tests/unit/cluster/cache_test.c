/* The cache between the watch and the passes: what is kept, what is told, and
 * who wins when a write's answer and the watch do not agree on the order. */
#include "cache_world.h"

#include <pthread.h>

#define ALLOC_COUNTS_BYTES
#include "tests/unit/failing_alloc.h"
#include "usual.h"

/* ---- feeding ---- */

static void test_a_list_then_changes(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    restart(w);
    set(w, "a", 10, 1, 0);
    set(w, "b", 5, 1, 0);
    assert_false(es_cache_synced(w->cache));
    synced(w);
    assert_true(es_cache_synced(w->cache));
    assert_told(w, "ns/a:Ss=10 ns/b:Ss=5");
    assert_int_equal(es_cache_count(w->cache), 2);

    set(w, "a", 11, 2, 0);
    set(w, "a", 12, 2, 7);
    set(w, "a", 13, 2, 7); /* nothing that a pass depends on */
    assert_kept(w, "a", "13");
    set(w, "a", 14, 3, 8);
    gone(w, "b", 15);
    assert_told(w, "ns/a:S=11 ns/a:s=12 ns/a:Ss=14 ns/b:G=5");
    assert_kept(w, "b", "none");
    gone(w, "b", 16); /* nobody knew it */
    assert_told(w, "");
    world_free(w);
}

static void test_a_new_list_removes_what_it_lacks(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    restart(w);
    set(w, "a", 1, 1, 0);
    set(w, "b", 2, 1, 0);
    set(w, "c", 3, 1, 0);
    synced(w);
    w->diary[0] = '\0';

    restart(w);
    set(w, "b", 2, 1, 0);
    restart(w); /* the list was begun anew: what it had so far is void */
    set(w, "a", 1, 1, 0);
    set(w, "d", 9, 1, 0);
    assert_kept(w, "c", "3");
    assert_true(es_cache_synced(w->cache)); /* once is enough */
    synced(w);
    assert_kept(w, "a", "1");
    assert_kept(w, "b", "none");
    assert_kept(w, "c", "none");
    assert_true(strstr(w->diary, "ns/b:G=2") && strstr(w->diary, "ns/c:G=3") &&
                strstr(w->diary, "ns/d:Ss=9"));
    assert_null(strstr(w->diary, "ns/a:"));
    world_free(w);
}

/* Each removal moves neighbours in the table: none of them may be passed over. */
static void test_every_other_of_many_is_gone(void **state)
{
    enum { COUNT = 3000 };
    struct world *w = world_new(NULL);
    (void)state;

    for (int round = 0; round < 2; round++) {
        restart(w);
        for (int i = 0; i < COUNT; i += 1 + round) {
            char name[16];
            snprintf(name, sizeof name, "o%d", i);
            set(w, name, i + 1, 1, 0);
            w->diary[0] = '\0';
        }
        synced(w);
        w->diary[0] = '\0';
    }
    assert_int_equal(es_cache_count(w->cache), COUNT / 2);
    assert_kept(w, "o2998", "2999");
    assert_kept(w, "o2999", "none");
    world_free(w);
}

static void test_an_answer_that_came_during_a_list_survives_it(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    restart(w);
    synced(w);
    restart(w);
    put(w, "mine", 20, 1, 0); /* created after the list was taken */
    synced(w);
    assert_kept(w, "mine", "20");
    world_free(w);
}

/* The watch asks before it parses: our own writes come back as known. */
static void test_known_versions_need_no_event(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    assert_false(w->sink.known(w->sink.ctx, "ns", "a", "5"));
    put(w, "a", 5, 1, 0);
    assert_told(w, "ns/a:Sso=5");
    assert_false(w->sink.known(w->sink.ctx, "ns", "a", "4"));
    restart(w);
    assert_true(w->sink.known(w->sink.ctx, "ns", "a", "5"));
    synced(w); /* the list had it */
    assert_kept(w, "a", "5");
    gone(w, "a", 6);
    assert_false(w->sink.known(w->sink.ctx, "ns", "a", "5"));
    assert_told(w, "ns/a:G=5");
    world_free(w);
}

static void test_managed_fields_are_not_kept(void **state)
{
    struct world *w = world_new(NULL);
    json_t *have = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    set(w, "a", 1, 1, 4);
    check_ok(es_cache_get(w->cache, "ns", "a", &have, &err), &err);
    check_json(es_obj_at(have, "metadata"),
               "{'name':'a','namespace':'ns','uid':'uid-a','resourceVersion':'1','generation':1}");
    check_json(es_obj_at(have, "status"), "{'n':4}");
    json_decref(have);
    assert_int_equal(es_cache_get(w->cache, "ns", "b", &have, &err), ES_E_NOT_FOUND);
    assert_string_equal(err.text, "ExternalSecret.external-secrets.io \"b\" not found");
    world_free(w);
}

/* ---- answers to writes ---- */

static void test_an_answer_counts_before_the_watch_tells(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    restart(w);
    set(w, "a", 1, 1, 0);
    synced(w);
    w->diary[0] = '\0';
    put(w, "a", 5, 2, 0);
    assert_kept(w, "a", "5");
    assert_told(w, "ns/a:So=5");
    set(w, "a", 4, 1, 9); /* the watch lags behind: what it tells is older */
    assert_kept(w, "a", "5");
    assert_told(w, "");
    set(w, "a", 5, 2, 0); /* and now repeats what we know */
    assert_told(w, "");
    set(w, "a", 6, 2, 1);
    assert_told(w, "ns/a:s=6");
    world_free(w);
}

static void test_an_answer_after_the_watch_is_old_news(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    restart(w);
    synced(w);
    set(w, "a", 7, 2, 0);
    w->diary[0] = '\0';
    put(w, "a", 7, 2, 0);
    put(w, "a", 6, 1, 3);
    assert_kept(w, "a", "7");
    assert_told(w, "");
    world_free(w);
}

static void test_a_silent_answer(void **state)
{
    struct world *w = world_new(NULL);
    json_t *o = version("a", 3, 1, 0);
    (void)state;

    es_cache_put(w->cache, o, true);
    assert_kept(w, "a", "3");
    assert_told(w, "");
    json_decref(o);
    world_free(w);
}

static void test_no_resurrection(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    restart(w);
    set(w, "a", 1, 1, 0);
    synced(w);
    gone(w, "a", 9);
    w->diary[0] = '\0';
    put(w, "a", 8, 1, 1); /* our write came before the deletion, its answer after */
    assert_kept(w, "a", "none");
    put(w, "a", 9, 1, 1);
    assert_kept(w, "a", "none");
    assert_told(w, "");
    put(w, "a", 10, 1, 1); /* a successor */
    assert_kept(w, "a", "10");
    gone(w, "a", 9); /* told late: not about this one */
    assert_kept(w, "a", "10");
    world_free(w);
}

static void test_a_late_answer_does_not_outlive_a_list(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    /* "a" was deleted while the watch was away; the answer to our last write of it
     * comes while the list is under way, and says nothing new. */
    restart(w);
    set(w, "a", 5, 1, 0);
    synced(w);
    restart(w);
    put(w, "a", 5, 1, 0);
    synced(w);
    assert_kept(w, "a", "none");
    world_free(w);
}

static void test_removal_is_for_one_uid(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    set(w, "a", 1, 1, 0);
    w->diary[0] = '\0';
    es_cache_remove(w->cache, "ns", "a", "uid-of-another");
    assert_kept(w, "a", "1");
    es_cache_remove(w->cache, "ns", "a", "uid-a");
    assert_kept(w, "a", "none");
    set(w, "a", 2, 1, 0);
    es_cache_remove(w->cache, "ns", "a", NULL);
    assert_kept(w, "a", "none");
    es_cache_remove(w->cache, "ns", "a", NULL);
    assert_told(w, "ns/a:Ss=2"); /* who removes knows it */
    world_free(w);
}

/* What still has to be cleaned up after is still there: whoever does that must find it. */
static void test_what_has_finalizers_stays_until_it_is_gone(void **state)
{
    struct world *w = world_new(NULL);
    json_t *o = version("a", 1, 1, 0);
    (void)state;

    es_obj_set(o, json_pack("[s]", "example.com/cleanup"), "metadata", "finalizers");
    w->sink.event(w->sink.ctx, ES_WATCH_SET, o);
    json_decref(o);
    es_cache_remove(w->cache, "ns", "a", "uid-a");
    assert_kept(w, "a", "1");
    gone(w, "a", 2);
    assert_kept(w, "a", "none");
    world_free(w);
}

/* ---- digests ---- */

static int keep_even(json_t **o)
{
    if (es_obj_int(*o, "metadata", "generation") % 2)
        return 1;
    json_t *kept =
        json_pack("{s:{s:s,s:s,s:s}}", "metadata", "namespace", es_obj_namespace(*o), "name", es_obj_name(*o),
                  "resourceVersion", es_obj_str(*o, "metadata", "resourceVersion"));
    json_decref(*o);
    *o = kept;
    return kept ? 0 : ES_E_NOMEM;
}

static void test_a_digest_may_leave_objects_out(void **state)
{
    struct world *w = world_new(&(struct es_cache_opts){.digest = keep_even});
    json_t *have = NULL;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    set(w, "a", 1, 1, 0);
    assert_told(w, "");
    set(w, "a", 2, 2, 0);
    assert_told(w, "ns/a:Ss=2");
    check_ok(es_cache_get(w->cache, "ns", "a", &have, &err), &err);
    check_json(have, "{'metadata':{'name':'a','namespace':'ns','resourceVersion':'2'}}");
    json_decref(have);
    set(w, "a", 3, 4, 0); /* without marks the resourceVersion is what counts */
    assert_told(w, "ns/a:S=3");
    set(w, "a", 4, 5, 0);
    assert_told(w, "ns/a:G=3");
    assert_int_equal(es_cache_count(w->cache), 0);
    put(w, "a", 6, 2, 0);
    assert_kept(w, "a", "6");
    put(w, "a", 7, 3, 0); /* an answer may say as well that it is not for us */
    assert_kept(w, "a", "none");
    world_free(w);
}

/* ---- size ---- */

static void test_twenty_thousand_objects(void **state)
{
    enum { COUNT = 20000 };
    struct world *w = world_new(NULL);
    json_t *o = version("object-00000", 1, 1, 0);
    size_t text_len = 0;
    (void)state;

    json_object_del(json_object_get(o, "metadata"), "managedFields");
    es_mem_free(es_json_text(o, &text_len));
    json_decref(o);
    size_t before = live_bytes;
    restart(w);
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "object-%05d", i);
        set(w, name, i + 1, 1, 0);
        w->diary[0] = '\0';
    }
    synced(w);
    size_t each = (live_bytes - before) / COUNT;
    /* The text, 40 bytes of an entry, key and version, 2 terms, and a share of two tables. */
    if (each < text_len || each > text_len + 260)
        fail_msg("%zu bytes for an object of %zu", each, text_len);
    for (int i = 0; i < COUNT; i++) {
        char name[32];
        snprintf(name, sizeof name, "object-%05d", i);
        gone(w, name, COUNT + i);
        w->diary[0] = '\0';
    }
    assert_int_equal(es_cache_count(w->cache), 0);
    world_free(w);
}

static void index_usual(const json_t *kept, struct es_terms *t)
{
    char term[128];

    snprintf(term, sizeof term, "target:%s", es_obj_name(kept));
    es_terms_add(t, term);
    es_terms_add(t, "store:vault");
}

static json_t *usual_object(unsigned n, size_t *ret_len)
{
    char text[2048];

    *ret_len = usual(text, sizeof text, n);
    return parse(text);
}

/* What a cluster of ten thousand ExternalSecrets costs is decided here. */
static void test_ten_thousand_usual_objects_are_packed(void **state)
{
    enum { COUNT = 10000, MOST = 280 };
    struct world *w = world_new(&(struct es_cache_opts){.index = index_usual, .packed = true});
    size_t before = live_bytes, len = 0;
    (void)state;

    restart(w);
    for (unsigned n = 0; n < COUNT; n++) {
        json_t *o = usual_object(n, &len);
        w->sink.event(w->sink.ctx, ES_WATCH_SET, o);
        w->diary[0] = '\0';
        json_decref(o);
    }
    synced(w);
    size_t each = (live_bytes - before) / COUNT;
    if (each > MOST)
        fail_msg("%zu bytes for an object of %zu", each, len);
    for (unsigned n = 0; n < COUNT; n += 97) {
        json_t *o = usual_object(n, &len), *have = NULL;
        struct es_error err = ES_ERROR_INIT;
        check_ok(es_cache_get(w->cache, es_obj_namespace(o), es_obj_name(o), &have, &err), &err);
        assert_true(json_equal(o, have));
        json_decref(have);
        json_decref(o);
    }
    world_free(w);
}

/* ---- no memory ---- */

/* Whatever fails, the cache stays usable, and the next full list heals it. */
static void test_each_allocation_fails_once(void **state)
{
    (void)state;
    for (size_t n = 0;; n++) {
        struct world *w =
            world_new(&(struct es_cache_opts){.marks = mark, .index = index_stores, .packed = true});
        json_t *have = NULL, *a = version("a", 1, 1, 0), *b = version("b", 2, 1, 0),
               *a2 = version("a", 3, 2, 1);
        struct es_error err = ES_ERROR_INIT;
        char found[256] = "", rv[ES_RV_MAX];

        failed_one = false;
        until_failure = n;
        restart(w);
        w->sink.event(w->sink.ctx, ES_WATCH_SET, a);
        synced(w);
        es_cache_put(w->cache, b, false);
        w->sink.event(w->sink.ctx, ES_WATCH_SET, a2);
        int rc = es_cache_get(w->cache, "ns", "a", &have, &err);
        assert_true(rc == 0 || rc == ES_E_NOMEM || rc == ES_E_NOT_FOUND);
        es_cache_rv(w->cache, "ns", "a", rv);
        es_cache_note(w->cache, "ns", "a", "3", 1);
        es_cache_noted(w->cache, "ns", "a", "3");
        rc = es_cache_each(w->cache, "store-1", collect, found);
        assert_true(rc == 0 || rc == ES_E_NOMEM);
        rc = es_cache_each_all(w->cache, collect, found);
        assert_true(rc == 0 || rc == ES_E_NOMEM);
        es_cache_remove(w->cache, "ns", "b", NULL);
        w->sink.event(w->sink.ctx, ES_WATCH_GONE, a2);
        until_failure = SIZE_MAX;

        restart(w);
        set(w, "a", 4, 4, 0);
        set(w, "b", 5, 4, 0);
        synced(w);
        assert_kept(w, "a", "4");
        assert_kept(w, "b", "5");
        assert_found(w, "a", "ns/a");
        assert_found(w, "store-1", "");
        json_decref(have);
        json_decref(a);
        json_decref(b);
        json_decref(a2);
        world_free(w);
        if (!failed_one)
            break;
        assert_true(n < 500);
    }
}

/* ---- threads ---- */

enum { WRITERS = 3, READERS = 2, OBJECTS = 64, TURNS = 1500 };

struct busy {
    struct es_cache *cache;
    int rv; /* one counter for all: the API server's */
    int told;
    bool over;
    unsigned seed;
};

static void count_told(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept)
{
    struct busy *b = ctx;
    (void)ns;
    (void)name;
    (void)what;
    (void)kept;
    __atomic_add_fetch(&b->told, 1, __ATOMIC_RELAXED);
}

static json_t *any_version(struct busy *b, unsigned *seed)
{
    char name[16];
    snprintf(name, sizeof name, "o%d", rand_r(seed) % OBJECTS);
    return version(name, __atomic_add_fetch(&b->rv, 1, __ATOMIC_SEQ_CST), 1 + rand_r(seed) % 3,
                   rand_r(seed) % 3);
}

static void *write_much(void *ctx)
{
    struct busy *b = ctx;
    unsigned seed = __atomic_add_fetch(&b->seed, 1, __ATOMIC_SEQ_CST);

    for (int i = 0; i < TURNS; i++) {
        json_t *o = any_version(b, &seed);
        if (i % 5)
            es_cache_put(b->cache, o, i % 2);
        else
            es_cache_remove(b->cache, "ns", es_obj_name(o), i % 2 ? NULL : es_obj_str(o, "metadata", "uid"));
        es_cache_note(b->cache, "ns", es_obj_name(o), es_obj_str(o, "metadata", "resourceVersion"), seed);
        json_decref(o);
    }
    return NULL;
}

static void *watch_much(void *ctx)
{
    struct busy *b = ctx;
    struct es_watch_sink sink = es_cache_sink(b->cache);
    unsigned seed = 99;

    for (int i = 0; i < TURNS; i++) {
        json_t *o = any_version(b, &seed);
        if (i % 100 == 50)
            sink.restart(sink.ctx);
        sink.event(sink.ctx, i % 7 ? ES_WATCH_SET : ES_WATCH_GONE, o);
        if (i % 100 == 99)
            sink.synced(sink.ctx);
        json_decref(o);
    }
    return NULL;
}

static void ignore(void *ctx, const char *ns, const char *name)
{
    (void)ctx;
    (void)ns;
    (void)name;
}

static void *read_much(void *ctx)
{
    struct busy *b = ctx;
    unsigned seed = 1234;

    while (!__atomic_load_n(&b->over, __ATOMIC_SEQ_CST)) {
        char name[16], rv[ES_RV_MAX];
        json_t *have = NULL;
        snprintf(name, sizeof name, "o%d", rand_r(&seed) % OBJECTS);
        if (es_cache_get(b->cache, "ns", name, &have, NULL) == 0 && !es_streq(es_obj_name(have), name))
            abort();
        json_decref(have);
        if (es_cache_rv(b->cache, "ns", name, rv))
            es_cache_noted(b->cache, "ns", name, rv);
        es_cache_each(b->cache, "store-1", ignore, NULL);
        es_cache_each_all(b->cache, ignore, NULL);
        es_cache_count(b->cache);
        es_cache_trouble(b->cache, NULL);
    }
    return NULL;
}

static void test_everybody_at_once(void **state)
{
    struct busy b = {0};
    const struct es_cache_opts opts = {.kind = &es_kind_external_secret,
                                       .packed = true,
                                       .marks = mark,
                                       .index = index_stores,
                                       .changed = count_told,
                                       .ctx = &b};
    pthread_t writers[WRITERS], readers[READERS], watch;
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    check_ok(es_cache_new(&b.cache, &opts, &err), &err);
    for (int i = 0; i < READERS; i++)
        assert_int_equal(pthread_create(&readers[i], NULL, read_much, &b), 0);
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&writers[i], NULL, write_much, &b), 0);
    assert_int_equal(pthread_create(&watch, NULL, watch_much, &b), 0);
    for (int i = 0; i < WRITERS; i++)
        pthread_join(writers[i], NULL);
    pthread_join(watch, NULL);
    __atomic_store_n(&b.over, true, __ATOMIC_SEQ_CST);
    for (int i = 0; i < READERS; i++)
        pthread_join(readers[i], NULL);

    /* A last list says what there is; nothing else is left, nor found. */
    struct es_watch_sink sink = es_cache_sink(b.cache);
    char found[256] = "";
    json_t *last = version("o1", 1000000, 9, 0);
    sink.restart(sink.ctx);
    sink.event(sink.ctx, ES_WATCH_SET, last);
    sink.synced(sink.ctx);
    json_decref(last);
    assert_int_equal(es_cache_count(b.cache), 1);
    for (int i = 1; i < 4; i++) {
        char term[32];
        snprintf(term, sizeof term, "store-%d", i);
        assert_int_equal(es_cache_each(b.cache, term, collect, found), 0);
    }
    assert_string_equal(found, "");
    assert_true(b.told > 0);
    es_cache_free(b.cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_list_then_changes),
        cmocka_unit_test(test_a_new_list_removes_what_it_lacks),
        cmocka_unit_test(test_every_other_of_many_is_gone),
        cmocka_unit_test(test_an_answer_that_came_during_a_list_survives_it),
        cmocka_unit_test(test_known_versions_need_no_event),
        cmocka_unit_test(test_managed_fields_are_not_kept),
        cmocka_unit_test(test_an_answer_counts_before_the_watch_tells),
        cmocka_unit_test(test_an_answer_after_the_watch_is_old_news),
        cmocka_unit_test(test_a_silent_answer),
        cmocka_unit_test(test_no_resurrection),
        cmocka_unit_test(test_a_late_answer_does_not_outlive_a_list),
        cmocka_unit_test(test_removal_is_for_one_uid),
        cmocka_unit_test(test_what_has_finalizers_stays_until_it_is_gone),
        cmocka_unit_test(test_a_digest_may_leave_objects_out),
        cmocka_unit_test(test_twenty_thousand_objects),
        cmocka_unit_test(test_ten_thousand_usual_objects_are_packed),
        cmocka_unit_test(test_each_allocation_fails_once),
        cmocka_unit_test(test_everybody_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
