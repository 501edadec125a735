#include "core/secret/ca_bundle.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "core/secret/shape.h"

/* The manifest's own encoding, and one that somebody added. */
#define WRAPPINGS 2

enum finding { CERTIFICATE, NO_PEM, NO_CERTIFICATE, NO_MEMORY };

static enum finding look_at_first_block(BIO *text)
{
    char *name = NULL, *header = NULL;
    unsigned char *data = NULL;
    long len = 0;
    enum finding found = NO_PEM;

    if (PEM_read_bio(text, &name, &header, &data, &len) == 1) {
        const unsigned char *p = data;
        X509 *certificate = d2i_X509(NULL, &p, len);
        found = certificate ? CERTIFICATE : NO_CERTIFICATE;
        X509_free(certificate);
    }
    OPENSSL_free(name);
    OPENSSL_free(header);
    OPENSSL_free(data);
    ERR_clear_error(); /* the queue is the thread's, and what is in it is foreign bytes */
    return found;
}

static enum finding look_at(const struct es_blob *bundle)
{
    /* What follows a NUL would be trusted by nobody and believed by everybody. */
    if (!bundle->len || bundle->len > INT_MAX || memchr(bundle->ptr, '\0', bundle->len))
        return NO_PEM;
    BIO *text = BIO_new_mem_buf(bundle->ptr, (int)bundle->len);
    if (!text)
        return NO_MEMORY;
    enum finding found = look_at_first_block(text);
    BIO_free(text);
    return found;
}

int es_ca_bundle_open(struct es_blob *bundle, struct es_error *err)
{
    enum finding found = look_at(bundle);

    for (int i = 0; i < WRAPPINGS && found == NO_PEM; i++) {
        int rc = es_blob_decode(bundle, "Auto", err);
        if (rc < 0)
            return rc;
        found = look_at(bundle);
    }
    switch (found) {
    case CERTIFICATE:
        return 0;
    case NO_MEMORY:
        return es_error_nomem(err);
    case NO_CERTIFICATE:
        return es_error_set(err, ES_E_CONFIG,
                            "failed to validate certificate: the first PEM block is no X.509 certificate");
    default:
        return es_error_set(err, ES_E_CONFIG, "failed to parse the new certificate, not valid pem data");
    }
}
