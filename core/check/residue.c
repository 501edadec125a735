#include "core/check/residue.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "core/base/map.h"
#include "core/check/check.h"

extern char **environ;

static uint64_t hash_text(const char *text)
{
    return es_hash64(text, strlen(text));
}

static uint64_t hash_environment(void)
{
    uint64_t sum = 0;

    for (char **at = environ; at && *at; at++)
        sum = sum * 31 + hash_text(*at);
    return sum;
}

static uint64_t hash_cwd(void)
{
    char path[PATH_MAX];
    return hash_text(getcwd(path, sizeof path) ? path : "?");
}

static size_t count_entries(const char *folder)
{
    DIR *d = opendir(folder);
    size_t count = 0;

    while (d && readdir(d))
        count++;
    if (d)
        closedir(d);
    return count;
}

size_t es_residue_threads(void)
{
    return count_entries("/proc/self/task");
}

size_t es_residue_fds(void)
{
    return count_entries("/proc/self/fd");
}

void es_residue_take(struct es_residue *ret)
{
    memset(ret, 0, sizeof *ret);
    ret->threads = es_residue_threads();
    for (int fd = 0; fd < ES_RESIDUE_FDS; fd++)
        ret->fds[fd] = fcntl(fd, F_GETFD) >= 0;
    ret->environment = hash_environment();
    ret->locale = hash_text(setlocale(LC_ALL, NULL));
    ret->cwd = hash_cwd();
    ret->mask = umask(0);
    umask(ret->mask);
    pthread_sigmask(SIG_BLOCK, NULL, &ret->blocked);
    for (int i = 1; i < ES_RESIDUE_SIGNALS; i++)
        sigaction(i, NULL, &ret->actions[i]);
    for (int i = 0; i < RLIMIT_NLIMITS; i++)
        getrlimit((__rlimit_resource_t)i, &ret->limits[i]);
}

/* ---- comparing ---- */

static void compare_fds(const struct es_residue *a, const struct es_residue *b, const char *who)
{
    char link[40], path[200] = "?";

    for (int fd = 0; fd < ES_RESIDUE_FDS; fd++) {
        if (a->fds[fd] && !b->fds[fd])
            es_check_fail("%s closed the file descriptor %d, which is not its own", who, fd);
        if (a->fds[fd] || !b->fds[fd])
            continue;
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, path, sizeof path - 1);
        if (n > 0)
            path[n] = '\0';
        es_check_fail("%s left a file descriptor open: %s", who, path);
    }
}

static void compare_signals(const struct es_residue *a, const struct es_residue *b, const char *who)
{
    if (memcmp(&a->blocked, &b->blocked, sizeof a->blocked) != 0)
        es_check_fail("%s changed which signals are blocked", who);
    for (int i = 1; i < ES_RESIDUE_SIGNALS; i++)
        if (a->actions[i].sa_handler != b->actions[i].sa_handler)
            es_check_fail("%s changed what happens on signal %d", who, i);
}

static void compare_children(const char *who)
{
    if (waitpid(-1, NULL, WNOHANG) >= 0 || errno != ECHILD)
        es_check_fail("%s left a child process behind", who);
}

/* A thread that was joined a moment ago may still be in /proc. */
static bool has_more_threads(const struct es_residue *a, struct es_residue *b)
{
    const struct timespec moment = {.tv_nsec = 5000000};

    for (int i = 0; i < 20 && b->threads > a->threads; i++) {
        nanosleep(&moment, NULL);
        b->threads = es_residue_threads();
    }
    return b->threads > a->threads;
}

void es_residue_compare(struct es_residue *before, const char *who)
{
    struct es_residue now;

    es_residue_take(&now);
    if (has_more_threads(before, &now))
        es_check_fail("%s left %zu more thread%s running", who, now.threads - before->threads,
                      now.threads - before->threads == 1 ? "" : "s");
    compare_fds(before, &now, who);
    if (before->environment != now.environment)
        es_check_fail("%s changed the environment", who);
    if (before->locale != now.locale)
        es_check_fail("%s changed the locale", who);
    if (before->cwd != now.cwd)
        es_check_fail("%s changed the working directory", who);
    if (before->mask != now.mask)
        es_check_fail("%s changed the umask", who);
    compare_signals(before, &now, who);
    if (memcmp(before->limits, now.limits, sizeof now.limits) != 0)
        es_check_fail("%s changed a resource limit", who);
    compare_children(who);
    *before = now;
}
