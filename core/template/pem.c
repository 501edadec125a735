#include "core/template/pem.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <string.h>

#include "core/base/codec.h"

BIO *es_tpem_reader(struct es_tcall *c, const struct es_tvalue *text)
{
    static const char begin[] = "-----BEGIN";
    const char *from = text->s.len ? memmem(text->s.ptr, text->s.len, begin, sizeof begin - 1) : NULL;
    size_t len = from ? text->s.len - (size_t)(from - text->s.ptr) : text->s.len;
    BIO *bio = len <= INT_MAX && es_tcall_spend(c, len) ? BIO_new_mem_buf(from ? from : text->s.ptr, (int)len)
                                                        : NULL;
    if (!bio)
        es_tcall_nomem(c);
    return bio;
}

bool es_tpem_next(BIO *reader, struct es_tpem *ret, bool *ret_rest)
{
    bool rest = BIO_ctrl_pending(reader) > 0, read;

    /* A broken block is passed over, as by Go: one that is whole may follow. */
    do {
        *ret = (struct es_tpem){0};
        ERR_clear_error();
        read = PEM_read_bio(reader, &ret->type, &ret->header, &ret->der, &ret->len) == 1;
    } while (!read && BIO_ctrl_pending(reader) > 0 &&
             ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE);
    ERR_clear_error();
    if (read)
        return true;
    if (ret_rest)
        *ret_rest = rest;
    return false;
}

void es_tpem_free(struct es_tpem *block)
{
    OPENSSL_free(block->type);
    OPENSSL_free(block->header);
    OPENSSL_clear_free(block->der, block->len > 0 ? (size_t)block->len : 0);
    *block = (struct es_tpem){0};
}

X509 *es_tpem_certificate(struct es_tcall *c, const struct es_tpem *block)
{
    const unsigned char *p = block->der;
    X509 *certificate = d2i_X509(NULL, &p, block->len);

    if (certificate && p == block->der + block->len)
        return certificate;
    X509_free(certificate);
    es_tcall_fail(c, "x509: malformed certificate");
    return NULL;
}

EVP_PKEY *es_tpem_key(const struct es_tpem *block)
{
    const unsigned char *p = block->der;

    return d2i_AutoPrivateKey(NULL, &p, block->len);
}

bool es_tpem_write_certificate(BIO *out, X509 *certificate)
{
    return PEM_write_bio_X509(out, certificate) == 1;
}

bool es_tpem_write_pkcs8(BIO *out, EVP_PKEY *key)
{
    PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key);
    bool ok = info && PEM_write_bio_PKCS8_PRIV_KEY_INFO(out, info) == 1;

    PKCS8_PRIV_KEY_INFO_free(info);
    return ok;
}

BIO *es_tpem_writer(struct es_tcall *c)
{
    BIO *bio = BIO_new(BIO_s_secmem());

    if (!bio)
        es_tcall_nomem(c);
    return bio;
}

static void give_back(struct es_tcall *c, BIO *writer, bool ok, bool base64)
{
    char *text = NULL;
    long len = ok ? BIO_get_mem_data(writer, &text) : 0;
    struct es_buf out;

    if (!ok)
        es_tcall_nomem(c);
    else if (!base64)
        es_tcall_return_copy(c, text ? text : "", (size_t)len);
    else {
        es_tcall_buf(&out);
        es_base64_encode(&out, text, (size_t)len);
        es_tcall_return_buf(c, &out);
    }
    if (len > 0)
        OPENSSL_cleanse(text, (size_t)len);
    BIO_free(writer);
}

void es_tpem_return(struct es_tcall *c, BIO *writer, bool ok)
{
    give_back(c, writer, ok, false);
}

void es_tpem_return_base64(struct es_tcall *c, BIO *writer, bool ok)
{
    give_back(c, writer, ok, true);
}
