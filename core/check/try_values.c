/* The values of a store that works: are they what the spec and the keys say? */
#include "core/base/text.h"
#include "core/check/check.h"
#include "core/check/trial.h"
#include "core/check/tries.h"

static bool get_key(struct es_store *st, const char *key)
{
    struct es_trial t;

    es_check_at("get of component %s", st->provider->name);
    es_trial_story(&t, st, ES_OP_GET, key);
    es_trial_judge(&t, "");
    bool good = t.code == 0;
    if (!good && t.code == ES_E_NOT_FOUND)
        es_check_fail("get of component %s says that the key \"%s\" does not exist: %s", st->provider->name,
                      key, t.err.text);
    else if (!good)
        es_check_fail("get of component %s failed for the key \"%s\": %s", st->provider->name, key,
                      t.err.text);
    else if (t.call.output_count && t.call.outputs[0].value.len == 0)
        es_check_warn("the value of the key \"%s\" of component %s is empty", key, st->provider->name);
    es_trial_end(&t);
    return good;
}

static void get_absent(struct es_store *st)
{
    static const char key[] = "esp-check-no-such-key-7f3a";
    struct es_trial t;

    es_trial_story(&t, st, ES_OP_GET, key);
    if (t.code == 0 && t.call.output_count && t.call.outputs[0].value.len == 0)
        es_check_fail("get of component %s returned an empty value for a key that does not exist; "
                      "ESP_E_NOT_FOUND lets deletionPolicy decide",
                      st->provider->name);
    else if (t.code == 0)
        es_check_info("get of component %s has a value for every key, also for one that nobody made",
                      st->provider->name);
    else if (t.status != ESP_E_NOT_FOUND)
        es_check_fail("get of component %s returned %s for a key that does not exist; ESP_E_NOT_FOUND lets "
                      "deletionPolicy decide",
                      st->provider->name, es_trial_status(t.status));
    es_trial_end(&t);
}

static void get_map(struct es_store *st, const char *key)
{
    struct es_trial t;

    if (!st->ops->get_map || (st->provider->caps & ESP_CAP_WHOLE_VALUES))
        return;
    es_check_at("get_map of component %s", st->provider->name);
    es_trial_story(&t, st, ES_OP_GET_MAP, key);
    es_trial_judge(&t, "");
    if (t.code < 0)
        es_check_warn("get_map of component %s failed for the key \"%s\": %s", st->provider->name, key,
                      t.err.text);
    es_trial_end(&t);
}

#define MAX_LISTED 20

/* A value that comes along with the name needs no get. */
static void get_listed(struct es_store *st, const struct es_trial *names)
{
    for (size_t i = 0; i < names->call.output_count && i < MAX_LISTED; i++) {
        const struct es_output *o = &names->call.outputs[i];
        struct es_trial t;
        if (es_str_empty(o->key)) {
            es_check_fail("list of component %s gave a result without a name", st->provider->name);
            continue;
        }
        if (o->channel != ESP_OUT_NAME || !st->ops->get)
            continue;
        es_trial_story(&t, st, ES_OP_GET, o->key);
        if (t.code < 0)
            es_check_fail("list of component %s names \"%s\", and get fails for it: %s", st->provider->name,
                          o->key, t.err.text);
        es_trial_end(&t);
    }
}

static void check_list(struct es_store *st)
{
    struct es_trial names;

    if (!(st->provider->caps & ESP_CAP_LIST))
        return;
    es_check_at("list of component %s", st->provider->name);
    es_trial_story(&names, st, ES_OP_LIST, NULL);
    es_trial_judge(&names, "");
    if (names.code < 0)
        es_check_fail("list of component %s failed: %s", st->provider->name, names.err.text);
    else
        get_listed(st, &names);
    es_trial_end(&names);
}

static void check_validate(struct es_store *st)
{
    struct es_trial t;

    if (!st->ops->validate)
        return;
    es_check_at("validate of component %s", st->provider->name);
    es_trial_story(&t, st, ES_OP_VALIDATE, NULL);
    es_trial_judge(&t, "");
    if (t.code < 0)
        es_check_warn("validate of component %s does not say that the store works: %s", st->provider->name,
                      t.code == ES_E_UNDECIDED && !*t.err.text ? "it is undecided" : t.err.text);
    es_trial_end(&t);
}

/* Whether reading the store means asking a backend, which is not there. */
static bool wants_network(struct es_store *st)
{
    struct es_trial t;
    bool asked;

    if (st->subject->live || !st->ops->get)
        return false;
    es_check_at("get of component %s", st->provider->name);
    es_trial_story(&t, st, ES_OP_GET, NULL);
    asked = t.http_calls > 0;
    es_trial_end(&t);
    return asked;
}

static void check_values(struct es_store *st)
{
    const struct es_check_opts *o = st->subject->opts;
    bool good = o->key_count > 0;

    if (!es_store_open(st))
        return;
    if (wants_network(st)) {
        es_check_skip("component %s asks a backend; reach it with --live", st->provider->name);
        return;
    }
    es_check_ran();
    check_validate(st);
    for (size_t i = 0; i < o->key_count && st->ops->get; i++) {
        good = get_key(st, o->keys[i]) && good;
        get_map(st, o->keys[i]);
    }
    if (good && st->ops->get)
        get_absent(st);
    check_list(st);
}

void es_try_values(struct es_subject *s)
{
    if (!s->opts->key_count)
        es_check_skip("no key was given with --key");
    else
        es_subject_each(s, check_values);
}
