/* Pushing to providers, and deleting from them. Each single write asks the leader's gate
 * first, and has a claim on the secret that it writes. */
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/controller/key_renderer.h"
#include "core/controller/push_claims.h"
#include "core/controller/pushsecret_own.h"
#include "core/kube/obj.h"
#include "core/secret/push_plan.h"

/* ---- several failures, one error ---- */

/* The first one decides what is to be done, the text has all of them. */
static void add_failure(struct es_error *all, const struct es_error *one)
{
    struct es_error before = *all;

    if (!before.code) {
        *all = *one;
        return;
    }
    es_error_set(all, before.code, "%s; %s", before.text, one->text);
    all->retry_after_ms =
        before.retry_after_ms > one->retry_after_ms ? before.retry_after_ms : one->retry_after_ms;
}

/* ---- one secret ---- */

/* One opened store, and what goes there. */
struct delivery {
    struct es_push_pass *p;
    struct es_open_store open;
    const struct es_push_source *source; /* NULL: something is removed */
    struct es_error *err;
};

static json_t *push_request(const struct delivery *d, const json_t *data)
{
    return json_pack("{s:s,s:s,s:s,s:O?,s:s,s:O,s:O}", "remoteKey", es_push_remote_key(data), "property",
                     es_push_property(data), "secretKey", es_push_secret_key(data), "metadata",
                     json_object_get(data, "metadata"), "type", d->source->type, "labels", d->source->labels,
                     "annotations", d->source->annotations);
}

static json_t *plain_request(const json_t *data)
{
    return json_pack("{s:s,s:s,s:O?}", "remoteKey", es_push_remote_key(data), "property",
                     es_push_property(data), "metadata", json_object_get(data, "metadata"));
}

/* With the gate open and a claim: `values` NULL removes. */
static int write_secret(struct delivery *d, const json_t *data, const struct es_values *values)
{
    struct es_push_claims *claims = d->p->env->push_claims;
    struct es_instance *instance = d->open.instance;
    int rc = es_cluster_may_write(d->p->env->cluster, d->err);
    json_t *request = rc < 0 ? NULL : values ? push_request(d, data) : plain_request(data);

    if (rc < 0)
        return rc;
    if (!request)
        return es_error_nomem(d->err);
    char *claim = es_push_claim(claims, es_instance_provider(instance)->name, es_push_remote_key(data));
    if (!claim)
        rc = es_error_set(d->err, ES_E_CONFLICT, "another PushSecret is writing it");
    else if (values)
        rc = es_instance_push(instance, &d->open.authority, request, values, d->err);
    else
        rc = es_instance_remove(instance, &d->open.authority, request, d->err);
    es_push_unclaim(claims, claim);
    json_decref(request);
    return rc;
}

/* 1: it exists and is to be left alone. */
static int is_left_alone(struct delivery *d, const json_t *data)
{
    bool exists = false;

    if (!es_streq(es_obj_str(d->p->ps, "spec", "updatePolicy"), "IfNotExists"))
        return 0;
    json_t *request = plain_request(data);
    int rc = request ? es_instance_exists(d->open.instance, &d->open.authority, request, &exists, d->err)
                     : es_error_nomem(d->err);
    json_decref(request);
    return rc < 0 ? es_error_wrap(d->err, "could not verify if secret exists in store: ") : exists;
}

static int push_entry(struct delivery *d, const struct es_push_entry *entry)
{
    struct es_values values = {0};
    int rc = es_push_entry_values(entry, &d->source->values, &values, d->err);

    if (rc == 0)
        rc = is_left_alone(d, entry->data);
    if (rc == 0) {
        rc = write_secret(d, entry->data, &values);
        if (rc < 0)
            es_error_wrap(d->err, "could not write remote ref %s to target secretstore %s: ",
                          es_push_secret_key(entry->data), d->open.store->name);
    }
    es_values_fini(&values);
    return rc < 0 ? rc : 0;
}

/* ---- one store ---- */

static void store_id(char out[300], const struct es_store *store)
{
    snprintf(out, 300, "%s/%s", store->kind->kind, store->name);
}

/* Which of spec.dataTo is for this store; es_mem_free it. */
static int find_applying(struct delivery *d, bool **ret)
{
    const json_t *list = es_obj_at(d->p->ps, "spec", "dataTo"), *data_to;
    bool *applies = es_mem_calloc(json_array_size(list) + 1, sizeof *applies);
    size_t i;

    if (!applies)
        return es_error_nomem(d->err);
    json_array_foreach (list, i, data_to) {
        int rc = es_push_applies(data_to, d->open.store, d->err);
        if (rc < 0) {
            es_mem_free(applies);
            return es_error_wrap(d->err, "failed to filter dataTo: dataTo[%zu]: ", i);
        }
        applies[i] = rc;
    }
    *ret = applies;
    return 0;
}

static int make_plan(struct delivery *d, struct es_push_plan *ret)
{
    struct es_renderer renderer;
    bool *applies = NULL;
    int rc = find_applying(d, &applies);

    if (rc == 0)
        rc = es_push_plan_make(ret, es_obj_at(d->p->ps, "spec"), applies, &d->source->values,
                               es_key_renderer(d->p->env, ES_KEY_DATA_TO, &renderer), d->err);
    es_mem_free(applies);
    return rc;
}

