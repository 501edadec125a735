/* core/template/pem.h: PEM blocks, certificates and keys for the functions on them. */
#ifndef ES_TEMPLATE_PEM_H
#define ES_TEMPLATE_PEM_H

#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/template/functions.h"

struct es_pem_block {
    char *name, *header; /* OpenSSL's */
    unsigned char *data;
    long len;
};

/* The next block in `bio`; text before it is passed over. False: there is none. */
bool es_pem_next(BIO *bio, struct es_pem_block *ret);
void es_pem_block_fini(struct es_pem_block *b);

/* A BIO to read the text from, and one to write to whose memory is wiped. */
BIO *es_pem_reader(const struct es_tvalue *text);
BIO *es_pem_writer(void);

/* What was written is the call's result. Frees the BIO; NULL, or `ok` false, is a failure. */
void es_pem_return(struct es_tcall *c, BIO *take_writer, bool ok);
void es_pem_return_base64(struct es_tcall *c, BIO *take_writer, bool ok);

/* All blocks as certificates. NULL after a failure of the call. */
STACK_OF(X509) * es_pem_certificates(struct es_tcall *c, BIO *bio);
void es_pem_certificates_free(STACK_OF(X509) * certs);

/* Leaf first, then who signed it, and so on, as far as key identifiers tell; a new stack
 * of the same certificates. NULL with *ret_why when they are no single chain. */
STACK_OF(X509) * es_pem_chain(const STACK_OF(X509) * certs, const char **ret_why);

/* The first block as a private key: PKCS#1, PKCS#8 or SEC 1. NULL after a failure. */
EVP_PKEY *es_pem_private_key(struct es_tcall *c, const struct es_tvalue *text, const char *no_block);

#endif
