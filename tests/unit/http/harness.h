/* tests/unit/http/harness.h: the servers the transport's tests talk to. */
#ifndef TESTS_HTTP_HARNESS_H
#define TESTS_HTTP_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cmocka.h>

#include "core/http/http.h"

struct harness {
    char folder[64]; /* certificates, documents */
    pid_t python, nghttpd;
    int python_stdin, closed_fd;
    int http, https, mutual, alone, elsewhere, expired, proxy, silent, garbage; /* ports of server.py */
    int h2;                                                                     /* nghttpd's */
    int closed;                                                                 /* nobody listens here */
};

/* cmocka group fixtures: *state is the harness. */
int harness_start(void **state);
int harness_start_with_h2(void **state);
int harness_stop(void **state);

/* A file of the folder, NUL-terminated; free(). */
char *harness_read(const struct harness *h, const char *name);

/* A text on a static ring of buffers, for URLs. */
const char *url(const char *scheme, int port, const char *path);

/* True in builds where everything takes several times as long. */
bool is_slow_build(void);

int64_t now_ms(void);
void nap_ms(int ms);

/* Runs `fn` on `count` threads at once and waits for all. */
void on_threads(int count, void *(*fn)(void *), void *arg);

#endif
