/* core/template/duration.h: Go's time.Duration and the integers with names beside it. */
#ifndef ES_TEMPLATE_DURATION_H
#define ES_TEMPLATE_DURATION_H

#include "core/template/functions.h"

#define ES_TDURATION_TEXT_MAX 40

/* Duration.String: "1h0m1.5s". Returns `out`. */
char *es_tduration_text(int64_t ns, char out[ES_TDURATION_TEXT_MAX]);

/* time.ParseDuration in nanoseconds. False: it is none. */
bool es_tduration_parse(const char *text, size_t len, int64_t *ret_ns);

/* What a Duration, a Month or a Weekday prints as. False: it is none of them. */
bool es_tnamed_int_text(const struct es_tvalue *v, char out[ES_TDURATION_TEXT_MAX]);

/* As es_tclass.field, for values of ES_T_DURATION. False for all others. */
bool es_tduration_method(struct es_tcall *c, const struct es_tvalue *v, const char *name, size_t len,
                         bool *ret_is_method);

#endif
