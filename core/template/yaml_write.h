/* core/template/yaml_write.h: values as the YAML package of Kubernetes tools writes them.
 *
 * base/yaml.h has a writer that people like to read; what a template makes has to agree
 * with the reference to the byte, folded lines included. So this one takes the same
 * decisions as libyaml's emitter, and leaves no copies of values behind as that does. */
#ifndef ES_TEMPLATE_YAML_WRITE_H
#define ES_TEMPLATE_YAML_WRITE_H

#include "core/base/buf.h"
#include "core/template/value.h"

/* Appends, with a line end. False, and nothing of use in `out`, for what has no JSON. */
bool es_tyaml_write(struct es_buf *out, const struct es_tvalue *v);

#endif
