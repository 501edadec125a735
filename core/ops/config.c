#include "core/ops/config.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/log.h"
#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/base/yaml.h"
#include "core/ops/paths.h"

#define DEFAULT_FILE "/etc/esod/esod.yaml"

enum type { TEXT, INTEGER, NUMBER, BOOLEAN, DURATION, LEVEL, TIME_ENCODING, LOG_FORMAT };

struct setting {
    const char *flag, *key; /* key NULL: no place in the file */
    enum type type;
    size_t offset;
    const char *fallback; /* "" is NULL for texts */
    unsigned commands;
    int64_t least, most; /* of integers; of durations in ms */
    const char *help;
};

#define AT(member) offsetof(struct es_config, member)
#define DAY_MS (24 * 60 * 60 * INT64_C(1000))
#define ALL_COMMANDS (ES_FOR_RUN | ES_FOR_LOCAL | ES_FOR_PLUGINS)

static const struct setting settings[] = {
    {"config", NULL, TEXT, AT(config), "", ALL_COMMANDS, 0, 0,
     "Configuration file. Default: " DEFAULT_FILE " if it exists (esod run)."},
    {"kubeconfig", "kubeconfig", TEXT, AT(kubeconfig), "", ES_FOR_RUN, 0, 0,
     "Kubeconfig file. Default: $KUBECONFIG, then the pod's service account, then ~/.kube/config."},
    {"context", "context", TEXT, AT(context), "", ES_FOR_RUN, 0, 0, "Context of the kubeconfig. Default: its current one."},
    {"namespace", "namespace", TEXT, AT(ns), "", ES_FOR_RUN, 0, 0,
     "Watch this namespace only. ClusterSecretStores are read if their controller stays switched on."},
    {"concurrent", "concurrent", INTEGER, AT(concurrent), "16", ES_FOR_RUN | ES_FOR_LOCAL, 1, 256,
     "Objects worked on at the same time."},
    {"controller-class", "controllerClass", TEXT, AT(controller_class), "default", ES_FOR_RUN | ES_FOR_LOCAL, 0, 0,
     "Serve stores whose spec.controller is this, or empty."},
    {"store-requeue-interval", "storeRequeueInterval", DURATION, AT(store_requeue_ms), "5m", ES_FOR_RUN | ES_FOR_LOCAL,
     1000, 365 * DAY_MS, "How often a store without a refreshInterval is validated again."},
    {"enable-secret-store-reconciler", "enableSecretStoreReconciler", BOOLEAN, AT(secret_stores), "true", ES_FOR_RUN, 0, 0,
     "Serve SecretStores."},
    {"enable-cluster-store-reconciler", "enableClusterStoreReconciler", BOOLEAN, AT(cluster_stores), "true", ES_FOR_RUN, 0,
     0, "Serve ClusterSecretStores."},
    {"enable-flood-gate", "enableFloodGate", BOOLEAN, AT(flood_gate), "true", ES_FOR_RUN | ES_FOR_LOCAL, 0, 0,
     "Ask a store for values only while its Ready condition is True."},
    {"client-qps", "clientQPS", NUMBER, AT(client_qps), "0", ES_FOR_RUN, 0, 1000000,
     "Requests per second to the API server. 0: no limit here, the API server has its own."},
    {"client-burst", "clientBurst", INTEGER, AT(client_burst), "100", ES_FOR_RUN, 1, 1000000,
     "Requests at once before client-qps limits."},
    {"metrics-addr", "metricsAddr", TEXT, AT(metrics_addr), ":8080", ES_FOR_RUN, 0, 0,
     "Where /metrics is served. 0: nowhere."},
    {"live-addr", "liveAddr", TEXT, AT(live_addr), ":8082", ES_FOR_RUN, 0, 0,
     "Where /healthz and /readyz are served. 0: nowhere."},
    {"shutdown-grace", "shutdownGrace", DURATION, AT(shutdown_grace_ms), "10s", ES_FOR_RUN, 0, DAY_MS,
     "How long passes in flight may go on after SIGTERM before they are cancelled."},
    {"loglevel", "logLevel", LEVEL, AT(log_level), "", ES_FOR_RUN | ES_FOR_LOCAL, 0, 0,
     "debug, info, warn or error. Default: info (esod local: warn)."},
    {"log-format", "logFormat", LOG_FORMAT, AT(log_format), "", ES_FOR_RUN | ES_FOR_LOCAL, 0, 0,
     "json or console. Default: console on a terminal, else json."},
    {"zap-time-encoding", "logTime", TIME_ENCODING, AT(log_time), "epoch", ES_FOR_RUN | ES_FOR_LOCAL, 0, 0,
     "Time stamps in logs: epoch, millis, nano, iso8601, rfc3339 or rfc3339nano."},
};
#define SETTINGS (sizeof settings / sizeof *settings)

