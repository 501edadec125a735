/* Wants to be two. */
#include <errno.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
#define GET_BODY                                                                                             \
    char text[64];                                                                                           \
    pid_t pid = fork();                                                                                      \
    if (pid == 0)                                                                                            \
        _exit(0);                                                                                            \
    if (pid < 0) {                                                                                           \
        snprintf(text, sizeof text, "cannot fork: %s", strerror(errno));                                     \
        return host->fail(call, ESP_E_DENIED, 0, bytes(text));                                               \
    }                                                                                                        \
    waitpid(pid, NULL, 0);                                                                                   \
    return get_nothing(instance, call, request);
#include "bad.h"
