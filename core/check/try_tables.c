/* The entry and the tables: nothing of a store runs here. */
#include <string.h>

#include "core/base/text.h"
#include "core/check/check.h"
#include "core/check/residue.h"
#include "core/check/tries.h"
#include "core/check/watch.h"
#include "core/plugin/crd.h"
#include "core/plugin/crd_own.h"
#include "core/plugin/vet.h"

/* What a host of the future has more. */
#define FUTURE 64

/* ---- handshake ---- */

static const struct esp_plugin *ask(struct es_subject *s, const char *who, const struct es_watch_host *host)
{
    es_check_at("its entry, given the table of %s", who);
    return s->entry(es_watch_table(host));
}

/* A core may refuse, and a plugin may refuse a core; both is fine, but not a table that
 * the core then cannot read. */
static void older_hosts(struct es_subject *s)
{
    char who[40];

    for (unsigned minor = 0; minor <= ESP_ABI_MINOR; minor++) {
        snprintf(who, sizeof who, "a core of ABI %u.%u", ESP_ABI_MAJOR, minor);
        const struct esp_plugin *data =
            ask(s, who,
                &(struct es_watch_host){
                    .major = ESP_ABI_MAJOR, .minor = (uint16_t)minor, .size = es_watch_size_of(minor)});
        if (!data && s->data->needs_minor <= minor)
            es_check_fail("its entry refuses %s, while it says that it needs ABI %u.%u", who, ESP_ABI_MAJOR,
                          s->data->needs_minor);
    }
}

static void newer_hosts(struct es_subject *s)
{
    struct es_watch_host host = {ESP_ABI_MAJOR, ESP_ABI_MINOR + 1, es_watch_size_of(ESP_ABI_MINOR) + FUTURE,
                                 false};

    if (!ask(s, "a newer core", &host))
        es_check_fail("its entry refuses a core of ABI %u.%u; within a major, newer cores take older plugins",
                      host.major, host.minor);
    host.major = ESP_ABI_MAJOR + 1;
    ask(s, "a core of another major", &host); /* either answer will do, it only has to live */
}

static void same_table(struct es_subject *s, const struct esp_plugin *before, const struct esp_plugin *copy)
{
    const struct es_watch_host today = {ESP_ABI_MAJOR, ESP_ABI_MINOR, es_watch_size_of(ESP_ABI_MINOR), false};
    const struct esp_plugin *again = ask(s, "today's core, once more", &today);

    if (again != before)
        es_check_fail("its entry returns another table each time; it has to be constant data");
    else if (memcmp(before, copy, sizeof *copy) != 0)
        es_check_fail("its table changed between two calls of the entry; it has to be constant data");
}

void es_try_handshake(struct es_subject *s)
{
    struct es_residue before;
    struct es_error err = ES_ERROR_INIT;

    es_residue_take(&before);
    if (!es_subject_map(s))
        return;
    es_residue_compare(&before, "loading the file");
    s->data = s->entry(es_watch_today());
    es_residue_compare(&before, "its entry");
    if (!s->data || es_vet_plugin(s->data, &err) < 0) {
        es_check_fail("given today's table, %s", s->data ? err.text : "its entry returns NULL");
        return;
    }
    const struct esp_plugin copy = *s->data, *first = s->data;
    ask(s, "a core without any service",
        &(struct es_watch_host){ESP_ABI_MAJOR, ESP_ABI_MINOR, es_watch_size_of(ESP_ABI_MINOR), true});
    older_hosts(s);
    newer_hosts(s);
    same_table(s, first, &copy);
    es_residue_compare(&before, "its entry");
}

/* ---- schema ---- */

struct gaps {
    struct es_buf names;
    size_t fields, missing;
};

static void describe(struct gaps *g, const json_t *schema, const char *path, int depth);

static void describe_field(struct gaps *g, const json_t *schema, const char *path, const char *name,
                           int depth)
{
    char here[200];

    snprintf(here, sizeof here, "%s%s%s", path, *path ? "." : "", name);
    g->fields++;
    if (es_str_empty(json_string_value(json_object_get(schema, "description")))) {
        if (g->missing++ < 8)
            es_buf_addf(&g->names, "%s%s", g->names.len ? ", " : "", here);
    }
    describe(g, schema, here, depth);
}

static void describe(struct gaps *g, const json_t *schema, const char *path, int depth)
{
    const char *name;
    json_t *field;
    char items[204];

    if (!schema || depth == ES_CRD_MAX_DEPTH)
        return;
    json_object_foreach (json_object_get(schema, "properties"), name, field)
        describe_field(g, field, path, name, depth + 1);
    snprintf(items, sizeof items, "%s[]", path);
    describe(g, json_object_get(schema, "items"), items, depth + 1);
    describe(g, json_object_get(schema, "additionalProperties"), path, depth + 1);
}