/* Flags of the reference that stand for machinery which esod does without. They
 * are accepted, so that a Deployment's arguments carry over. */
static const char *const moot[] = {
    "enable-secrets-caching", "enable-configmaps-caching", "enable-managed-secrets-caching",
    "enable-secret-api-read-on-cache-mismatch", "enable-http2", "enable-vault-token-cache", "vault-token-cache-size",
    "experimental-enable-vault-token-cache", "experimental-vault-token-cache-size",
    "experimental-enable-doppler-oidc-cache", "experimental-doppler-oidc-cache-size", "doppler-etag-cache-size",
    "pulumi-oidc-cache-size", "mysterybox-tokens-cache-size", "mysterybox-connections-cache-size",
};
#define MOOT (sizeof moot / sizeof *moot)

struct hold {
    struct es_yaml yaml;
    char **texts;
    size_t text_count;
    const char *ignored[MOOT + 1];
    size_t ignored_count;
};

/* A copy that lives as long as the config; NULL without memory. */
static char *keep(struct es_config *c, const char *text)
{
    struct hold *h = c->hold;
    char **texts = realloc(h->texts, (h->text_count + 1) * sizeof *texts);
    char *copy = texts ? es_mem_strdup(text) : NULL;

    if (texts)
        h->texts = texts;
    if (copy)
        h->texts[h->text_count++] = copy;
    return copy;
}

/* ---- one value ---- */

static int set_text(struct es_config *c, const struct setting *s, const char *value, struct es_error *err)
{
    static const char *const formats[] = {"json", "console"};
    bool known = true;

    if (s->type == LEVEL)
        known = !*value || es_log_level_parse(value) >= 0;
    else if (s->type == TIME_ENCODING)
        known = es_log_time_parse(value) >= 0;
    else if (s->type == LOG_FORMAT)
        known = !*value || es_streq(value, formats[0]) || es_streq(value, formats[1]);
    if (!known)
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is none of: %s", value, s->help);
    const char *copy = *value ? keep(c, value) : NULL;
    if (*value && !copy)
        return es_error_nomem(err);
    memcpy((char *)c + s->offset, &copy, sizeof copy);
    return 0;
}

static int set_integer(struct es_config *c, const struct setting *s, const char *value, struct es_error *err)
{
    int64_t n;
    bool duration = s->type == DURATION;

    if ((duration ? es_duration_parse(value, &n) : es_parse_i64(value, &n)) < 0)
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is not %s", value,
                            duration ? "a duration like 90s, 5m or 1h30m" : "a whole number");
    if (n < s->least || n > s->most) {
        char least[ES_TIME_TEXT_MAX], most[ES_TIME_TEXT_MAX];
        if (duration)
            return es_error_set(err, ES_E_CONFIG, "%s is not between %s and %s", value,
                                es_duration_format(s->least, least), es_duration_format(s->most, most));
        return es_error_set(err, ES_E_CONFIG, "%lld is not between %lld and %lld", (long long)n, (long long)s->least,
                            (long long)s->most);
    }
    memcpy((char *)c + s->offset, &n, sizeof n);
    return 0;
}

static int set_number(struct es_config *c, const struct setting *s, const char *value, struct es_error *err)
{
    char *end;

    errno = 0;
    double d = strtod(value, &end);
    if (!*value || *end || errno || !(d >= (double)s->least && d <= (double)s->most))
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is not a number between %lld and %lld", value, (long long)s->least,
                            (long long)s->most);
    memcpy((char *)c + s->offset, &d, sizeof d);
    return 0;
}

