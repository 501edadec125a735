#include "core/wire/tables.h"

#include <stdlib.h>
#include <string.h>

#include "core/wire/message.h"

/* The operations of a store by bit, in the order of the struct. */
enum {
    OP_CHECK,
    OP_OPEN,
    OP_CLOSE,
    OP_VALIDATE,
    OP_GET,
    OP_GET_MAP,
    OP_GET_BATCH,
    OP_LIST,
    OP_EXISTS,
    OP_PUSH,
    OP_REMOVE
};

#define BIT(n) (UINT32_C(1) << (n))
#define IF(mask, n, op) ((mask)&BIT(n) ? (op) : NULL)

/* ---- from a plugin to a frame ---- */

/* With its NUL, so that the reader needs no copy; NULL is no bytes at all. A text
 * is cut where the core would find it too long. */
static void put_cstr(struct es_link *l, const char *text)
{
    static const uint8_t nul = 0;
    size_t len = text ? strnlen(text, ES_MAX_SCHEMA + 1) : 0;

    if (!text) {
        es_put_bytes(l, (esp_bytes){NULL, 0});
        return;
    }
    if (text[len] == '\0') {
        es_put_bytes(l, (esp_bytes){(const uint8_t *)text, len + 1});
        return;
    }
    char *cut = malloc(len + 1);
    if (!cut) {
        l->failed = true;
        return;
    }
    memcpy(cut, text, len);
    cut[len] = (char)nul;
    es_put_bytes(l, (esp_bytes){(const uint8_t *)cut, len + 1});
    free(cut);
}

static uint32_t store_mask(const struct esp_store_ops *o)
{
    return (o->check ? BIT(OP_CHECK) : 0) | (o->open ? BIT(OP_OPEN) : 0) | (o->close ? BIT(OP_CLOSE) : 0) |
           (o->validate ? BIT(OP_VALIDATE) : 0) | (o->get ? BIT(OP_GET) : 0) |
           (o->get_map ? BIT(OP_GET_MAP) : 0) | (o->get_batch ? BIT(OP_GET_BATCH) : 0) |
           (o->list ? BIT(OP_LIST) : 0) | (o->exists ? BIT(OP_EXISTS) : 0) | (o->push ? BIT(OP_PUSH) : 0) |
           (o->remove ? BIT(OP_REMOVE) : 0);
}

static uint32_t generator_mask(const struct esp_generator_ops *o)
{
    return (o->generate ? BIT(0) : 0) | (o->cleanup ? BIT(1) : 0);
}

static void put_component(struct es_link *l, const struct esp_component *c)
{
    es_put_u32(l, c->size);
    if (c->size < ES_COMPONENT_V1_SIZE)
        return;
    es_put_u32(l, (uint32_t)c->kind);
    es_put_u64(l, c->caps);
    es_put_u32(l, (uint32_t)c->maintenance);
    put_cstr(l, c->name);
    put_cstr(l, c->label);
    put_cstr(l, c->schema);
    es_put_u32(l, c->store ? c->store->size : 0);
    es_put_u32(l, c->store && c->store->size >= ES_STORE_V1_SIZE ? store_mask(c->store) : 0);
    es_put_u32(l, c->generator ? c->generator->size : 0);
    es_put_u32(l,
               c->generator && c->generator->size >= ES_GENERATOR_V1_SIZE ? generator_mask(c->generator) : 0);
    es_put_u32(l, (c->store ? BIT(0) : 0) | (c->generator ? BIT(1) : 0));
}

static void put_components(struct es_link *l, const struct esp_plugin *p)
{
    uint32_t count = 0;

    while (p->components && count <= ES_MAX_COMPONENTS && p->components[count])
        count++;
    es_put_u32(l, count);
    for (uint32_t i = 0; i < count; i++)
        put_component(l, p->components[i]);
}

static void put_ambient(struct es_link *l, const struct esp_plugin *p)
{
    uint32_t count = 0;

    while (p->ambient && count <= ES_MAX_AMBIENT && p->ambient[count])
        count++;
    es_put_u32(l, count);
    for (uint32_t i = 0; i < count; i++)
        put_cstr(l, p->ambient[i]);
}

void es_put_plugin(struct es_link *l, const struct esp_plugin *p)
{
    es_put_begin(l, ES_MSG_PLUGIN);
    es_put_u32(l, p->size);
    if (p->size >= offsetof(struct esp_plugin, reserved)) {
        es_put_u32(l, p->abi_major);
        es_put_u32(l, p->abi_minor);
        es_put_u32(l, p->needs_minor);
    }
    /* Another major has other structs behind these. */
    if (p->size >= ES_PLUGIN_V1_SIZE && p->abi_major == ESP_ABI_MAJOR) {
        put_cstr(l, p->name);
        put_cstr(l, p->version);
        put_cstr(l, p->config_schema);
        es_put_u32(l, p->configure != NULL);
        put_ambient(l, p);
        put_components(l, p);
    }
    es_put_end(l);
}

/* ---- from a frame to tables ---- */

struct es_tables {
    struct esp_plugin plugin;
    struct es_frame frame; /* the texts are in it */
    const char **ambient;
    const struct esp_component **list; /* NULL at the end */
    struct esp_component *components;
    struct esp_store_ops *stores;
    struct esp_generator_ops *generators;
};

void es_tables_free(struct es_tables *t)
{
    if (!t)
        return;
    free((void *)t->ambient);
    free((void *)t->list);
    free(t->components);
    free(t->stores);
    free(t->generators);
    es_frame_fini(&t->frame);
    free(t);
}

const struct esp_plugin *es_tables_plugin(const struct es_tables *t)
{
    return &t->plugin;
}

