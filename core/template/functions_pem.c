/* The reference's functions on PEM text: choosing blocks, ordering chains, reading names, decrypting. */
#include <arpa/inet.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#include "core/template/chain.h"
#include "core/template/pem.h"

/* ---- filterPEM ---- */

static bool is_type(const struct es_tpem *block, const struct es_tvalue *type)
{
    return strlen(block->type) == type->s.len && strncasecmp(block->type, type->s.ptr, type->s.len) == 0;
}

static void filter_pem(struct es_tcall *c)
{
    BIO *in = es_tpem_reader(c, &c->args[1]), *out = es_tpem_writer(c);
    struct es_tpem block;
    bool ok = true, rest = false;
    size_t kept = 0;

    while (in && out && ok && es_tpem_next(in, &block, &rest)) {
        if (is_type(&block, &c->args[0])) {
            ok = PEM_write_bio(out, block.type, block.header, block.der, block.len) > 0;
            kept++;
        }
        es_tpem_free(&block);
    }
    BIO_free(in);
    if (!in || !out || (kept == 0 && rest)) {
        if (in && out)
            es_tcall_fail(c, "error filtering pem: found junk");
        BIO_free(out);
        return;
    }
    es_tpem_return(c, out, ok);
}

/* ---- filterCertChain ---- */

static bool same_key(const ASN1_OCTET_STRING *a, const ASN1_OCTET_STRING *b)
{
    return a && b && ASN1_OCTET_STRING_cmp(a, b) == 0;
}

static bool is_root(X509 *certificate)
{
    const ASN1_OCTET_STRING *authority = X509_get0_authority_key_id(certificate);

    return !authority || same_key(authority, X509_get0_subject_key_id(certificate));
}

static bool write_intermediates(BIO *out, const struct es_tchain *chain)
{
    for (size_t i = 1; i < chain->count && !is_root(chain->certificates[i]); i++)
        if (!es_tpem_write_certificate(out, chain->certificates[i]))
            return false;
    return true;
}

static bool write_part(BIO *out, const struct es_tchain *chain, const struct es_tvalue *part)
{
    X509 *first = chain->certificates[0], *last = chain->certificates[chain->count - 1];

    if (es_tstring_is(part, "leaf"))
        return is_root(first) || es_tpem_write_certificate(out, first);
    if (es_tstring_is(part, "intermediate"))
        return write_intermediates(out, chain);
    if (es_tstring_is(part, "root"))
        return !is_root(last) || es_tpem_write_certificate(out, last);
    return true;
}

static void filter_cert_chain(struct es_tcall *c)
{
    struct es_tchain chain = {0};
    BIO *in = es_tpem_reader(c, &c->args[1]);

    if (in && es_tchain_read(c, in, &chain) && es_tchain_order(c, &chain)) {
        BIO *out = es_tpem_writer(c);
        if (out)
            es_tpem_return(c, out, write_part(out, &chain, &c->args[0]));
    }
    es_tchain_free(&chain);
    BIO_free(in);
}

/* ---- certSANs ---- */

/* As Go prints addresses; an IPv4 address in IPv6 form is one of IPv4 there. */
static bool add_address(struct es_buf *out, const unsigned char *bytes, int len)
{
    static const unsigned char mapped[12] = {[10] = 0xff, [11] = 0xff};
    char text[INET6_ADDRSTRLEN];
    bool is_mapped = len == 16 && memcmp(bytes, mapped, sizeof mapped) == 0;

    if (is_mapped)
        bytes += sizeof mapped;
    if (len != 4 && len != 16)
        return false;
    if (!inet_ntop(len == 4 || is_mapped ? AF_INET : AF_INET6, bytes, text, sizeof text))
        return false;
    es_buf_adds(out, text);
    return true;
}

static bool add_name(struct es_buf *out, const GENERAL_NAME *name, int wanted)
{
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, &type);

    if (type != wanted)
        return false;
    if (type == GEN_IPADD)
        return add_address(out, ASN1_STRING_get0_data(value), ASN1_STRING_length(value));
    es_buf_add(out, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    return true;
}

static struct es_tlist *collect_names(struct es_tcall *c, const GENERAL_NAMES *names, size_t *ret_count)
{
    static const int order[] = {GEN_DNS, GEN_IPADD, GEN_EMAIL, GEN_URI};
    int count = names ? sk_GENERAL_NAME_num(names) : 0;
    struct es_tlist *list = es_tcall_list(c, (size_t)(count > 0 ? count : 0));
    struct es_tcall inner = {.exec = c->exec, .name = c->name};

