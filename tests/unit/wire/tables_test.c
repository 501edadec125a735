/* A plugin's description, carried over: what comes out is what went in, of what is too
 * short nothing is read, and the core's verdict on it stays the same. */
#include "wire_test.h"

#include <dlfcn.h>
#include <stdio.h>

#include "core/plugin/vet.h"
#include "core/wire/message.h"
#include "core/wire/tables.h"

/* ---- stand-ins, each another ---- */

#define STAND_IN(name)                                                                                       \
    static esp_status name(void *instance, struct esp_call *call, const struct esp_request *request)         \
    {                                                                                                        \
        (void)instance;                                                                                      \
        (void)call;                                                                                          \
        (void)request;                                                                                       \
        return ESP_E_INTERNAL;                                                                               \
    }

STAND_IN(a_check)
STAND_IN(a_validate)
STAND_IN(a_get)
STAND_IN(a_get_map)
STAND_IN(a_get_batch)
STAND_IN(a_list)
STAND_IN(an_exists)
STAND_IN(a_push)
STAND_IN(a_remove)
STAND_IN(a_generate)
STAND_IN(a_cleanup)

static esp_status an_open(struct esp_call *call, const struct esp_request *request, void **instance)
{
    (void)call;
    (void)request;
    (void)instance;
    return ESP_E_INTERNAL;
}

static void a_close(void *instance, struct esp_call *call)
{
    (void)instance;
    (void)call;
}

static esp_status a_configure(struct esp_call *call, const struct esp_request *request)
{
    (void)call;
    (void)request;
    return ESP_E_INTERNAL;
}

static const struct esp_store_ops stand_ins = {.size = sizeof stand_ins,
                                               .check = a_check,
                                               .open = an_open,
                                               .close = a_close,
                                               .validate = a_validate,
                                               .get = a_get,
                                               .get_map = a_get_map,
                                               .get_batch = a_get_batch,
                                               .list = a_list,
                                               .exists = an_exists,
                                               .push = a_push,
                                               .remove = a_remove};
static const struct esp_generator_ops generator_stand_ins = {
    .size = sizeof generator_stand_ins, .generate = a_generate, .cleanup = a_cleanup};

/* ---- there and back ---- */

static struct es_frame frame_of(const struct esp_plugin *p)
{
    struct es_link l;

    es_link_init(&l, -1);
    es_put_plugin(&l, p);
    struct es_frame f = take_put(&l);
    assert_int_equal(f.type, ES_MSG_PLUGIN);
    es_link_fini(&l);
    return f;
}

/* NULL: it makes no sense. */
static struct es_tables *read_tables(struct es_frame f)
{
    bool bad = true;
    struct es_tables *t = es_get_plugin(&f, &stand_ins, &generator_stand_ins, a_configure, &bad);

    assert_null(f.data); /* consumed */
    assert_int_equal(bad, !t);
    return t;
}

static struct es_tables *carry(const struct esp_plugin *p)
{
    struct es_tables *t = read_tables(frame_of(p));
    assert_non_null(t);
    return t;
}

static void assert_text(const char *got, const char *want)
{
    if (!want || !*want)
        assert_true(!got || !*got); /* for the core the same */
    else
        assert_string_equal(got, want);
}

/* The stand-in of this name where there was an operation, NULL where there was none. */
#define ASSERT_OP(got, want, stand_in, op) assert_true((got)->op == ((want)->op ? (stand_in).op : NULL))

