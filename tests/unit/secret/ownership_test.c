#include "tests/unit/secret/secret_test.h"

#include "core/kube/obj.h"
#include "core/secret/ownership.h"

#define OURS                                                                                                 \
    "{\"apiVersion\":\"external-secrets.io/"                                                                 \
    "v1\",\"kind\":\"ExternalSecret\",\"name\":\"db\",\"uid\":\"u-es\","                                     \
    "\"controller\":true,\"blockOwnerDeletion\":true}"
#define OURS_ONCE                                                                                            \
    "{\"apiVersion\":\"external-secrets.io/v1beta1\",\"kind\":\"ExternalSecret\",\"name\":\"db\","           \
    "\"uid\":\"u-before\",\"controller\":true}"
#define OTHER_ES                                                                                             \
    "{\"apiVersion\":\"external-secrets.io/v1beta1\",\"kind\":\"ExternalSecret\",\"name\":\"first\","        \
    "\"uid\":\"u1\",\"controller\":true}"
#define BYSTANDER "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"by\",\"uid\":\"u2\"}"
#define BOSS                                                                                                 \
    "{\"apiVersion\":\"v1\",\"kind\":\"ConfigMap\",\"name\":\"boss\",\"uid\":\"u3\",\"controller\":true}"
/* Same kind and name as ours, but of somebody else's group. */
#define NAMESAKE                                                                                             \
    "{\"apiVersion\":\"external-secrets.io.example.com/v1\",\"kind\":\"ExternalSecret\",\"name\":\"db\","    \
    "\"uid\":\"u4\",\"controller\":true}"

static const char owner_hash[] = "3f8e77b122b6269e76d99e5235f7957df870c8e5f31926fe41387c8c";

struct scene {
    json_t *es, *object;
    enum es_target_fault fault;
    struct es_error err;
    int rc;
};

static struct scene play(const char *policy, const char *owners)
{
    struct scene s = {.err = ES_ERROR_INIT};

    s.es = json_pack("{s:{s:s, s:s, s:s}, s:{s:{s:s}}}", "metadata", "name", "db", "namespace", "team", "uid",
                     "u-es", "spec", "target", "creationPolicy", policy);
    s.object = parse("{\"metadata\":{\"name\":\"db\",\"namespace\":\"team\"}}");
    if (owners)
        es_obj_set(s.object, parse(owners), "metadata", "ownerReferences");
    s.rc = es_ownership_apply(s.object, s.es, es_creation_policy_of(s.es), &s.fault, &s.err);
    return s;
}

static void end(struct scene *s)
{
    json_decref(s->es);
    json_decref(s->object);
}

static void check_owners(const char *policy, const char *before, const char *after)
{
    struct scene s = play(policy, before);

    assert_int_equal(s.rc, 0);
    assert_int_equal(s.fault, ES_TARGET_OK);
    const json_t *owners = es_obj_at(s.object, "metadata", "ownerReferences");
    if (after)
        check_json(owners, after);
    else
        assert_null(owners);
    assert_string_equal(
        es_obj_str(s.object, "metadata", "labels", "reconcile.external-secrets.io/created-by"),
        strcmp(policy, "Owner") == 0 ? owner_hash : "");
    end(&s);
}

static void test_owner_takes_what_is_free(void **state)
{
    (void)state;
    check_owners("Owner", NULL, "[" OURS "]");
    check_owners("Owner", "[]", "[" OURS "]");
    check_owners("Owner", "[" BYSTANDER "]", "[" BYSTANDER "," OURS "]");
}

static void test_owner_recognises_itself_across_versions_and_lives(void **state)
{
    (void)state;
    check_owners("Owner", "[" OURS "]", "[" OURS "]");
    check_owners("Owner", "[" OURS_ONCE "," BYSTANDER "]", "[" OURS "," BYSTANDER "]");
}

static void test_others_let_go(void **state)
{
    static const char *const policies[] = {"Orphan", "Merge", "CreateOrMerge"};
    (void)state;

    for (size_t i = 0; i < 3; i++) {
        check_owners(policies[i], NULL, NULL);
        check_owners(policies[i], "[" OURS "]", NULL);
        check_owners(policies[i], "[" BYSTANDER "," OURS_ONCE "]", "[" BYSTANDER "]");
        check_owners(policies[i], "[" BOSS "]", "[" BOSS "]");
        check_owners(policies[i], "[" NAMESAKE "]", "[" NAMESAKE "]");
    }
}

static void test_the_created_by_label_goes_with_ownership(void **state)
{
    struct scene s = play("Owner", NULL);
    (void)state;

    es_obj_set(s.es, json_string("Orphan"), "spec", "target", "creationPolicy");
    assert_int_equal(es_ownership_apply(s.object, s.es, es_creation_policy_of(s.es), &s.fault, &s.err), 0);
    check_json(es_obj_at(s.object, "metadata", "labels"), "{}");
    assert_null(es_obj_at(s.object, "metadata", "ownerReferences"));
    end(&s);
}

static void test_another_external_secret_is_left_alone(void **state)
{
    static const char *const policies[] = {"Owner", "Orphan", "Merge", "CreateOrMerge"};
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        struct scene s = play(policies[i], "[" BYSTANDER "," OTHER_ES "]");
        assert_int_equal(s.rc, ES_E_CONFIG);
        assert_int_equal(s.fault, ES_TARGET_OTHER_OWNER);
        check_error(&s.err, ES_E_CONFIG, "secret is owned by another ExternalSecret: first");
        end(&s);
    }
}

static void test_another_controller_is_left_alone(void **state)
{
    struct scene s = play("Owner", "[" BOSS "]");
    (void)state;

    assert_int_equal(s.fault, ES_TARGET_FOREIGN_OWNER);
    check_error(&s.err, ES_E_CONFIG,
                "could not set controller reference on secret: "
                "Object team/db is already owned by another ConfigMap controller boss");
    end(&s);

    s = play("Owner", "[" NAMESAKE "]");
    assert_int_equal(s.fault, ES_TARGET_FOREIGN_OWNER);
    check_error(&s.err, ES_E_CONFIG,
                "could not set controller reference on secret: "
                "Object team/db is already owned by another ExternalSecret controller db");
    end(&s);
}

int main(void)
{
    es_mem_init();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_owner_takes_what_is_free),
        cmocka_unit_test(test_owner_recognises_itself_across_versions_and_lives),
        cmocka_unit_test(test_others_let_go),
        cmocka_unit_test(test_the_created_by_label_goes_with_ownership),
        cmocka_unit_test(test_another_external_secret_is_left_alone),
        cmocka_unit_test(test_another_controller_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
