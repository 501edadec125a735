/* The entries of `plugins:` in the file. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "core/ops/config_own.h"
#include "core/plugin/host_pattern.h"

#define SHA256_DIGITS 64
#define HOSTS_MAX 64
#define AMBIENT_MAX 256
#define MIB ((int64_t)1 << 20)
#define MEMORY_LEAST (16 * MIB)
#define MEMORY_MOST (16 * 1024 * MIB)

typedef int read_fn(const struct es_config_file *f, struct es_plugin_entry *entry, const json_t *v,
                    struct es_error *err);

static int read_optional(const struct es_config_file *f, struct es_plugin_entry *entry, const json_t *v,
                         struct es_error *err)
{
    (void)f;
    if (!json_is_boolean(v))
        return es_config_wrong_type("true or false", v, err);
    entry->optional = json_is_true(v);
    return 0;
}

static int read_config(const struct es_config_file *f, struct es_plugin_entry *entry, const json_t *v,
                       struct es_error *err)
{
    (void)f;
    if (!json_is_object(v))
        return es_config_wrong_type("a mapping", v, err);
    entry->config = v;
    return 0;
}

static int read_isolation(const struct es_config_file *f, struct es_plugin_entry *entry, const json_t *v,
                          struct es_error *err)
{
    (void)f;
    if (!json_is_string(v))
        return es_config_wrong_type("process or none", v, err);
    return es_config_isolation(&entry->isolation, json_string_value(v), err);
}

/* Digits alone would be read as a number, so the quotes are part of the advice. */
static int read_sha256(const struct es_config_file *f, struct es_plugin_entry *entry, const json_t *v,
                       struct es_error *err)
{
    static const char remedy[] = "`esod plugins verify` prints the line";
    const char *text = json_string_value(v);
    (void)f;

    if (!text)
        return es_config_wrong_type("64 hexadecimal digits in quotes", v, err);
    size_t len = strlen(text), digits = 0;
    while (isxdigit((unsigned char)text[digits]))
        digits++;
    if (digits != len)
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is not 64 hexadecimal digits; %s", text, remedy);
    if (len != SHA256_DIGITS)
        return es_error_set(err, ES_E_CONFIG, "a SHA-256 has 64 hexadecimal digits and this has %zu; %s", len,
                            remedy);
    entry->sha256 = text;
    return 0;
}

static int read_hosts(const struct es_config_file *f, struct es_plugin_entry *entry, const json_t *v,
                      struct es_error *err)
{
    const json_t *item;
    size_t i;

    if (!json_is_array(v))
        return es_config_wrong_type("a list of hosts", v, err);
    if (json_array_size(v) > HOSTS_MAX)
        return es_error_set(err, ES_E_CONFIG, "more than %d hosts", HOSTS_MAX);
    const char **hosts = es_config_keep_list(f->config, json_array_size(v));
    if (!hosts)
        return es_error_nomem(err);
    json_array_foreach (v, i, item) {
        if (!json_is_string(item))
            return es_config_wrong_type("a host", item, err);
        int rc = es_host_pattern_check(json_string_value(item), err);
        if (rc < 0)
            return rc;
        hosts[i] = json_string_value(item);
    }
    entry->hosts = hosts;
    return 0;
}

/* What of the plugin's own list it may see: entries of it, or the word `all`. Whether it
 * lists them shows when it is loaded. */
static int read_ambient(const struct es_config_file *f, struct es_plugin_entry *entry, const json_t *v,
                        struct es_error *err)
{
    const json_t *item;
    size_t i;

    bool all = json_is_string(v) && es_streq(json_string_value(v), "all");
    if (!all && !json_is_array(v))
        return es_config_wrong_type("a list like [env:AWS_*], or the word all", v, err);
    if (json_array_size(v) > AMBIENT_MAX)
        return es_error_set(err, ES_E_CONFIG, "more than %d ambient names", AMBIENT_MAX);
    const char **names = es_config_keep_list(f->config, all ? 1 : json_array_size(v));
    if (!names)
        return es_error_nomem(err);
    if (all)
        names[0] = json_string_value(v);
    json_array_foreach (v, i, item) {
        const char *name = json_string_value(item);
        if (!name)
            return es_config_wrong_type("a name like env:AWS_REGION", item, err);
        if (!es_str_starts(name, "env:") && !es_str_starts(name, "file:"))
            return es_error_set(err, ES_E_CONFIG,
                                "\"%s\" is neither env:NAME nor file:PATH; `esod plugins --json` "
                                "shows what the plugin asks for",
                                name);
        names[i] = name;
    }
    entry->ambient = names;
    return 0;
}

/* "64Mi" in bytes; -1: not of this form, or beyond all numbers. */
static int64_t parse_size(const char *text)
{
    static const struct {
        const char *suffix;
        int64_t bytes;
    } units[] = {{"Ki", 1024}, {"Mi", MIB}, {"Gi", 1024 * MIB}};
    char digits[16];
    int64_t n;

    size_t len = strspn(text, "0123456789");
    if (len == 0 || len >= sizeof digits)
        return -1;
    memcpy(digits, text, len);
    digits[len] = '\0';
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (es_streq(text + len, units[i].suffix) && es_parse_i64(digits, &n) == 0)
            return n <= INT64_MAX / units[i].bytes ? n * units[i].bytes : -1;
    return -1;
}

static int read_memory(const struct es_config_file *f, struct es_plugin_entry *entry, const json_t *v,
                       struct es_error *err)
{
    const char *text = json_string_value(v);
    (void)f;

