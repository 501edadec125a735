/* core/template/chain.h: certificates in the order leaf, intermediates, root.
 *
 * The order follows from key identifiers alone. It says nothing about trust: no
 * signature, date or name is looked at. */
#ifndef ES_TEMPLATE_CHAIN_H
#define ES_TEMPLATE_CHAIN_H

#include "core/template/pem.h"

struct es_tchain {
    X509 **certificates; /* in the render's arena; the certificates are ours */
    size_t count, room;
};

/* Takes the certificate over. False without memory: it is freed, and the call has failed. */
bool es_tchain_add(struct es_tcall *c, struct es_tchain *chain, X509 *certificate);

/* Every block, each of which has to be a certificate. */
bool es_tchain_read(struct es_tcall *c, BIO *in, struct es_tchain *chain);

/* False, and the call has failed, unless they are one chain. Then the order is as before. */
bool es_tchain_order(struct es_tcall *c, struct es_tchain *chain);

bool es_tchain_write(BIO *out, const struct es_tchain *chain);
void es_tchain_free(struct es_tchain *chain);

#endif
