/* PKCS#12 (RFC 7292): what is in a file, and files made of PEM text.
 *
 * Files of old use ciphers that OpenSSL keeps in a provider of its own; it is loaded
 * into a library context that nothing else uses. */
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/rand.h>
#include <pthread.h>
#include <string.h>

#include "core/template/chain.h"
#include "core/template/pem.h"

#define ITERATIONS 2048
#define STORE_STEPS 100000 /* a key derivation is worth so many steps of a template */

static OSSL_LIB_CTX *context; /* for the life of the process */

static void make_context(void)
{
    OSSL_LIB_CTX *made = OSSL_LIB_CTX_new();

    if (!made || !OSSL_PROVIDER_load(made, "default")) {
        OSSL_LIB_CTX_free(made);
        return;
    }
    /* Without it only the old ciphers are missing. */
    OSSL_PROVIDER_load(made, "legacy");
    context = made;
}

static OSSL_LIB_CTX *library(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, make_context);
    return context;
}

/* ---- reading ---- */

struct content {
    EVP_PKEY *key;
    X509 *certificate; /* the key's */
    STACK_OF(X509) * others;
};

static void content_free(struct content *content)
{
    EVP_PKEY_free(content->key);
    X509_free(content->certificate);
    sk_X509_pop_free(content->others, X509_free);
}

/* An arena's copy with a NUL behind it, which es_tvalue does not have. */
static char *terminated(struct es_tcall *c, const struct es_tvalue *text)
{
    char *copy = es_tcall_alloc(c, text->s.len + 1);

    if (copy && text->s.len)
        memcpy(copy, text->s.ptr, text->s.len);
    return copy;
}

static PKCS12 *parse(struct es_tcall *c, const struct es_tvalue *in)
{
    BIO *bio = in->s.len <= INT_MAX ? BIO_new_mem_buf(in->s.ptr, (int)in->s.len) : NULL;
    PKCS12 *file = PKCS12_init_ex(NID_pkcs7_data, library(), NULL);
    bool ok = bio && file && d2i_PKCS12_bio(bio, &file);

    BIO_free(bio);
    if (ok)
        return file;
    PKCS12_free(file);
    (void)c;
    return NULL;
}

/* Why not, in the words of the reference's library; NULL: it was opened. */
static const char *open_file(struct es_tcall *c, const struct es_tvalue *in, const char *password,
                             struct content *ret)
{
    PKCS12 *file = in->s.len ? parse(c, in) : NULL;
    const char *why = NULL;

    if (!file)
        why = "pkcs12: the file is malformed";
    else if (PKCS12_mac_present(file) && !PKCS12_verify_mac(file, password, -1) &&
             !(*password == '\0' && PKCS12_verify_mac(file, NULL, 0)))
        why = "pkcs12: decryption password incorrect";
    else if (PKCS12_parse(file, password, &ret->key, &ret->certificate, &ret->others) != 1)
        why = "pkcs12: the content cannot be decrypted";
    else if (!ret->key)
        why = "pkcs12: private key missing";
    else if (!ret->certificate && (!ret->others || sk_X509_num(ret->others) == 0))
        why = "pkcs12: certificate missing";
    PKCS12_free(file);
    return why;
}

static void give_key(struct es_tcall *c, const struct es_tvalue *in, const char *password)
{
    struct content content = {0};
    const char *why = password && es_tcall_spend(c, STORE_STEPS) ? open_file(c, in, password, &content) : "";

    if (why && *why)
        es_tcall_fail(c, "unable to decode pkcs12 with password: %s", why);
    if (!why) {
        BIO *out = es_tpem_writer(c);
        if (out)
            es_tpem_return(c, out, es_tpem_write_pkcs8(out, content.key));
    }
    content_free(&content);
}

static void pkcs12key(struct es_tcall *c)
{
    give_key(c, &c->args[0], "");
}

static void pkcs12key_pass(struct es_tcall *c)
{
    give_key(c, &c->args[1], terminated(c, &c->args[0]));
}

/* As stored: the key's certificate, then the others. */
static bool collect(struct es_tcall *c, struct content *content, struct es_tchain *chain)
{
    X509 *certificate = content->certificate;

    content->certificate = NULL;
    if (certificate && !es_tchain_add(c, chain, certificate))
        return false;
    while (content->others && sk_X509_num(content->others) > 0)
        if (!es_tchain_add(c, chain, sk_X509_shift(content->others)))
            return false;
    return true;
}