bool es_tables_equal(const struct es_tables *a, const struct es_tables *b)
{
    return a->frame.len == b->frame.len && memcmp(a->frame.data, b->frame.data, a->frame.len) == 0;
}

static const char *get_cstr(struct es_frame *f)
{
    esp_bytes text = es_get_bytes(f);

    if (!text.len)
        return NULL;
    if (memchr(text.ptr, '\0', text.len) != text.ptr + text.len - 1) {
        f->bad = true;
        return NULL;
    }
    return (const char *)text.ptr;
}

static uint16_t get_u16(struct es_frame *f)
{
    uint32_t value = es_get_u32(f);
    if (value > UINT16_MAX)
        f->bad = true;
    return (uint16_t)value;
}

static void fill_store(struct esp_store_ops *o, uint32_t size, uint32_t mask,
                       const struct esp_store_ops *with)
{
    *o = (struct esp_store_ops){.size = size,
                                .check = IF(mask, OP_CHECK, with->check),
                                .open = IF(mask, OP_OPEN, with->open),
                                .close = with->close, /* a stand-in has something to free in any case */
                                .validate = IF(mask, OP_VALIDATE, with->validate),
                                .get = IF(mask, OP_GET, with->get),
                                .get_map = IF(mask, OP_GET_MAP, with->get_map),
                                .get_batch = IF(mask, OP_GET_BATCH, with->get_batch),
                                .list = IF(mask, OP_LIST, with->list),
                                .exists = IF(mask, OP_EXISTS, with->exists),
                                .push = IF(mask, OP_PUSH, with->push),
                                .remove = IF(mask, OP_REMOVE, with->remove)};
}

static void get_component(struct es_tables *t, size_t i, const struct esp_store_ops *store,
                          const struct esp_generator_ops *generator)
{
    struct esp_component *c = &t->components[i];
    struct es_frame *f = &t->frame;

    c->size = es_get_u32(f);
    if (c->size < ES_COMPONENT_V1_SIZE)
        return;
    c->kind = (int32_t)es_get_u32(f);
    c->caps = es_get_u64(f);
    c->maintenance = (int32_t)es_get_u32(f);
    c->name = get_cstr(f);
    c->label = get_cstr(f);
    c->schema = get_cstr(f);
    uint32_t size = es_get_u32(f), mask = es_get_u32(f);
    fill_store(&t->stores[i], size, mask, store);
    size = es_get_u32(f), mask = es_get_u32(f);
    t->generators[i] = (struct esp_generator_ops){.size = size,
                                                  .generate = IF(mask, 0, generator->generate),
                                                  .cleanup = IF(mask, 1, generator->cleanup)};
    uint32_t present = es_get_u32(f);
    c->store = present & BIT(0) ? &t->stores[i] : NULL;
    c->generator = present & BIT(1) ? &t->generators[i] : NULL;
}

/* false: no memory. */
static bool get_ambient(struct es_tables *t)
{
    size_t count = es_get_count(&t->frame, sizeof(uint32_t), ES_MAX_AMBIENT + 1);

    t->ambient = calloc(count + 1, sizeof *t->ambient);
    for (size_t i = 0; t->ambient && i < count; i++) {
        t->ambient[i] = get_cstr(&t->frame);
        if (!t->ambient[i])
            t->frame.bad = true;
    }
    t->plugin.ambient = t->ambient;
    return t->ambient != NULL;
}

static bool get_components(struct es_tables *t, const struct esp_store_ops *store,
                           const struct esp_generator_ops *generator)
{
    size_t count = es_get_count(&t->frame, sizeof(uint32_t), ES_MAX_COMPONENTS + 1);

    t->list = calloc(count + 1, sizeof *t->list);
    t->components = calloc(count + 1, sizeof *t->components);
    t->stores = calloc(count + 1, sizeof *t->stores);
    t->generators = calloc(count + 1, sizeof *t->generators);
    if (!t->list || !t->components || !t->stores || !t->generators)
        return false;
    for (size_t i = 0; i < count; i++) {
        get_component(t, i, store, generator);
        t->list[i] = &t->components[i];
    }
    t->plugin.components = t->list;
    return true;
}

/* false: no memory. */
static bool fill(struct es_tables *t, const struct esp_store_ops *store,
                 const struct esp_generator_ops *generator,
                 esp_status (*configure)(struct esp_call *, const struct esp_request *))
{
    struct es_frame *f = &t->frame;
    struct esp_plugin *p = &t->plugin;

    p->size = es_get_u32(f);
    if (p->size >= offsetof(struct esp_plugin, reserved)) {
        p->abi_major = get_u16(f);
        p->abi_minor = get_u16(f);
        p->needs_minor = get_u16(f);
    }
    if (p->size < ES_PLUGIN_V1_SIZE || p->abi_major != ESP_ABI_MAJOR)
        return true;
    p->name = get_cstr(f);
    p->version = get_cstr(f);
    p->config_schema = get_cstr(f);
    p->configure = es_get_u32(f) ? configure : NULL;
    return get_ambient(t) && get_components(t, store, generator);
}

struct es_tables *es_get_plugin(struct es_frame *take_frame, const struct esp_store_ops *store,
                                const struct esp_generator_ops *generator,
                                esp_status (*configure)(struct esp_call *, const struct esp_request *),
                                bool *ret_bad)
{
    struct es_tables *t = calloc(1, sizeof *t);

    *ret_bad = false;
    if (!t) {
        es_frame_fini(take_frame);
        return NULL;
    }
    t->frame = *take_frame;
    *take_frame = (struct es_frame){0};
    if (fill(t, store, generator, configure) && es_get_done(&t->frame))
        return t;
    *ret_bad = t->frame.bad;
    es_tables_free(t);
    return NULL;
}
