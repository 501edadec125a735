/* A folder of manifests behaves as an API server does, where it matters. */
#include "cluster_test.h"

#include <pthread.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/cluster/local_house.h"
#include "core/cluster/shelf.h"

#define ES (&es_kind_external_secret)
#define SECRET (&es_kind_secret)

static struct es_cluster *cluster;
static struct es_local *house;
static struct es_error err;

static int setup(void **state)
{
    (void)state;
    err = (struct es_error)ES_ERROR_INIT;
    return es_cluster_new_local(&cluster, &house, &err);
}

static int teardown(void **state)
{
    (void)state;
    es_cluster_free(cluster);
    return 0;
}

static json_t *create(const struct es_kind *kind, const char *ns, const char *name, const char *more)
{
    json_t *o = object(kind, ns, name, more), *ret = NULL;
    check_ok(es_cluster_create(cluster, kind, ns, o, "tester", &ret, &err), &err);
    json_decref(o);
    return ret;
}

static json_t *get(const struct es_kind *kind, const char *ns, const char *name)
{
    json_t *ret = NULL;
    return es_cluster_get(cluster, kind, ns, name, &ret, &err) == 0 ? ret : NULL;
}

static void apply(const struct es_kind *kind, const char *ns, const char *name, const char *more)
{
    json_t *o = object(kind, ns, name, more);
    check_ok(es_local_apply(house, o, &err), &err);
    json_decref(o);
}

static int patch(const struct es_kind *kind, const char *name, const char *sub, const char *text)
{
    json_t *p = quoted(text);
    int rc = es_cluster_patch(cluster, kind, "ns", name, sub, p, "tester", NULL, &err);
    json_decref(p);
    return rc;
}

static const char *rv_of(const json_t *o)
{
    return es_obj_str(o, "metadata", "resourceVersion");
}

static void assert_gone(const struct es_kind *kind, const char *name)
{
    json_t *o = get(kind, "ns", name);
    if (o)
        fail_msg("%s is still there", name);
    assert_int_equal(err.code, ES_E_NOT_FOUND);
}

/* ---- create and get ---- */

static void test_a_created_object(void **state)
{
    json_t *o = create(SECRET, "ns", "a", "{'data':{'k':'dg=='}}");
    int64_t made_ms;
    (void)state;

    assert_string_equal(es_obj_str(o, "apiVersion"), "v1");
    assert_string_equal(es_obj_str(o, "kind"), "Secret");
    assert_true(*es_obj_str(o, "metadata", "uid") && *rv_of(o));
    assert_int_equal(es_time_parse(es_obj_str(o, "metadata", "creationTimestamp"), &made_ms), 0);
    assert_true(llabs(es_unix_ms() - made_ms) < 60000);
    json_t *again = get(SECRET, "ns", "a");
    assert_true(json_equal(o, again));
    assert_null(get(SECRET, "other", "a"));
    assert_string_equal(err.text, "secrets \"a\" not found");
    assert_null(get(ES, "ns", "a"));
    assert_string_equal(err.text, "externalsecrets.external-secrets.io \"a\" not found");
    json_decref(o);
    json_decref(again);
}

static void test_names_are_taken_once(void **state)
{
    json_t *first = create(SECRET, "ns", "a", NULL), *o = object(SECRET, "ns", "a", NULL);
    (void)state;

    assert_int_equal(es_cluster_create(cluster, SECRET, "ns", o, "tester", NULL, &err), ES_E_EXISTS);
    assert_string_equal(err.text, "secrets \"a\" already exists");
    json_t *elsewhere = create(SECRET, "other", "a", NULL);
    assert_string_not_equal(es_obj_str(first, "metadata", "uid"), es_obj_str(elsewhere, "metadata", "uid"));
    json_decref(first);
    json_decref(elsewhere);
    json_decref(o);
}

/* A caller that copies an object does not copy its identity. */
static void test_identity_is_the_servers(void **state)
{
    json_t *o = create(
        SECRET, "ns", "a",
        "{'metadata':{'uid':'mine','resourceVersion':'77','creationTimestamp':'2001-01-01T00:00:00Z'}}");
    (void)state;
    assert_string_not_equal(es_obj_str(o, "metadata", "uid"), "mine");
    assert_string_not_equal(rv_of(o), "77");
    assert_string_not_equal(es_obj_str(o, "metadata", "creationTimestamp"), "2001-01-01T00:00:00Z");
    json_decref(o);
}