    *ret_count = 0;
    for (size_t o = 0; list && o < sizeof order / sizeof *order; o++)
        for (int i = 0; i < count; i++) {
            struct es_buf text;
            es_tcall_buf(&text);
            if (add_name(&text, sk_GENERAL_NAME_value(names, i), order[o])) {
                es_tcall_return_buf(&inner, &text);
                list->items[(*ret_count)++] = inner.ret;
            }
            es_buf_fini(&text);
        }
    return list;
}

static void names_of(struct es_tcall *c, X509 *certificate)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    size_t count;
    struct es_tlist *list = collect_names(c, names, &count);

    GENERAL_NAMES_free(names);
    if (!list)
        return;
    list->count = count;
    es_tcall_return_list(c, ES_T_LIST_STRING, list);
}

static void cert_sans(struct es_tcall *c)
{
    BIO *in = es_tpem_reader(c, &c->args[0]);
    struct es_tpem block;

    if (!in)
        return;
    if (es_tpem_next(in, &block, NULL)) {
        const unsigned char *p = block.der;
        X509 *certificate = d2i_X509(NULL, &p, block.len);
        if (certificate)
            names_of(c, certificate);
        else
            es_tcall_fail(c, "failed to parse certificate: x509: malformed certificate");
        X509_free(certificate);
        es_tpem_free(&block);
    } else {
        es_tcall_fail(c, "failed to decode PEM block");
    }
    BIO_free(in);
}

/* ---- rsaDecrypt ---- */

static const EVP_MD *hash_named(const struct es_tvalue *name)
{
    return es_tstring_is(name, "SHA1")     ? EVP_sha1()
           : es_tstring_is(name, "SHA512") ? EVP_sha512()
                                           : EVP_sha256();
}

/* OAEP (RFC 8017, section 7.1), with one hash for the label and the mask. */
static void decrypt_with(struct es_tcall *c, EVP_PKEY *key)
{
    const struct es_tvalue *in = &c->args[2];
    const EVP_MD *hash = hash_named(&c->args[1]);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t len = (size_t)EVP_PKEY_get_size(key);
    unsigned char *out = es_tcall_alloc(c, len + 1);

    if (ctx && out && EVP_PKEY_decrypt_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
        EVP_PKEY_CTX_set_rsa_oaep_md(ctx, hash) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, hash) == 1 &&
        EVP_PKEY_decrypt(ctx, out, &len, (const unsigned char *)in->s.ptr, in->s.len) == 1)
        es_tcall_return_copy(c, (const char *)out, len);
    else if (!c->failed)
        es_tcall_fail(c, "error decrypting data with RSA: crypto/rsa: decryption error");
    EVP_PKEY_CTX_free(ctx);
}

static void decrypt_oaep(struct es_tcall *c)
{
    BIO *in = es_tpem_reader(c, &c->args[3]);
    struct es_tpem block;

    if (!in)
        return;
    if (es_tpem_next(in, &block, NULL)) {
        EVP_PKEY *key = es_tpem_key(&block);
        if (!key)
            es_tcall_fail(c, "could not parse private key: unable to parse private key type");
        else if (EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
            es_tcall_fail(c, "could not parse RSA private key");
        else
            decrypt_with(c, key);
        EVP_PKEY_free(key);
        es_tpem_free(&block);
    } else {
        es_tcall_fail(c, "failed to decode PEM block");
    }
    BIO_free(in);
}

static void rsa_decrypt(struct es_tcall *c)
{
    const struct es_tvalue *scheme = &c->args[0];

    if (es_tstring_is(scheme, "None"))
        es_tcall_return_copy(c, c->args[2].s.ptr, c->args[2].s.len);
    else if (es_tstring_is(scheme, "RSA-OAEP"))
        decrypt_oaep(c);
    else
        es_tcall_fail(c, "decryption scheme %.*s is not supported",
                      (int)(scheme->s.len < 40 ? scheme->s.len : 40), scheme->s.ptr);
}

static const struct es_tfunction functions[] = {
    {"filterPEM", "ss", filter_pem},
    {"filterCertChain", "ss", filter_cert_chain},
    {"certSANs", "s", cert_sans},
    {"rsaDecrypt", "ssss", rsa_decrypt},
};

const struct es_tfunction_table es_tfunctions_pem = ES_TFUNCTION_TABLE(functions);
