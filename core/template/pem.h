/* core/template/pem.h: PEM blocks, keys and certificates, as functions of templates want them.
 *
 * Everything is on OpenSSL; nothing reads a file or asks for a passphrase. */
#ifndef ES_TEMPLATE_PEM_H
#define ES_TEMPLATE_PEM_H

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

#include "core/template/functions.h"

struct es_tpem {
    char *type, *header; /* "CERTIFICATE", "" */
    unsigned char *der;
    long len;
};

/* A reader of the text from its first "-----BEGIN" on (es_tpem_reader) or from its start.
 * NULL without memory: the call has failed then. BIO_free. */
BIO *es_tpem_reader(struct es_tcall *c, const struct es_tvalue *text);

/* The next block, to be freed by es_tpem_free. False when there is none; *ret_rest, when
 * not NULL, says then whether anything is left. */
bool es_tpem_next(BIO *reader, struct es_tpem *ret, bool *ret_rest);
void es_tpem_free(struct es_tpem *block); /* wipes */

/* Go's error for bytes that are no certificate, or NULL and a failed call. */
X509 *es_tpem_certificate(struct es_tcall *c, const struct es_tpem *block);

/* The private key of DER text: PKCS#8, PKCS#1 or SEC 1, whichever it is. NULL: none of them. */
EVP_PKEY *es_tpem_key(const struct es_tpem *block);

/* Append to a writer (BIO_s_mem), false without memory. */
bool es_tpem_write_certificate(BIO *out, X509 *certificate);
bool es_tpem_write_pkcs8(BIO *out, EVP_PKEY *key);

/* A memory BIO whose buffer is wiped when it is freed; NULL: the call has failed. */
BIO *es_tpem_writer(struct es_tcall *c);

/* What was written is the result. Frees the writer. `ok` false: the call fails for want of memory. */
void es_tpem_return(struct es_tcall *c, BIO *writer, bool ok);

/* The same in base64. */
void es_tpem_return_base64(struct es_tcall *c, BIO *writer, bool ok);

#endif
