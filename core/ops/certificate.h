/* core/ops/certificate.h: what a TLS server shows, as PEM: from two files, or
 * made on the spot. */
#ifndef ES_OPS_CERTIFICATE_H
#define ES_OPS_CERTIFICATE_H

#include "core/base/buf.h"
#include "core/base/error.h"

struct es_certificate {
    struct es_buf chain, key; /* texts */
};

/* ES_E_CONFIG names the file: it cannot be read, is no PEM, or the key is not the
 * certificate's. */
int es_certificate_load(struct es_certificate *ret, const char *chain_file, const char *key_file,
                        struct es_error *err);

/* For localhost, signed by itself: encrypts, and proves nothing. */
int es_certificate_make(struct es_certificate *ret, struct es_error *err);

void es_certificate_fini(struct es_certificate *c); /* wipes; zeroes are fine */

#endif