static void assert_store(const struct esp_store_ops *got, const struct esp_store_ops *want)
{
    if (!want) {
        assert_null(got);
        return;
    }
    assert_int_equal(got->size, want->size);
    if (want->size < ES_STORE_V1_SIZE)
        return;
    ASSERT_OP(got, want, stand_ins, check);
    ASSERT_OP(got, want, stand_ins, open);
    assert_true(got->close == stand_ins.close); /* which has something to free in any case */
    ASSERT_OP(got, want, stand_ins, validate);
    ASSERT_OP(got, want, stand_ins, get);
    ASSERT_OP(got, want, stand_ins, get_map);
    ASSERT_OP(got, want, stand_ins, get_batch);
    ASSERT_OP(got, want, stand_ins, list);
    ASSERT_OP(got, want, stand_ins, exists);
    ASSERT_OP(got, want, stand_ins, push);
    ASSERT_OP(got, want, stand_ins, remove);
}

static void assert_generator(const struct esp_generator_ops *got, const struct esp_generator_ops *want)
{
    if (!want) {
        assert_null(got);
        return;
    }
    assert_int_equal(got->size, want->size);
    if (want->size < ES_GENERATOR_V1_SIZE)
        return;
    ASSERT_OP(got, want, generator_stand_ins, generate);
    ASSERT_OP(got, want, generator_stand_ins, cleanup);
}

static void assert_component(const struct esp_component *got, const struct esp_component *want)
{
    assert_int_equal(got->size, want->size);
    if (want->size < ES_COMPONENT_V1_SIZE)
        return;
    assert_int_equal(got->kind, want->kind);
    assert_true(got->caps == want->caps);
    assert_int_equal(got->maintenance, want->maintenance);
    assert_text(got->name, want->name);
    assert_text(got->label, want->label);
    assert_text(got->schema, want->schema);
    assert_store(got->store, want->store);
    assert_generator(got->generator, want->generator);
}

static void assert_ambient(const struct esp_plugin *got, const struct esp_plugin *want)
{
    size_t i = 0;

    for (; want->ambient && want->ambient[i]; i++)
        assert_string_equal(got->ambient[i], want->ambient[i]);
    assert_null(got->ambient[i]);
}

static void assert_whole(const struct esp_plugin *got, const struct esp_plugin *want)
{
    size_t i = 0;

    assert_text(got->name, want->name);
    assert_text(got->version, want->version);
    assert_text(got->config_schema, want->config_schema);
    assert_int_equal(!got->config_schema, !want->config_schema);
    assert_true(got->configure == (want->configure ? a_configure : NULL));
    assert_ambient(got, want);
    for (; want->components && want->components[i]; i++)
        assert_component(got->components[i], want->components[i]);
    assert_null(got->components[i]);
}

/* The core judges both alike, in the same words. */
static void assert_carried(const struct esp_plugin *want)
{
    struct es_tables *t = carry(want), *again = carry(want);
    const struct esp_plugin *got = es_tables_plugin(t);
    struct es_error direct = ES_ERROR_INIT, carried = ES_ERROR_INIT;

    assert_int_equal(got->size, want->size);
    if (want->size >= offsetof(struct esp_plugin, reserved)) {
        assert_int_equal(got->abi_major, want->abi_major);
        assert_int_equal(got->abi_minor, want->abi_minor);
        assert_int_equal(got->needs_minor, want->needs_minor);
    }
    if (want->size >= ES_PLUGIN_V1_SIZE && want->abi_major == ESP_ABI_MAJOR)
        assert_whole(got, want);
    assert_int_equal(es_vet_plugin(got, &carried), es_vet_plugin(want, &direct));
    assert_string_equal(carried.text, direct.text);
    assert_true(es_tables_equal(t, again));
    es_tables_free(t);
    es_tables_free(again);
}

static void assert_verdict(const struct esp_plugin *p, const char *part)
{
    struct es_error err = ES_ERROR_INIT;

    assert_carried(p);
    es_vet_plugin(p, &err);
    if (!strstr(err.text, part))
        fail_msg("\"%s\" does not say \"%s\"", err.text, part);
}

/* ---- plugins that there are ---- */