/* A chain in its order; what is none stays as it is stored. */
static void give_chain(struct es_tcall *c, struct content *content)
{
    struct es_tchain chain = {0};

    if (collect(c, content, &chain)) {
        struct es_tcall attempt = {.exec = c->exec, .name = c->name};
        es_tchain_order(&attempt, &chain);
        BIO *out = es_tpem_writer(c);
        if (out)
            es_tpem_return(c, out, es_tchain_write(out, &chain));
    }
    es_tchain_free(&chain);
}

static void give_certificates(struct es_tcall *c, const struct es_tvalue *in, const char *password)
{
    struct content content = {0};
    const char *why = password && es_tcall_spend(c, STORE_STEPS) ? open_file(c, in, password, &content) : "";

    if (why && *why)
        es_tcall_fail(c, "unable to decode pkcs12 certificate with password: %s", why);
    if (!why)
        give_chain(c, &content);
    content_free(&content);
}

static void pkcs12cert(struct es_tcall *c)
{
    give_certificates(c, &c->args[0], "");
}

static void pkcs12cert_pass(struct es_tcall *c)
{
    give_certificates(c, &c->args[1], terminated(c, &c->args[0]));
}

/* ---- making ---- */

/* Which certificate belongs to which key. */
static bool mark(PKCS12_SAFEBAG *bag, X509 *certificate)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    return bag && X509_digest(certificate, EVP_sha1(), digest, &len) == 1 &&
           PKCS12_add_localkeyid(bag, digest, (int)len) == 1;
}

static bool add_certificates(STACK_OF(PKCS12_SAFEBAG) * *bags, const struct es_tchain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        PKCS12_SAFEBAG *bag = PKCS12_add_cert(bags, chain->certificates[i]);
        if (!bag || (i == 0 && !mark(bag, chain->certificates[0])))
            return false;
    }
    return true;
}

/* How Java recognises what it may trust: an attribute of Oracle's, here with any usage. */
static bool trust(PKCS12_SAFEBAG *bag, X509 *certificate)
{
    char *subject = NULL;
    BIO *name = BIO_new(BIO_s_mem());
    ASN1_OBJECT *usage = OBJ_nid2obj(NID_anyExtendedKeyUsage);
    bool ok =
        bag && name && X509_NAME_print_ex(name, X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) >= 0;
    long len = ok ? BIO_get_mem_data(name, &subject) : 0;

    ok = ok && len <= INT_MAX && PKCS12_add_friendlyname_utf8(bag, len ? subject : "", (int)len) == 1 &&
         PKCS12_add1_attr_by_txt(bag, "2.16.840.1.113894.746875.1.1", V_ASN1_OBJECT,
                                 (const unsigned char *)usage, -1) == 1;
    BIO_free(name);
    return ok;
}

static bool add_trusted(STACK_OF(PKCS12_SAFEBAG) * *bags, const struct es_tchain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (!trust(PKCS12_add_cert(bags, chain->certificates[i]), chain->certificates[i]))
            return false;
    return true;
}

static bool add_key(STACK_OF(PKCS12_SAFEBAG) * *bags, EVP_PKEY *key, X509 *certificate, const char *password)
{
    return mark(PKCS12_add_key_ex(bags, key, 0, ITERATIONS, NID_aes_256_cbc, password, library(), NULL),
                certificate);
}

/* PBES2 with AES-256 over the certificates, the key in a bag of its own, an HMAC with SHA-256 over all. */
static bool write_store(BIO *out, const struct es_tchain *chain, EVP_PKEY *key, const char *password)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = NULL, *keys = NULL;
    STACK_OF(PKCS7) *safes = NULL;
    PKCS12 *file = NULL;
    bool ok =
        (key ? add_certificates(&bags, chain) : add_trusted(&bags, chain)) &&
        (!bags || PKCS12_add_safe_ex(&safes, bags, NID_aes_256_cbc, ITERATIONS, password, library(), NULL)) &&
        (!key || (add_key(&keys, key, chain->certificates[0], password) &&
                  PKCS12_add_safe_ex(&safes, keys, -1, 0, NULL, library(), NULL))) &&
        (safes || (safes = sk_PKCS7_new_null())) && (file = PKCS12_add_safes_ex(safes, 0, library(), NULL)) &&
        PKCS12_set_mac(file, password, -1, NULL, 0, ITERATIONS, EVP_sha256()) &&
        i2d_PKCS12_bio(out, file) == 1;

    PKCS12_free(file);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    sk_PKCS12_SAFEBAG_pop_free(keys, PKCS12_SAFEBAG_free);
    return ok;
}

