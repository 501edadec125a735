/* core/runner/fence.h: shuts this process in.
 *
 * In two steps, because loading a plugin needs files and already runs code of it
 * (constructors): the first before it is loaded, the second before its first
 * operation. Each part is used if the kernel has it; what could be had is
 * reported. docs/isolation.md lists what each part holds back. */
#ifndef ES_RUNNER_FENCE_H
#define ES_RUNNER_FENCE_H

#include <stdint.h>

#include "core/wire/fence.h"

struct es_fence_opts {
    const char *plugin_file; /* its folder may be read while it is loaded */
    uint64_t memory;         /* bytes of data and stacks; 0: no ceiling */
};

/* No new privileges, limits, namespaces, no capabilities; files can only be read
 * where libraries are; no sockets, programs, processes. Returns ES_FENCE_ bits. */
uint32_t es_fence_before_loading(const struct es_fence_opts *opts);

/* No files at all, and only the system calls that a computation needs. Applies to
 * every thread there is. Returns ES_FENCE_ bits. */
uint32_t es_fence_after_loading(void);

#endif
