/* core/template/text_of.h: what several files of functions make of their arguments. */
#ifndef ES_TEMPLATE_TEXT_OF_H
#define ES_TEMPLATE_TEXT_OF_H

#include "core/template/functions.h"

/* sprig's strslice: the texts of a list's items but nil; of anything else one text. */
bool es_tcall_texts_of(struct es_tcall *c, const struct es_tvalue *v, struct es_tvalue *ret);

/* The casts of its arithmetic: 0 for what is no number. Strings may be "0x1f", "010"
 * (octal), "3.0"; integers of them are cut as Go cuts. */
int64_t es_tcall_int_of(const struct es_tvalue *v);
double es_tcall_float_of(const struct es_tvalue *v);

/* Fails with Go's sentence for a nil where a kind is asked for. */
void es_tcall_fail_nil(struct es_tcall *c);

#endif