static void test_answers_are_copies(void **state)
{
    json_t *o = create(SECRET, "ns", "a", "{'data':{'k':'dg=='}}");
    (void)state;
    es_obj_set(o, json_string("changed"), "data", "k");
    json_t *again = get(SECRET, "ns", "a");
    assert_string_equal(es_obj_str(again, "data", "k"), "dg==");
    json_decref(o);
    json_decref(again);
}

/* ---- update ---- */

static void test_update_replaces(void **state)
{
    json_t *o = create(SECRET, "ns", "a", "{'data':{'k':'dg=='},'type':'Opaque'}"), *answer = NULL;
    char rv[64], uid[64];
    (void)state;

    snprintf(rv, sizeof rv, "%s", rv_of(o));
    snprintf(uid, sizeof uid, "%s", es_obj_str(o, "metadata", "uid"));
    es_obj_unset(o, "type");
    es_obj_set(o, quoted("{'n':'eA=='}"), "data");
    es_obj_unset(o, "metadata", "creationTimestamp");
    check_ok(es_cluster_update(cluster, SECRET, "ns", "a", o, "tester", &answer, &err), &err);
    check_json(json_object_get(answer, "data"), "{'n':'eA=='}");
    assert_null(json_object_get(answer, "type"));
    assert_string_equal(es_obj_str(answer, "metadata", "uid"), uid);
    assert_true(*es_obj_str(answer, "metadata", "creationTimestamp"));
    assert_true(es_rv_compare(rv_of(answer), rv) > 0);

    assert_int_equal(es_cluster_update(cluster, SECRET, "ns", "a", o, "tester", NULL, &err), ES_E_CONFLICT);
    assert_string_equal(
        err.text, "Operation cannot be fulfilled on secrets \"a\": the object has been modified; please "
                  "apply your changes to the latest version");
    es_obj_unset(o, "metadata", "resourceVersion");
    check_ok(es_cluster_update(cluster, SECRET, "ns", "a", o, "tester", NULL, &err), &err);
    es_obj_set(o, json_string("another"), "metadata", "uid");
    assert_int_equal(es_cluster_update(cluster, SECRET, "ns", "a", o, "tester", NULL, &err), ES_E_CONFLICT);
    assert_int_equal(es_cluster_update(cluster, SECRET, "ns", "b", o, "tester", NULL, &err), ES_E_NOT_FOUND);
    json_decref(o);
    json_decref(answer);
}

/* ---- patch ---- */

static void test_patch_merges(void **state)
{
    json_decref(
        create(SECRET, "ns", "a", "{'data':{'k':'dg==','l':'eA=='},'metadata':{'labels':{'x':'1'}}}"));
    (void)state;

    assert_int_equal(patch(SECRET, "a", NULL, "{'metadata':{'labels':{'y':'2'}},'data':{'k':null}}"), 0);
    json_t *o = get(SECRET, "ns", "a");
    check_json(json_object_get(o, "data"), "{'l':'eA=='}");
    check_json(es_obj_at(o, "metadata", "labels"), "{'x':'1','y':'2'}");
    json_decref(o);
    assert_int_equal(patch(SECRET, "a", NULL, "{'metadata':{'uid':'another'}}"), ES_E_CONFLICT);
    assert_int_equal(patch(SECRET, "a", NULL, "{'metadata':{'resourceVersion':'1000000'}}"), ES_E_CONFLICT);
    assert_int_equal(patch(SECRET, "b", NULL, "{}"), ES_E_NOT_FOUND);
}

static void test_generation_counts_spec_changes(void **state)
{
    json_t *o;
    (void)state;

    json_decref(create(ES, "ns", "a", "{'spec':{'x':1}}"));
    o = get(ES, "ns", "a");
    assert_int_equal(es_obj_int(o, "metadata", "generation"), 1);
    json_decref(o);
    assert_int_equal(patch(ES, "a", NULL, "{'metadata':{'labels':{'y':'2'}}}"), 0);
    assert_int_equal(patch(ES, "a", "status", "{'status':{'s':1}}"), 0);
    o = get(ES, "ns", "a");
    assert_int_equal(es_obj_int(o, "metadata", "generation"), 1);
    json_decref(o);
    assert_int_equal(patch(ES, "a", NULL, "{'spec':{'x':2},'metadata':{'generation':50}}"), 0);
    o = get(ES, "ns", "a");
    assert_int_equal(es_obj_int(o, "metadata", "generation"), 2);
    json_decref(o);
}

