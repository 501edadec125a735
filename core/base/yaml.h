/* core/base/yaml.h: YAML (libyaml) to and from JSON trees.
 *
 * Reading follows what Kubernetes tools do (sigs.k8s.io/yaml): scalars as in
 * go-yaml v2 (yes/no/on/off are booleans only when plain; 0o17, 017, 0x1f,
 * 0b1 and 1_000 are integers; 3.0 is 3; a date stays text; .inf is an error,
 * JSON has none), merge keys, anchors with an expansion limit; mapping keys
 * become strings. Two things differ on purpose: a duplicate key is an error,
 * and what a mapping says itself wins over a "<<" that comes after it (as the
 * merge key's own page has it, https://yaml.org/type/merge.html). !!binary
 * gives the decoded text, or an error if that is not UTF-8. Lines are kept
 * beside the tree, so that errors can say file:line. */
#ifndef ES_BASE_YAML_H
#define ES_BASE_YAML_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"
#include "core/base/error.h"

struct es_yaml_doc {
    json_t *root; /* owned */
    int line;     /* where the document begins, from 1 */
    void *lines;  /* opaque: node and member -> line */
};

struct es_yaml {
    struct es_yaml_doc *docs; /* empty documents are left out */
    size_t count;
};

/* Reads all documents of a text (JSON is YAML). `name` is used in errors
 * ("name:12: ..."), which quote no value. Limits: 8 MiB of text, depth 64,
 * 1,000,000 nodes after alias expansion. ES_E_CONFIG with file:line, or
 * ES_E_NOMEM; *ret is untouched then. Documents that are null are left out. */
int es_yaml_parse(struct es_yaml *ret, const char *name, const char *text, size_t len, struct es_error *err);

/* The same for what a template made, or was given: of a key that comes twice the last counts, as with the
 * reference. Nobody wrote such a text by hand, and templates rely on it to override. */
int es_yaml_parse_rendered(struct es_yaml *ret, const char *name, const char *text, size_t len,
                           struct es_error *err);

/* The same for a file; ES_E_NOT_FOUND if there is none. */
int es_yaml_load(struct es_yaml *ret, const char *path, struct es_error *err);
void es_yaml_fini(struct es_yaml *y); /* zeroes are fine */

/* The line of a node (json_t pointer inside doc->root); 0 when unknown, which
 * true, false and null always are: jansson has one of each. For members, and
 * for all values by way of them, ask by key or index. The answers hold as
 * long as the tree is not changed. */
int es_yaml_line(const struct es_yaml_doc *doc, const json_t *node);

/* The line of a member's key, or of an array's item; 0 when unknown. A member
 * that came through an alias or a merge key has the line where it is written. */
int es_yaml_line_of_key(const struct es_yaml_doc *doc, const json_t *parent, const char *key);
int es_yaml_line_of_index(const struct es_yaml_doc *doc, const json_t *parent, size_t index);

/* Is this unquoted text a string to such a reader, rather than a number, a boolean, ...? */
bool es_yaml_is_text(const char *text, size_t len);

/* Block style, keys in the object's own order or sorted (bytewise), strings
 * quoted only where a reader (YAML 1.1 or 1.2) would take them for something
 * else, multi-line strings as literal blocks. Ends with a newline, without a
 * "---". Failures are the buffer's (es_buf_failed). */
void es_yaml_write(struct es_buf *out, const json_t *root, bool sort_keys);

#endif