static int set_boolean(struct es_config *c, const struct setting *s, const char *value, struct es_error *err)
{
    bool yes = es_streq(value, "true") || es_streq(value, "1");

    if (!yes && !es_streq(value, "false") && !es_streq(value, "0"))
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is neither true nor false", value);
    memcpy((char *)c + s->offset, &yes, sizeof yes);
    return 0;
}

static int set_value(struct es_config *c, const struct setting *s, const char *value, struct es_error *err)
{
    switch (s->type) {
    case INTEGER:
    case DURATION:
        return set_integer(c, s, value, err);
    case NUMBER:
        return set_number(c, s, value, err);
    case BOOLEAN:
        return set_boolean(c, s, value, err);
    default:
        return set_text(c, s, value, err);
    }
}

/* ---- plugins ---- */

static int add_path(struct es_config *c, const char *dir, const char *path, struct es_error *err)
{
    if (c->plugin_path_count == ES_CONFIG_LIST_MAX)
        return es_error_set(err, ES_E_CONFIG, "more than %d directories", ES_CONFIG_LIST_MAX);
    char *full = *path == '/' || !dir ? es_strf("%s", path) : es_strf("%s/%s", dir, path);
    const char *kept = full ? keep(c, full) : NULL;
    es_mem_free(full);
    if (!kept)
        return es_error_nomem(err);
    c->plugin_path[c->plugin_path_count++] = kept;
    c->plugin_path[c->plugin_path_count] = NULL;
    return 0;
}

static int add_plugin(struct es_config *c, const char *dir, const char *name, const char *origin,
                      struct es_plugin_entry **ret, struct es_error *err)
{
    if (!*name)
        return es_error_set(err, ES_E_CONFIG, "a plugin needs a name or a path");
    if (c->plugin_count == ES_CONFIG_LIST_MAX)
        return es_error_set(err, ES_E_CONFIG, "more than %d plugins", ES_CONFIG_LIST_MAX);
    bool relative = strchr(name, '/') && *name != '/' && dir;
    char *full = relative ? es_strf("%s/%s", dir, name) : es_strf("%s", name);
    const char *kept = full ? keep(c, full) : NULL, *kept_origin = keep(c, origin);
    es_mem_free(full);
    if (!kept || !kept_origin)
        return es_error_nomem(err);
    c->plugins[c->plugin_count] = (struct es_plugin_entry){.name = kept, .origin = kept_origin};
    if (ret)
        *ret = &c->plugins[c->plugin_count];
    c->plugin_count++;
    c->plugins_given = true;
    return 0;
}

/* ---- the file ---- */

struct file {
    struct es_config *config;
    const char *name;
    char *dir;
    const struct es_yaml_doc *doc;
};

static int fail_at(const struct file *f, const json_t *parent, const char *key, struct es_error *err)
{
    int line = es_yaml_line_of_key(f->doc, parent, key);
    return es_error_wrap(err, "%s:%d: %s: ", f->name, line, key);
}

static const char *type_name(const json_t *v)
{
    return json_is_object(v)    ? "a mapping"
           : json_is_array(v)   ? "a list"
           : json_is_string(v)  ? "a text"
           : json_is_boolean(v) ? "a boolean"
           : json_is_number(v)  ? "a number"
                                : "nothing";
}

static int wrong_type(const char *wanted, const json_t *v, struct es_error *err)
{
    return es_error_set(err, ES_E_CONFIG, "expected %s, got %s", wanted, type_name(v));
}

static int read_setting(const struct file *f, const struct setting *s, const json_t *v, struct es_error *err)
{
    char number[64];

    switch (s->type) {
    case INTEGER:
        if (!json_is_integer(v))
            return wrong_type("a whole number", v, err);
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        return set_value(f->config, s, number, err);
    case NUMBER:
        if (!json_is_number(v))
            return wrong_type("a number", v, err);
        snprintf(number, sizeof number, "%.17g", json_number_value(v));
        return set_value(f->config, s, number, err);
    case BOOLEAN:
        if (!json_is_boolean(v))
            return wrong_type("true or false", v, err);
        return set_value(f->config, s, json_is_true(v) ? "true" : "false", err);
    default:
        /* ":8080" needs no quotes, and "0" is not worth an error. */
        if (json_is_integer(v) && json_integer_value(v) == 0 && s->type == TEXT)
            return set_value(f->config, s, "0", err);
        if (!json_is_string(v))
            return wrong_type(s->type == DURATION ? "a duration like 5m" : "a text", v, err);
        return set_value(f->config, s, json_string_value(v), err);
    }
}

