/* core/base/yaml.h: YAML (libyaml) to and from JSON trees.
 *
 * Reading follows what Kubernetes tools do (sigs.k8s.io/yaml): YAML 1.1 core
 * scalars as in go-yaml v2 (yes/no/on/off are booleans only when plain),
 * merge keys, anchors with an expansion limit; mapping keys become strings; a
 * duplicate key is an error. Every node's line is kept beside the tree, so
 * that errors can say file:line. */
#ifndef ES_BASE_YAML_H
#define ES_BASE_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"
#include "core/base/error.h"

struct es_yaml_doc {
    json_t *root;  /* owned */
    int line;      /* where the document begins, from 1 */
    void *lines;   /* opaque: node -> line */
};

struct es_yaml {
    struct es_yaml_doc *docs; /* empty documents are left out */
    size_t count;
};

/* Reads all documents of a text (JSON is YAML). `name` is used in errors
 * ("name:12: ..."). Limits: 8 MiB of text, depth 64, 1,000,000 nodes after
 * alias expansion. ES_E_CONFIG with file:line. */
int es_yaml_parse(struct es_yaml *ret, const char *name, const char *text, size_t len, struct es_error *err);
int es_yaml_load(struct es_yaml *ret, const char *path, struct es_error *err); /* same for a file */
void es_yaml_fini(struct es_yaml *y);

/* The line of a node (json_t pointer inside doc->root); 0 when unknown. */
int es_yaml_line(const struct es_yaml_doc *doc, const json_t *node);

/* Block style, keys in the object's own order or sorted, strings quoted only
 * where a reader (YAML 1.1 or 1.2) would take them for something else, multi-line
 * strings as literal blocks. No trailing "---". */
void es_yaml_write(struct es_buf *out, const json_t *root, bool sort_keys);

#endif
