/* core/ops/reviewer.h: may the bearer of this token read /metrics? The API server
 * knows: whose token it is (TokenReview) and what that user may do
 * (SubjectAccessReview for the verb get on the URL /metrics). */
#ifndef ES_OPS_REVIEWER_H
#define ES_OPS_REVIEWER_H

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/kube/client.h"

struct es_reviewer;

/* Its client's timeout bounds each question. `clock` NULL: the system's. */
int es_reviewer_new(struct es_reviewer **ret, struct es_kube *take_kube, const struct es_clock *clock,
                    struct es_error *err);
void es_reviewer_stop(struct es_reviewer *r); /* questions under way end, unanswered. NULL is fine */
void es_reviewer_free(struct es_reviewer *r); /* no question may be under way. NULL is fine */

/* An HTTP status: 200, 401 (nobody's token), 403 (no right), 503 (there was no
 * answer). Answers count for 10 s; what is remembered of a token is its SHA-256.
 * Blocks. Any thread. */
unsigned es_reviewer_ask(struct es_reviewer *r, const char *token);

#endif
