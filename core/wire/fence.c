#include "core/wire/fence.h"

#include <stddef.h>

const char *es_fence_word(unsigned i)
{
    static const char *const words[ES_FENCE_COUNT] = {"no-new-privileges", "seccomp",           "landlock",
                                                      "user-namespace",    "network-namespace", "limits"};
    return i < ES_FENCE_COUNT ? words[i] : NULL;
}
