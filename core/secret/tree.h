/* core/secret/tree.h: what the shaping of targets does to JSON trees.
 *
 * jansson's own copies lose members without a word when memory runs out, and what
 * is lost there would be taken out of the target: these say so. */
#ifndef ES_SECRET_TREE_H
#define ES_SECRET_TREE_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"

/* A copy that may be changed, with its own objects and arrays; NULL without
 * memory. Strings and numbers are shared: nobody changes them in place. */
json_t *es_tree_copy(json_t *value);
json_t *es_tree_copy_object(const json_t *object, const char *left_out); /* left_out: a member, or NULL */

/* The whole object as it may be sent back: without managedFields, which the API
 * server keeps by itself. NULL without memory. */
json_t *es_tree_copy_sendable(const json_t *existing);

/* The object at `name`, put there when something else or nothing is; NULL without memory. */
json_t *es_tree_member(json_t *parent, const char *name);

/* Adds these strings to the object at `name`; none, NULL included, adds nothing. 0 or -1. */
int es_tree_add_strings(json_t *parent, const char *name, const json_t *strings);

/* Takes out of `object` (data, labels, annotations) what this ExternalSecret wrote
 * the last time, according to the managedFields of `existing`. What it still wants
 * comes back right after: thus whatever is no longer named disappears. */
int es_tree_drop_stale(json_t *object, const json_t *existing, const json_t *external_secret,
                       struct es_error *err);

/* Did this ExternalSecret write this member ("spec") of `existing`, or a part of it? */
bool es_tree_wrote(const json_t *existing, const char *manager, const char *member);

/* Are the two equal? Absent, null and empty are one to the API server. */
bool es_tree_same(const json_t *a, const json_t *b);

/* Is each member equal, but those named (ended by NULL)? */
bool es_tree_same_members(const json_t *a, const json_t *b, const char *const *except);

#endif