static void check_descriptions(const char *name, const json_t *schema)
{
    struct gaps g = {0};

    es_buf_init(&g.names, 2000);
    if (es_str_empty(json_string_value(json_object_get(schema, "description"))))
        es_check_warn(
            "the schema of %s does not say what it is: give it a description, kubectl explain shows it",
            name);
    describe(&g, schema, "", 0);
    if (g.missing)
        es_check_warn("%zu of the %zu fields in the schema of %s have no description: %s%s", g.missing,
                      g.fields, name, es_buf_str(&g.names), g.missing > 8 ? ", ..." : "");
    es_buf_fini(&g.names);
}

/* A store's schema becomes a part of the definitions; a generator's is only read so far. */
static void check_schema(const struct esp_component *c)
{
    const struct es_crd_provider provider = {c->name, c->schema};
    struct es_crds *crds = NULL;
    struct es_error err = ES_ERROR_INIT;
    json_t *schema = NULL;

    int rc = c->kind == ESP_KIND_STORE ? es_crds_new(&crds, &provider, 1, &err) : 0;
    if (rc == 0)
        rc = es_crd_parse_schema(&schema, c->name, c->schema, &err);
    if (rc < 0)
        es_check_fail("%s", err.text);
    else
        check_descriptions(c->name, schema);
    json_decref(schema);
    es_crds_free(crds);
}

void es_try_schema(struct es_subject *s)
{
    for (const struct esp_component *const *c = s->data->components; *c; c++)
        if (!s->opts->component || es_streq(s->opts->component, (*c)->name))
            check_schema(*c);
}

/* ---- capabilities ---- */

/* An operation that nobody will call, because no capability announces it. */
static void idle(const struct es_store *st, bool there, uint64_t cap, const char *op, const char *word)
{
    if (there && !(st->provider->caps & cap))
        es_check_warn("component %s has %s and does not promise %s, so it is never called",
                      st->provider->name, op, word);
}

static void check_capabilities(struct es_store *st)
{
    static const uint64_t known = ESP_CAP_CONCURRENT | ESP_CAP_READ | ESP_CAP_WRITE | ESP_CAP_LIST |
#if ESP_ABI_MINOR >= 1
                                  ESP_CAP_FIELDS | ESP_CAP_PER_NAMESPACE | ESP_CAP_STRICT_PROPERTIES |
#endif
                                  ESP_CAP_WHOLE_VALUES;
    const struct esp_store_ops *ops = st->ops;
    const struct es_provider *p = st->provider;

    idle(st, ops->get != NULL, ESP_CAP_READ, "get", "ESP_CAP_READ");
    idle(st, ops->get_map != NULL, ESP_CAP_READ, "get_map", "ESP_CAP_READ");
    idle(st, ops->list != NULL, ESP_CAP_LIST, "list", "ESP_CAP_LIST");
    idle(st, ops->get_batch != NULL, ESP_CAP_LIST, "get_batch", "ESP_CAP_LIST");
    idle(st, ops->push != NULL, ESP_CAP_WRITE, "push", "ESP_CAP_WRITE");
    idle(st, ops->remove != NULL, ESP_CAP_WRITE, "remove", "ESP_CAP_WRITE");
    idle(st, ops->exists != NULL, ESP_CAP_WRITE, "exists", "ESP_CAP_WRITE");
    if ((p->caps & ESP_CAP_WHOLE_VALUES) && ops->get_map)
        es_check_warn(
            "component %s has get_map and promises ESP_CAP_WHOLE_VALUES: the core then makes maps itself",
            p->name);
    if ((p->caps & ESP_CAP_READ) && !(p->caps & ESP_CAP_WHOLE_VALUES) && !ops->get_map)
        es_check_warn(
            "component %s has no get_map and does not promise ESP_CAP_WHOLE_VALUES: dataFrom.extract will "
            "not work",
            p->name);
    if (!(p->caps & (ESP_CAP_READ | ESP_CAP_WRITE | ESP_CAP_LIST)))
        es_check_warn(
            "component %s promises neither ESP_CAP_READ nor ESP_CAP_WRITE nor ESP_CAP_LIST: nobody can "
            "use it",
            p->name);
    if (p->caps & ~known)
        es_check_warn("component %s sets capabilities that ABI %u.%u does not have: %#llx", p->name,
                      ESP_ABI_MAJOR, ESP_ABI_MINOR, (unsigned long long)(p->caps & ~known));
    if (p->maintenance < 0 || p->maintenance > ESP_DEPRECATED)
        es_check_warn("component %s gives the unknown maintenance %d; esp/plugin.h lists three", p->name,
                      (int)p->maintenance);
}

void es_try_capabilities(struct es_subject *s)
{
    if (s->data->needs_minor > s->data->abi_minor)
        es_check_fail("it needs ABI %u.%u and was made with the header of %u.%u", s->data->abi_major,
                      s->data->needs_minor, s->data->abi_major, s->data->abi_minor);
    es_subject_each(s, check_capabilities);
}
