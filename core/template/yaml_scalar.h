/* core/template/yaml_scalar.h: one string in YAML, in the style that libyaml takes. */
#ifndef ES_TEMPLATE_YAML_SCALAR_H
#define ES_TEMPLATE_YAML_SCALAR_H

#include "core/base/buf.h"
#include "core/template/value.h"

/* `indent` is where lines go on; below 0 the text stays on its line, as keys do.
 * `space`: a space comes before it. Lines are folded behind column 80. What is no
 * UTF-8 is written as U+FFFD. */
void es_tyaml_scalar(struct es_buf *out, const struct es_tvalue *text, int indent, bool space);

#endif
