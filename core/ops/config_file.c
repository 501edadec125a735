/* The configuration file. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/ops/config_own.h"
#include "core/ops/paths.h"

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

static int read_path(const struct file *f, const struct es_setting *s, const char *path, struct es_error *err)
{
    const char *full = *path ? es_config_keep_path(f->config, f->dir, path) : path;
    return full ? es_config_set(f->config, s, full, err) : es_error_nomem(err);
}

static int read_setting(const struct file *f, const struct es_setting *s, const json_t *v,
                        struct es_error *err)
{
    char number[64];

    switch (s->type) {
    case ES_SET_INTEGER:
        if (!json_is_integer(v))
            return wrong_type("a whole number", v, err);
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        return es_config_set(f->config, s, number, err);
    case ES_SET_NUMBER:
        if (!json_is_number(v))
            return wrong_type("a number", v, err);
        snprintf(number, sizeof number, "%.17g", json_number_value(v));
        return es_config_set(f->config, s, number, err);
    case ES_SET_BOOLEAN:
        if (!json_is_boolean(v))
            return wrong_type("true or false", v, err);
        return es_config_set(f->config, s, json_is_true(v) ? "true" : "false", err);
    default:
        /* ":8080" needs no quotes, and "0" is not worth an error. */
        if (json_is_integer(v) && json_integer_value(v) == 0 && s->type == ES_SET_TEXT)
            return es_config_set(f->config, s, "0", err);
        if (!json_is_string(v))
            return wrong_type(s->type == ES_SET_DURATION ? "a duration like 5m" : "a text", v, err);
        return s->type == ES_SET_PATH ? read_path(f, s, json_string_value(v), err)
                                      : es_config_set(f->config, s, json_string_value(v), err);
    }
}

static int read_plugin_path(const struct file *f, const json_t *list, struct es_error *err)
{
    json_t *item;
    size_t i;

    if (!json_is_array(list))
        return wrong_type("a list of directories", list, err);
    json_array_foreach (list, i, item) {
        if (!json_is_string(item))
            return wrong_type("a directory", item, err);
        int rc =
            es_config_add_path(f->config, f->config->plugin_path_count, f->dir, json_string_value(item), err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* {name|path, optional, config} */
static int read_plugin_block(const struct file *f, const json_t *item, const char *origin,
                             struct es_error *err)
{
    const json_t *name = json_object_get(item, "name"), *path = json_object_get(item, "path");
    const json_t *optional = json_object_get(item, "optional"), *config = json_object_get(item, "config");
    struct es_plugin_entry *entry = NULL;
    const char *key;
    json_t *v;

    json_object_foreach ((json_t *)(uintptr_t)item, key, v)
        if (!es_streq(key, "name") && !es_streq(key, "path") && !es_streq(key, "optional") &&
            !es_streq(key, "config")) {
            es_error_set(err, ES_E_CONFIG, "unknown key; a plugin has name or path, optional, config");
            return fail_at(f, item, key, err);
        }
    if ((name != NULL) == (path != NULL))
        return es_error_set(err, ES_E_CONFIG,
                            "a plugin has either a name (looked up in pluginPath) or a path");
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
        es_error_set(err, ES_E_CONFIG, "\"%s\" has no slash: use name for what is looked up in pluginPath",
                     text);
        return fail_at(f, item, "path", err);
    }
    int rc = es_config_add_plugin(f->config, f->dir, text, origin, &entry, err);
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
    json_array_foreach (list, i, item) {
        snprintf(origin, sizeof origin, "%s:%d", f->name, es_yaml_line_of_index(f->doc, list, i));
        int rc = json_is_string(item)
                     ? es_config_add_plugin(f->config, f->dir, json_string_value(item), origin, NULL, err)
                 : json_is_object(item) ? read_plugin_block(f, item, origin, err)
                                        : wrong_type("a name, or a mapping with name or path", item, err);
        if (rc < 0)
            return strstr(err->text, f->name) ? rc : es_error_wrap(err, "%s: ", origin);
    }
    return 0;
}

static const struct es_setting *setting_by_key(const char *key)
{
    for (const struct es_setting *s = es_settings_table; s->flag; s++)
        if (s->key && es_streq(s->key, key))
            return s;
    return NULL;
}

#define KEY_MAX 64

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many letters have to be added, dropped or changed to make one of the other
 * (Levenshtein), whatever their case. Both are shorter than KEY_MAX. */
static size_t edits_between(const char *a, const char *b)
{
    size_t row[KEY_MAX], len = strlen(b);

    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t same = diagonal + (tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]));
            diagonal = row[j];
            row[j] = least(same, least(row[j], row[j - 1]) + 1);
        }
    }
    return row[len];
}

/* The known key that was most likely meant: by its flag's name, or nearly the
 * same letters. NULL: none is near. */
static const char *similar_key(const char *key)
{
    const char *best = NULL;
    size_t best_edits = least(3, strlen(key) / 3 + 1);

    if (strlen(key) >= KEY_MAX)
        return NULL;
    for (const struct es_setting *s = es_settings_table; s->flag; s++) {
        size_t edits = !s->key ? SIZE_MAX : es_streq(s->flag, key) ? 0 : edits_between(key, s->key);
        if (edits < best_edits) {
            best_edits = edits;
            best = s->key;
        }
    }
    return best;
}

static int read_key(const struct file *f, const char *key, const json_t *v, struct es_error *err)
{
    const struct es_setting *s = setting_by_key(key);

    if (s)
        return s->type == ES_SET_DIRS      ? read_plugin_path(f, v, err)
               : s->type == ES_SET_PLUGINS ? read_plugins(f, v, err)
                                           : read_setting(f, s, v, err);
    const char *similar = similar_key(key);
    if (similar)
        return es_error_set(err, ES_E_CONFIG, "unknown key; did you mean %s?", similar);
    return es_error_set(err, ES_E_CONFIG, "unknown key; docs/configuration.md lists the known ones");
}

int es_config_read_file(struct es_config *c, const char *path, struct es_error *err)
{
    struct es_config_hold *h = c->hold;
    int rc = es_yaml_load(&h->yaml, path, err);
    if (rc < 0 && rc != ES_E_NOMEM)
        err->code = ES_E_CONFIG; /* whatever ails the file, its author has to act */
    if (rc < 0)
        return err->code;
    if (h->yaml.count > 1)
        return es_error_set(err, ES_E_CONFIG, "%s:%d: one document is expected, here begins a second one",
                            path, h->yaml.docs[1].line);
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
        json_object_foreach (f.doc->root, key, v) {
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