static void test_the_status_subresource(void **state)
{
    json_t *o;
    (void)state;

    json_decref(create(ES, "ns", "a", "{'spec':{'x':1}}"));
    assert_int_equal(
        patch(ES, "a", "status", "{'spec':{'x':9},'metadata':{'labels':{'l':'1'}},'status':{'s':1}}"), 0);
    o = get(ES, "ns", "a");
    check_json(json_object_get(o, "spec"), "{'x':1}");
    check_json(json_object_get(o, "status"), "{'s':1}");
    assert_null(es_obj_at(o, "metadata", "labels"));
    json_decref(o);
    assert_int_equal(patch(ES, "a", "status", "{'spec':{'x':9}}"), 0); /* says nothing about the status */
    o = get(ES, "ns", "a");
    check_json(json_object_get(o, "status"), "{'s':1}");
    json_decref(o);
    assert_int_equal(patch(ES, "a", "status", "{'status':{'s':null,'t':2}}"), 0);
    o = get(ES, "ns", "a");
    check_json(json_object_get(o, "status"), "{'t':2}");
    json_decref(o);
}

/* ---- remove ---- */

static void test_remove(void **state)
{
    json_t *o = create(SECRET, "ns", "a", NULL);
    (void)state;

    assert_int_equal(es_cluster_remove(cluster, SECRET, "ns", "a", "another-uid", &err), ES_E_CONFLICT);
    check_ok(es_cluster_remove(cluster, SECRET, "ns", "a", es_obj_str(o, "metadata", "uid"), &err), &err);
    assert_gone(SECRET, "a");
    assert_int_equal(es_cluster_remove(cluster, SECRET, "ns", "a", NULL, &err), ES_E_NOT_FOUND);
    json_decref(o);
}

static void test_finalizers_hold_an_object(void **state)
{
    json_t *o;
    (void)state;

    json_decref(create(ES, "ns", "a", "{'metadata':{'finalizers':['x','y']}}"));
    check_ok(es_cluster_remove(cluster, ES, "ns", "a", NULL, &err), &err);
    o = get(ES, "ns", "a");
    assert_true(es_obj_deleting(o));
    char when[64];
    snprintf(when, sizeof when, "%s", es_obj_str(o, "metadata", "deletionTimestamp"));
    json_decref(o);
    check_ok(es_cluster_remove(cluster, ES, "ns", "a", NULL, &err), &err); /* twice is once */
    assert_int_equal(patch(ES, "a", NULL, "{'metadata':{'deletionTimestamp':null}}"), 0);
    o = get(ES, "ns", "a");
    assert_string_equal(es_obj_str(o, "metadata", "deletionTimestamp"), when);
    json_decref(o);
    assert_int_equal(patch(ES, "a", NULL, "{'metadata':{'finalizers':['y']}}"), 0);
    json_decref(get(ES, "ns", "a"));
    assert_int_equal(patch(ES, "a", NULL, "{'metadata':{'finalizers':[]}}"), 0);
    assert_gone(ES, "a");
}

static void own(const char *name, const char *uid, const char *more)
{
    json_t *o = object(SECRET, "ns", name, more);
    es_obj_set(o, json_pack("[{s:s}]", "uid", uid), "metadata", "ownerReferences");
    check_ok(es_cluster_create(cluster, SECRET, "ns", o, NULL, NULL, &err), &err);
    json_decref(o);
}

static void test_dependents_follow_their_owner(void **state)
{
    json_t *owner = create(ES, "ns", "owner", NULL), *other = create(ES, "ns", "other", NULL);
    (void)state;

    own("mine", es_obj_str(owner, "metadata", "uid"), NULL);
    own("mine-too", es_obj_str(owner, "metadata", "uid"), NULL);
    own("others", es_obj_str(other, "metadata", "uid"), NULL);
    json_t *mine = get(SECRET, "ns", "mine");
    own("grandchild", es_obj_str(mine, "metadata", "uid"), NULL);
    check_ok(es_cluster_remove(cluster, ES, "ns", "owner", NULL, &err), &err);
    assert_gone(SECRET, "mine");
    assert_gone(SECRET, "mine-too");
    assert_gone(SECRET, "grandchild");
    json_decref(get(SECRET, "ns", "others"));
    json_decref(mine);
    json_decref(owner);
    json_decref(other);
}