/* Where the entries of a store are noted. */
static json_t *notes_of(struct es_push_pass *p, const struct es_store *store)
{
    char id[300];
    store_id(id, store);
    json_t *notes = json_object_get(p->pushed, id);

    if (notes)
        return notes;
    notes = json_object();
    return json_object_set_new(p->pushed, id, notes) < 0 ? NULL : notes;
}

static int push_entries(struct delivery *d)
{
    struct es_push_plan plan = {0};
    json_t *notes = notes_of(d->p, d->open.store);
    int rc = notes ? make_plan(d, &plan) : es_error_nomem(d->err);

    for (size_t i = 0; rc == 0 && i < plan.count; i++) {
        rc = push_entry(d, &plan.entries[i]);
        if (rc == 0 && json_object_set(notes, plan.entries[i].id, plan.entries[i].data) < 0)
            rc = es_error_nomem(d->err);
    }
    es_push_plan_fini(&plan);
    return rc;
}

static int open_store(struct delivery *d, const struct es_kind *kind, const char *name, const char *called)
{
    int rc = es_store_open_for(d->p->env, &d->p->who, kind, name, d->p->deadline_ms, &d->open, d->err);
    return rc < 0 ? es_error_wrap(d->err, "could not get secrets client for store %s: ", called) : 0;
}

static void close_store(struct delivery *d)
{
    const struct es_store *store = d->open.store;
    es_store_close(d->p->env, &d->open);
    es_store_release(d->p->env, store);
}

int es_push_to_stores(struct es_push_pass *p, const struct es_push_source *source, struct es_error *err)
{
    struct es_error all = ES_ERROR_INIT;

    for (size_t i = 0; i < p->stores.count; i++) {
        const struct es_store *store = p->stores.items[i];
        struct es_error one = ES_ERROR_INIT;
        struct delivery d = {.p = p, .source = source, .err = &one};
        int rc = open_store(&d, store->kind, store->name, store->name);
        if (rc == 0) {
            rc = push_entries(&d);
            close_store(&d);
        }
        if (rc < 0)
            add_failure(&all, &one);
        if (rc == ES_E_CONFLICT || (rc < 0 && es_push_is_over(p))) {
            *err = one;
            return rc;
        }
    }
    if (all.code)
        *err = all;
    return all.code;
}

/* ---- deleting ---- */

/* The store "Kind/name" of a status. */
static int open_noted(struct delivery *d, const char *id)
{
    const char *slash = strchr(id, '/');
    bool cluster = es_str_starts(id, "ClusterSecretStore/");

    if (!slash)
        return es_error_set(d->err, ES_E_CONFIG,
                            "status.syncedPushSecrets: %s is not a kind and a name of a store", id);
    return open_store(d, cluster ? &es_kind_cluster_secret_store : &es_kind_secret_store, slash + 1, id);
}

/* The ids of `have` that `keep` has not, as strings: what is walked over must not change. */
static json_t *missing_ids(const json_t *have, const json_t *keep)
{
    json_t *ids = json_array();
    const char *id;
    json_t *value;

    json_object_foreach ((json_t *)(uintptr_t)have, id, value)
        if (!json_object_get(keep, id))
            json_array_append_new(ids, json_string(id));
    return ids;
}

static int remove_entries(struct delivery *d, json_t *entries, const json_t *stale)
{
    const json_t *id;
    size_t i;
    int rc = 0;

    json_array_foreach (stale, i, id) {
        const json_t *data = json_object_get(entries, json_string_value(id));
        rc = write_secret(d, data, NULL);
        if (rc < 0)
            return es_error_wrap(d->err, "could not delete remote ref %s from target secretstore %s: ",
                                 json_string_value(id), d->open.store->name);
        json_object_del(entries, json_string_value(id));
    }
    return 0;
}

static int remove_from_store(struct delivery *d, const char *id, json_t *left, const json_t *keep)
{
    json_t *entries = json_object_get(left, id), *stale = missing_ids(entries, keep);
    int rc = stale ? 0 : es_error_nomem(d->err);

    if (rc == 0 && json_array_size(stale)) {
        rc = open_noted(d, id);
        if (rc == 0) {
            rc = remove_entries(d, entries, stale);
            close_store(d);
        }
    }
    json_decref(stale);
    if (rc == 0 && !keep)
        json_object_del(left, id);
    return rc;
}

int es_push_remove_stale(struct es_push_pass *p, json_t *left, struct es_error *err)
{
    struct es_error all = ES_ERROR_INIT;
    json_t *ids = missing_ids(left, NULL), *id;
    size_t i;

    json_array_foreach (ids, i, id) {
        struct es_error one = ES_ERROR_INIT;
        struct delivery d = {.p = p, .err = &one};
        const char *store = json_string_value(id);
        int rc = remove_from_store(&d, store, left, json_object_get(p->pushed, store));
        if (rc < 0)
            add_failure(&all, &one);
        if (rc == ES_E_CONFLICT || (rc < 0 && es_push_is_over(p)))
            break;
    }
    json_decref(ids);
    if (all.code)
        *err = all;
    return all.code;
}