static const struct esp_plugin *load(const char *file)
{
    static const struct esp_host nobody = {.size = sizeof nobody};
    esp_entry_fn entry;
    void *module = dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);

    if (!module)
        fail_msg("%s", dlerror());
    void *symbol = dlsym(module, "esp_plugin_entry_v1");
    assert_non_null(symbol);
    memcpy(&entry, &symbol, sizeof entry);
    const struct esp_plugin *p = entry(&nobody);
    assert_non_null(p);
    return p;
}

static void test_the_fake_plugin(void **state)
{
    (void)state;
    assert_carried(load(FAKE_PLUGIN));
}

static void test_plugins_that_are_wrong_in_one_way(void **state)
{
    static const char *const names[] = {
        "plain",       "short_plugin",    "tiny_plugin",       "short_component",
        "short_ops",   "abi_major_2",     "needs_minor_99",    "no_components",
        "no_schema",   "schema_not_json", "schema_not_object", "no_open",
        "no_get",      "no_list",         "no_push",           "unknown_kind",
        "empty_name",  "malformed_name",  "same_name_twice",   "duplicate_name",
        "bad_ambient", "foreign_name",    "configure_fails",   "unlisted_variable"};
    char file[4096];
    (void)state;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        snprintf(file, sizeof file, "%s/%s.so", BAD_PLUGINS, names[i]);
        assert_carried(load(file));
    }
}

/* ---- a plugin that can be changed ---- */

static struct esp_plugin plugin;
static struct esp_component component, generator;
static struct esp_store_ops store_ops;
static struct esp_generator_ops generator_ops;
static const struct esp_component *components[4];
static const char *ambient[4];

static int setup(void **state)
{
    (void)state;
    store_ops = (struct esp_store_ops){.size = sizeof store_ops,
                                       .open = an_open,
                                       .close = a_close,
                                       .get = a_list,
                                       .list = a_get,
                                       .remove = a_push};
    generator_ops = (struct esp_generator_ops){.size = sizeof generator_ops, .generate = a_check};
    component = (struct esp_component){.size = sizeof component,
                                       .kind = ESP_KIND_STORE,
                                       .caps = ESP_CAP_READ | ESP_CAP_LIST | (UINT64_C(1) << 63),
                                       .maintenance = ESP_DEPRECATED,
                                       .name = "store",
                                       .label = "A/Store",
                                       .schema = "{\"type\":\"object\"}",
                                       .store = &store_ops};
    generator = (struct esp_component){.size = sizeof generator,
                                       .kind = ESP_KIND_GENERATOR,
                                       .maintenance = ESP_NOT_MAINTAINED,
                                       .name = "Generator",
                                       .schema = "{\"type\":\"object\"}",
                                       .generator = &generator_ops};
    components[0] = &component;
    components[1] = &generator;
    components[2] = components[3] = NULL;
    ambient[0] = "env:A_*";
    ambient[1] = "file:$A";
    ambient[2] = ambient[3] = NULL;
    plugin = (struct esp_plugin){.size = sizeof plugin,
                                 .abi_major = ESP_ABI_MAJOR,
                                 .abi_minor = ESP_ABI_MINOR,
                                 .name = "both",
                                 .version = "1.2.3",
                                 .components = components,
                                 .config_schema = "{\"type\":\"object\"}",
                                 .configure = a_configure,
                                 .ambient = ambient};
    return 0;
}

static void test_a_store_and_a_generator(void **state)
{
    struct es_error err = ES_ERROR_INIT;
    (void)state;

    assert_carried(&plugin);
    if (es_vet_plugin(&plugin, &err) < 0)
        fail_msg("%s", err.text);
}

