#include "core/controller/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/fetch_ahead.h"
#include "core/controller/key_renderer.h"
#include "core/controller/read_terms.h"
#include "core/controller/store_access.h"
#include "core/controller/store_table.h"
#include "core/kube/obj.h"
#include "core/secret/shape.h"

#define COMPONENT "external-secrets"
#define NEW_STORE_MS 5000
#define DEFAULT_PASS_MS (5 * 60 * INT64_C(1000))
#define EDITS_MAX 5 /* of a store while we look at it */

/* What one pass reads, and the stores that it has open. */
struct fetch {
    struct es_env *env;
    const json_t *es;
    const char *ns;
    int64_t deadline_ms;
    struct es_open_store **open;
    size_t open_count;
    struct es_reading reading;
    uint64_t *terms; /* hashes of the terms of what is read (read_terms.h), one an entry; or NULL */
    size_t term_count;
};

/* ---- which store ---- */

struct store_ref {
    const struct es_kind *kind;
    const char *name;
};

static int read_store_ref(const json_t *ref, struct store_ref *ret, struct es_error *err)
{
    const char *kind = es_obj_str(ref, "kind");

    ret->name = es_obj_str(ref, "name");
    if (!*kind || es_streq(kind, es_kind_secret_store.kind))
        ret->kind = &es_kind_secret_store;
    else if (es_streq(kind, es_kind_cluster_secret_store.kind))
        ret->kind = &es_kind_cluster_secret_store;
    else
        return es_error_set(err, ES_E_CONFIG, "unsupported secret store kind: %s", kind);
    return 0;
}

/* A store that has just been made, or a process that has: its validation is
 * under way. */
static bool is_too_new_to_judge(const struct es_env *env, const struct es_store *s)
{
    int64_t created_ms, now_ms = env->clock->unix_ms(env->clock->ctx);

    if (s->judged)
        return false;
    if (env->clock->mono_ms(env->clock->ctx) - env->started_mono_ms < NEW_STORE_MS)
        return true;
    return es_time_parse(es_obj_str(s->object, "metadata", "creationTimestamp"), &created_ms) == 0 &&
           now_ms - created_ms < NEW_STORE_MS;
}

static int resolve(struct fetch *f, const struct store_ref *ref, const struct es_store **ret,
                   struct es_error *err)
{
    const struct es_consumer who = {ES_EXTERNAL_SECRET, f->ns, es_obj_name(f->es)};
    const struct es_store *s = NULL;
    int rc = es_store_for(f->env, &who, ref->kind, ref->name, &s, err);

    if (rc == 0 && f->env->settings.flood_gate && !s->ready)
        rc = es_error_set(err, is_too_new_to_judge(f->env, s) ? ES_E_UNDECIDED : ES_E_CONFIG,
                          "%s \"%s\" is not ready", ref->kind->kind, ref->name);
    if (rc < 0) {
        es_store_release(f->env, s);
        return rc;
    }
    *ret = s;
    return 0;
}

/* Resolves and opens; a store that was edited in between is looked up again. */
static int resolve_and_open(struct fetch *f, const struct store_ref *ref, struct es_open_store *ret,
                            struct es_error *err)
{
    int rc = ES_E_CONFLICT;

    for (int edits = 0; edits < EDITS_MAX && rc == ES_E_CONFLICT; edits++) {
        const struct es_store *s = NULL;
        rc = resolve(f, ref, &s, err);
        if (rc < 0)
            return rc;
        rc = es_store_open_to_use(f->env, s, f->ns, f->deadline_ms, ret, err);
        if (rc < 0)
            es_store_release(f->env, s);
    }
    return rc == ES_E_CONFLICT ? (err->code = ES_E_RETRY) : rc;
}

static int open_store(struct fetch *f, const struct store_ref *ref, struct es_open_store **ret,
                      struct es_error *err)
{
    struct es_open_store **open = realloc(f->open, (f->open_count + 1) * sizeof *open);
    struct es_open_store *o = calloc(1, sizeof *o);

    if (open)
        f->open = open;
    if (!open || !o) {
        free(o);
        return es_error_nomem(err);
    }
    int rc = resolve_and_open(f, ref, o, err);
    if (rc < 0) {
        free(o);
        return rc;
    }
    o->authority.reading = &f->reading;
    f->open[f->open_count++] = o;
    es_fetch_ahead(f->env, f->es, o);
    *ret = o;
    return 0;
}

/* Who else wants what this entry reads: this pass itself, other ExternalSecrets? */
static void find_sharers(struct fetch *f, const json_t *entry)
{
    char term[ES_READ_TERM_MAX];
    size_t times = 0;

    f->reading.again = f->reading.others = false;
    if (!f->terms || !es_read_term(term, f->es, entry))
        return;
    const uint64_t hash = es_hash64(term, strlen(term));
    for (size_t i = 0; i < f->term_count; i++)
        times += f->terms[i] == hash;
    f->reading.again = times > 1;
    f->reading.others = es_cache_has_other(f->env->external_secrets, term, f->ns, es_obj_name(f->es));
}

