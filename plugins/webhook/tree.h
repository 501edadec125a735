/* plugins/webhook/tree.h: JSON text as a tree of places in it.
 *
 * Nothing is copied: the nodes point into the text and hold no secret themselves. */
#ifndef HOOK_TREE_H
#define HOOK_TREE_H

#include <stdbool.h>

#include <esp/json.h>
#include <esp/plugin.h>
#include <esp/text.h>

/* Ceilings of one document: a tree is several times as large as its text. */
#define HOOK_MAX_NODES ((size_t)400000)
#define HOOK_MAX_DEPTH 128

struct hook_node {
    enum esp_json_kind kind;
    esp_bytes raw;                  /* the value as written */
    esp_bytes name;                 /* of a member of an object: with its quotes, as written */
    struct hook_node *first, *next; /* children in the order of the text, siblings */
    size_t count;                   /* of children */
};

struct hook_tree {
    struct hook_node *root;
    struct hook_chunk *chunks; /* private */
    size_t nodes;              /* private */
};

/* Reads the whole text, which stays borrowed. False: `why` gets what Go's encoding/json says of
 * it, "invalid character 'p' looking for beginning of value", which is what people who
 * know this provider look for. To be freed in either case. */
bool hook_tree_read(struct hook_tree *ret, esp_bytes text, struct esp_text *why);
void hook_tree_free(struct hook_tree *t);

#endif
