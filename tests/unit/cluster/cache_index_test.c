/* What caches are found by, and who else may listen: index terms, notes, selectors, troubles. */
#include "cache_world.h"

/* ---- the index ---- */

static void test_terms_follow_the_object(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    assert_found(w, "store-1", "");
    assert_false(es_cache_has_other(w->cache, "store-1", "ns", "b"));
    set(w, "a", 1, 1, 0);
    assert_found(w, "store-1", "ns/a");
    assert_found(w, "a", "ns/a");
    assert_true(es_cache_has_other(w->cache, "store-1", "ns", "b"));
    assert_true(es_cache_has_other(w->cache, "store-1", "", "a"));
    assert_false(es_cache_has_other(w->cache, "store-1", "ns", "a"));
    assert_false(es_cache_has_other(w->cache, "store-3", "ns", "b"));
    set(w, "a", 2, 2, 0);
    assert_found(w, "store-1", "");
    assert_found(w, "store-2", "ns/a");
    put(w, "b", 3, 2, 0);
    char found[256] = "";
    assert_int_equal(es_cache_each(w->cache, "store-2", collect, found), 0);
    assert_true(es_streq(found, "ns/a ns/b") || es_streq(found, "ns/b ns/a"));
    assert_true(es_cache_has_other(w->cache, "store-2", "ns", "a"));
    assert_true(es_cache_has_other(w->cache, "store-2", "ns", "b"));
    gone(w, "a", 4);
    assert_false(es_cache_has_other(w->cache, "store-2", "ns", "b"));
    assert_found(w, "store-2", "ns/b");
    es_cache_remove(w->cache, "ns", "b", NULL);
    assert_found(w, "store-2", "");
    world_free(w);
}

static void index_much(const json_t *kept, struct es_terms *t)
{
    char term[32];
    (void)kept;
    for (int i = 0; i < 2 * ES_TERMS_MAX; i++) {
        snprintf(term, sizeof term, "t%d", i);
        es_terms_add(t, term);
        es_terms_add(t, term); /* twice is once */
    }
}

static void test_terms_have_a_ceiling(void **state)
{
    struct world *w = world_new(&(struct es_cache_opts){.index = index_much});
    (void)state;

    set(w, "a", 1, 1, 0);
    assert_found(w, "t0", "ns/a");
    assert_found(w, "t63", "ns/a");
    assert_found(w, "t64", "");
    world_free(w);
}

struct remover {
    struct world *w;
    int seen;
};

static void remove_it(void *ctx, const char *ns, const char *name)
{
    struct remover *r = ctx;
    r->seen++;
    es_cache_remove(r->w->cache, ns, name, NULL);
}

static void test_visitors_may_change_the_cache(void **state)
{
    struct world *w = world_new(NULL);
    struct remover r = {w, 0};
    char name[32];
    (void)state;

    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "o%d", i);
        put(w, name, i + 1, i % 3, 0);
        w->diary[0] = '\0';
    }
    assert_int_equal(es_cache_each(w->cache, "store-1", remove_it, &r), 0);
    assert_int_equal(r.seen, 100);
    assert_int_equal(es_cache_count(w->cache), 200);
    assert_int_equal(es_cache_each_all(w->cache, remove_it, &r), 0);
    assert_int_equal(r.seen, 300);
    assert_int_equal(es_cache_count(w->cache), 0);
    assert_found(w, "store-2", "");
    world_free(w);
}

/* Removing from an open table moves its neighbours: none may get lost. */
static void test_index_under_churn(void **state)
{
    enum { N = 500, ROUNDS = 6000 };
    struct world *w = world_new(NULL);
    int generation[N] = {0}; /* 0: not there */
    unsigned seed = 7;
    (void)state;

    for (int round = 1; round <= ROUNDS; round++) {
        char name[16];
        int i = rand_r(&seed) % N;
        snprintf(name, sizeof name, "o%d", i);
        if (rand_r(&seed) % 3) {
            generation[i] = 1 + rand_r(&seed) % 20;
            put(w, name, round, generation[i], 0);
        } else {
            generation[i] = 0;
            es_cache_remove(w->cache, "ns", name, NULL);
        }
        w->diary[0] = '\0';
    }
    for (int i = 0; i < N; i++) {
        char name[16], key[32];
        snprintf(name, sizeof name, "o%d", i);
        snprintf(key, sizeof key, "ns/o%d", i);
        assert_found(w, name, generation[i] ? key : "");
    }
    world_free(w);
}

/* ---- notes ---- */

static void test_a_note_is_about_one_version(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    es_cache_note(w->cache, "ns", "a", "1", 42); /* nothing there yet */
    set(w, "a", 1, 1, 0);
    assert_int_equal(es_cache_noted(w->cache, "ns", "a", "1"), 0);
    es_cache_note(w->cache, "ns", "a", "1", 42);
    assert_int_equal(es_cache_noted(w->cache, "ns", "a", "1"), 42);
    es_cache_note(w->cache, "ns", "a", "2", 43);
    assert_int_equal(es_cache_noted(w->cache, "ns", "a", "1"), 42);
    assert_int_equal(es_cache_noted(w->cache, "ns", "a", "2"), 0);
    set(w, "a", 1, 1, 0); /* the watch repeats itself */
    assert_int_equal(es_cache_noted(w->cache, "ns", "a", "1"), 42);
    set(w, "a", 2, 1, 0);
    assert_int_equal(es_cache_noted(w->cache, "ns", "a", "1"), 0);
    assert_int_equal(es_cache_noted(w->cache, "ns", "a", "2"), 0);
    world_free(w);
}

