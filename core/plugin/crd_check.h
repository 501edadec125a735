/* core/plugin/crd_check.h: one value against one structural schema. */
#ifndef ES_PLUGIN_CRD_CHECK_H
#define ES_PLUGIN_CRD_CHECK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/map.h"
#include "core/plugin/crd_validate.h"

/* A walk down a value. The caller zeroes it and sets what it has. */
struct es_crd_walk {
    const struct es_map *patterns; /* compiled ones, or NULL: compile here */
    es_crd_problem_fn *fn;
    void *ctx;
    size_t problems;

    /* where the walk is */
    char path[512];
    size_t path_len;
    const json_t *parent;
    const char *key;
    size_t index;
    unsigned depth;
    bool judging; /* inside allOf, anyOf, oneOf, not: types and unknown fields are not its business */
};

/* Reports what is wrong with `value` below where the walk stands. */
void es_crd_walk(struct es_crd_walk *w, const json_t *schema, const json_t *value);

/* The same below a member, for the outermost object, whose members have no one schema. */
void es_crd_walk_member(struct es_crd_walk *w, const json_t *schema, const json_t *parent, const char *key);

/* Says something about where the walk stands. */
void es_crd_walk_say(struct es_crd_walk *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
