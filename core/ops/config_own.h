/* core/ops/config_own.h: what the files of the configuration share. */
#ifndef ES_OPS_CONFIG_OWN_H
#define ES_OPS_CONFIG_OWN_H

#include "core/base/yaml.h"
#include "core/ops/config.h"

/* A path in the file is relative to the folder of the file. */
enum es_setting_type {
    ES_SET_TEXT,
    ES_SET_PATH,
    ES_SET_INTEGER,
    ES_SET_NUMBER,
    ES_SET_BOOLEAN,
    ES_SET_DURATION,
    ES_SET_LEVEL,
    ES_SET_TIME_ENCODING,
    ES_SET_LOG_FORMAT,
    ES_SET_ISOLATION,
    ES_SET_DIRS,
    ES_SET_PLUGINS
};

struct es_setting {
    const char *flag, *key; /* key NULL: no place in the file */
    enum es_setting_type type;
    size_t offset;
    const char *fallback; /* "" is NULL for texts */
    unsigned commands;
    int64_t least, most; /* of integers; of durations in ms */
    const char *help;
};

/* All of them; a NULL flag at the end. */
extern const struct es_setting es_settings_table[];

/* What a config owns: texts, and the file's tree. */
struct es_config_hold {
    struct es_yaml yaml;
    char **texts;
    size_t text_count;
    const char **lists[2 * ES_CONFIG_LIST_MAX + 2]; /* two for each plugin, and those of the one too many */
    size_t list_count;
    const char **ignored; /* NULL at the end */
    size_t ignored_count;
    size_t flag_paths; /* so many of plugin_path came from flags; they are in front */
};

/* A copy that lives as long as the config; NULL without memory. */
const char *es_config_keep(struct es_config *c, const char *text);

/* The same of a path as it is seen from `dir` (NULL: from here). */
const char *es_config_keep_path(struct es_config *c, const char *dir, const char *path);

/* Room for so many texts and a NULL behind them, for as long; NULL without memory
 * and when every plugin there can be has had one. */
const char **es_config_keep_list(struct es_config *c, size_t count);

/* "process" or "none". */
int es_config_isolation(enum es_isolation *ret, const char *value, struct es_error *err);

/* Checks a text and stores what it says. Not for lists. */
int es_config_set(struct es_config *c, const struct es_setting *s, const char *value, struct es_error *err);

/* Adds to the plugin path, before what is at `place`. */
int es_config_add_path(struct es_config *c, size_t place, const char *dir, const char *path,
                       struct es_error *err);
int es_config_add_plugin(struct es_config *c, const char *dir, const char *name, const char *origin,
                         struct es_plugin_entry **ret, struct es_error *err);

/* Settings from a file. */
int es_config_read_file(struct es_config *c, const char *path, struct es_error *err);

/* A file that is being read. */
struct es_config_file {
    struct es_config *config;
    const char *name;
    char *dir;
    const struct es_yaml_doc *doc;
};

/* Its list of plugins: names, or mappings. */
int es_config_read_plugins(const struct es_config_file *f, const json_t *list, struct es_error *err);

/* Puts "FILE:LINE: KEY: " before the error. */
int es_config_fail_at(const struct es_config_file *f, const json_t *parent, const char *key,
                      struct es_error *err);

/* "expected WANTED, got ..." */
int es_config_wrong_type(const char *wanted, const json_t *v, struct es_error *err);

/* The value of --config, which is wanted before all others; NULL: not given. */
const char *es_config_file_flag(int argc, char **argv);

/* Takes the flags that a command knows out of argv. */
int es_config_take_flags(struct es_config *c, unsigned command, int *argc, char **argv, struct es_error *err);

#endif