static void test_a_note_on_an_answer_survives_the_watch(void **state)
{
    struct world *w = world_new(NULL);
    (void)state;

    put(w, "a", 5, 1, 0);
    es_cache_note(w->cache, "ns", "a", "5", 77);
    set(w, "a", 5, 1, 0);
    assert_int_equal(es_cache_noted(w->cache, "ns", "a", "5"), 77);
    world_free(w);
}

/* ---- somebody who listens ---- */

static void hear(void *ctx, const char *what)
{
    struct world *w = ctx;
    size_t len = strlen(w->diary);
    snprintf(w->diary + len, sizeof w->diary - len, "%s%s", len ? " " : "", what);
}

static void hear_restart(void *ctx)
{
    hear(ctx, "restart");
}

static void hear_event(void *ctx, enum es_watch_event event, json_t *object)
{
    char text[64];
    snprintf(text, sizeof text, "%c%s=%s", event == ES_WATCH_SET ? '+' : '-', es_obj_name(object),
             es_obj_str(object, "metadata", "resourceVersion"));
    hear(ctx, text);
}

static void hear_synced(void *ctx)
{
    hear(ctx, "synced");
}

static void test_a_listener_hears_all_and_nothing_is_kept(void **state)
{
    struct es_watch_sink listener = {.restart = hear_restart, .event = hear_event, .synced = hear_synced};
    const struct es_cache_opts opts = {.listener = &listener};
    struct world *w = world_new(&opts);
    (void)state;

    listener.ctx = w;
    restart(w);
    set(w, "a", 10, 1, 0);
    set(w, "a", 10, 1, 0); /* the same again: there is nothing to compare it with */
    synced(w);
    assert_true(es_cache_synced(w->cache));
    set(w, "b", 11, 1, 0);
    gone(w, "a", 12);
    assert_told(w, "restart +a=10 +a=10 synced +b=11 -a=12");
    assert_int_equal(es_cache_count(w->cache), 0);
    assert_kept(w, "b", "none");
    world_free(w);
}

static void test_what_a_selector_selects(void **state)
{
    static const struct {
        const char *selector, *labels;
        bool selected;
    } cases[] = {
        {NULL, "{}", true},
        {"a", "{}", false},
        {"a", "{'a':''}", true},
        {"a=x", "{'a':'x'}", true},
        {"a=x", "{'a':'xy'}", false},
        {"a=x", "{}", false},
        {"a!=x", "{}", true},
        {"a!=x", "{'a':'x'}", false},
        {"a!=x", "{'a':'y'}", true},
        {"a!=", "{'a':''}", false},
        {"a!=x,b=1", "{'b':'1'}", true},
        {"a!=x,b=1", "{'a':'x','b':'1'}", false},
    };
    (void)state;

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct es_cache_opts opts = {.label_selector = cases[i].selector};
        struct world *w = world_new(&opts);
        json_t *o = object(&es_kind_external_secret, "ns", "a", NULL);
        assert_int_equal(es_obj_set(o, quoted(cases[i].labels), "metadata", "labels"), 0);
        if (es_cache_selects(w->cache, o) != cases[i].selected)
            fail_msg("%s of %s", cases[i].selector, cases[i].labels);
        json_decref(o);
        world_free(w);
    }
}

/* ---- trouble ---- */

static void test_trouble_comes_and_goes(void **state)
{
    struct world *w = world_new(NULL);
    struct es_error err = ES_ERROR_INIT, have = ES_ERROR_INIT;
    (void)state;

    assert_false(es_cache_trouble(w->cache, &have));
    es_error_set(&err, ES_E_DENIED, "not allowed");
    w->sink.trouble(w->sink.ctx, &err);
    assert_true(es_cache_trouble(w->cache, &have));
    assert_string_equal(have.text, "not allowed");
    assert_true(es_cache_trouble(w->cache, NULL));
    w->sink.trouble(w->sink.ctx, NULL);
    assert_false(es_cache_trouble(w->cache, &have));
    world_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_terms_follow_the_object),
        cmocka_unit_test(test_terms_have_a_ceiling),
        cmocka_unit_test(test_visitors_may_change_the_cache),
        cmocka_unit_test(test_index_under_churn),
        cmocka_unit_test(test_a_note_is_about_one_version),
        cmocka_unit_test(test_a_note_on_an_answer_survives_the_watch),
        cmocka_unit_test(test_a_listener_hears_all_and_nothing_is_kept),
        cmocka_unit_test(test_what_a_selector_selects),
        cmocka_unit_test(test_trouble_comes_and_goes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
