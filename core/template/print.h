/* core/template/print.h: values as Go's package fmt prints them. */
#ifndef ES_TEMPLATE_PRINT_H
#define ES_TEMPLATE_PRINT_H

#include "core/base/buf.h"
#include "core/template/value.h"

/* What an action puts out. Nothing prints as "<no value>". */
void es_tprint(struct es_buf *out, const struct es_tvalue *v);

/* %v, with nil as "<nil>". */
void es_tprint_verb_v(struct es_buf *out, const struct es_tvalue *v);

/* Sprint: a space between two operands of which none is a string. Sprintln. */
void es_tprint_all(struct es_buf *out, const struct es_tvalue *values, size_t count);
void es_tprint_line(struct es_buf *out, const struct es_tvalue *values, size_t count);

/* Sprintf. What is wrong with the format or its operands shows in the text, as in Go:
 * "%!d(string=x)". */
void es_tprint_format(struct es_buf *out, const char *format, size_t len, const struct es_tvalue *values,
                      size_t count);

/* One operand under one verb; shared by the two files. */
struct es_tverb {
    struct es_buf *out;
    bool minus, plus, sharp, space, zero;
    bool plus_v, sharp_v; /* %+v, %#v */
    bool has_width, has_precision;
    int width, precision;
};

void es_tverb_print(const struct es_tverb *f, const struct es_tvalue *v, uint32_t verb, int depth);
void es_tverb_fill(struct es_buf *out, char c, long count); /* below 0: nothing */
void es_tverb_pad(const struct es_tverb *f, const char *text, size_t len);

/* False: no verb for such a number. */
bool es_tverb_int(const struct es_tverb *f, uint64_t magnitude, bool negative, bool is_signed, uint32_t verb);
bool es_tverb_float(const struct es_tverb *f, double v, uint32_t verb);
bool es_tverb_string(const struct es_tverb *f, const char *text, size_t len, uint32_t verb);

#endif
