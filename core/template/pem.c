#include "core/template/pem.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "core/base/codec.h"

bool es_pem_next(BIO *bio, struct es_pem_block *ret)
{
    *ret = (struct es_pem_block){0};
    if (bio && PEM_read_bio(bio, &ret->name, &ret->header, &ret->data, &ret->len) == 1)
        return true;
    ERR_clear_error();
    return false;
}

void es_pem_block_fini(struct es_pem_block *b)
{
    OPENSSL_free(b->name);
    OPENSSL_free(b->header);
    OPENSSL_clear_free(b->data, (size_t)b->len);
    *b = (struct es_pem_block){0};
}

BIO *es_pem_reader(const struct es_tvalue *text)
{
    return BIO_new_mem_buf(text->s.ptr, (int)text->s.len);
}

BIO *es_pem_writer(void)
{
    return BIO_new(BIO_s_secmem());
}

/* Why is for those who can see OpenSSL's errors; here it would only be noise. */
static bool written(struct es_tcall *c, BIO *writer, bool ok, char **ret, long *ret_len)
{
    *ret_len = ok && writer ? BIO_get_mem_data(writer, ret) : -1;
    if (*ret_len < 0) {
        ERR_clear_error();
        es_tcall_fail(c, "OpenSSL cannot write it");
    }
    return *ret_len >= 0;
}

void es_pem_return(struct es_tcall *c, BIO *take_writer, bool ok)
{
    char *data = NULL;
    long len;

    if (written(c, take_writer, ok, &data, &len))
        es_tcall_return_copy(c, data, (size_t)len);
    BIO_free(take_writer);
}

void es_pem_return_base64(struct es_tcall *c, BIO *take_writer, bool ok)
{
    char *data = NULL;
    long len;
    struct es_buf out;

    if (written(c, take_writer, ok, &data, &len)) {
        es_tcall_buf(&out);
        es_base64_encode(&out, data, (size_t)len);
        es_tcall_return_buf(c, &out);
    }
    BIO_free(take_writer);
}

void es_pem_certificates_free(STACK_OF(X509) * certs)
{
    sk_X509_pop_free(certs, X509_free);
}

STACK_OF(X509) * es_pem_certificates(struct es_tcall *c, BIO *bio)
{
    STACK_OF(X509) *certs = sk_X509_new_null();
    struct es_pem_block block;

    while (certs && es_pem_next(bio, &block)) {
        const unsigned char *p = block.data;
        X509 *cert = d2i_X509(NULL, &p, block.len);
        es_pem_block_fini(&block);
        if (cert && sk_X509_push(certs, cert) > 0)
            continue;
        X509_free(cert);
        ERR_clear_error();
        es_tcall_fail(c, "x509: malformed certificate");
        es_pem_certificates_free(certs);
        return NULL;
    }
    if (!certs)
        es_tcall_nomem(c);
    return certs;
}

/* Two that are missing are the same, too. */
static bool same_id(const ASN1_OCTET_STRING *a, const ASN1_OCTET_STRING *b)
{
    return a && b ? ASN1_OCTET_STRING_cmp(a, b) == 0 : !a && !b;
}

/* Who signed number `i`; -1: nobody of these. */
static int parent_of(const STACK_OF(X509) * certs, int i)
{
    const ASN1_OCTET_STRING *authority = X509_get0_authority_key_id(sk_X509_value(certs, i));

    for (int k = 0; k < sk_X509_num(certs); k++)
        if (k != i && same_id(authority, X509_get0_subject_key_id(sk_X509_value(certs, k))))
            return k;
    return -1;
}

static bool has_child(const STACK_OF(X509) * certs, int i)
{
    for (int k = 0; k < sk_X509_num(certs); k++)
        if (k != i && parent_of(certs, k) == i)
            return true;
    return false;
}

STACK_OF(X509) * es_pem_chain(const STACK_OF(X509) * certs, const char **ret_why)
{
    STACK_OF(X509) *chain = sk_X509_new_null();
    int leaf = -1, count = sk_X509_num(certs);

    *ret_why = chain ? NULL : "out of memory";
    for (int i = 0; i < count && !*ret_why; i++)
        if (!has_child(certs, i)) {
            if (leaf >= 0)
                *ret_why = "found multiple leaf or disjunct certificates";
            leaf = i;
        }
    if (!*ret_why && leaf < 0)
        *ret_why = "no leaf certificate found";
    for (int i = leaf; i >= 0 && !*ret_why; i = parent_of(certs, i)) {
        if (sk_X509_num(chain) == count)
            *ret_why = "constructing chain resulted in cycle";
        else if (sk_X509_push(chain, sk_X509_value(certs, i)) <= 0)
            *ret_why = "out of memory";
    }
    if (!*ret_why)
        return chain;
    sk_X509_free(chain);
    return NULL;
}

EVP_PKEY *es_pem_private_key(struct es_tcall *c, const struct es_tvalue *text, const char *no_block)
{
    BIO *bio = es_pem_reader(text);
    struct es_pem_block block;
    EVP_PKEY *key = NULL;

    if (es_pem_next(bio, &block)) {
        const unsigned char *p = block.data;
        key = d2i_AutoPrivateKey(NULL, &p, block.len);
        if (!key)
            es_tcall_fail(c, "%s",
                          strcmp(c->name, "rsaDecrypt") == 0
                              ? "could not parse private key: unable to parse private key type"
                              : "unable to parse private key type");
        es_pem_block_fini(&block);
    } else {
        es_tcall_fail(c, "%s", no_block);
    }
    BIO_free(bio);
    ERR_clear_error();
    return key;
}
