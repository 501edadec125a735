/* core/base/log.h: one line per event, typed fields, JSON or console.
 *
 * Only the top layers log (controllers, engine, ops, commands). There is no
 * field type for secret bytes on purpose. */
#ifndef ES_BASE_LOG_H
#define ES_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum es_log_level { ES_DEBUG, ES_INFO, ES_WARN, ES_ERROR };
enum es_log_format { ES_LOG_JSON, ES_LOG_CONSOLE };
enum es_log_time {
    ES_TIME_EPOCH,
    ES_TIME_MILLIS,
    ES_TIME_NANO,
    ES_TIME_ISO8601,
    ES_TIME_RFC3339,
    ES_TIME_RFC3339NANO
};

struct es_log_opts {
    enum es_log_level level;
    enum es_log_format format;
    enum es_log_time time;
    bool color; /* console only */
    int fd;     /* where lines go: 2 for stderr */
};

enum es_field_type { ES_FIELD_STR, ES_FIELD_INT, ES_FIELD_BOOL, ES_FIELD_FLOAT };

struct es_field {
    const char *name;
    enum es_field_type type;
    const char *str;
    int64_t num;
    double real;
};

#define ES_F_STR(name_, value_) ((struct es_field){.name = (name_), .type = ES_FIELD_STR, .str = (value_)})
#define ES_F_INT(name_, value_)                                                                              \
    ((struct es_field){.name = (name_), .type = ES_FIELD_INT, .num = (int64_t)(value_)})
#define ES_F_BOOL(name_, value_) ((struct es_field){.name = (name_), .type = ES_FIELD_BOOL, .num = (value_)})
#define ES_F_MS(name_, value_) ES_F_INT(name_, value_)

/* Once, before the first thread; again to change the settings in a program
 * that has no other thread yet. Without it: info, console, stderr. */
void es_log_init(const struct es_log_opts *opts);
bool es_log_enabled(enum es_log_level level);

/* Any thread. `logger` names the part ("controllers.ExternalSecret"). */
void es_log_write(enum es_log_level level, const char *logger, const char *msg, const struct es_field *fields,
                  size_t count);

#define ES_FIELDS_COUNT(...) (sizeof((const struct es_field[]){__VA_ARGS__}) / sizeof(struct es_field))
#define es_log(level, logger, msg, ...)                                                                      \
    do {                                                                                                     \
        if (es_log_enabled(level))                                                                           \
            es_log_write(level, logger, msg, (const struct es_field[]){__VA_ARGS__},                         \
                         ES_FIELDS_COUNT(__VA_ARGS__));                                                      \
    } while (0)
#define es_log_plain(level, logger, msg) es_log_write(level, logger, msg, NULL, 0)

/* Words for the settings; -1 for an unknown one. "dpanic", "panic" and
 * "fatal" of the reference are read as error. */
int es_log_level_parse(const char *word);
int es_log_time_parse(const char *word);

#endif
