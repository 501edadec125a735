/* PKCS#12: read into PEM, and made from it. */
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <string.h>

#include "core/template/pem.h"

#define ITERATIONS 2048 /* of the key derivation, as the reference has it */

/* Texts with a NUL behind them, which OpenSSL wants for passwords. */
static char *c_string(struct es_tcall *c, const struct es_tvalue *v)
{
    char *copy = es_tcall_alloc(c, v->s.len + 1);

    if (copy)
        memcpy(copy, v->s.ptr, v->s.len);
    return copy;
}

struct contents {
    EVP_PKEY *key;
    X509 *cert;
    STACK_OF(X509) * others;
};

static void contents_fini(struct contents *k)
{
    EVP_PKEY_free(k->key);
    X509_free(k->cert);
    es_pem_certificates_free(k->others);
}

/* An empty password may be none at all. */
static bool password_fits(PKCS12 *p12, const char *password)
{
    if (!PKCS12_mac_present(p12) || PKCS12_verify_mac(p12, password, -1))
        return true;
    return !*password && PKCS12_verify_mac(p12, NULL, 0);
}

static const char *read_contents(const struct es_tvalue *in, const char *password, struct contents *ret)
{
    const unsigned char *p = (const unsigned char *)in->s.ptr;
    PKCS12 *p12 = d2i_PKCS12(NULL, &p, (long)in->s.len);
    const char *why = NULL;

    if (!p12)
        why = "pkcs12: error reading P12 data";
    else if (!password_fits(p12, password))
        why = "pkcs12: decryption password incorrect";
    else if (!PKCS12_parse(p12, password, &ret->key, &ret->cert, &ret->others))
        why = "pkcs12: its algorithms are not supported";
    else if (!ret->key)
        why = "pkcs12: private key missing";
    else if (!ret->cert)
        why = "pkcs12: certificate missing";
    PKCS12_free(p12);
    ERR_clear_error();
    return why;
}

static void read_key(struct es_tcall *c, const struct es_tvalue *password, const struct es_tvalue *in)
{
    struct contents k = {0};
    char *pass = c_string(c, password);
    const char *why = pass ? read_contents(in, pass, &k) : NULL;

    if (why) {
        es_tcall_fail(c, "unable to decode pkcs12 with password: %s", why);
    } else if (pass) {
        BIO *out = es_pem_writer();
        es_pem_return(c, out, out && PEM_write_bio_PrivateKey(out, k.key, NULL, NULL, 0, NULL, NULL) == 1);
    }
    contents_fini(&k);
}

/* As a chain, if they are one; else as they are. */
static void return_certs(struct es_tcall *c, struct contents *k)
{
    STACK_OF(X509) *all = k->others ? k->others : sk_X509_new_null();
    const char *why;
    BIO *out = es_pem_writer();
    bool ok = all && out && sk_X509_insert(all, k->cert, 0) > 0;

    k->others = all;
    if (ok)
        k->cert = NULL; /* it is the stack's now */
    STACK_OF(X509) *chain = ok ? es_pem_chain(all, &why) : NULL;
    const STACK_OF(X509) *shown = chain ? chain : all;
    for (int i = 0; ok && i < sk_X509_num(shown); i++)
        ok = PEM_write_bio_X509(out, sk_X509_value(shown, i)) == 1;
    sk_X509_free(chain);
    es_pem_return(c, out, ok);
}

static void read_cert(struct es_tcall *c, const struct es_tvalue *password, const struct es_tvalue *in)
{
    struct contents k = {0};
    char *pass = c_string(c, password);
    const char *why = pass ? read_contents(in, pass, &k) : NULL;

    if (why)
        es_tcall_fail(c, "unable to decode pkcs12 certificate with password: %s", why);
    else if (pass)
        return_certs(c, &k);
    contents_fini(&k);
}

static const struct es_tvalue no_password = {.type = ES_T_STRING, .s = {"", 0}};

static void key(struct es_tcall *c)
{
    read_key(c, &no_password, &c->args[0]);
}

static void key_pass(struct es_tcall *c)
{
    read_key(c, &c->args[0], &c->args[1]);
}

static void cert(struct es_tcall *c)
{
    read_cert(c, &no_password, &c->args[0]);
}

static void cert_pass(struct es_tcall *c)
{
    read_cert(c, &c->args[0], &c->args[1]);
}

/* Writing */

static void return_p12(struct es_tcall *c, PKCS12 *take_p12)
{
    BIO *out = es_pem_writer();
    bool ok = out && take_p12 && i2d_PKCS12_bio(out, take_p12) == 1;

    PKCS12_free(take_p12);
    es_pem_return_base64(c, out, ok);
}