/* The collector deletes as anybody does: a finalizer holds a dependent too. */
static void test_a_dependent_may_have_a_finalizer(void **state)
{
    json_t *owner = create(ES, "ns", "owner", NULL), *o;
    (void)state;

    own("held", es_obj_str(owner, "metadata", "uid"), "{'metadata':{'finalizers':['keep']}}");
    own("free", es_obj_str(owner, "metadata", "uid"), NULL);
    check_ok(es_cluster_remove(cluster, ES, "ns", "owner", NULL, &err), &err);
    assert_gone(SECRET, "free");
    o = get(SECRET, "ns", "held");
    assert_non_null(o);
    assert_true(es_obj_deleting(o));
    json_decref(o);
    assert_int_equal(patch(SECRET, "held", NULL, "{'metadata':{'finalizers':null}}"), 0);
    assert_gone(SECRET, "held");
    json_decref(owner);
}

/* ---- watches ---- */

static char diary[4096];

static void write_down(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept)
{
    size_t len = strlen(diary);
    (void)kept;
    snprintf(diary + len, sizeof diary - len, "%s%s%s/%s%s", len ? " " : "", (const char *)ctx, ns, name,
             what & ES_CHANGED_GONE ? " gone" : "");
}

static void assert_diary(const char *want)
{
    assert_string_equal(diary, want);
    diary[0] = '\0';
}

static struct es_cache *watch(const struct es_kind *kind, const char *selector, const char *prefix)
{
    struct es_cache_opts opts = {
        .kind = kind, .label_selector = selector, .changed = write_down, .ctx = (void *)(uintptr_t)prefix};
    struct es_cache *cache = NULL;
    check_ok(es_cluster_watch(cluster, &opts, &cache, &err), &err);
    return cache;
}

static void test_watches_see_everything(void **state)
{
    (void)state;
    diary[0] = '\0';
    apply(ES, "ns", "before", "{'spec':{}}");
    apply(&es_kind_secret_store, "ns", "store", "{'spec':{}}");
    struct es_cache *es = watch(ES, NULL, "");
    struct es_cache *secrets = watch(SECRET, "managed=true", "secret:");
    assert_false(es_cluster_synced(cluster));
    check_ok(es_cluster_start(cluster, &err), &err);
    assert_true(es_cluster_synced(cluster));
    assert_diary("ns/before");

    apply(ES, "ns", "later", "{'spec':{}}");
    assert_int_equal(patch(ES, "later", "status", "{'status':{'s':1}}"), 0);
    check_ok(es_local_delete(house, ES, "ns", "before", &err), &err);
    assert_diary("ns/later ns/later ns/before gone");
    assert_int_equal(es_cache_count(es), 1);

    json_decref(create(SECRET, "ns", "plain", NULL));
    assert_diary("");
    assert_int_equal(patch(SECRET, "plain", NULL, "{'metadata':{'labels':{'managed':'true'}}}"), 0);
    assert_diary("secret:ns/plain");
    assert_int_equal(patch(SECRET, "plain", NULL, "{'metadata':{'labels':{'managed':'false'}}}"), 0);
    assert_diary("secret:ns/plain gone");
    assert_int_equal(es_cache_count(secrets), 0);
}

static void test_watches_hear_of_dependents(void **state)
{
    json_t *owner = create(ES, "ns", "owner", NULL);
    (void)state;

    own("mine", es_obj_str(owner, "metadata", "uid"), NULL);
    watch(ES, NULL, "");
    watch(SECRET, NULL, "secret:");
    check_ok(es_cluster_start(cluster, &err), &err);
    diary[0] = '\0';
    check_ok(es_local_delete(house, ES, "ns", "owner", &err), &err);
    assert_diary("ns/owner gone secret:ns/mine gone");
    json_decref(owner);
}

static void test_watches_may_begin_late_and_end_early(void **state)
{
    (void)state;
    diary[0] = '\0';
    check_ok(es_cluster_start(cluster, &err), &err);
    apply(ES, "ns", "before", "{'spec':{}}");
    struct es_cache *cache = watch(ES, NULL, "");
    assert_diary("ns/before");
    apply(ES, "ns", "later", "{'spec':{}}");
    assert_diary("ns/later");
    es_cluster_unwatch(cluster, cache);
    apply(ES, "ns", "unseen", "{'spec':{}}");
    assert_diary("");
    assert_int_equal(es_cache_count(watch(ES, NULL, "")), 3);
}

