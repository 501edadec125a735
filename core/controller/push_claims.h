/* core/controller/push_claims.h: who is writing which secret at a provider just now.
 *
 * Two PushSecrets may push two properties of one secret, and a plugin reads, changes and
 * writes it: at the same time, one of the two properties would be lost. So whoever
 * writes has a claim on it meanwhile. Any thread; nobody waits. */
#ifndef ES_CONTROLLER_PUSH_CLAIMS_H
#define ES_CONTROLLER_PUSH_CLAIMS_H

struct es_push_claims;

struct es_push_claims *es_push_claims_new(void); /* NULL without memory */
void es_push_claims_free(struct es_push_claims *c);

/* Claims a secret of a provider, by whichever store: several stores may be doors to the
 * same backend. NULL: somebody else has it (or there is no memory): come back later. */
char *es_push_claim(struct es_push_claims *c, const char *provider, const char *remote_key);
void es_push_unclaim(struct es_push_claims *c, char *take_claim); /* NULL is fine */

#endif
