#include "core/secret/push_plan.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/map.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/kube/obj.h"
#include "core/secret/gotext.h"

#define BUNDLE "(bundle)" /* stands for its keys in messages */

const char *es_push_secret_key(const json_t *data)
{
    return es_obj_str(data, "match", "secretKey");
}

const char *es_push_remote_key(const json_t *data)
{
    return es_obj_str(data, "match", "remoteRef", "remoteKey");
}

const char *es_push_property(const json_t *data)
{
    return es_obj_str(data, "match", "remoteRef", "property");
}

static void entry_fini(struct es_push_entry *e)
{
    json_decref(e->data);
    es_mem_free(e->id);
    es_push_keys_fini(&e->keys);
}

void es_push_plan_fini(struct es_push_plan *plan)
{
    for (size_t i = 0; i < plan->count; i++)
        entry_fini(&plan->entries[i]);
    es_mem_free(plan->entries);
    *plan = (struct es_push_plan){0};
}

/* ---- messages ---- */

/* Each '%' of `form` stands for the next text in Go's quotes, each '&' for it as it is. */
static int refuse(struct es_error *err, const char *form, const char *const texts[])
{
    struct es_buf out;

    es_buf_init(&out, 4 * ES_ERROR_TEXT_MAX);
    for (; *form; form++)
        if (*form == '%')
            es_go_quote(&out, *texts++);
        else if (*form == '&')
            es_buf_adds(&out, *texts++);
        else
            es_buf_addc(&out, *form);
    es_error_set(err, ES_E_CONFIG, "%s", es_buf_failed(&out) ? "the names are too long" : es_buf_str(&out));
    es_buf_fini(&out);
    return ES_E_CONFIG;
}

/* ---- entries ---- */

static char *make_id(const json_t *data)
{
    const char *key = es_push_remote_key(data), *property = es_push_property(data);
    return *property ? es_strf("%s/%s", key, property) : es_mem_strdup(key);
}

/* The entry's data is consumed, also on failure. */
static int add_entry(struct es_push_plan *plan, json_t *take_data, struct es_push_entry **ret,
                     struct es_error *err)
{
    if (plan->count == plan->cap) {
        size_t cap = plan->cap ? plan->cap * 2 : 8;
        struct es_push_entry *grown = es_mem_realloc(plan->entries, cap * sizeof *grown);
        if (!grown) {
            json_decref(take_data);
            return es_error_nomem(err);
        }
        plan->entries = grown;
        plan->cap = cap;
    }
    struct es_push_entry e = {.data = take_data, .id = take_data ? make_id(take_data) : NULL};
    if (!e.id) {
        entry_fini(&e);
        return es_error_nomem(err);
    }
    plan->entries[plan->count++] = e;
    if (ret)
        *ret = &plan->entries[plan->count - 1];
    return 0;
}

/* What dataTo makes of a key (or, without one, of all keys together). */
static json_t *generated_data(const char *secret_key, const char *remote_key, const json_t *data_to)
{
    json_t *data = json_pack("{s:{s:{s:s}},s:s}", "match", "remoteRef", "remoteKey", remote_key,
                             "conversionStrategy", "None");
    const json_t *metadata = es_obj_at(data_to, "metadata");

    if (data && secret_key && es_obj_set(data, json_string(secret_key), "match", "secretKey") < 0)
        goto fail;
    if (data && metadata && es_obj_set(data, json_deep_copy(metadata), "metadata") < 0)
        goto fail;
    return data;
fail:
    json_decref(data);
    return NULL;
}

/* ---- dataTo ---- */

struct expansion {
    struct es_push_plan *plan;
    const struct es_values *source;
    const struct es_renderer *renderer;
    json_t *taken; /* remote key -> which dataTo and source key have it */
    struct es_error *err;
};

/* Two keys under one remote key would overwrite each other. */
static int take_remote_key(struct expansion *x, size_t index, const char *remote, const char *key)
{
    const json_t *other = json_object_get(x->taken, remote);
    char *whose = es_strf("dataTo[%zu]:%s", index, key);
    int rc = 0;

    if (other) {
        rc = refuse(x->err, "duplicate remote key % from source key % (conflicts with &)",
                    (const char *const[]){remote, key, json_string_value(other)});
    } else if (!whose || json_object_set_new(x->taken, remote, json_string(whose)) < 0) {
        rc = es_error_nomem(x->err);
    }
    es_mem_free(whose);
    return rc;
}