static int read_plugin_path(const struct file *f, const json_t *list, struct es_error *err)
{
    json_t *item;
    size_t i;

    if (!json_is_array(list))
        return wrong_type("a list of directories", list, err);
    json_array_foreach(list, i, item)
    {
        if (!json_is_string(item))
            return wrong_type("a directory", item, err);
        int rc = add_path(f->config, f->dir, json_string_value(item), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* {name|path, optional, config} */
static int read_plugin_block(const struct file *f, const json_t *item, const char *origin, struct es_error *err)
{
    const json_t *name = json_object_get(item, "name"), *path = json_object_get(item, "path");
    const json_t *optional = json_object_get(item, "optional"), *config = json_object_get(item, "config");
    struct es_plugin_entry *entry = NULL;
    const char *key;
    json_t *v;

    json_object_foreach((json_t *)(uintptr_t)item, key, v)
        if (!es_streq(key, "name") && !es_streq(key, "path") && !es_streq(key, "optional") && !es_streq(key, "config")) {
            es_error_set(err, ES_E_CONFIG, "unknown key; a plugin has name or path, optional, config");
            return fail_at(f, item, key, err);
        }
    if ((name != NULL) == (path != NULL))
        return es_error_set(err, ES_E_CONFIG, "a plugin has either a name (looked up in pluginPath) or a path");
    if (!json_is_string(name ? name : path))
        return wrong_type(name ? "a name" : "a path", name ? name : path, err);
    if (optional && !json_is_boolean(optional)) {
        wrong_type("true or false", optional, err);
        return fail_at(f, item, "optional", err);
    }
    if (config && !json_is_object(config)) {
        wrong_type("a mapping", config, err);
        return fail_at(f, item, "config", err);
    }
    const char *text = json_string_value(name ? name : path);
    if (path && !strchr(text, '/')) {
        es_error_set(err, ES_E_CONFIG, "\"%s\" has no slash: use name for what is looked up in pluginPath", text);
        return fail_at(f, item, "path", err);
    }
    int rc = add_plugin(f->config, f->dir, text, origin, &entry, err);
    if (rc == 0) {
        entry->optional = json_is_true(optional);
        entry->config = config;
    }
    return rc;
}

static int read_plugins(const struct file *f, const json_t *list, struct es_error *err)
{
    char origin[512];
    json_t *item;
    size_t i;

    if (!json_is_array(list))
        return wrong_type("a list of plugins", list, err);
    f->config->plugins_given = true;
    json_array_foreach(list, i, item)
    {
        snprintf(origin, sizeof origin, "%s:%d", f->name, es_yaml_line_of_index(f->doc, list, i));
        int rc = json_is_string(item) ? add_plugin(f->config, f->dir, json_string_value(item), origin, NULL, err)
                 : json_is_object(item)
                     ? read_plugin_block(f, item, origin, err)
                     : wrong_type("a name, or a mapping with name or path", item, err);
        if (rc < 0)
            return strstr(err->text, f->name) ? rc : es_error_wrap(err, "%s: ", origin);
    }
    return 0;
}

static const struct setting *setting_by_key(const char *key)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i].key && es_streq(settings[i].key, key))
            return &settings[i];
    return NULL;
}

/* The known key that is nearest to a misspelt one, by letters alone. */
static const char *similar_key(const char *key)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        const char *flag = settings[i].flag;
        if (settings[i].key && (es_strieq(settings[i].key, key) || es_streq(flag, key)))
            return settings[i].key;
    }
    return NULL;
}

static int read_key(const struct file *f, const char *key, const json_t *v, struct es_error *err)
{
    const struct setting *s = setting_by_key(key);

    if (s)
        return read_setting(f, s, v, err);
    if (es_streq(key, "pluginPath"))
        return read_plugin_path(f, v, err);
    if (es_streq(key, "plugins"))
        return read_plugins(f, v, err);
    const char *similar = similar_key(key);
    if (similar)
        return es_error_set(err, ES_E_CONFIG, "unknown key; did you mean %s?", similar);
    return es_error_set(err, ES_E_CONFIG, "unknown key; docs/configuration.md lists the known ones");
}

