/* esod plugins: which plugins there are, and what they offer. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "core/base/buf.h"
#include "core/base/text.h"
#include "core/cmd/cmd.h"
#include "core/cmd/load.h"
#include "core/cmd/providers.h"
#include "core/cmd/verify.h"
#include "core/plugin/pin.h"
#include "core/wire/fence.h"

static const char *isolation_word(const struct es_plugin *p)
{
    return p->isolation == ES_ISOLATION_PROCESS ? "process" : "none";
}

static json_t *fences(const struct es_plugin *p)
{
    json_t *list = json_array();

    for (unsigned i = 0; i < ES_FENCE_COUNT; i++)
        if (p->fences & UINT32_C(1) << i)
            json_array_append_new(list, json_string(es_fence_word(i)));
    return list;
}

static json_t *texts(const char *const *list)
{
    json_t *all = json_array();

    for (; list && *list; list++)
        json_array_append_new(all, json_string(*list));
    return all;
}

/* What it would like to see of environment and files, and what of that it may. */
static json_t *ambient(const struct es_plugin *p)
{
    return json_pack("{s:o,s:o}", "wanted", texts(p->data->ambient), "granted", texts(p->ambient));
}

/* Of the file as it is now. */
static json_t *sha256(const struct es_plugin *p)
{
    char hex[ES_SHA256_HEX_MAX];

    return es_pin_digest(hex, p->path, NULL) == 0 ? json_string(hex) : json_null();
}

static json_t *describe(const struct es_plugin *p)
{
    json_t *providers = json_array();
    char abi[16];

    snprintf(abi, sizeof abi, "%u.%u", (unsigned)p->abi_major, (unsigned)p->abi_minor);
    for (size_t i = 0; i < p->provider_count; i++) {
        const struct es_provider *v = &p->providers[i];
        json_array_append_new(providers,
                              json_pack("{s:s,s:b,s:b,s:b}", "name", v->name, "read",
                                        (v->caps & ESP_CAP_READ) != 0, "find", (v->caps & ESP_CAP_LIST) != 0,
                                        "push", (v->caps & ESP_CAP_WRITE) != 0));
    }
    return json_pack("{s:s,s:s,s:s,s:s,s:o,s:s,s:o,s:o,s:o}", "name", p->name, "version", p->version, "abi",
                     abi, "path", p->path, "sha256", sha256(p), "isolation", isolation_word(p), "fences",
                     fences(p), "ambient", ambient(p), "providers", providers);
}

static int print_json(const struct es_registry *r, struct es_error *err)
{
    const struct es_plugin *const *plugins;
    const struct es_plugin_refusal *refusals;
    size_t count = es_registry_plugins(r, &plugins);
    json_t *list = json_array(), *refused = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(list, describe(plugins[i]));
    count = es_registry_refusals(r, &refusals);
    for (size_t i = 0; i < count; i++)
        json_array_append_new(refused,
                              json_pack("{s:s,s:s}", "name", refusals[i].name, "reason", refusals[i].reason));
    return es_print_json(json_pack("{s:o,s:o}", "plugins", list, "refused", refused), err);
}

static void print_row(const struct es_plugin *p)
{
    char abi[16];
    struct es_buf providers;

    es_buf_init(&providers, 4096);
    for (size_t i = 0; i < p->provider_count; i++) {
        es_buf_addf(&providers, "%s%s (", i ? ", " : "", p->providers[i].name);
        es_caps_text(&providers, p->providers[i].caps, " ");
        es_buf_addc(&providers, ')');
    }
    snprintf(abi, sizeof abi, "%u.%u", (unsigned)p->abi_major, (unsigned)p->abi_minor);
    printf("%-14s %-10s %-5s %-9s %-34s %s\n", p->name, p->version, abi, isolation_word(p),
           es_buf_str(&providers), p->path);
    es_buf_fini(&providers);
}

