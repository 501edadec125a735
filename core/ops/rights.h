/* core/ops/rights.h: what esod has to be allowed in a cluster, and what for.
 *
 * One table (rights.c) says it once. From it come the rules that `esod preflight
 * --rights` prints, the questions that `esod preflight` asks the API server, and
 * what a message about a refused request adds: what the right is for, and which
 * setting does without it. */
#ifndef ES_OPS_RIGHTS_H
#define ES_OPS_RIGHTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/ops/config.h"

enum es_right_where {
    ES_RIGHT_OBJECTS, /* where esod works: the whole cluster, or the namespace of the setting `namespace` */
    ES_RIGHT_CLUSTER, /* what stands in no namespace */
    ES_RIGHT_LEASE,   /* the namespace of the Lease */
};

struct es_right {
    const char *group, *resource; /* "" is the core group */
    const char *subresource;      /* or NULL */
    const char *verbs;            /* "get list watch" */
    enum es_right_where where;
    const char *(*object)(const struct es_config *c); /* for the object of this name alone; NULL: for all */
    /* Without one that is required something of what the settings ask for does not
     * work at all; without another one some stores or clusters are served less well. */
    bool required;
    bool (*wanted)(const struct es_config *c);
    const char *purpose; /* "to see ExternalSecrets" */
    const char *without; /* a sentence: what does without it */
};

/* All of them, with a row of zeroes at the end. */
extern const struct es_right es_rights_table[];

/* Do these settings need it? */
bool es_right_wanted(const struct es_right *r, const struct es_config *c);

/* The namespace that it is needed in; "" is all of them. `lease_ns`: that of the Lease. */
const char *es_right_namespace(const struct es_right *r, const struct es_config *c, const char *lease_ns);

/* Calls `fn` for every verb of a right. Ends with the first result that is not 0. */
int es_right_each_verb(const struct es_right *r, int (*fn)(void *ctx, const char *verb), void *ctx);

/* "secrets", "externalsecrets.external-secrets.io/status": as kubectl auth can-i takes it. */
#define ES_RIGHT_NAME_MAX 128
char *es_right_name(const struct es_right *r, char out[ES_RIGHT_NAME_MAX]);

/* Rules that grant what the settings need, for `--rights -o json`: an array of objects
 * with "namespace" ("": cluster-wide), apiGroups, resources, resourceNames, verbs,
 * required, purpose, without. NULL without memory. */
json_t *es_rights_rules(const struct es_config *c, const char *lease_ns);

/* The right to list and watch a resource, by which one can say what for, and what does without;
 * NULL when these settings need none. */
const struct es_right *es_right_to_watch(const struct es_config *c, const char *group, const char *resource);

#endif
