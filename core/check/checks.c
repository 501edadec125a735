/* The checks in their order, as data. */
#include <stddef.h>

#include "core/base/text.h"
#include "core/check/check.h"
#include "core/check/tries.h"

const struct es_check es_checks[] = {
    {.id = "load", .title = "can be loaded, and its tables are in order", .run = es_try_load, .bare = true},
    {.id = "exports", .title = "exports its entry and nothing else", .run = es_try_exports, .bare = true},
    {.id = "symbols",
     .title = "leaves no symbol open and no page unprotected",
     .run = es_try_symbols,
     .bare = true},
    {.id = "handshake",
     .title = "answers cores of every minor version, and does nothing else",
     .run = es_try_handshake,
     .bare = true,
     .step_s = 10},
    {.id = "sizes", .title = "touches nothing beyond a struct's size", .run = es_try_sizes},
    {.id = "schema", .title = "has a schema that explains itself", .run = es_try_schema},
    {.id = "capabilities", .title = "promises what it has", .run = es_try_capabilities},
    {.id = "documents",
     .title = "survives documents that no core writes",
     .run = es_try_documents,
     .step_s = 10},
    {.id = "deadline", .title = "stops when its time is over", .run = es_try_deadline, .step_s = 5},
    {.id = "cancel", .title = "stops when a service says so", .run = es_try_cancel, .step_s = 5},
    {.id = "memory",
     .title = "survives an allocation that fails",
     .run = es_try_memory,
     .crash_is_warning = true},
    {.id = "memory-limit",
     .title = "comes back when memory is limited",
     .run = es_try_memory_limit,
     .crash_is_warning = true},
    {.id = "emit-after-fail",
     .title = "keeps the rules of emit, fail and the other services",
     .run = es_try_emit},
    {.id = "secrets", .title = "says no secret aloud", .run = es_try_secrets},
    {.id = "http-answers", .title = "draws the right conclusion from a backend's answer", .run = es_try_http},
    {.id = "values",
     .title = "has the values that it is asked for",
     .run = es_try_values,
     .live = true,
     .step_s = 40},
    {.id = "concurrency", .title = "works on several threads", .run = es_try_concurrency, .step_s = 120},
    {.id = "leaks", .title = "gives back what it takes", .run = es_try_leaks, .step_s = 60},
    {.id = "residue", .title = "leaves the process as it was", .run = es_try_residue},
};

const int es_check_count = (int)(sizeof es_checks / sizeof *es_checks);

const struct es_check *es_check_find(const char *id)
{
    for (int i = 0; i < es_check_count; i++)
        if (es_streq(es_checks[i].id, id))
            return &es_checks[i];
    return NULL;
}
