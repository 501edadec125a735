/* core/check/residue.h: what belongs to the process and not to a plugin. A
 * snapshot before and one after tell what was left behind or changed. */
#ifndef ES_CHECK_RESIDUE_H
#define ES_CHECK_RESIDUE_H

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define ES_RESIDUE_FDS 256
#define ES_RESIDUE_SIGNALS 65

struct es_residue {
    size_t threads;
    unsigned char fds[ES_RESIDUE_FDS]; /* 1: open */
    uint64_t environment, locale, cwd;
    mode_t mask;
    sigset_t blocked;
    struct sigaction actions[ES_RESIDUE_SIGNALS];
    struct rlimit limits[RLIMIT_NLIMITS];
};

void es_residue_take(struct es_residue *ret);

/* Compares `before` with now, reports each difference as a failure of `who` ("get of
 * component x"), and makes `before` the state of now. */
void es_residue_compare(struct es_residue *before, const char *who);

/* Open descriptors, and threads of the process. */
size_t es_residue_fds(void);
size_t es_residue_threads(void);

#endif
