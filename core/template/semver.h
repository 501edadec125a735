/* core/template/semver.h: semantic versions, and what they are held against. */
#ifndef ES_TEMPLATE_SEMVER_H
#define ES_TEMPLATE_SEMVER_H

#include "core/template/value.h"

struct es_semver {
    uint64_t numbers[3];
    struct es_tvalue pre, metadata; /* without "-" and "+"; borrowed */
};

/* "v1", "1.2", "1.2.3-beta.1+x": what is left out is 0. NULL, or why it is none. */
const char *es_semver_parse(struct es_semver *ret, const char *text, size_t len);
int es_semver_compare(const struct es_semver *a, const struct es_semver *b);

/* ">= 1.2, < 2 || ~3.1": 1 fits, 0 does not, -1 the constraint cannot be read. */
int es_semver_fits(const char *constraint, size_t len, const struct es_semver *v);

#endif