    if (!text)
        return es_config_wrong_type("a size like 64Mi", v, err);
    int64_t bytes = parse_size(text);
    if (bytes < 0)
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is not a size like 65536Ki, 64Mi or 1Gi", text);
    if (bytes < MEMORY_LEAST || bytes > MEMORY_MOST)
        return es_error_set(err, ES_E_CONFIG, "%s is not between 16Mi and 16Gi", text);
    entry->memory_bytes = bytes;
    return 0;
}

/* What an entry has. Those without a function are read before the others: they say what
 * the entry is. */
static const struct {
    const char *key;
    read_fn *read;
    const char *help;
} keys[] = {
    {"name", NULL, "what to load: the file `NAME.so` in `pluginPath`. An entry has this or `path`"},
    {"path", NULL, "what to load, as a path; with a slash in it"},
    {"optional", read_optional,
     "`true`: if the plugin cannot be loaded, esod starts without it, logs the reason and shows it on "
     "`/readyz`. Otherwise it does not start"},
    {"config", read_config,
     "the plugin's own settings, checked against the schema that it brings; see its README"},
    {"isolation", read_isolation,
     "`process` or `none`: where this plugin's code runs. Default: the setting `isolation` above. "
     "[isolation.md](isolation.md)"},
    {"sha256", read_sha256,
     "64 hexadecimal digits, in quotes: the file has to have this SHA-256, or it is not loaded"},
    {"hosts", read_hosts,
     "a list: HTTP requests of this plugin go to these hosts only. Without it they go anywhere, with `[]` "
     "nowhere"},
    {"ambient", read_ambient,
     "what the plugin may see of esod's environment and files: entries of its own list, or the word `all`. "
     "Without it nothing"},
    {"memory", read_memory,
     "`64Mi`: how much the plugin's process may take for itself, from `16Mi` to `16Gi`, in `Ki`, `Mi` or "
     "`Gi`. Only with `isolation: process`"},
};
#define KEYS (sizeof keys / sizeof *keys)

bool es_config_next_plugin_key(size_t *at, struct es_config_key *ret)
{
    if (*at == KEYS)
        return false;
    *ret = (struct es_config_key){.name = keys[*at].key, .fallback = "", .help = keys[*at].help};
    ++*at;
    return true;
}

static int read_entry_key(const struct es_config_file *f, struct es_plugin_entry *entry, const char *key,
                          const json_t *v, struct es_error *err)
{
    for (size_t i = 0; i < KEYS; i++)
        if (es_streq(key, keys[i].key))
            return keys[i].read ? keys[i].read(f, entry, v, err) : 0;
    return es_error_set(err, ES_E_CONFIG,
                        "unknown key; a plugin has name or path, optional, config, isolation, sha256, hosts, "
                        "ambient, memory");
}

/* A limit of a process that there is not would limit nothing. */
static int check_together(const struct es_config_file *f, const struct es_plugin_entry *entry,
                          const json_t *item, struct es_error *err)
{
    if (!entry->memory_bytes || entry->isolation != ES_ISOLATION_NONE)
        return 0;
    es_error_set(err, ES_E_CONFIG,
                 "only a process of its own can be limited; leave memory away, or set isolation: process");
    return es_config_fail_at(f, item, "memory", err);
}

static int read_file(const struct es_config_file *f, const json_t *item, const char **ret,
                     struct es_error *err)
{
    const json_t *name = json_object_get(item, "name"), *path = json_object_get(item, "path");

    if ((name != NULL) == (path != NULL))
        return es_error_set(err, ES_E_CONFIG,
                            "a plugin has either a name (looked up in pluginPath) or a path");
    if (!json_is_string(name ? name : path))
        return es_config_wrong_type(name ? "a name" : "a path", name ? name : path, err);
    *ret = json_string_value(name ? name : path);
    if (name || strchr(*ret, '/'))
        return 0;
    es_error_set(err, ES_E_CONFIG, "\"%s\" has no slash: use name for what is looked up in pluginPath", *ret);
    return es_config_fail_at(f, item, "path", err);
}

static int read_entry(const struct es_config_file *f, const json_t *item, const char *origin,
                      struct es_error *err)
{
    struct es_plugin_entry *entry = NULL, own = {0};
    const char *key, *file = NULL;
    json_t *v;

    json_object_foreach ((json_t *)(uintptr_t)item, key, v)
        if (read_entry_key(f, &own, key, v, err) < 0)
            return es_config_fail_at(f, item, key, err);
    int rc = check_together(f, &own, item, err);
    if (rc == 0)
        rc = read_file(f, item, &file, err);
    if (rc == 0)
        rc = es_config_add_plugin(f->config, f->dir, file, origin, &entry, err);
    if (rc < 0)
        return rc;
    own.name = entry->name;
    own.origin = entry->origin;
    *entry = own;
    return 0;
}

int es_config_read_plugins(const struct es_config_file *f, const json_t *list, struct es_error *err)
{
    char origin[512];
    json_t *item;
    size_t i;

    if (!json_is_array(list))
        return es_config_wrong_type("a list of plugins", list, err);
    f->config->plugins_given = true;
    json_array_foreach (list, i, item) {
        snprintf(origin, sizeof origin, "%s:%d", f->name, es_yaml_line_of_index(f->doc, list, i));
        int rc = json_is_string(item)
                     ? es_config_add_plugin(f->config, f->dir, json_string_value(item), origin, NULL, err)
                 : json_is_object(item)
                     ? read_entry(f, item, origin, err)
                     : es_config_wrong_type("a name, or a mapping with name or path", item, err);
        if (rc < 0)
            return strstr(err->text, f->name) ? rc : es_error_wrap(err, "%s: ", origin);
    }
    return 0;
}
