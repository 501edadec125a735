/* core/base/yaml_lines.h: in which lines of a file the values of a tree stand.
 *
 * Lines by the hash of what they belong to: a node, or a member of a node. jansson shares true, false and
 * null between all trees, so those are found as members only. A keyed 64-bit hash stands for its origin: a
 * chance of one in 10^7 that two of a million entries meet, and then an error text names a wrong line. */
#ifndef ES_BASE_YAML_LINES_H
#define ES_BASE_YAML_LINES_H

#include <jansson.h>
#include <stdint.h>

struct es_yaml_line_slot;

/* Zeroes are an empty table. */
struct es_yaml_lines {
    struct es_yaml_line_slot *slots;
    size_t count, cap;
};

/* What the line belongs to. The tree has to stay: addresses are hashed. */
uint64_t es_yaml_of_node(const json_t *node);
uint64_t es_yaml_of_index(const json_t *parent, size_t index);
uint64_t es_yaml_of_key(const json_t *parent, const char *key);

/* 0: not known. NULL is an empty table. */
int es_yaml_lines_get(const struct es_yaml_lines *t, uint64_t hash);
int es_yaml_lines_put(struct es_yaml_lines *t, uint64_t hash, int line); /* 0 or ES_E_NOMEM */
void es_yaml_lines_free(struct es_yaml_lines *t); /* the table itself, too; NULL is fine */

#endif
