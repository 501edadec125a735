/* plugins/webhook/jsonpath.h: the JSONPath that stores of this provider are written in.
 *
 * The dialect is that of github.com/PaesslerAG/jsonpath v0.1.1:
 *
 *     $.a.b  $["a b"]  $['a-b']      members
 *     $.l[0]  $.l[-1]                elements, from the end as well
 *     $.*  $.l[*]  $.l[0,2]          all; some
 *     $.l[1:3]  $.l[:2]  $.l[::2]    ranges, from min up to but without max
 *     $..name                        at any depth
 *     $.l[?(@.n=="x")].v             those for which it holds; == and !=, and a value by itself
 *     $.l[?@.n==$.want]              the same; $ is always the whole document
 *
 * A path with any of [x,y], .., *, [min:max] or [?] yields a list, in the order of the
 * document, and leaves out what does not fit; any other yields one value or fails.
 *
 * It differs where it can only help: 'text' may be longer than a character, and an index
 * below 0 counts from the end. */
#ifndef HOOK_JSONPATH_H
#define HOOK_JSONPATH_H

#include "tree.h"

/* What a path yields. A node points into its tree, a text into the path's own memory. */
enum hook_kind { HOOK_NULL, HOOK_BOOL, HOOK_NUMBER, HOOK_TEXT, HOOK_NODE, HOOK_LIST };
struct hook_value {
    enum hook_kind kind;
    union {
        bool truth;
        double number;
        esp_bytes text;
        const struct hook_node *node;
        struct hook_list *list;
    };
};
struct hook_list {
    struct hook_value *items;
    size_t count, cap;
};

/* A path that was read, and the memory of what it yields. Opaque. One thread. */
struct hook_path;

/* Reads and evaluates the path. False: `why` says why, in the words of that library, and quotes
 * nothing of the document. */
bool hook_path_get(struct hook_path **ret, esp_bytes path, const struct hook_node *root,
                   struct hook_value *value, struct esp_text *why);

/* Wipes and frees all that the value points to, but not the tree. NULL is fine. */
void hook_path_free(struct hook_path *p);

/* What Go calls the type of the value: "string", "map[string]interface {}". */
const char *hook_type_name(const struct hook_value *v);

#endif
