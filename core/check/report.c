#include "core/check/report.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "core/base/map.h"
#include "core/check/check.h"
#include "core/check/heap.h"
#include "core/plugin/call.h"

/* A plugin that is wrong everywhere needs no thousand sentences. */
#define MAX_LINES 40

static int pipe_fd = -1;
static struct es_report_place *place;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards what follows */
static uint64_t said[MAX_LINES];
static size_t said_count;

void es_report_init(int fd, struct es_report_place *given)
{
    pipe_fd = fd;
    place = given;
    said_count = 0;
}

static void send_line(const char *line, size_t len)
{
    while (len) {
        ssize_t n = write(pipe_fd, line, len);
        if (n <= 0)
            return; /* the parent is gone, and nobody listens */
        line += n;
        len -= (size_t)n;
    }
}

static bool is_new_locked(const char *line, size_t len)
{
    uint64_t hash = es_hash64(line, len);

    for (size_t i = 0; i < said_count; i++)
        if (said[i] == hash)
            return false;
    if (said_count == MAX_LINES)
        return false;
    said[said_count++] = hash;
    return true;
}

static void say(char letter, const char *fmt, va_list ap)
{
    char raw[ES_REPORT_MAX_LINE], line[ES_REPORT_MAX_LINE + 4];
    bool paused = es_heap_pause();

    vsnprintf(raw, sizeof raw, fmt, ap);
    line[0] = letter;
    line[1] = ' ';
    es_call_clean_text(line + 2, sizeof line - 3, (esp_bytes){(const uint8_t *)raw, strlen(raw)});
    size_t len = strlen(line);
    line[len++] = '\n';
    pthread_mutex_lock(&lock);
    if (is_new_locked(line, len))
        send_line(line, len);
    pthread_mutex_unlock(&lock);
    es_heap_resume(paused);
}

#define SAY(name, letter)                                                                                    \
    void name(const char *fmt, ...)                                                                          \
    {                                                                                                        \
        va_list ap;                                                                                          \
        va_start(ap, fmt);                                                                                   \
        say(letter, fmt, ap);                                                                                \
        va_end(ap);                                                                                          \
    }

SAY(es_check_fail, ES_REPORT_FAIL)
SAY(es_check_warn, ES_REPORT_WARN)
SAY(es_check_info, ES_REPORT_INFO)
SAY(es_check_skip, ES_REPORT_SKIP)
SAY(es_check_refuse, ES_REPORT_REFUSE)

void es_check_ran(void)
{
    static const char line[] = {ES_REPORT_RAN, '\n'};
    pthread_mutex_lock(&lock);
    send_line(line, sizeof line);
    pthread_mutex_unlock(&lock);
}

void es_check_at(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(place->text, sizeof place->text, fmt, ap);
    va_end(ap);
    __atomic_add_fetch(&place->step, 1, __ATOMIC_RELAXED);
}

_Noreturn void es_check_done(void)
{
    static const char line[] = {ES_REPORT_DONE, '\n'};
    fflush(NULL);
    send_line(line, sizeof line);
    /* Exit handlers of the plugin's libraries are not what is being checked. */
    _exit(0);
}
