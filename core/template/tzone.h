/* core/template/tzone.h: time zones by name, from the machine's zone files. */
#ifndef ES_TEMPLATE_TZONE_H
#define ES_TEMPLATE_TZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/template/gotime.h"

/* What "Europe/Berlin" has at a moment: seconds east of UTC and an abbreviation. False
 * for a name that is none, or unknown to this machine. */
bool es_tzone_at(const char *name, size_t len, int64_t unix_s, int32_t *ret_offset,
                 char ret_abbr[ES_TZONE_MAX]);

/* The same from the content of a zone file (RFC 9636). */
bool es_tzone_in_file(const unsigned char *file, size_t len, int64_t unix_s, int32_t *ret_offset,
                      char ret_abbr[ES_TZONE_MAX]);

/* And from a rule such as "CET-1CEST,M3.5.0,M10.5.0/3" (POSIX TZ). */
bool es_tzone_by_rule(const char *rule, size_t len, int64_t unix_s, int32_t *ret_offset,
                      char ret_abbr[ES_TZONE_MAX]);

#endif