static void test_late_watches_have_a_ceiling(void **state)
{
    struct es_cache *caches[ES_SHELF_LOOSE_MAX], *more = NULL;
    struct es_cache_opts opts = {.kind = SECRET};
    (void)state;

    check_ok(es_cluster_start(cluster, &err), &err);
    for (int i = 0; i < ES_SHELF_LOOSE_MAX; i++)
        caches[i] = watch(SECRET, NULL, "");
    assert_int_equal(es_cluster_watch(cluster, &opts, &more, &err), ES_E_TOO_LARGE);
    assert_string_equal(err.text, "more than 64 resources would be watched at once");
    for (int i = 0; i < ES_SHELF_LOOSE_MAX; i++)
        es_cluster_unwatch(cluster, caches[i]);
    watch(SECRET, NULL, ""); /* there is room again */
}

/* Two caches of one kind: each hears of its own, and so do answers of writes. */
static void test_two_caches_of_a_kind(void **state)
{
    (void)state;
    diary[0] = '\0';
    struct es_cache *red = watch(SECRET, "colour=red,kind", "red:");
    check_ok(es_cluster_start(cluster, &err), &err);
    struct es_cache *blue = watch(SECRET, "colour=blue", "blue:");
    json_decref(create(SECRET, "ns", "r", "{'metadata':{'labels':{'colour':'red','kind':'x'}}}"));
    json_decref(create(SECRET, "ns", "half", "{'metadata':{'labels':{'colour':'red'}}}"));
    json_decref(create(SECRET, "ns", "b", "{'metadata':{'labels':{'colour':'blue'}}}"));
    assert_diary("red:ns/r blue:ns/b");
    assert_int_equal(es_cache_count(red), 1);
    assert_int_equal(es_cache_count(blue), 1);
}

static void test_a_watch_of_metadata(void **state)
{
    struct es_cache_opts opts = {.kind = SECRET, .metadata_only = true, .changed = write_down, .ctx = ""};
    struct es_cache *cache = NULL;
    json_t *kept = NULL;
    (void)state;

    diary[0] = '\0';
    check_ok(es_cluster_start(cluster, &err), &err);
    check_ok(es_cluster_watch(cluster, &opts, &cache, &err), &err);
    json_decref(create(SECRET, "ns", "s", "{'data':{'k':'dg=='}}"));
    assert_diary("ns/s");
    check_ok(es_cache_get(cache, "ns", "s", &kept, &err), &err);
    assert_string_equal(es_obj_str(kept, "kind"), "Secret");
    assert_null(json_object_get(kept, "data"));
    json_decref(kept);
}

static void test_kinds_are_guessed(void **state)
{
    const struct es_kind *kind = NULL, *again = NULL;
    (void)state;

    check_ok(es_cluster_resolve(cluster, "v1", "Namespace", &kind, &err), &err);
    assert_true(es_kind_same(kind, &es_kind_namespace));
    assert_false(kind->namespaced);
    check_ok(es_cluster_resolve(cluster, "example.com/v1", "Thing", &kind, &err), &err);
    assert_string_equal(kind->plural, "things");
    assert_true(kind->namespaced);
    check_ok(es_cluster_resolve(cluster, "example.com/v1", "Thing", &again, &err), &err);
    assert_ptr_equal(kind, again);
    assert_int_equal(es_cluster_resolve(cluster, "a/b/c", "Thing", &kind, &err), ES_E_INVALID);

    /* Kinds of one name in two groups are two. */
    json_decref(create(kind, "ns", "a", NULL));
    assert_int_equal(es_cluster_resolve(cluster, "example.org/v1", "Thing", &again, &err), 0);
    json_decref(create(again, "ns", "a", NULL));
}

/* A sink may write: what it writes is told after what it was told. */
static void write_back(void *ctx, const char *ns, const char *name, unsigned what, const json_t *kept)
{
    (void)ctx;
    (void)what;
    (void)kept;
    if (strcmp(name, "first") == 0) {
        json_t *o = object(ES, ns, "second", NULL);
        check_ok(es_local_apply(house, o, &err), &err);
        json_decref(o);
    }
}