/* The first certificate with its key; with `full` the others as well. */
static void write_p12(struct es_tcall *c, const struct es_tvalue *password, bool full)
{
    BIO *in = es_pem_reader(&c->args[0]);
    STACK_OF(X509) *certs = es_pem_certificates(c, in);
    char *pass = c_string(c, password);
    EVP_PKEY *pkey = NULL;

    BIO_free(in);
    if (certs && sk_X509_num(certs) == 0)
        es_tcall_fail(c, "there is no certificate in PEM");
    else if (certs)
        pkey = es_pem_private_key(c, &c->args[1], "there is no private key in PEM");
    if (pkey && pass) {
        X509 *first = sk_X509_shift(certs);
        return_p12(c, PKCS12_create(pass, NULL, pkey, first, full && sk_X509_num(certs) ? certs : NULL,
                                    NID_aes_256_cbc, NID_aes_256_cbc, ITERATIONS, ITERATIONS, 0));
        X509_free(first);
    }
    EVP_PKEY_free(pkey);
    es_pem_certificates_free(certs);
}

static void pem_to(struct es_tcall *c)
{
    write_p12(c, &no_password, false);
}

static void pem_to_pass(struct es_tcall *c)
{
    write_p12(c, &c->args[2], false);
}

static void full_pem_to(struct es_tcall *c)
{
    write_p12(c, &no_password, true);
}

static void full_pem_to_pass(struct es_tcall *c)
{
    write_p12(c, &c->args[2], true);
}

/* Java trusts a certificate in a PKCS#12 only with this attribute: "for any use". */
static bool add_trusted(STACK_OF(PKCS12_SAFEBAG) * bags, X509 *trusted)
{
    char name[256];
    ASN1_OBJECT *any_use = OBJ_txt2obj("2.5.29.37.0", 1);
    PKCS12_SAFEBAG *bag = PKCS12_SAFEBAG_create_cert(trusted);
    bool ok = bag && any_use && X509_NAME_oneline(X509_get_subject_name(trusted), name, sizeof name) &&
              PKCS12_add_friendlyname_utf8(bag, name, -1) &&
              PKCS12_add1_attr_by_txt(bag, "2.16.840.1.113894.746875.1.1", V_ASN1_OBJECT,
                                      (const unsigned char *)any_use, -1) &&
              sk_PKCS12_SAFEBAG_push(bags, bag) > 0;

    if (!ok)
        PKCS12_SAFEBAG_free(bag);
    ASN1_OBJECT_free(any_use);
    return ok;
}

static PKCS12 *trust_store(const STACK_OF(X509) * certs, const char *password)
{
    STACK_OF(PKCS12_SAFEBAG) *bags = sk_PKCS12_SAFEBAG_new_null();
    STACK_OF(PKCS7) *safes = NULL;
    PKCS12 *p12 = NULL;
    bool ok = bags != NULL;

    for (int i = 0; ok && i < sk_X509_num(certs); i++)
        ok = add_trusted(bags, sk_X509_value(certs, i));
    if (ok && PKCS12_add_safe(&safes, bags, NID_aes_256_cbc, ITERATIONS, password))
        p12 = PKCS12_add_safes(safes, 0);
    if (p12 && !PKCS12_set_mac(p12, password, -1, NULL, 0, ITERATIONS, EVP_sha256())) {
        PKCS12_free(p12);
        p12 = NULL;
    }
    sk_PKCS7_pop_free(safes, PKCS7_free);
    sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    return p12;
}

static void write_trust_store(struct es_tcall *c, const struct es_tvalue *password)
{
    BIO *in = es_pem_reader(&c->args[0]);
    STACK_OF(X509) *certs = es_pem_certificates(c, in);
    char *pass = c_string(c, password);

    BIO_free(in);
    if (certs && pass)
        return_p12(c, trust_store(certs, pass));
    es_pem_certificates_free(certs);
}

static void trust(struct es_tcall *c)
{
    write_trust_store(c, &no_password);
}

static void trust_pass(struct es_tcall *c)
{
    write_trust_store(c, &c->args[1]);
}

static const struct es_tfunction functions[] = {
    {"pkcs12key", "s", key},
    {"pkcs12keyPass", "ss", key_pass},
    {"pkcs12cert", "s", cert},
    {"pkcs12certPass", "ss", cert_pass},
    {"pemToPkcs12", "ss", pem_to},
    {"pemToPkcs12Pass", "sss", pem_to_pass},
    {"fullPemToPkcs12", "ss", full_pem_to},
    {"fullPemToPkcs12Pass", "sss", full_pem_to_pass},
    {"pemTruststoreToPKCS12", "s", trust},
    {"pemTruststoreToPKCS12Pass", "ss", trust_pass},
};

const struct es_tfunction_table es_tfunctions_pkcs12 = ES_TFUNCTION_TABLE(functions);