static int add_bundle(struct expansion *x, size_t index, const json_t *data_to, struct es_push_keys *keys)
{
    const char *remote = es_obj_str(data_to, "remoteKey");
    struct es_push_entry *e = NULL;
    int rc = take_remote_key(x, index, remote, BUNDLE);

    if (rc == 0)
        rc = add_entry(x->plan, generated_data(NULL, remote, data_to), &e, x->err);
    if (rc < 0)
        return rc;
    e->bundle = true;
    e->keys = *keys;
    *keys = (struct es_push_keys){0};
    return 0;
}

static int add_each(struct expansion *x, size_t index, const json_t *data_to, const struct es_push_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++) {
        const struct es_push_key *key = &keys->items[i];
        if (!*key->remote)
            return refuse(x->err, "empty remote key produced for source key %",
                          (const char *const[]){key->name});
        int rc = take_remote_key(x, index, key->remote, key->name);
        if (rc == 0)
            rc = add_entry(x->plan, generated_data(key->source, key->remote, data_to), NULL, x->err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int expand_one(struct expansion *x, size_t index, const json_t *data_to)
{
    const json_t *rewrite = es_obj_at(data_to, "rewrite");
    const bool bundle = *es_obj_str(data_to, "remoteKey");
    struct es_push_keys keys = {0};

    if (bundle && json_array_size(rewrite))
        return es_error_set(x->err, ES_E_CONFIG,
                            "remoteKey and rewrite are mutually exclusive: rewrite is only supported in "
                            "per-key mode (without remoteKey)");
    int rc = es_push_keys_convert(&keys, x->source, es_obj_str(data_to, "conversionStrategy"), x->err);
    if (rc < 0)
        return es_error_wrap(x->err, "conversion failed: ");
    rc = es_push_keys_match(&keys, es_obj_str(data_to, "match", "regexp"), x->err);
    if (rc < 0)
        es_error_wrap(x->err, "match failed: ");
    if (rc == 0 && bundle && keys.count)
        rc = add_bundle(x, index, data_to, &keys);
    if (rc == 0 && !bundle) {
        rc = es_push_keys_rewrite(&keys, rewrite, x->renderer, x->err);
        if (rc < 0)
            es_error_wrap(x->err, "rewrite failed: ");
        else
            rc = add_each(x, index, data_to, &keys);
    }
    es_push_keys_fini(&keys);
    return rc;
}

static int expand(struct es_push_plan *plan, const json_t *spec, const bool *applies,
                  const struct es_values *source, const struct es_renderer *renderer, struct es_error *err)
{
    struct expansion x = {
        .plan = plan, .source = source, .renderer = renderer, .taken = json_object(), .err = err};
    int rc = x.taken ? 0 : es_error_nomem(err);
    json_t *data_to;
    size_t i;

    json_array_foreach (es_obj_at(spec, "dataTo"), i, data_to) {
        if (rc < 0 || !applies[i])
            continue;
        rc = expand_one(&x, i, data_to);
        if (rc < 0)
            es_error_wrap(err, "failed to expand dataTo: dataTo[%zu]: ", i);
    }
    json_decref(x.taken);
    return rc;
}

/* ---- data ---- */

/* The key of the Secret that an entry of spec.data means, whatever it calls it. */
static int source_key(const json_t *data, const struct es_values *source, char **ret, struct es_error *err)
{
    const char *wanted = es_push_secret_key(data);
    struct es_push_keys keys = {0};
    struct es_error ignored = ES_ERROR_INIT;

    /* That names collide is said when the entry is pushed. */
    int rc = es_push_keys_convert(&keys, source, es_obj_str(data, "conversionStrategy"), &ignored);
    for (size_t i = 0; rc == 0 && i < keys.count; i++)
        if (es_streq(keys.items[i].name, wanted)) {
            wanted = keys.items[i].source;
            break;
        }
    *ret = rc == ES_E_NOMEM ? NULL : es_mem_strdup(wanted);
    es_push_keys_fini(&keys);
    return *ret ? 0 : es_error_nomem(err);
}

/* An explicit entry takes its key away from dataTo; that for the whole Secret takes the
 * bundles. */
static void drop_generated(struct es_push_plan *plan, size_t generated, const json_t *explicit_keys)
{
    size_t kept = 0;

    for (size_t i = 0; i < plan->count; i++) {
        struct es_push_entry *e = &plan->entries[i];
        if (i < generated && json_object_get(explicit_keys, es_push_secret_key(e->data)))
            entry_fini(e);
        else
            plan->entries[kept++] = *e;
    }
    plan->count = kept;
}

static int add_data(struct es_push_plan *plan, const json_t *spec, const struct es_values *source,
                    struct es_error *err)
{
    const size_t generated = plan->count;
    json_t *explicit_keys = json_object(), *data;
    int rc = explicit_keys ? 0 : es_error_nomem(err);
    size_t i;

    json_array_foreach (es_obj_at(spec, "data"), i, data) {
        char *key = NULL;
        if (rc == 0)
            rc = source_key(data, source, &key, err);
        if (rc == 0)
            rc = add_entry(plan, json_deep_copy(data), NULL, err);
        if (rc == 0 && json_object_set_new(explicit_keys, key, json_true()) < 0)
            rc = es_error_nomem(err);
        es_mem_free(key);
    }
    if (rc == 0)
        drop_generated(plan, generated, explicit_keys);
    json_decref(explicit_keys);
    return rc;
}

static int refuse_duplicate(const struct es_push_entry *first, const struct es_push_entry *second,
                            struct es_error *err)
{
    const char *remote = es_push_remote_key(first->data), *property = es_push_property(first->data);
    const char *a = es_push_secret_key(first->data), *b = es_push_secret_key(second->data);

    if (*property)
        return refuse(err,
                      "duplicate remote key % with property %: source keys % and % both map to the same "
                      "destination",
                      (const char *const[]){remote, property, a, b});
    return refuse(err, "duplicate remote key %: source keys % and % both map to the same destination",
                  (const char *const[]){remote, a, b});
}

static int by_place(const void *a, const void *b)
{
    const struct es_push_entry *const *x = a, *const *y = b;
    int order = strcmp(es_push_remote_key((*x)->data), es_push_remote_key((*y)->data));

    if (order == 0)
        order = strcmp(es_push_property((*x)->data), es_push_property((*y)->data));
    return order ? order : (*x > *y) - (*x < *y);
}

/* Not by the id: "a/b" may be a remote key or a property. */
static int refuse_duplicates(const struct es_push_plan *plan, struct es_error *err)
{
    const struct es_push_entry **order = es_mem_calloc(plan->count + 1, sizeof *order);
    int rc = 0;

    if (!order)
        return es_error_nomem(err);
    for (size_t i = 0; i < plan->count; i++)
        order[i] = &plan->entries[i];
    qsort(order, plan->count, sizeof *order, by_place);
    for (size_t i = 1; rc == 0 && i < plan->count; i++) {
        const json_t *a = order[i - 1]->data, *b = order[i]->data;
        if (es_streq(es_push_remote_key(a), es_push_remote_key(b)) &&
            es_streq(es_push_property(a), es_push_property(b)))
            rc = refuse_duplicate(order[i - 1], order[i], err);
    }
    es_mem_free(order);
    return rc;
}

int es_push_plan_make(struct es_push_plan *ret, const json_t *spec, const bool *applies,
                      const struct es_values *source, const struct es_renderer *renderer,
                      struct es_error *err)
{
    struct es_push_plan plan = {0};
    int rc = expand(&plan, spec, applies, source, renderer, err);

    if (rc == 0) {
        rc = add_data(&plan, spec, source, err);
        if (rc == 0)
            rc = refuse_duplicates(&plan, err);
        if (rc < 0)
            es_error_wrap(err, "failed to merge data entries: ");
    }
    if (rc < 0)
        es_push_plan_fini(&plan);
    else
        *ret = plan;
    return rc;
}

/* ---- values ---- */

static int copy_key(struct es_values *into, const struct es_push_key *key, const struct es_values *source,
                    struct es_error *err)
{
    const struct es_blob *blob = es_values_get(source, key->source);
    return es_values_set(into, key->name, blob->ptr, blob->len) < 0 ? es_error_nomem(err) : 0;
}

static int copy_keys(const struct es_push_keys *keys, const char *only, const struct es_values *source,
                     struct es_values *ret, struct es_error *err)
{
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < keys->count; i++)
        if (!*only || es_streq(keys->items[i].name, only))
            rc = copy_key(ret, &keys->items[i], source, err);
    if (rc == 0 && *only && !ret->count)
        rc = es_error_set(err, ES_E_CONFIG, "secret key %s does not exist", only);
    if (rc < 0)
        es_values_fini(ret);
    return rc;
}

int es_push_entry_values(const struct es_push_entry *entry, const struct es_values *source,
                         struct es_values *ret, struct es_error *err)
{
    struct es_push_keys keys = {0};

    if (entry->bundle)
        return copy_keys(&entry->keys, "", source, ret, err);
    int rc = es_push_keys_convert(&keys, source, es_obj_str(entry->data, "conversionStrategy"), err);
    if (rc < 0)
        return es_error_wrap(err, "could not apply conversion strategy to keys: ");
    rc = copy_keys(&keys, es_push_secret_key(entry->data), source, ret, err);
    es_push_keys_fini(&keys);
    return rc;
}