static void test_sinks_may_call_back(void **state)
{
    struct es_cache_opts opts = {.kind = ES, .changed = write_back};
    struct es_cache *cache = NULL;
    (void)state;

    check_ok(es_cluster_watch(cluster, &opts, &cache, &err), &err);
    check_ok(es_cluster_start(cluster, &err), &err);
    apply(ES, "ns", "first", NULL);
    assert_int_equal(es_cache_count(cache), 2);
}

/* ---- a folder ---- */

static void test_apply_keeps_what_others_wrote(void **state)
{
    json_t *o;
    (void)state;

    apply(ES, "ns", "a", "{'spec':{'x':1},'metadata':{'labels':{'l':'1'}}}");
    assert_int_equal(patch(ES, "a", "status", "{'status':{'s':1}}"), 0);
    assert_int_equal(patch(ES, "a", NULL, "{'metadata':{'finalizers':['f']}}"), 0);
    o = get(ES, "ns", "a");
    char uid[64];
    snprintf(uid, sizeof uid, "%s", es_obj_str(o, "metadata", "uid"));
    json_decref(o);
    apply(ES, "ns", "a", "{'spec':{'x':1}}");
    o = get(ES, "ns", "a");
    assert_int_equal(es_obj_int(o, "metadata", "generation"), 1);
    assert_string_equal(es_obj_str(o, "metadata", "uid"), uid);
    check_json(json_object_get(o, "status"), "{'s':1}");
    check_json(es_obj_at(o, "metadata", "finalizers"), "['f']");
    assert_null(es_obj_at(o, "metadata", "labels"));
    json_decref(o);
    apply(ES, "ns", "a", "{'spec':{'x':2}}");
    o = get(ES, "ns", "a");
    assert_int_equal(es_obj_int(o, "metadata", "generation"), 2);
    json_decref(o);
}

static void test_applied_texts_are_read_as_v1(void **state)
{
    json_t *o =
        quoted("{'apiVersion':'external-secrets.io/v1beta1','kind':'SecretStore','metadata':{'name':'s'}}");
    (void)state;

    check_ok(es_local_apply(house, o, &err), &err);
    json_decref(o);
    o = get(&es_kind_secret_store, "default", "s");
    assert_non_null(o);
    assert_string_equal(es_obj_str(o, "apiVersion"), "external-secrets.io/v1");
    assert_string_equal(es_obj_namespace(o), "default");
    json_decref(o);
    o = quoted("{'apiVersion':'apps/v1','kind':'Deployment','metadata':{'name':'s'}}");
    assert_int_equal(es_local_apply(house, o, &err), ES_E_UNSUPPORTED);
    assert_string_equal(err.text, "objects of kind Deployment are not used");
    json_decref(o);
}

static void test_cluster_scoped_objects_have_no_namespace(void **state)
{
    (void)state;
    watch(&es_kind_cluster_secret_store, NULL, "");
    diary[0] = '\0';
    check_ok(es_cluster_start(cluster, &err), &err);
    apply(&es_kind_cluster_secret_store, "stray", "s", "{'spec':{}}");
    assert_diary("/s");
    json_t *o = get(&es_kind_cluster_secret_store, "", "s");
    assert_non_null(o);
    assert_null(es_obj_at(o, "metadata", "namespace"));
    json_decref(o);
}

static bool list_names(void *ctx, const json_t *o)
{
    char *out = ctx;
    size_t len = strlen(out);
    snprintf(out + len, 256 - len, "%s%s/%s", len ? " " : "", es_obj_namespace(o), es_obj_name(o));
    return !es_streq(es_obj_name(o), "stop");
}

static void test_each_goes_in_order(void **state)
{
    char names[256] = "";
    (void)state;

    apply(ES, "b", "x", NULL);
    apply(ES, "a", "z", NULL);
    apply(ES, "a", "y", NULL);
    apply(SECRET, "a", "y", NULL);
    uint64_t before = es_local_revision(house);
    es_local_each(house, ES, list_names, names);
    assert_string_equal(names, "a/y a/z b/x");
    apply(ES, "a", "stop", NULL);
    names[0] = '\0';
    es_local_each(house, ES, list_names, names);
    assert_string_equal(names, "a/stop");
    assert_true(es_local_revision(house) > before);
}