static int read_file(struct es_config *c, const char *path, struct es_error *err)
{
    struct hold *h = c->hold;
    int rc = es_yaml_load(&h->yaml, path, err);
    if (rc < 0)
        return rc;
    if (h->yaml.count > 1)
        return es_error_set(err, ES_E_CONFIG, "%s:%d: one document is expected, here begins a second one", path,
                            h->yaml.docs[1].line);
    if (!h->yaml.count)
        return 0;
    struct file f = {.config = c, .name = path, .dir = es_path_dir(path), .doc = &h->yaml.docs[0]};
    const char *key;
    json_t *v;
    if (!f.dir)
        return es_error_nomem(err);
    if (!json_is_object(f.doc->root))
        rc = es_error_set(err, ES_E_CONFIG, "%s:%d: expected a mapping, got %s", path, f.doc->line,
                          type_name(f.doc->root));
    else
        json_object_foreach(f.doc->root, key, v)
        {
            rc = read_key(&f, key, v, err);
            if (rc < 0) {
                if (strncmp(err->text, path, strlen(path)) != 0)
                    rc = fail_at(&f, f.doc->root, key, err);
                break;
            }
        }
    es_mem_free(f.dir);
    return rc;
}

/* ---- flags ---- */

struct flag {
    char name[64];
    const char *value; /* NULL: none after '=' */
};

static bool read_flag(const char *arg, struct flag *ret)
{
    size_t len = strcspn(arg, "=");

    if (arg[0] != '-' || !arg[1] || es_streq(arg, "--"))
        return false;
    size_t dashes = arg[1] == '-' ? 2 : 1;
    if (len - dashes >= sizeof ret->name || len <= dashes)
        return false;
    memcpy(ret->name, arg + dashes, len - dashes);
    ret->name[len - dashes] = '\0';
    ret->value = arg[len] ? arg + len + 1 : NULL;
    return true;
}

static const struct setting *setting_by_flag(const char *name, unsigned command)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i].commands & command && es_streq(settings[i].flag, name))
            return &settings[i];
    return NULL;
}

static bool note_moot(struct hold *h, const char *name)
{
    for (size_t i = 0; i < MOOT; i++)
        if (es_streq(moot[i], name)) {
            if (h->ignored_count < MOOT)
                h->ignored[h->ignored_count++] = moot[i];
            return true;
        }
    return false;
}

/* Takes argv[*i], and the value behind it where it needs one. 1: not a flag of
 * ours. */
static int take_flag(struct es_config *c, unsigned command, int argc, char **argv, int *i, struct es_error *err)
{
    struct flag flag;

    if (!read_flag(argv[*i], &flag))
        return 1;
    const struct setting *s = setting_by_flag(flag.name, command);
    bool path = es_streq(flag.name, "plugin-path"), plugin = es_streq(flag.name, "plugin");
    if (!s && !path && !plugin)
        return command & ES_FOR_RUN && note_moot(c->hold, flag.name) ? 0 : 1;
    const char *value = flag.value;
    if (!value && s && s->type == BOOLEAN)
        value = "true";
    if (!value) {
        if (*i + 1 >= argc)
            return es_error_set(err, ES_E_CONFIG, "--%s needs a value", flag.name);
        value = argv[++*i];
    }
    int rc = path     ? add_path(c, NULL, value, err)
             : plugin ? add_plugin(c, NULL, value, "--plugin", NULL, err)
                      : set_value(c, s, value, err);
    return rc < 0 ? es_error_wrap(err, "--%s: ", flag.name) : 0;
}

static int take_flags(struct es_config *c, unsigned command, int *argc, char **argv, struct es_error *err)
{
    int left = 0;

    for (int i = 0; i < *argc; i++) {
        int at = i;
        int rc = take_flag(c, command, *argc, argv, &i, err);
        if (rc < 0)
            return rc;
        if (rc == 1)
            argv[left++] = argv[at];
    }
    *argc = left;
    return 0;
}

/* --config decides which file is read before the other flags are. */
static const char *find_config_flag(int argc, char **argv)
{
    struct flag flag;
    const char *path = NULL;

    for (int i = 0; i < argc; i++)
        if (read_flag(argv[i], &flag) && es_streq(flag.name, "config"))
            path = flag.value ? flag.value : i + 1 < argc ? argv[i + 1] : NULL;
    return path;
}

