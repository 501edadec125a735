#include "core/base/sanitized.h"

#if defined(__SANITIZE_THREAD__)

/* The sanitizer asks the program for this by name. A race ends the child, which is what
 * the parent looks for; and there is nobody to wait a second for at the end. */
__attribute__((visibility("default"))) const char *__tsan_default_options(void);

const char *__tsan_default_options(void)
{
    return "halt_on_error=1:atexit_sleep_ms=0";
}

#else

/* ISO C wants something in each file. */
typedef int es_not_sanitized;

#endif
