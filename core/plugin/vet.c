#include "core/plugin/vet.h"

#include <jansson.h>
#include <stdbool.h>
#include <string.h>

#include "core/base/text.h"
#include "core/plugin/crd.h"
#include "core/wire/tables.h"

#if UINTPTR_MAX == UINT64_MAX
_Static_assert(ES_PLUGIN_V1_SIZE == 64 && ES_COMPONENT_V1_SIZE == 64 && ES_STORE_V1_SIZE == 96 &&
                   ES_GENERATOR_V1_SIZE == 24,
               "a released ABI does not change");
#endif

#define MAX_LABEL 64
#define MAX_VERSION 64
#define MAX_AMBIENT_NAME 256

static int refuse_short(struct es_error *err, const char *what, uint32_t size, size_t least)
{
    return es_error_set(
        err, ES_E_CONFIG,
        "%s is %u bytes long, ABI 1.0 needs %zu: it was not built with esp/plugin.h, or its size is not set",
        what, size, least);
}

/* JSON keys, Kinds and metric labels: one spelling fits all. */
static bool is_name(const char *s)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static const char marks[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    size_t len = s ? strlen(s) : 0;
    return len > 0 && len <= 63 && strchr(letters, *s) && strspn(s, marks) == len;
}

/* What is shown to people: metrics, logs, errors. */
static bool is_text(const char *s, size_t max)
{
    size_t len = strnlen(s, max + 1);

    for (size_t i = 0; i < len; i++)
        if ((unsigned char)s[i] < 0x20 || s[i] == 0x7F)
            return false;
    return len <= max && es_utf8_valid(s, len);
}

static int vet_schema(const struct esp_component *c, const char *of, struct es_error *err)
{
    if (!c->schema)
        return es_error_set(err, ES_E_CONFIG, "%s has no schema", of);
    if (strlen(c->schema) > ES_MAX_SCHEMA)
        return es_error_set(err, ES_E_CONFIG, "the schema of %s is larger than %zu KiB", of,
                            ES_MAX_SCHEMA >> 10);
    return es_crd_check_schema(c->name, c->schema, err);
}

/* Of the block in the configuration file: no API server will see it. */
static int vet_config_schema(const char *schema, struct es_error *err)
{
    json_error_t where;

    json_t *tree = json_loads(schema, JSON_REJECT_DUPLICATES, &where);
    if (!tree)
        return es_error_set(err, ES_E_CONFIG,
                            "the schema of its configuration is not JSON: line %d, column %d: %s", where.line,
                            where.column, where.text);
    bool object = es_streq(json_string_value(json_object_get(tree, "type")), "object");
    json_decref(tree);
    return object ? 0 : es_error_set(err, ES_E_CONFIG, "the schema of its configuration describes no object");
}

static int refuse_missing(struct es_error *err, const char *of, const char *cap, const char *op)
{
    return es_error_set(err, ES_E_CONFIG, "%s promises %s and has no operation %s", of, cap, op);
}

static int vet_store(const struct esp_component *c, const char *of, struct es_error *err)
{
    const struct esp_store_ops *ops = c->store;

    if (!ops)
        return es_error_set(err, ES_E_CONFIG, "%s is a store without operations", of);
    if (ops->size < ES_STORE_V1_SIZE)
        return refuse_short(err, "its esp_store_ops", ops->size, ES_STORE_V1_SIZE);
    if (!ops->open)
        return es_error_set(err, ES_E_CONFIG, "%s has no operation open", of);
    if ((c->caps & ESP_CAP_READ) && !ops->get)
        return refuse_missing(err, of, "ESP_CAP_READ", "get");
    if ((c->caps & ESP_CAP_LIST) && !ops->list)
        return refuse_missing(err, of, "ESP_CAP_LIST", "list");
    if ((c->caps & ESP_CAP_WRITE) && !ops->push)
        return refuse_missing(err, of, "ESP_CAP_WRITE", "push");
    if ((c->caps & ESP_CAP_WRITE) && !ops->remove)
        return refuse_missing(err, of, "ESP_CAP_WRITE", "remove");
    return 0;
}

static int vet_generator(const struct esp_component *c, const char *of, struct es_error *err)
{
    const struct esp_generator_ops *ops = c->generator;

    if (!ops)
        return es_error_set(err, ES_E_CONFIG, "%s is a generator without operations", of);
    if (ops->size < ES_GENERATOR_V1_SIZE)
        return refuse_short(err, "its esp_generator_ops", ops->size, ES_GENERATOR_V1_SIZE);
    if (!ops->generate)
        return es_error_set(err, ES_E_CONFIG, "%s has no operation generate", of);
    return 0;
}

