/* core/wire/fence.h: what stands between a plugin's process and the rest of the
 * machine. The runner builds as much of it as the kernel allows and tells the
 * core, which logs it. docs/isolation.md says what each part holds back. */
#ifndef ES_WIRE_FENCE_H
#define ES_WIRE_FENCE_H

#include <stdint.h>

/* Bits; part of the runner's hello, so a value never gets another meaning. */
enum es_fence {
    ES_FENCE_NO_NEW_PRIVS = 1 << 0, /* set-uid programs and file capabilities give nothing */
    ES_FENCE_SECCOMP = 1 << 1,      /* system calls: no sockets, files, processes, signals to others */
    ES_FENCE_LANDLOCK = 1 << 2,     /* the file system, should a system call get through */
    ES_FENCE_USER_NS = 1 << 3,      /* nobody in a user namespace of its own, without capabilities */
    ES_FENCE_NET_NS = 1 << 4,       /* a network without interfaces */
    ES_FENCE_LIMITS = 1 << 5        /* memory, open files, core dumps, file size */
};

#define ES_FENCE_COUNT 6

/* "seccomp", ...: the word for bit 1 << i, for people and programs. */
const char *es_fence_word(unsigned i);

#endif
