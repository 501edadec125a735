/* core/check/check.h: what a check is, and how it tells what it found.
 *
 * A check runs in a child process of its own, which has the plugin loaded and
 * may crash. It reports through a pipe; what it says is the parent's business
 * (run.h). Everything below may be called on any thread of the child. */
#ifndef ES_CHECK_CHECK_H
#define ES_CHECK_CHECK_H

#include <stdbool.h>

struct es_subject;

struct es_check {
    const char *id;    /* for --only and --skip */
    const char *title; /* the promise, as the end of "the plugin ..." */
    void (*run)(struct es_subject *subject);
    bool bare;             /* the plugin is not loaded before: the check does that */
    bool live;             /* with --live, on the real network */
    bool crash_is_warning; /* a language may end the process here and be right */
    int step_s;            /* seconds that one step (es_check_at) may take; 0: 20 */
};

/* In the order in which they run; the first one decides whether the others do. */
extern const struct es_check es_checks[];
extern const int es_check_count;

/* NULL: there is none. */
const struct es_check *es_check_find(const char *id);

/* A promise is broken. Like the following: one sentence; the same one counts once. */
void es_check_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Allowed, but somebody will be sorry. */
void es_check_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Worth knowing. */
void es_check_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* There is nothing to try, and why. Counts only if nothing else was tried. */
void es_check_skip(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The plugin cannot be used at all: no other check makes sense. */
void es_check_refuse(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Something was really tried. */
void es_check_ran(void);

/* What the plugin is about to do: "get of component x with an empty document". The
 * parent ends its sentence with it when the plugin does not come back. */
void es_check_at(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* The end of a check, without returning from it. */
_Noreturn void es_check_done(void);

#endif
