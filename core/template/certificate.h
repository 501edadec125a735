/* core/template/certificate.h: certificates as sprig's functions make them. */
#ifndef ES_TEMPLATE_CERTIFICATE_H
#define ES_TEMPLATE_CERTIFICATE_H

#include <openssl/x509.h>

#include "core/template/functions.h"

/* What a certificate says; all of it borrowed. `issuer` and `issuer_key` sign; its own subject and key when
 * they are NULL. */
struct es_tcertificate {
    const struct es_tvalue *name, *addresses, *hosts; /* the latter two are lists, or NULL */
    int64_t days;
    bool is_ca;
    EVP_PKEY *key, *issuer_key;
    X509 *issuer;
};

/* A signed certificate, valid from now on, with a random serial number; X509_free it. NULL, and the call has
 * failed, when it cannot be made. */
X509 *es_tcertificate_make(struct es_tcall *c, const struct es_tcertificate *w);

#endif