static void check_list(const char *ns, const char *selector, const char *want)
{
    json_t *wanted = selector ? quoted(selector) : NULL, *items = NULL, *item;
    char names[256] = "";
    size_t i;

    check_ok(es_cluster_list(cluster, SECRET, ns, wanted, &items, &err), &err);
    json_array_foreach (items, i, item)
        snprintf(names + strlen(names), sizeof names - strlen(names), "%s%s", i ? " " : "",
                 es_obj_name(item));
    assert_string_equal(names, want);
    json_decref(items);
    json_decref(wanted);
}

static void test_a_list_has_what_its_selector_matches(void **state)
{
    json_t *items = NULL, *wrong = quoted("{'matchExpressions':[{'key':'a','operator':'Is'}]}");
    (void)state;

    apply(SECRET, "ns", "c", "{'metadata':{'labels':{'a':'1'}}}");
    apply(SECRET, "ns", "a", "{'metadata':{'labels':{'a':'1'}}}");
    apply(SECRET, "ns", "b", "{'metadata':{'labels':{'a':'2'}}}");
    apply(SECRET, "other", "d", "{'metadata':{'labels':{'a':'1'}}}");
    apply(ES, "ns", "e", "{'metadata':{'labels':{'a':'1'}}}");
    check_list("ns", "{'matchLabels':{'a':'1'}}", "a c");
    check_list("ns", "{'matchLabels':{'a':'3'}}", "");
    check_list("ns", NULL, "a b c");
    assert_int_equal(es_cluster_list(cluster, SECRET, "ns", wrong, &items, &err), ES_E_CONFIG);
    assert_null(items);
    json_decref(wrong);
}

/* ---- the rest ---- */

static void test_no_tokens_here(void **state)
{
    struct es_blob token = {0};
    (void)state;
    assert_int_equal(es_cluster_sa_token(cluster, "ns", "robot", NULL, 0, 600, &token, &err),
                     ES_E_UNSUPPORTED);
}

static void test_stopped(void **state)
{
    json_t *o = create(SECRET, "ns", "a", NULL);
    (void)state;

    es_cluster_stop(cluster);
    assert_int_equal(es_cluster_get(cluster, SECRET, "ns", "a", &o, &err), ES_E_CANCELLED);
    assert_int_equal(es_cluster_create(cluster, SECRET, "ns", o, NULL, NULL, &err), ES_E_CANCELLED);
    assert_int_equal(es_cluster_update(cluster, SECRET, "ns", "a", o, NULL, NULL, &err), ES_E_CANCELLED);
    assert_int_equal(patch(SECRET, "a", NULL, "{}"), ES_E_CANCELLED);
    assert_int_equal(es_cluster_remove(cluster, SECRET, "ns", "a", NULL, &err), ES_E_CANCELLED);
    json_decref(o);
}

/* ---- threads ---- */

enum { THREADS = 4, TURNS = 400, NAMES = 6 };

static void *change_much(void *ctx)
{
    unsigned seed = *(unsigned *)ctx;
    struct es_error e = ES_ERROR_INIT;

    for (int i = 0; i < TURNS; i++) {
        char name[16];
        json_t *have = NULL;
        snprintf(name, sizeof name, "o%d", rand_r(&seed) % NAMES);
        json_t *o = json_pack("{s:s,s:s,s:{s:s,s:s,s:{s:s}}}", "apiVersion", "v1", "kind", "Secret",
                              "metadata", "name", name, "namespace", "ns", "labels", "managed", "true");
        switch (rand_r(&seed) % 4) {
        case 0:
            es_cluster_create(cluster, SECRET, "ns", o, "m", NULL, &e);
            break;
        case 1:
            es_cluster_remove(cluster, SECRET, "ns", name, NULL, &e);
            break;
        case 2:
            es_local_apply(house, o, &e);
            break;
        default:
            if (es_cluster_get(cluster, SECRET, "ns", name, &have, &e) == 0)
                es_cluster_update(cluster, SECRET, "ns", name, have, "m", NULL, &e);
        }
        json_decref(have);
        json_decref(o);
    }
    return NULL;
}

/* A watch that takes its time, so that one change overtakes the other if it can. */
static int dawdle(json_t **o)
{
    json_t *metadata = json_object_get(*o, "metadata");
    json_object_del(metadata, "managedFields");
    if (es_mono_ns() % 3 == 0)
        usleep(50);
    return 0;
}

