/* core/template/literal.h: numbers as Go's strconv reads them. */
#ifndef ES_TEMPLATE_LITERAL_H
#define ES_TEMPLATE_LITERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ParseUint, ParseInt: base 0 takes prefixes (0x 0o 0b 0) and underscores. False for
 * bad syntax, then *ret is untouched, and for what does not fit, then it is the
 * nearest number that does. */
bool es_go_parse_uint(const char *s, size_t len, int base, uint64_t *ret);
bool es_go_parse_int(const char *s, size_t len, int base, int64_t *ret);

/* ParseFloat. False also for what is too large. */
bool es_go_parse_float(const char *s, size_t len, double *ret);

/* 0 to 15, or -1. */
int es_hex_digit(char c);

#endif