static void give_store(struct es_tcall *c, const struct es_tchain *chain, EVP_PKEY *key, const char *password)
{
    BIO *out = password && es_tcall_spend(c, STORE_STEPS) ? es_tpem_writer(c) : NULL;

    if (out)
        es_tpem_return_base64(c, out, write_store(out, chain, key, password));
}

static EVP_PKEY *read_key(struct es_tcall *c, const struct es_tvalue *text)
{
    BIO *in = es_tpem_reader(c, text);
    struct es_tpem block;
    EVP_PKEY *key = NULL;

    if (in && es_tpem_next(in, &block, NULL)) {
        key = es_tpem_key(&block);
        es_tpem_free(&block);
        if (!key)
            es_tcall_fail(c, "unable to parse private key type");
    } else if (in) {
        es_tcall_fail(c, "the key holds no PEM block");
    }
    BIO_free(in);
    return key;
}

/* The first certificate, and the ones behind it if they are wanted too. */
static bool read_chain(struct es_tcall *c, const struct es_tvalue *text, bool all, struct es_tchain *chain)
{
    BIO *in = es_tpem_reader(c, text);
    struct es_tpem block;
    bool ok = in != NULL;

    if (in && es_tpem_next(in, &block, NULL)) {
        X509 *first = es_tpem_certificate(c, &block);
        es_tpem_free(&block);
        ok = first && es_tchain_add(c, chain, first) && (!all || es_tchain_read(c, in, chain));
    } else if (in) {
        es_tcall_fail(c, "the certificate holds no PEM block");
        ok = false;
    }
    BIO_free(in);
    return ok;
}

static void make_store(struct es_tcall *c, bool all, const char *password)
{
    struct es_tchain chain = {0};
    EVP_PKEY *key = read_chain(c, &c->args[0], all, &chain) ? read_key(c, &c->args[1]) : NULL;

    if (key)
        give_store(c, &chain, key, password);
    EVP_PKEY_free(key);
    es_tchain_free(&chain);
}

static void pem_to_pkcs12(struct es_tcall *c)
{
    make_store(c, false, "");
}

static void pem_to_pkcs12_pass(struct es_tcall *c)
{
    make_store(c, false, terminated(c, &c->args[2]));
}

static void full_pem_to_pkcs12(struct es_tcall *c)
{
    make_store(c, true, "");
}

static void full_pem_to_pkcs12_pass(struct es_tcall *c)
{
    make_store(c, true, terminated(c, &c->args[2]));
}

static void make_truststore(struct es_tcall *c, const char *password)
{
    struct es_tchain chain = {0};

    if (c->args[0].s.len == 0 || read_chain(c, &c->args[0], true, &chain))
        give_store(c, &chain, NULL, password);
    es_tchain_free(&chain);
}

static void pem_truststore(struct es_tcall *c)
{
    make_truststore(c, "");
}

static void pem_truststore_pass(struct es_tcall *c)
{
    make_truststore(c, terminated(c, &c->args[1]));
}

static const struct es_tfunction functions[] = {
    {"pkcs12key", "s", pkcs12key},
    {"pkcs12keyPass", "ss", pkcs12key_pass},
    {"pkcs12cert", "s", pkcs12cert},
    {"pkcs12certPass", "ss", pkcs12cert_pass},
    {"pemToPkcs12", "ss", pem_to_pkcs12},
    {"pemToPkcs12Pass", "sss", pem_to_pkcs12_pass},
    {"fullPemToPkcs12", "ss", full_pem_to_pkcs12},
    {"fullPemToPkcs12Pass", "sss", full_pem_to_pkcs12_pass},
    {"pemTruststoreToPKCS12", "s", pem_truststore},
    {"pemTruststoreToPKCS12Pass", "ss", pem_truststore_pass},
};

const struct es_tfunction_table es_tfunctions_pkcs12 = ES_TFUNCTION_TABLE(functions);