/* ---- all of it ---- */

static int set_defaults(struct es_config *c, struct es_error *err)
{
    for (size_t i = 0; i < SETTINGS; i++) {
        int rc = set_value(c, &settings[i], settings[i].fallback, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int add_default_path(struct es_config *c, struct es_error *err)
{
    char *beside = es_path_beside_program("../lib/esod/plugins");
    int rc = 0;

    if (c->plugin_path_count)
        goto out;
    if (beside)
        rc = add_path(c, NULL, beside, err);
    if (rc == 0 && !es_streq(beside, ESOD_PLUGIN_DIR))
        rc = add_path(c, NULL, ESOD_PLUGIN_DIR, err);
out:
    es_mem_free(beside);
    return rc;
}

int es_config_load(struct es_config *ret, unsigned command, int *argc, char **argv, struct es_error *err)
{
    const char *file = find_config_flag(*argc, argv);

    *ret = (struct es_config){.hold = calloc(1, sizeof(struct hold))};
    if (!ret->hold)
        return es_error_nomem(err);
    if (!file && command & ES_FOR_RUN && access(DEFAULT_FILE, R_OK) == 0)
        file = DEFAULT_FILE;
    int rc = set_defaults(ret, err);
    if (rc == 0 && file) {
        rc = read_file(ret, file, err);
        ret->config = file;
    }
    if (rc == 0)
        rc = take_flags(ret, command, argc, argv, err);
    if (rc == 0)
        rc = add_default_path(ret, err);
    if (rc < 0)
        es_config_fini(ret);
    return rc;
}

void es_config_fini(struct es_config *c)
{
    struct hold *h = c->hold;
    if (!h)
        return;
    for (size_t i = 0; i < h->text_count; i++)
        es_mem_free(h->texts[i]);
    free(h->texts);
    es_yaml_fini(&h->yaml);
    free(h);
    *c = (struct es_config){0};
}

const char *const *es_config_ignored(const struct es_config *c)
{
    return ((struct hold *)c->hold)->ignored;
}

/* ---- telling ---- */

static const char *value_name(const struct setting *s)
{
    static const char *const names[] = {
        [TEXT] = "TEXT", [INTEGER] = "N", [NUMBER] = "N", [BOOLEAN] = "", [DURATION] = "DURATION", [LEVEL] = "LEVEL",
        [TIME_ENCODING] = "ENCODING", [LOG_FORMAT] = "FORMAT"};
    return names[s->type];
}

static void add_flag_help(struct es_buf *out, const char *flag, const char *value, const char *fallback,
                          const char *help)
{
    char left[64];
    snprintf(left, sizeof left, "--%s%s%s", flag, *value ? " " : "", value);
    es_buf_addf(out, "  %-34s %s%s%s%s\n", left, help, *fallback ? " Default: " : "", fallback, *fallback ? "." : "");
}

void es_config_help(struct es_buf *out, unsigned command)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i].commands & command)
            add_flag_help(out, settings[i].flag, value_name(&settings[i]), settings[i].fallback, settings[i].help);
    add_flag_help(out, "plugin-path", "DIR", "", "Where plugins are looked up by name; again for more.");
    add_flag_help(out, "plugin", "NAME", "", "A plugin to load, by name or path; again for more.");
}

void es_config_markdown(struct es_buf *out)
{
    static const char *const types[] = {
        [TEXT] = "text", [INTEGER] = "whole number", [NUMBER] = "number", [BOOLEAN] = "boolean",
        [DURATION] = "duration", [LEVEL] = "text", [TIME_ENCODING] = "text", [LOG_FORMAT] = "text"};

    es_buf_adds(out, "| key | flag | type | default | meaning |\n|---|---|---|---|---|\n");
    for (size_t i = 0; i < SETTINGS; i++) {
        const struct setting *s = &settings[i];
        es_buf_addf(out, "| %s%s%s | `--%s` | %s | %s%s%s | %s |\n", s->key ? "`" : "", s->key ? s->key : "-",
                    s->key ? "`" : "", s->flag, types[s->type], *s->fallback ? "`" : "", *s->fallback ? s->fallback : "-",
                    *s->fallback ? "`" : "", s->help);
    }
}