/* An operation each, alone. */
static void test_every_operation_finds_its_stand_in(void **state)
{
    const struct esp_store_ops all = stand_ins;
    (void)state;

    for (size_t at = offsetof(struct esp_store_ops, check); at < sizeof all; at += sizeof(esp_op)) {
        store_ops = (struct esp_store_ops){.size = sizeof store_ops};
        memcpy((char *)&store_ops + at, (const char *)&all + at, sizeof(esp_op));
        struct es_tables *t = carry(&plugin);
        store_ops.close = all.close; /* is there in any case */
        assert_memory_equal(es_tables_plugin(t)->components[0]->store, &store_ops, sizeof store_ops);
        es_tables_free(t);
    }
    for (size_t at = offsetof(struct esp_generator_ops, generate); at < sizeof generator_ops;
         at += sizeof(esp_op)) {
        generator_ops = (struct esp_generator_ops){.size = sizeof generator_ops};
        memcpy((char *)&generator_ops + at, (const char *)&generator_stand_ins + at, sizeof(esp_op));
        struct es_tables *t = carry(&plugin);
        assert_memory_equal(es_tables_plugin(t)->components[1]->generator, &generator_ops,
                            sizeof generator_ops);
        es_tables_free(t);
    }
}

/* ---- what is not there ---- */

/* Only so much of it is there, which a sanitizer sees. */
static void *shortened(const void *whole, uint32_t size)
{
    void *part = malloc(size);

    assert_non_null(part);
    memcpy(part, whole, size);
    memcpy(part, &size, sizeof size);
    return part;
}

static void test_short_plugins(void **state)
{
    (void)state;
    for (uint32_t size = sizeof size; size <= sizeof plugin; size++) {
        struct esp_plugin *part = shortened(&plugin, size);
        assert_verdict(part, size < sizeof plugin ? "its esp_plugin is" : "");
        free(part);
    }
}

static void test_short_components(void **state)
{
    (void)state;
    for (uint32_t size = sizeof size; size <= sizeof component; size++) {
        struct esp_component *part = shortened(&component, size);
        components[0] = part;
        assert_verdict(&plugin, size < sizeof component ? "its esp_component is" : "");
        free(part);
    }
}

static void test_short_stores(void **state)
{
    (void)state;
    for (uint32_t size = sizeof size; size <= sizeof store_ops; size++) {
        component.store = shortened(&store_ops, size);
        assert_verdict(&plugin, size < sizeof store_ops ? "its esp_store_ops is" : "");
        free((void *)component.store);
    }
}

static void test_short_generators(void **state)
{
    (void)state;
    for (uint32_t size = sizeof size; size <= sizeof generator_ops; size++) {
        generator.generator = shortened(&generator_ops, size);
        assert_verdict(&plugin, size < sizeof generator_ops ? "its esp_generator_ops is" : "");
        free((void *)generator.generator);
    }
}

/* From a time when there are more fields: those of today are carried. */
static void test_longer_structs(void **state)
{
    (void)state;
    plugin.size += 8;
    plugin.abi_minor = UINT16_MAX;
    component.size += 8;
    store_ops.size += 80;
    generator_ops.size = UINT32_MAX;
    assert_verdict(&plugin, "");
    struct es_tables *t = carry(&plugin);
    assert_string_equal(es_tables_plugin(t)->components[0]->name, "store");
    es_tables_free(t);
}

static void test_nothing_where_something_may_be(void **state)
{
    (void)state;
    component.label = plugin.config_schema = NULL;
    plugin.configure = NULL;
    plugin.ambient = NULL;
    assert_verdict(&plugin, "");
    plugin.version = NULL;
    assert_verdict(&plugin, "it gives no version");
    plugin.name = NULL;
    assert_verdict(&plugin, "its own name is empty");
    setup(NULL);
    plugin.components = NULL;
    assert_verdict(&plugin, "it has no component");
    setup(NULL);
    components[0] = NULL;
    assert_verdict(&plugin, "it has no component");
    setup(NULL);
    component.name = NULL;
    assert_verdict(&plugin, "component 0 has an empty");
    setup(NULL);
    component.schema = NULL;
    assert_verdict(&plugin, "component store has no schema");
    setup(NULL);
    component.store = NULL;
    assert_verdict(&plugin, "is a store without operations");
    setup(NULL);
    generator.generator = NULL;
    assert_verdict(&plugin, "is a generator without operations");
}