/* A part of the fence that this system does not have is not to be overlooked. */
static void print_missing(const struct es_plugin *p)
{
    struct es_buf missing;

    if (!es_fences_missing(p))
        return;
    es_buf_init(&missing, 256);
    es_fences_text(&missing, es_fences_missing(p));
    fprintf(stderr, "note: %s: this system lacks what holds its process back: %s\n", p->name,
            es_buf_str(&missing));
    es_buf_fini(&missing);
}

static void print_table(const struct es_config *c, const struct es_registry *r)
{
    const struct es_plugin *const *plugins;
    const struct es_plugin_refusal *refusals;
    size_t count = es_registry_plugins(r, &plugins);

    if (count)
        printf("%-14s %-10s %-5s %-9s %-34s %s\n", "PLUGIN", "VERSION", "ABI", "ISOLATION", "PROVIDERS",
               "PATH");
    for (size_t i = 0; i < count; i++)
        print_row(plugins[i]);
    for (size_t i = 0; i < count; i++)
        print_missing(plugins[i]);
    size_t refused = es_registry_refusals(r, &refusals);
    for (size_t i = 0; i < refused; i++)
        fprintf(stderr, "refused: %s: %s\n", refusals[i].name, refusals[i].reason);
    if (!count && !refused)
        es_say_no_plugins(c);
}

struct wish {
    bool json, verify;
};

static int read_arguments(int argc, char **argv, struct wish *ret, struct es_error *err)
{
    for (int i = 0; i < argc; i++) {
        const char *argument = argv[i], *form = es_read_output(argc, argv, &i);
        bool verify = es_streq(argument, "verify") && !ret->verify;
        bool json = es_streq(argument, "--json") || es_streq(form, "json");
        ret->verify = ret->verify || verify;
        if (json || es_streq(form, "table"))
            ret->json = json;
        if (verify || json || es_streq(form, "table"))
            continue;
        if (form && !*form)
            return es_error_set(err, ES_E_CONFIG, "plugins: unknown argument \"%s\"; see esod plugins --help",
                                argument);
        return es_error_set(err, ES_E_CONFIG, "plugins: %s is table or json%s%s", argument,
                            form ? ", not " : "", form ? form : "");
    }
    return 0;
}

static int list_plugins(const struct es_config *config, bool json, struct es_error *err)
{
    struct es_registry *registry = NULL;
    struct es_services services = {0};

    int rc = es_load_plugins(&registry, config, &services, err);
    if (rc == 0 && json)
        rc = print_json(registry, err);
    else if (rc == 0)
        print_table(config, registry);
    es_registry_free(registry);
    return rc;
}

static int cmd_plugins(int argc, char **argv)
{
    struct es_config config;
    struct es_error err = ES_ERROR_INIT;
    struct wish wish = {0};
    bool bad = false;

    if (es_wants_help(argc, argv))
        return es_print_help(&es_command_plugins);
    argc--, argv++;
    if (es_config_load(&config, ES_FOR_PLUGINS, &argc, argv, &err) < 0)
        return es_complain(&err);
    int rc = read_arguments(argc, argv, &wish, &err);
    if (rc == 0)
        rc = wish.verify ? es_verify_plugins(&config, wish.json, &bad, &err)
                         : list_plugins(&config, wish.json, &err);
    es_config_fini(&config);
    return es_end_command(rc, bad, &err);
}

/* ---- what people are told ---- */

static const struct es_flag flags[] = {
    {.name = "output", .letter = 'o', .value = "table|json", .fallback = "table", .help = "Format."},
    {.name = "json", .help = "The same as `-o json`."},
    {0},
};

const struct es_command es_command_plugins = {
    .name = "plugins",
    .summary = "list the plugins and what they can do",
    .usage = "esod plugins [-o table|json] [FLAGS]\n"
             "esod plugins verify [-o table|json] [FLAGS]",
    .about = "Lists the plugins that the configuration names, or all that are installed. `verify` loads none "
             "of them,\n"
             "but compares their files with the SHA-256 that the configuration pins. Exit code 1: one "
             "differs, is\n"
             "missing or cannot be read.",
    .settings = ES_FOR_PLUGINS,
    .flags = flags,
    .operands = "verify",
    .run = cmd_plugins,
};