/* The opened store for an entry of data or dataFrom. */
static int store_for(struct fetch *f, const json_t *entry, struct es_open_store **ret, struct es_error *err)
{
    struct store_ref ref;

    find_sharers(f, entry);
    int rc = read_store_ref(es_entry_store_ref(f->es, entry), &ref, err);

    if (rc < 0)
        return rc;
    for (size_t i = 0; i < f->open_count; i++)
        if (f->open[i]->store->kind == ref.kind && es_streq(f->open[i]->store->name, ref.name)) {
            *ret = f->open[i];
            return 0;
        }
    return open_store(f, &ref, ret, err);
}

/* ---- values ---- */

static bool is_retained(const json_t *es)
{
    const char *policy = es_obj_str(es, "spec", "target", "deletionPolicy");
    return !*policy || es_streq(policy, "Retain");
}

static void report_missing(struct fetch *f, size_t index, const char *key)
{
    char *whose = key ? es_strf(" (key=%s)", key) : es_mem_strdup("");
    char *message =
        whose ? es_strf("secret does not exist at provider using spec.dataFrom[%zu]%s", index, whose) : NULL;

    if (message)
        es_event_record(f->env->events, &es_kind_external_secret, f->es, ES_EVENT_NORMAL,
                        "MissingProviderSecret", COMPONENT, message);
    es_mem_free(whose);
    es_mem_free(message);
}

/* Rewrite, or else convert; then check, decode, look for null bytes. */
static int shape_map(const struct fetch *f, struct es_values *values, const json_t *entry, const json_t *how,
                     struct es_error *err)
{
    const json_t *rules = es_obj_at(entry, "rewrite");
    struct es_renderer renderer;
    const char *conversion = es_obj_str(how, "conversionStrategy");
    const char *decoding = es_obj_str(how, "decodingStrategy");
    int rc;

    if (json_array_size(rules)) {
        rc = es_values_rewrite(values, rules, es_key_renderer(f->env, ES_KEY_REWRITE, &renderer), err);
        if (rc < 0)
            return es_error_wrap(err, "error applying rewrite to keys: ");
    } else {
        rc = es_values_convert_keys(values, conversion, err);
        if (rc < 0)
            return es_error_wrap(err, "error applying conversion strategy %s to keys: ", conversion);
    }
    rc = es_values_check_keys(values, err);
    if (rc < 0)
        return es_error_wrap(err,
                             "invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): ");
    rc = es_values_decode(values, decoding, err);
    if (rc < 0)
        return es_error_wrap(err, "error applying decoding strategy %s to data: ", decoding);
    return es_values_check_nulls(values, es_obj_str(how, "nullBytePolicy"), err);
}

static int fetch_find(struct fetch *f, const json_t *entry, const json_t *find, struct es_values *ret,
                      struct es_error *err)
{
    struct es_open_store *store = NULL;
    int rc = store_for(f, entry, &store, err);
    if (rc < 0)
        return rc;
    rc = es_instance_find(store->instance, &store->authority, find, ret, err);
    if (rc < 0)
        return es_error_wrap(err, "error getting all secrets: ");
    return shape_map(f, ret, entry, find, err);
}

static int fetch_extract(struct fetch *f, const json_t *entry, const json_t *ref, struct es_values *ret,
                         struct es_error *err)
{
    struct es_open_store *store = NULL;
    int rc = store_for(f, entry, &store, err);
    if (rc == 0)
        rc = es_instance_get_map(store->instance, &store->authority, ref, ret, err);
    return rc < 0 ? rc : shape_map(f, ret, entry, ref, err);
}

static int fetch_generator(const json_t *ref, struct es_error *err)
{
    return es_error_set(err, ES_E_UNSUPPORTED,
                        "error using generator: no loaded plugin serves generators of kind %s",
                        es_obj_str(ref, "kind"));
}

static int fetch_data_from(struct fetch *f, size_t index, const json_t *entry, struct es_values *into,
                           struct es_error *err)
{
    const json_t *find = es_obj_at(entry, "find"), *extract = es_obj_at(entry, "extract");
    const json_t *generator = es_obj_at(entry, "sourceRef", "generatorRef");
    const char *what = find ? "find" : extract ? "extract" : "sourceRef.generatorRef";
    struct es_values values = {0};
    int rc = 0;

    if (find)
        rc = fetch_find(f, entry, find, &values, err);
    else if (extract)
        rc = fetch_extract(f, entry, extract, &values, err);
    else if (generator)
        rc = fetch_generator(generator, err);
    if (rc == 0 && es_values_merge(into, &values) < 0)
        rc = es_error_nomem(err);
    es_values_fini(&values);
    if (rc == ES_E_NOT_FOUND && !is_retained(f->es)) {
        report_missing(f, index, NULL);
        return 0;
    }
    return rc < 0 ? es_error_wrap(err, "error processing spec.dataFrom[%zu].%s, err: ", index, what) : 0;
}

static int fetch_value(struct fetch *f, const json_t *entry, const json_t *ref, struct es_blob *ret,
                       struct es_error *err)
{
    const char *decoding = es_obj_str(ref, "decodingStrategy");
    struct es_open_store *store = NULL;
    int rc = store_for(f, entry, &store, err);

