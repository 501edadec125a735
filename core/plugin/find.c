/* dataFrom.find: the plugin lists, the core filters by the regular expression
 * and gets the values that did not come with the names. */
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/regex.h"
#include "core/base/text.h"
#include "core/plugin/instance_own.h"
#include "core/plugin/prefix.h"
#include "core/plugin/reads.h"

#define BATCH ((size_t)200)
#define MAX_TOTAL ((size_t)64 << 20)

struct search {
    struct es_instance *instance;
    const struct es_authority *who;
    struct es_values found;
    size_t bytes;
};

static int keep(struct search *s, const char *name, struct es_blob *value, struct es_error *err)
{
    if (value->len > MAX_TOTAL - s->bytes)
        return es_error_set(err, ES_E_TOO_LARGE, "find matches more than %zu MiB of secrets",
                            MAX_TOTAL >> 20);
    s->bytes += value->len;
    return es_values_move(&s->found, name, value) < 0 ? es_error_nomem(err) : 0;
}

/* A secret that was there for `list` and is gone for `get` was deleted in
 * between: the result is what a later search would find. */
static int forgive_gone(int rc)
{
    return rc == ES_E_NOT_FOUND ? 0 : rc;
}

static int get_single(struct search *s, const char *name, struct es_error *err)
{
    struct es_blob value = {0};
    json_t *ref = json_pack("{s:s}", "key", name);

    if (!ref)
        return es_utf8_valid(name, strlen(name))
                   ? es_error_nomem(err)
                   : es_error_set(err, ES_E_INTERNAL, "the %s plugin listed a name that is not UTF-8",
                                  es_instance_provider(s->instance)->name);
    int rc = es_instance_get(s->instance, s->who, ref, &value, err);
    rc = rc == 0 ? keep(s, name, &value, err) : forgive_gone(rc);
    es_blob_fini(&value);
    json_decref(ref);
    return rc;
}

/* Marks in `answered` whatever the plugin said something about. */
static int take_batch(struct search *s, struct esp_call *c, const char *const *names, size_t count,
                      bool *answered, struct es_error *err)
{
    for (size_t i = 0; i < c->output_count; i++) {
        struct es_output *out = &c->outputs[i];
        int64_t index;
        if (es_parse_i64(out->key, &index) < 0 || index < 0 || (uint64_t)index >= count)
            return es_error_set(err, ES_E_INTERNAL,
                                "the %s plugin answered get_batch for a reference that was not asked for",
                                c->plugin->name);
        answered[index] = true;
        int rc = keep(s, names[index], &out->value, err);
        if (rc < 0)
            return rc;
    }
    for (const struct es_fault *f = c->faults; f; f = f->next) {
        answered[f->index] = true;
        if (forgive_gone(f->code) < 0)
            return es_error_set(err, f->code, "%s: %s", names[f->index], f->why);
    }
    for (size_t i = 0; i < count; i++)
        if (!answered[i])
            return es_error_set(err, ES_E_INTERNAL,
                                "the %s plugin left a reference of get_batch without an answer",
                                c->plugin->name);
    return 0;
}

static int get_each(struct search *s, const char *const *names, size_t count, struct es_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i++)
        rc = get_single(s, names[i], err);
    return rc;
}

static int get_some(struct search *s, const char *const *names, size_t count, struct es_error *err)
{
    bool answered[BATCH] = {false};
    struct esp_call call;

    if (!es_instance_has_batch(s->instance))
        return get_each(s, names, count, err);
    int rc = es_instance_get_batch(s->instance, &call, s->who, names, count, err);
    bool refused = rc == ES_E_DENIED || rc == ES_E_UNSUPPORTED;
    if (rc == 0)
        rc = take_batch(s, &call, names, count, answered, err);
    es_call_end(&call);
    if (!refused)
        return rc;
    es_instance_no_batch(s->instance);
    return get_each(s, names, count, err);
}

static int get_named(struct search *s, const char *const *names, size_t count, struct es_error *err)
{
    int rc = 0;

    for (size_t i = 0; i < count && rc == 0; i += BATCH)
        rc = get_some(s, names + i, count - i < BATCH ? count - i : BATCH, err);
    return rc;
}

