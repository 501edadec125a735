/* core/secret/push_keys.h: the keys of a Secret under the names that a push gives
 * them. Pure; values stay where they are. Spec: push-and-cluster, sections 1.3
 * and 1.4. */
#ifndef ES_SECRET_PUSH_KEYS_H
#define ES_SECRET_PUSH_KEYS_H

#include <jansson.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/secret/shape.h"

struct es_push_key {
    char *name;         /* after conversion */
    const char *source; /* as the Secret has it; borrowed from its values */
    char *remote;       /* after the rewrites; NULL before */
};

/* Sorted by name. Zeroes are an empty list. */
struct es_push_keys {
    struct es_push_key *items;
    size_t count;
};

void es_push_keys_fini(struct es_push_keys *keys);

/* conversionStrategy ReverseUnicode turns each _U and four or five hexadecimal digits and
 * _ into the character; other words change nothing. ES_E_CONFIG: "secret name collision
 * during conversion: <key>". The list is valid as long as `values`. */
int es_push_keys_convert(struct es_push_keys *ret, const struct es_values *values, const char *strategy,
                         struct es_error *err);

/* Drops those in whose name the pattern is not found. "" keeps all. */
int es_push_keys_match(struct es_push_keys *keys, const char *pattern, struct es_error *err);

/* Fills `remote`: the name after rewrite[], one step after the other. `renderer` may be
 * NULL: then a transform is an error. */
int es_push_keys_rewrite(struct es_push_keys *keys, const json_t *rewrite, const struct es_renderer *renderer,
                         struct es_error *err);

#endif