    if (rc == 0)
        rc = es_instance_get(store->instance, &store->authority, ref, ret, err);
    if (rc < 0)
        return rc;
    rc = es_blob_decode(ret, decoding, err);
    if (rc < 0)
        return es_error_wrap(err, "error applying decoding strategy %s to data: ", decoding);
    return es_blob_check_nulls(es_obj_str(entry, "secretKey"), ret, es_obj_str(ref, "nullBytePolicy"), err);
}

static int fetch_data(struct fetch *f, size_t index, const json_t *entry, struct es_values *into,
                      struct es_error *err)
{
    const json_t *ref = es_obj_at(entry, "remoteRef");
    const char *key = es_obj_str(ref, "key");
    struct es_blob value = {0};
    int rc = fetch_value(f, entry, ref, &value, err);

    if (rc == 0 && es_values_move(into, es_obj_str(entry, "secretKey"), &value) < 0)
        rc = es_error_nomem(err);
    es_blob_fini(&value);
    if (rc == ES_E_NOT_FOUND && !is_retained(f->es)) {
        report_missing(f, index, key);
        return 0;
    }
    return rc < 0 ? es_error_wrap(err, "error processing spec.data[%zu] (key: %s), err: ", index, key) : 0;
}

static int fetch_all(struct fetch *f, struct es_values *ret, struct es_error *err)
{
    json_t *entry;
    size_t i;
    int rc;

    json_array_foreach (es_obj_at(f->es, "spec", "dataFrom"), i, entry) {
        rc = fetch_data_from(f, i, entry, ret, err);
        if (rc < 0)
            return rc;
    }
    json_array_foreach (es_obj_at(f->es, "spec", "data"), i, entry) {
        rc = fetch_data(f, i, entry, ret, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* Hashes of what all entries read. Without memory for them, nothing is shared. */
static void collect_terms(struct fetch *f)
{
    static const char *const lists[] = {"data", "dataFrom"};
    const json_t *spec = es_obj_at(f->es, "spec");
    size_t most = json_array_size(es_obj_at(spec, lists[0])) + json_array_size(es_obj_at(spec, lists[1]));
    char term[ES_READ_TERM_MAX];
    json_t *entry;
    size_t i;

    if (!f->env->reads)
        return;
    f->terms = es_mem_calloc(most, sizeof *f->terms);
    for (size_t l = 0; f->terms && l < sizeof lists / sizeof *lists; l++)
        json_array_foreach (es_obj_at(spec, lists[l]), i, entry)
            if (es_read_term(term, f->es, entry))
                f->terms[f->term_count++] = es_hash64(term, strlen(term));
}

int es_fetch(struct es_env *env, const json_t *es, int64_t since_ms, struct es_values *ret,
             struct es_error *err)
{
    int64_t pass_ms = env->settings.pass_timeout_ms ? env->settings.pass_timeout_ms : DEFAULT_PASS_MS;
    struct fetch f = {.env = env,
                      .es = es,
                      .ns = es_obj_namespace(es),
                      .deadline_ms = env->clock->mono_ms(env->clock->ctx) + pass_ms,
                      .reading = {.reads = env->reads, .since_ms = since_ms}};
    struct es_values values = {0};

    collect_terms(&f);
    int rc = fetch_all(&f, &values, err);
    es_reading_end(&f.reading);
    es_mem_free(f.terms);
    for (size_t i = 0; i < f.open_count; i++) {
        es_store_close(env, f.open[i]);
        es_store_release(env, f.open[i]->store);
        free(f.open[i]);
    }
    free(f.open);
    if (rc == 0)
        *ret = values;
    else
        es_values_fini(&values);
    return rc;
}

/* ---- foreign stores ---- */

static int is_foreign(struct es_env *env, const char *ns, const json_t *json_ref, struct es_error *err)
{
    struct store_ref ref;
    const struct es_store *s = NULL;

    if (!*es_obj_str(json_ref, "name"))
        return 0;
    int rc = read_store_ref(json_ref, &ref, err);
    if (rc < 0)
        return rc;
    rc = es_store_find(env, ref.kind, ref.kind->namespaced ? ns : "", ref.name, &s, err);
    if (rc < 0)
        return rc == ES_E_NOT_FOUND ? 0 : rc;
    rc = !es_store_is_ours(env, s);
    es_store_release(env, s);
    return rc;
}

int es_fetch_is_foreign(struct es_env *env, const json_t *es, struct es_error *err)
{
    static const char *const lists[] = {"data", "dataFrom"};
    const char *ns = es_obj_namespace(es);
    int rc = is_foreign(env, ns, es_obj_at(es, "spec", "secretStoreRef"), err);

    for (size_t l = 0; rc == 0 && l < sizeof lists / sizeof *lists; l++) {
        json_t *entry;
        size_t i;
        json_array_foreach (es_obj_at(es, "spec", lists[l]), i, entry) {
            rc = is_foreign(env, ns, es_obj_at(entry, "sourceRef", "storeRef"), err);
            if (rc)
                break;
        }
    }
    return rc;
}
