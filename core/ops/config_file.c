/* The configuration file. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"
#include "core/ops/config_own.h"
#include "core/ops/paths.h"

int es_config_fail_at(const struct es_config_file *f, const json_t *parent, const char *key,
                      struct es_error *err)
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

int es_config_wrong_type(const char *wanted, const json_t *v, struct es_error *err)
{
    return es_error_set(err, ES_E_CONFIG, "expected %s, got %s", wanted, type_name(v));
}

static int read_path(const struct es_config_file *f, const struct es_setting *s, const char *path,
                     struct es_error *err)
{
    const char *full = *path ? es_config_keep_path(f->config, f->dir, path) : path;
    return full ? es_config_set(f->config, s, full, err) : es_error_nomem(err);
}

static int read_setting(const struct es_config_file *f, const struct es_setting *s, const json_t *v,
                        struct es_error *err)
{
    char number[64];

    switch (s->type) {
    case ES_SET_INTEGER:
        if (!json_is_integer(v))
            return es_config_wrong_type("a whole number", v, err);
        snprintf(number, sizeof number, "%lld", (long long)json_integer_value(v));
        return es_config_set(f->config, s, number, err);
    case ES_SET_NUMBER:
        if (!json_is_number(v))
            return es_config_wrong_type("a number", v, err);
        snprintf(number, sizeof number, "%.17g", json_number_value(v));
        return es_config_set(f->config, s, number, err);
    case ES_SET_BOOLEAN:
        if (!json_is_boolean(v))
            return es_config_wrong_type("true or false", v, err);
        return es_config_set(f->config, s, json_is_true(v) ? "true" : "false", err);
    default:
        /* ":8080" needs no quotes, and "0" is not worth an error. */
        if (json_is_integer(v) && json_integer_value(v) == 0 && s->type == ES_SET_TEXT)
            return es_config_set(f->config, s, "0", err);
        if (!json_is_string(v))
            return es_config_wrong_type(s->type == ES_SET_DURATION    ? "a duration like 5m"
                                        : s->type == ES_SET_ISOLATION ? "process or none"
                                                                      : "a text",
                                        v, err);
        return s->type == ES_SET_PATH ? read_path(f, s, json_string_value(v), err)
                                      : es_config_set(f->config, s, json_string_value(v), err);
    }
}

static int read_plugin_path(const struct es_config_file *f, const json_t *list, struct es_error *err)
{
    json_t *item;
    size_t i;

    if (!json_is_array(list))
        return es_config_wrong_type("a list of directories", list, err);
    json_array_foreach (list, i, item) {
        if (!json_is_string(item))
            return es_config_wrong_type("a directory", item, err);
        int rc =
            es_config_add_path(f->config, f->config->plugin_path_count, f->dir, json_string_value(item), err);
        if (rc < 0)
            return rc;
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

static int read_key(const struct es_config_file *f, const char *key, const json_t *v, struct es_error *err)
{
    const struct es_setting *s = setting_by_key(key);

    if (s)
        return s->type == ES_SET_DIRS      ? read_plugin_path(f, v, err)
               : s->type == ES_SET_PLUGINS ? es_config_read_plugins(f, v, err)
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
    struct es_config_file f = {.config = c, .name = path, .dir = es_path_dir(path), .doc = &h->yaml.docs[0]};
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
                    rc = es_config_fail_at(&f, f.doc->root, key, err);
                break;
            }
        }
    es_mem_free(f.dir);
    return rc;
}
