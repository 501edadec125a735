/* What a plugin is handed: structs of other sizes, and documents that no core writes. */
#include <stdio.h>
#include <string.h>

#include "core/check/check.h"
#include "core/check/mutate.h"
#include "core/check/trial.h"
#include "core/check/tries.h"

/* How many documents with one change an operation gets. */
#define MAX_CHANGES 400

/* ---- sizes ---- */

static void table_size(const struct es_subject *s, const char *what, uint32_t size, size_t ours)
{
    if (size > ours && s->data->abi_minor <= ESP_ABI_MINOR)
        es_check_fail(
            "its %s says that it is %u bytes long; that of ABI %u.%u has %zu, and a newer core would read "
            "the rest",
            what, size, ESP_ABI_MAJOR, ESP_ABI_MINOR, ours);
}

static void reserved(const char *what, unsigned value)
{
    if (value)
        es_check_fail("its %s sets a reserved field; those are 0", what);
}

static void check_tables(const struct es_subject *s)
{
    const struct esp_plugin *p = s->data;

    table_size(s, "esp_plugin", p->size, sizeof *p);
    reserved("esp_plugin", p->reserved[0] | p->reserved[1] | p->reserved[2]);
    for (const struct esp_component *const *at = p->components; *at; at++) {
        table_size(s, "esp_component", (*at)->size, sizeof **at);
        reserved("esp_component", (*at)->reserved);
        if ((*at)->kind == ESP_KIND_STORE) {
            table_size(s, "esp_store_ops", (*at)->store->size, sizeof *(*at)->store);
            reserved("esp_store_ops", (*at)->store->reserved);
        } else {
            table_size(s, "esp_generator_ops", (*at)->generator->size, sizeof *(*at)->generator);
            reserved("esp_generator_ops", (*at)->generator->reserved);
        }
    }
}

/* As a core that knows more would ask. */
static void ask_as_newer(struct es_trial *t, struct es_store *st, enum es_op op)
{
    static const char more[] = ",\"xFuture\":{\"key\":\"other\",\"spec\":[1]}}";
    struct es_buf doc;

    es_trial_document(&doc, st, op, NULL);
    if (doc.len)
        doc.ptr[--doc.len] = '\0';
    es_buf_adds(&doc, more);
    es_trial_init(t, st, op);
    t->future = true;
    es_trial_run(t, (esp_bytes){(const uint8_t *)doc.ptr, doc.len});
    es_buf_fini(&doc);
}

/* Both ways have to come to the same. What changes by itself cannot be told from
 * what depends on the core, so the old way is gone twice. */
static void check_request(struct es_store *st, enum es_op op)
{
    struct es_trial once, twice, newer;

    es_check_at("%s of component %s with a request of today's size", es_op_name(op), st->provider->name);
    es_trial_story(&once, st, op, NULL);
    es_trial_story(&twice, st, op, NULL);
    es_check_at("%s of component %s with a request of a newer core", es_op_name(op), st->provider->name);
    ask_as_newer(&newer, st, op);
    if (es_trial_print(&once) == es_trial_print(&twice) && es_trial_print(&once) != es_trial_print(&newer))
        es_check_fail(
            "%s of component %s comes to something else (%s, not %s) when the request is longer and its "
            "document has a member more",
            es_op_name(op), st->provider->name, es_trial_status(newer.status), es_trial_status(once.status));
    es_trial_end(&once);
    es_trial_end(&twice);
    es_trial_end(&newer);
}

/* Also structs that the plugin passes: once with an answer, once without. */
static void check_with_answers(struct es_store *st)
{
    es_store_close(st);
    st->script = &es_script_plenty;
    if (es_store_open(st))
        es_trial_each(st, check_request);
}

static void check_store_sizes(struct es_store *st)
{
    es_trial_each(st, check_request);
    check_with_answers(st);
}

void es_try_sizes(struct es_subject *s)
{
    check_tables(s);
    es_check_ran();
    es_subject_each_open(s, check_store_sizes);
}

/* ---- documents ---- */

struct offer {
    struct es_store *st;
    enum es_op op;
};

/* An instance made of nonsense is fine as long as one can live with it. */
static void use_and_close(struct es_store *st, void *instance)
{
    struct es_store other = *st;
    struct es_trial t;

    other.instance = instance;
    other.is_open = true;
    if (st->ops->get) {
        es_trial_story(&t, &other, ES_OP_GET, NULL);
        es_trial_judge(&t, "of a store that was opened with nonsense");
        es_trial_end(&t);
    }
    if (st->ops->close) {
        es_trial_story(&t, &other, ES_OP_CLOSE, NULL);
        es_trial_end(&t);
    }
}

static void offer(void *ctx, const char *what, esp_bytes document)
{
    struct offer *o = ctx;
    struct es_trial t;
    char how[220];

    snprintf(how, sizeof how, "with %s", what);
    es_check_at("%s of component %s %s", es_op_name(o->op), o->st->provider->name, how);
    es_trial_init(&t, o->st, o->op);
    es_trial_run(&t, document);
    es_trial_judge(&t, how);
    if (o->op == ES_OP_OPEN && t.status == ESP_OK)
        use_and_close(o->st, t.instance);
    es_trial_end(&t);
}

static void offer_all(struct es_store *st, enum es_op op)
{
    struct offer o = {st, op};
    struct es_buf doc;

    es_trial_document(&doc, st, op, NULL);
    json_t *tree = json_loadb(es_buf_str(&doc), doc.len, 0, NULL);
    es_mutate_text((esp_bytes){(const uint8_t *)doc.ptr, doc.len}, offer, &o);
    es_mutate_tree(tree, MAX_CHANGES, offer, &o);
    json_decref(tree);
    es_buf_fini(&doc);
}

/* What needs no instance first: nothing of it depends on a good spec. */
static void check_documents(struct es_store *st)
{
    es_check_ran();
    if (st->ops->check)
        offer_all(st, ES_OP_CHECK);
    offer_all(st, ES_OP_OPEN);
    if (!es_store_open(st))
        return;
    for (size_t i = 0; i < es_trial_op_count; i++)
        if (es_trial_ops[i] != ES_OP_CHECK && es_trial_has(st, es_trial_ops[i]))
            offer_all(st, es_trial_ops[i]);
}

/* Last, because nobody knows what a plugin does that was configured with nonsense. */
static void check_configure(struct es_store *st)
{
    if (es_trial_has(st, ES_OP_CONFIGURE))
        offer_all(st, ES_OP_CONFIGURE);
}

void es_try_documents(struct es_subject *s)
{
    es_subject_each(s, check_documents);
    es_subject_each(s, check_configure);
}