static bool check_cached(void *ctx, const json_t *o)
{
    char rv[ES_RV_MAX] = "none";
    es_cache_rv(ctx, es_obj_namespace(o), es_obj_name(o), rv);
    assert_string_equal(rv, rv_of(o));
    return true;
}

static bool count_one(void *ctx, const json_t *o)
{
    (void)o;
    ++*(size_t *)ctx;
    return true;
}

/* Whoever writes at the same time: in the end the watch's cache says what
 * there is, and nothing that is gone has come back. */
static void test_the_cache_agrees_after_a_storm(void **state)
{
    (void)state;
    for (int round = 0; round < 8; round++) {
        struct es_cache_opts opts = {.kind = SECRET, .label_selector = "managed=true", .digest = dawdle};
        struct es_cache *cache = NULL;
        pthread_t threads[THREADS];
        unsigned seeds[THREADS];
        size_t count = 0;

        es_cluster_free(cluster);
        check_ok(es_cluster_new_local(&cluster, &house, &err), &err);
        check_ok(es_cluster_watch(cluster, &opts, &cache, &err), &err);
        check_ok(es_cluster_start(cluster, &err), &err);
        for (unsigned i = 0; i < THREADS; i++) {
            seeds[i] = i + 10 * (unsigned)round;
            assert_int_equal(pthread_create(&threads[i], NULL, change_much, &seeds[i]), 0);
        }
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        es_local_each(house, SECRET, check_cached, cache);
        es_local_each(house, SECRET, count_one, &count);
        assert_int_equal(es_cache_count(cache), count);
    }
}

/* Watches come and go while others write. */
static void test_watches_come_and_go_in_a_storm(void **state)
{
    pthread_t threads[THREADS];
    unsigned seeds[THREADS];
    (void)state;

    check_ok(es_cluster_start(cluster, &err), &err);
    for (unsigned i = 0; i < THREADS; i++) {
        seeds[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, change_much, &seeds[i]), 0);
    }
    for (int i = 0; i < 50; i++) {
        struct es_cache_opts opts = {.kind = SECRET, .label_selector = "managed=true", .digest = dawdle};
        struct es_cache *cache = NULL;
        check_ok(es_cluster_watch(cluster, &opts, &cache, &err), &err);
        assert_true(es_cache_synced(cache));
        es_cluster_unwatch(cluster, cache);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    size_t count = 0;
    es_local_each(house, SECRET, count_one, &count);
    assert_int_equal(es_cache_count(watch(SECRET, NULL, "")), count);
}

#define WITH_HOUSE(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_HOUSE(test_a_created_object),
        WITH_HOUSE(test_names_are_taken_once),
        WITH_HOUSE(test_identity_is_the_servers),
        WITH_HOUSE(test_answers_are_copies),
        WITH_HOUSE(test_update_replaces),
        WITH_HOUSE(test_patch_merges),
        WITH_HOUSE(test_generation_counts_spec_changes),
        WITH_HOUSE(test_the_status_subresource),
        WITH_HOUSE(test_remove),
        WITH_HOUSE(test_finalizers_hold_an_object),
        WITH_HOUSE(test_dependents_follow_their_owner),
        WITH_HOUSE(test_a_dependent_may_have_a_finalizer),
        WITH_HOUSE(test_watches_see_everything),
        WITH_HOUSE(test_watches_hear_of_dependents),
        WITH_HOUSE(test_watches_may_begin_late_and_end_early),
        WITH_HOUSE(test_late_watches_have_a_ceiling),
        WITH_HOUSE(test_two_caches_of_a_kind),
        WITH_HOUSE(test_a_watch_of_metadata),
        WITH_HOUSE(test_kinds_are_guessed),
        WITH_HOUSE(test_sinks_may_call_back),
        WITH_HOUSE(test_apply_keeps_what_others_wrote),
        WITH_HOUSE(test_applied_texts_are_read_as_v1),
        WITH_HOUSE(test_cluster_scoped_objects_have_no_namespace),
        WITH_HOUSE(test_each_goes_in_order),
        WITH_HOUSE(test_a_list_has_what_its_selector_matches),
        WITH_HOUSE(test_no_tokens_here),
        WITH_HOUSE(test_stopped),
        WITH_HOUSE(test_the_cache_agrees_after_a_storm),
        WITH_HOUSE(test_watches_come_and_go_in_a_storm),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