static void test_empty_texts(void **state)
{
    (void)state;
    plugin.config_schema = "";
    assert_verdict(&plugin, "the schema of its configuration is not JSON");
    plugin.version = "";
    assert_verdict(&plugin, "it gives no version");
    setup(NULL);
    component.schema = "";
    assert_verdict(&plugin, "schema");
}

/* ---- much ---- */

static void test_many_components(void **state)
{
    static struct esp_component many[300];
    static const struct esp_component *list[301];
    static char names[300][8];
    (void)state;

    plugin.components = list;
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = component;
        snprintf(names[i], sizeof names[i], "c%zu", i);
        many[i].name = names[i];
        list[i] = &many[i];
    }
    list[256] = NULL;
    assert_verdict(&plugin, "");
    list[256] = &many[256];
    list[257] = NULL;
    assert_verdict(&plugin, "it has more than 256 components");

    /* No more of them are sent than it takes to say so. */
    list[257] = &many[257];
    struct es_tables *t = carry(&plugin);
    assert_non_null(es_tables_plugin(t)->components[256]);
    assert_null(es_tables_plugin(t)->components[257]);
    es_tables_free(t);
}

static char *long_text(size_t len)
{
    char *s = malloc(len + 1);

    assert_non_null(s);
    memset(s, 'x', len);
    s[len] = '\0';
    return s;
}

static void test_long_schemas(void **state)
{
    (void)state;
    for (size_t over = 0; over <= 2; over++) {
        char *schema = long_text(ES_MAX_SCHEMA + over);
        component.schema = schema;
        assert_int_equal(es_vet_plugin(&plugin, NULL) < 0, true);
        struct es_tables *t = carry(&plugin);
        struct es_error direct = ES_ERROR_INIT, carried = ES_ERROR_INIT;
        es_vet_plugin(&plugin, &direct);
        es_vet_plugin(es_tables_plugin(t), &carried);
        assert_string_equal(carried.text, direct.text);
        assert_int_equal(strstr(carried.text, "larger than 1024 KiB") != NULL, over > 0);
        assert_int_equal(strlen(es_tables_plugin(t)->components[0]->schema), ES_MAX_SCHEMA + (over ? 1 : 0));
        es_tables_free(t);
        free(schema);
    }
}

/* Forty of the longest texts are more than a frame holds: it cannot be said. */
static void test_more_than_a_frame(void **state)
{
    static struct esp_component many[50];
    static const struct esp_component *list[51];
    char *schema = long_text(ES_MAX_SCHEMA);
    struct es_link l;
    (void)state;

    plugin.components = list;
    for (size_t i = 0; i < COUNT_OF(many); i++) {
        many[i] = component;
        many[i].schema = schema;
        list[i] = &many[i];
    }
    es_link_init(&l, -1);
    es_put_plugin(&l, &plugin);
    assert_true(l.failed);
    es_link_fini(&l);
    free(schema);
}

/* ---- the same plugin? ---- */

static void assert_differs(const struct es_tables *from)
{
    struct es_tables *t = carry(&plugin);
    assert_false(es_tables_equal(from, t));
    assert_false(es_tables_equal(t, from));
    es_tables_free(t);
    setup(NULL);
}

static void test_every_difference_shows(void **state)
{
    struct es_tables *t = carry(&plugin), *same = carry(&plugin);
    (void)state;

    assert_true(es_tables_equal(t, same));
    assert_true(es_tables_equal(t, t));
    plugin.version = "1.2.4";
    assert_differs(t);
    plugin.name = "bot";
    assert_differs(t);
    plugin.abi_minor++;
    assert_differs(t);
    plugin.size++;
    assert_differs(t);
    plugin.configure = NULL;
    assert_differs(t);
    plugin.config_schema = NULL;
    assert_differs(t);
    ambient[1] = NULL;
    assert_differs(t);
    components[1] = NULL;
    assert_differs(t);
    component.caps ^= ESP_CAP_WRITE;
    assert_differs(t);
    component.label = NULL;
    assert_differs(t);
    component.schema = "{\"type\":\"objec\"}";
    assert_differs(t);
    component.maintenance = 0;
    assert_differs(t);
    store_ops.push = a_push;
    assert_differs(t);
    generator_ops.cleanup = a_cleanup;
    assert_differs(t);
    es_tables_free(t);
    es_tables_free(same);
}

