#include "core/base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "core/base/buf.h"
#include "core/base/clock.h"

#define LINE_MAX_BYTES ((size_t)16 * 1024)

static struct es_log_opts opts = {.level = ES_INFO, .format = ES_LOG_CONSOLE, .fd = 2};
static pthread_mutex_t line_lock = PTHREAD_MUTEX_INITIALIZER; /* one line at a time on opts.fd */
static const char *const level_names[] = {"debug", "info", "warn", "error"};
static const char *const level_colors[] = {"\033[35m", "\033[34m", "\033[33m", "\033[31m"};

void es_log_init(const struct es_log_opts *o)
{
    opts = *o;
}

bool es_log_enabled(enum es_log_level level)
{
    return level >= opts.level;
}

static void add_stamp(struct es_buf *b, int64_t ns, const char *fraction_fmt, int64_t fraction)
{
    char text[40];
    struct tm tm;
    time_t s = (time_t)(ns / 1000000000);
    gmtime_r(&s, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    es_buf_adds(b, text);
    if (fraction_fmt) {
        char part[16];
        /* The format is one of ours, below. */
        snprintf(part, sizeof part, strcmp(fraction_fmt, "ms") == 0 ? ".%03lld" : ".%09lld",
                 (long long)fraction);
        es_buf_adds(b, part);
    }
    es_buf_addc(b, 'Z');
}

static void add_time(struct es_buf *b, bool quoted)
{
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    int64_t ns = (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
    bool text = opts.time >= ES_TIME_ISO8601;

    if (text && quoted)
        es_buf_addc(b, '"');
    switch (opts.time) {
    case ES_TIME_EPOCH:
        es_buf_addf(b, "%lld.%07lld", (long long)(ns / 1000000000), (long long)(ns % 1000000000 / 100));
        break;
    case ES_TIME_MILLIS:
        es_buf_addf(b, "%lld.%06lld", (long long)(ns / 1000000), (long long)(ns % 1000000));
        break;
    case ES_TIME_NANO:
        es_buf_addf(b, "%lld", (long long)ns);
        break;
    case ES_TIME_ISO8601:
        add_stamp(b, ns, "ms", ns % 1000000000 / 1000000);
        break;
    case ES_TIME_RFC3339:
        add_stamp(b, ns, NULL, 0);
        break;
    case ES_TIME_RFC3339NANO:
        add_stamp(b, ns, "ns", ns % 1000000000);
        break;
    }
    if (text && quoted)
        es_buf_addc(b, '"');
}

static void add_value(struct es_buf *b, const struct es_field *f)
{
    switch (f->type) {
    case ES_FIELD_STR:
        es_buf_add_json(b, f->str ? f->str : "", f->str ? strlen(f->str) : 0);
        break;
    case ES_FIELD_INT:
        es_buf_addf(b, "%lld", (long long)f->num);
        break;
    case ES_FIELD_BOOL:
        es_buf_adds(b, f->num ? "true" : "false");
        break;
    case ES_FIELD_FLOAT:
        es_buf_addf(b, "%.6g", f->real);
        break;
    }
}

static void add_json_line(struct es_buf *b, enum es_log_level level, const char *logger, const char *msg,
                          const struct es_field *fields, size_t count)
{
    es_buf_addf(b, "{\"level\":\"%s\",\"ts\":", level_names[level]);
    add_time(b, true);
    if (logger && *logger) {
        es_buf_adds(b, ",\"logger\":");
        es_buf_add_json(b, logger, strlen(logger));
    }
    es_buf_adds(b, ",\"msg\":");
    es_buf_add_json(b, msg, strlen(msg));
    for (size_t i = 0; i < count; i++) {
        es_buf_addc(b, ',');
        es_buf_add_json(b, fields[i].name, strlen(fields[i].name));
        es_buf_addc(b, ':');
        add_value(b, &fields[i]);
    }
    es_buf_adds(b, "}\n");
}

static void add_console_line(struct es_buf *b, enum es_log_level level, const char *logger, const char *msg,
                             const struct es_field *fields, size_t count)
{
    add_time(b, false);
    if (opts.color)
        es_buf_addf(b, " %s%-5s\033[0m ", level_colors[level], level_names[level]);
    else
        es_buf_addf(b, " %-5s ", level_names[level]);
    if (logger && *logger)
        es_buf_addf(b, "%s: ", logger);
    es_buf_adds(b, msg);
    for (size_t i = 0; i < count; i++) {
        es_buf_addf(b, " %s=", fields[i].name);
        add_value(b, &fields[i]);
    }
    es_buf_addc(b, '\n');
}

static void write_all(int fd, const char *p, size_t len)
{
    while (len) {
        ssize_t n = write(fd, p, len);
        if (n <= 0)
            return; /* nobody to tell */
        p += n;
        len -= (size_t)n;
    }
}

void es_log_write(enum es_log_level level, const char *logger, const char *msg, const struct es_field *fields,
                  size_t count)
{
    if (!es_log_enabled(level))
        return;
    struct es_buf line;
    es_buf_init(&line, LINE_MAX_BYTES);
    if (opts.format == ES_LOG_JSON)
        add_json_line(&line, level, logger, msg, fields, count);
    else
        add_console_line(&line, level, logger, msg, fields, count);
    if (es_buf_failed(&line)) {
        es_buf_reset(&line);
        es_buf_adds(&line, "{\"level\":\"error\",\"msg\":\"a log line was too long\"}\n");
    }
    pthread_mutex_lock(&line_lock);
    write_all(opts.fd, es_buf_str(&line), line.len);
    pthread_mutex_unlock(&line_lock);
    es_buf_fini(&line);
}

int es_log_level_parse(const char *word)
{
    static const char *const severe[] = {"dpanic", "panic", "fatal"};

    for (int i = 0; i <= ES_ERROR; i++)
        if (strcasecmp(word, level_names[i]) == 0)
            return i;
    for (size_t i = 0; i < sizeof severe / sizeof *severe; i++)
        if (strcasecmp(word, severe[i]) == 0)
            return ES_ERROR;
    return -1;
}

int es_log_time_parse(const char *word)
{
    static const char *const names[] = {"epoch", "millis", "nano", "iso8601", "rfc3339", "rfc3339nano"};
    for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
        if (strcasecmp(word, names[i]) == 0)
            return i;
    return -1;
}