/* 1: wanted. */
static int matches(const struct es_regex *re, const char *name, struct es_error *err)
{
    return re ? es_regex_search(re, name, strlen(name), err) : 1;
}

/* Values that came along are kept; names whose value is missing end up in
 * `names`, which has room for all of them. */
static int sift(struct search *s, struct esp_call *list, const struct es_regex *re, const char **names,
                size_t *count, struct es_error *err)
{
    for (size_t i = 0; i < list->output_count; i++) {
        struct es_output *out = &list->outputs[i];
        const char *name = out->key ? out->key : "";
        int rc = matches(re, name, err);
        if (rc < 0)
            return rc;
        if (rc == 0)
            continue;
        if (out->channel == ESP_OUT_NAME)
            names[(*count)++] = name;
        else if ((rc = keep(s, name, &out->value, err)) < 0)
            return rc;
    }
    return 0;
}

static int search(struct search *s, const json_t *find, const struct es_regex *re, const char *prefix,
                  struct es_error *err)
{
    struct esp_call list;
    const char **names = NULL;
    size_t count = 0;

    int rc = es_instance_list(s->instance, &list, s->who, find, prefix, err);
    if (rc == 0) {
        names = es_mem_calloc(list.output_count, sizeof *names);
        rc = names ? sift(s, &list, re, names, &count, err) : es_error_nomem(err);
    }
    if (rc == 0)
        rc = get_named(s, names, count, err);
    es_mem_free(names);
    es_call_end(&list);
    return rc;
}

static int compile(struct es_regex **ret, const char *pattern, struct es_error *err)
{
    struct es_error why = ES_ERROR_INIT;

    int rc = es_regex_new(ret, pattern, &why);
    if (rc == 0)
        return 0;
    return es_error_set(err, rc, "could not compile find.name.regexp [%s]: %s", pattern, why.text);
}

/* A whole find, before it is known who makes it. */
struct finding {
    struct es_instance *instance;
    const struct es_authority *who;
    const json_t *find;
    const struct es_regex *re;
    const char *prefix;
};

static int find_now(void *ctx, struct es_values *ret, struct es_error *err)
{
    const struct finding *f = ctx;
    struct es_authority alone = *f->who; /* the parts are not shared, the whole is */
    struct search s = {.instance = f->instance, .who = &alone};

    alone.reading = NULL;
    int rc = search(&s, f->find, f->re, f->prefix, err);
    if (rc == 0 && es_values_merge(ret, &s.found) < 0) {
        es_values_fini(ret);
        rc = es_error_nomem(err);
    }
    es_values_fini(&s.found);
    return rc;
}

static int find_once(struct finding *f, struct es_values *ret, struct es_error *err)
{
    struct es_values found = {0};
    char *what = es_reading_shares(f->who->reading)
                     ? json_dumps(f->find, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENCODE_ANY)
                     : NULL;

    int rc = what ? es_instance_share(f->instance, f->who, ES_OP_LIST, what, find_now, f, &found, err)
                  : find_now(f, &found, err);
    if (rc == 0 && es_values_merge(ret, &found) < 0)
        rc = es_error_nomem(err);
    es_values_fini(&found);
    es_mem_free(what);
    return rc;
}

int es_instance_find(struct es_instance *i, const struct es_authority *who, const json_t *find,
                     struct es_values *ret, struct es_error *err)
{
    const char *pattern = json_string_value(json_object_get(json_object_get(find, "name"), "regexp"));
    struct es_regex *re = NULL;
    char *prefix = es_regexp_prefix(pattern ? pattern : "");
    int rc = 0;

    if (!prefix)
        return es_error_nomem(err);
    if (pattern)
        rc = compile(&re, pattern, err);
    if (rc == 0)
        rc = find_once(&(struct finding){i, who, find, re, prefix}, ret, err);
    es_regex_free(re);
    es_mem_free(prefix);
    return rc;
}