/* ---- what no plugin's process should send ---- */

static void test_every_truncation_is_refused(void **state)
{
    struct es_frame whole = frame_of(&plugin);
    (void)state;

    for (size_t len = 0; len < whole.len; len++)
        assert_null(read_tables(exact_frame(whole.type, whole.data, len)));
    uint8_t *more = calloc(1, whole.len + 1);
    assert_non_null(more);
    memcpy(more, whole.data, whole.len);
    assert_null(read_tables(exact_frame(whole.type, more, whole.len + 1)));
    free(more);
    es_frame_fini(&whole);
}

/* Each byte in turn is another: it is read or refused, and what is read can be judged. */
static void test_every_byte_changed(void **state)
{
    static const uint8_t changes[] = {0x01, 0x80, 0xFF};
    struct es_frame whole = frame_of(&plugin);
    size_t readable = 0;
    (void)state;

    for (size_t at = 0; at < whole.len; at++)
        for (size_t i = 0; i < COUNT_OF(changes); i++) {
            struct es_frame f = exact_frame(whole.type, whole.data, whole.len);
            f.data[at] ^= changes[i];
            struct es_tables *t = read_tables(f);
            if (!t)
                continue;
            readable++;
            es_vet_plugin(es_tables_plugin(t), NULL);
            es_tables_free(t);
        }
    assert_true(readable > 0 && readable < whole.len * COUNT_OF(changes));
    es_frame_fini(&whole);
}

/* A text that ends before its length says, or does not end. */
static void test_texts_end_where_they_say(void **state)
{
    static const struct {
        const char *bytes;
        size_t len;
        bool fine;
    } cases[] = {
        {"both", 5, true}, {"both", 4, false}, {"bo\0h", 5, false}, {"\0\0", 2, false}, {"", 1, true}};
    struct es_link l;
    (void)state;

    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        es_link_init(&l, -1);
        es_put_begin(&l, ES_MSG_PLUGIN);
        es_put_u32(&l, sizeof plugin);
        es_put_u32(&l, ESP_ABI_MAJOR);
        es_put_u32(&l, 0);
        es_put_u32(&l, 0);
        es_put_bytes(&l, (esp_bytes){(const uint8_t *)cases[i].bytes, cases[i].len});
        for (int n = 0; n < 5; n++) /* no version, no schema, no configure, nothing ambient, no component */
            es_put_u32(&l, 0);
        es_put_end(&l);
        struct es_tables *t = read_tables(take_put(&l));
        assert_int_equal(t != NULL, cases[i].fine);
        es_tables_free(t);
        es_link_fini(&l);
    }
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_fake_plugin),
        TEST(test_plugins_that_are_wrong_in_one_way),
        TEST(test_a_store_and_a_generator),
        TEST(test_every_operation_finds_its_stand_in),
        TEST(test_short_plugins),
        TEST(test_short_components),
        TEST(test_short_stores),
        TEST(test_short_generators),
        TEST(test_longer_structs),
        TEST(test_nothing_where_something_may_be),
        TEST(test_empty_texts),
        TEST(test_many_components),
        TEST(test_long_schemas),
        TEST(test_more_than_a_frame),
        TEST(test_every_difference_shows),
        TEST(test_every_truncation_is_refused),
        TEST(test_every_byte_changed),
        TEST(test_texts_end_where_they_say),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