static int vet_component(const struct esp_component *c, size_t index, struct es_error *err)
{
    char of[96];

    if (c->size < ES_COMPONENT_V1_SIZE)
        return refuse_short(err, "its esp_component", c->size, ES_COMPONENT_V1_SIZE);
    if (!is_name(c->name))
        return es_error_set(err, ES_E_CONFIG, "component %zu has an empty or malformed name", index);
    snprintf(of, sizeof of, "component %s", c->name);
    if (c->kind != ESP_KIND_STORE && c->kind != ESP_KIND_GENERATOR)
        return es_error_set(err, ES_E_CONFIG, "%s is of the unknown kind %d", of, (int)c->kind);
    if (c->label && !is_text(c->label, MAX_LABEL))
        return es_error_set(err, ES_E_CONFIG, "%s has a label that is longer than %d bytes or not printable",
                            of, MAX_LABEL);
    int rc = vet_schema(c, of, err);
    if (rc < 0)
        return rc;
    return c->kind == ESP_KIND_STORE ? vet_store(c, of, err) : vet_generator(c, of, err);
}

static int vet_components(const struct esp_plugin *data, struct es_error *err)
{
    size_t count = 0;

    if (data->components)
        for (; data->components[count]; count++) {
            if (count == ES_MAX_COMPONENTS)
                return es_error_set(err, ES_E_CONFIG, "it has more than %d components", ES_MAX_COMPONENTS);
            int rc = vet_component(data->components[count], count, err);
            if (rc < 0)
                return rc;
            for (size_t i = 0; i < count; i++)
                if (es_streq(data->components[i]->name, data->components[count]->name))
                    return es_error_set(err, ES_E_CONFIG, "two of its components are named %s",
                                        data->components[i]->name);
        }
    return count ? 0 : es_error_set(err, ES_E_CONFIG, "it has no component");
}

static int vet_versions(const struct esp_plugin *data, struct es_error *err)
{
    if (data->size < offsetof(struct esp_plugin, reserved))
        return refuse_short(err, "its esp_plugin", data->size, ES_PLUGIN_V1_SIZE);
    if (data->abi_major != ESP_ABI_MAJOR)
        return es_error_set(
            err, ES_E_CONFIG,
            "it was built for plugin ABI %u.%u and this esod has %u.%u; install a build of it for ABI %u",
            data->abi_major, data->abi_minor, ESP_ABI_MAJOR, ESP_ABI_MINOR, ESP_ABI_MAJOR);
    if (data->needs_minor > ESP_ABI_MINOR)
        return es_error_set(
            err, ES_E_CONFIG,
            "it needs plugin ABI %u.%u and this esod has %u.%u; use a newer esod or an older build of it",
            data->abi_major, data->needs_minor, ESP_ABI_MAJOR, ESP_ABI_MINOR);
    if (data->size < ES_PLUGIN_V1_SIZE)
        return refuse_short(err, "its esp_plugin", data->size, ES_PLUGIN_V1_SIZE);
    return 0;
}

static int vet_ambient(const struct esp_plugin *data, struct es_error *err)
{
    size_t count = 0;

    for (const char *const *at = data->ambient; at && *at; at++) {
        if (++count > ES_MAX_AMBIENT)
            return es_error_set(err, ES_E_CONFIG, "it lists more than %d ambient names", ES_MAX_AMBIENT);
        if (!is_text(*at, MAX_AMBIENT_NAME))
            return es_error_set(err, ES_E_CONFIG,
                                "it lists an ambient name that is longer than %d bytes or not printable",
                                MAX_AMBIENT_NAME);
        bool env = es_str_starts(*at, "env:") && (*at)[4];
        bool file = es_str_starts(*at, "file:") && ((*at)[5] == '/' || ((*at)[5] == '$' && (*at)[6]));
        if (!env && !file)
            return es_error_set(
                err, ES_E_CONFIG,
                "it lists \"%s\" as ambient, which is neither env:NAME nor file:/PATH nor file:$NAME", *at);
    }
    return 0;
}

int es_vet_plugin(const struct esp_plugin *data, struct es_error *err)
{
    int rc = vet_versions(data, err);

    if (rc == 0 && !is_name(data->name))
        rc = es_error_set(err, ES_E_CONFIG, "its own name is empty or malformed");
    if (rc == 0 && es_str_empty(data->version))
        rc = es_error_set(err, ES_E_CONFIG, "it gives no version of itself");
    if (rc == 0 && !is_text(data->version, MAX_VERSION))
        rc = es_error_set(err, ES_E_CONFIG, "its version is longer than %d bytes or not printable",
                          MAX_VERSION);
    if (rc == 0)
        rc = vet_components(data, err);
    if (rc == 0 && data->config_schema)
        rc = vet_config_schema(data->config_schema, err);
    if (rc == 0)
        rc = vet_ambient(data, err);
    return rc;
}
