/* sprig's functions that make keys and certificates. */
#include <openssl/crypto.h>
#include <openssl/dsa.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/template/certificate.h"
#include "core/template/pem.h"

#define RSA_STEPS 2000000 /* making an RSA key is worth so many steps of a template */
#define DSA_STEPS 4000000
#define DAY_S 86400

/* ---- the object that these functions give: .Cert and .Key ---- */

struct pair {
    struct es_tvalue cert, key; /* PEM text */
};

static bool pair_field(struct es_tcall *c, const struct es_tobject *object, const char *name, size_t len,
                       bool *ret_is_method)
{
    const struct pair *pair = object->data;

    *ret_is_method = false;
    if (len == 4 && memcmp(name, "Cert", 4) == 0)
        c->ret = pair->cert;
    else if (len == 3 && memcmp(name, "Key", 3) == 0)
        c->ret = pair->key;
    else
        return false;
    return true;
}

static struct es_tvalue pair_text(struct es_arena *arena, const struct es_tobject *object)
{
    const struct pair *pair = object->data;
    size_t len = pair->cert.s.len + pair->key.s.len + 3;
    char *text = es_arena_alloc(arena, len + 1);

    if (!text)
        return es_tstring(NULL, 0);
    text[0] = '{';
    memcpy(text + 1, pair->cert.s.ptr, pair->cert.s.len);
    text[1 + pair->cert.s.len] = ' ';
    memcpy(text + 2 + pair->cert.s.len, pair->key.s.ptr, pair->key.s.len);
    text[len - 1] = '}';
    return es_tstring(text, len);
}

static const struct es_tclass pair_class = {
    .type = "sprig.certificate", .kind = "struct", .field = pair_field, .text = pair_text};

static void give_pair(struct es_tcall *c, struct es_tvalue cert, struct es_tvalue key)
{
    struct pair *pair = es_tcall_alloc(c, sizeof *pair);
    struct es_tobject *object = es_tcall_alloc(c, sizeof *object);

    if (!pair || !object)
        return;
    *pair = (struct pair){cert, key};
    *object = (struct es_tobject){&pair_class, pair};
    c->ret = (struct es_tvalue){.type = ES_T_OBJECT, .object = object};
}

/* ---- private keys ---- */

static EVP_PKEY *make_rsa(struct es_tcall *c, unsigned bits)
{
    EVP_PKEY *key = es_tcall_spend(c, RSA_STEPS) ? EVP_RSA_gen(bits) : NULL;

    if (!key)
        es_tcall_fail(c, "error generating rsa key");
    return key;
}

static EVP_PKEY *make_dsa(struct es_tcall *c)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_DSA, NULL), *from = NULL;
    EVP_PKEY *params = NULL, *key = NULL;

    if (es_tcall_spend(c, DSA_STEPS) && ctx && EVP_PKEY_paramgen_init(ctx) == 1 &&
        EVP_PKEY_CTX_set_dsa_paramgen_bits(ctx, 2048) == 1 &&
        EVP_PKEY_CTX_set_dsa_paramgen_q_bits(ctx, 256) == 1 && EVP_PKEY_paramgen(ctx, &params) == 1 &&
        (from = EVP_PKEY_CTX_new(params, NULL)) && EVP_PKEY_keygen_init(from) == 1)
        EVP_PKEY_keygen(from, &key);
    if (!key)
        es_tcall_fail(c, "failed to generate dsa params");
    EVP_PKEY_CTX_free(from);
    EVP_PKEY_free(params);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *make_key(struct es_tcall *c, const struct es_tvalue *type)
{
    if (type->s.len == 0 || es_tstring_is(type, "rsa"))
        return make_rsa(c, 4096);
    if (es_tstring_is(type, "dsa"))
        return make_dsa(c);
    if (es_tstring_is(type, "ecdsa"))
        return EVP_EC_gen("P-256");
    return es_tstring_is(type, "ed25519") ? EVP_PKEY_Q_keygen(NULL, NULL, "ED25519") : NULL;
}

/* As the key's kind is written of old: PKCS#1, SEC 1; PKCS#8 for the rest. */
static bool write_key(BIO *out, EVP_PKEY *key)
{
    switch (EVP_PKEY_get_base_id(key)) {
    case EVP_PKEY_RSA:
    case EVP_PKEY_DSA:
    case EVP_PKEY_EC:
        return PEM_write_bio_PrivateKey_traditional(out, key, NULL, NULL, 0, NULL, NULL) == 1;
    default:
        return es_tpem_write_pkcs8(out, key);
    }
}

static void gen_private_key(struct es_tcall *c)
{
    const struct es_tvalue *type = &c->args[0];
    EVP_PKEY *key = make_key(c, type);
    struct es_buf unknown;

    if (key) {
        BIO *out = es_tpem_writer(c);
        if (out)
            es_tpem_return(c, out, write_key(out, key));
    } else if (!c->failed) {
        es_tcall_buf(&unknown);
        es_buf_adds(&unknown, "Unknown type ");
        es_buf_add(&unknown, type->s.ptr, type->s.len);
        es_tcall_return_buf(c, &unknown);
    }
    EVP_PKEY_free(key);
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), n = strlen(end);

    return len >= n && strcmp(text + len - n, end) == 0;
}

/* sprig's rules on what a private key in PEM is. `before` goes before the reason. */
static EVP_PKEY *key_of_block(struct es_tcall *c, const struct es_tpem *block, const char *before)
{
    EVP_PKEY *key = NULL;

    if (strcmp(block->type, "PRIVATE KEY") != 0 && !ends_with(block->type, " PRIVATE KEY")) {
        es_tcall_fail(c, "%sno private key data in PEM block of type %.40s", before, block->type);
        return NULL;
    }
    key = es_tpem_key(block);
    if (!key && strcmp(block->type, "PRIVATE KEY") == 0)
        es_tcall_fail(c, "%sdecoding PEM as PKCS#8: the block holds no such key", before);
    else if (!key)
        es_tcall_fail(c, "%sparsing %.40s from PEM: the block holds no such key", before, block->type);
    return key;
}

static EVP_PKEY *parse_key(struct es_tcall *c, const struct es_tvalue *text, const char *before)
{
    BIO *in = es_tpem_reader(c, text);
    struct es_tpem block;
    EVP_PKEY *key = NULL;

    if (in && es_tpem_next(in, &block, NULL)) {
        key = key_of_block(c, &block, before);
        es_tpem_free(&block);
    } else if (in) {
        es_tcall_fail(c, "%sno PEM data in input", before);
    }
    BIO_free(in);
    return key;
}

/* ---- certificates ---- */

/* The text of what `write` writes, as a value of the render. */
static struct es_tvalue text_of(struct es_tcall *c, X509 *certificate, EVP_PKEY *key)
{
    struct es_tcall inner = {.exec = c->exec, .name = c->name};
    BIO *out = es_tpem_writer(&inner);

    if (out)
        es_tpem_return(&inner, out,
                       certificate ? es_tpem_write_certificate(out, certificate) : write_key(out, key));
    c->failed = c->failed || inner.failed;
    return inner.ret;
}

static void give_certificate(struct es_tcall *c, const struct es_tcertificate *w)
{
    X509 *x = w->key ? es_tcertificate_make(c, w) : NULL;

    if (x)
        give_pair(c, text_of(c, x, NULL), text_of(c, NULL, w->key));
    X509_free(x);
}

static bool in_days(struct es_tcall *c, int64_t days)
{
    if (days >= -36500 && days <= 36500 * 10)
        return true;
    es_tcall_fail(c, "error creating certificate: %lld days are not to be had", (long long)days);
    return false;
}

static void make_authority(struct es_tcall *c, EVP_PKEY *key)
{
    struct es_tcertificate w = {.name = &c->args[0], .days = c->args[1].i, .is_ca = true, .key = key};

    if (key && in_days(c, w.days))
        give_certificate(c, &w);
    EVP_PKEY_free(key);
}

static void gen_ca(struct es_tcall *c)
{
    make_authority(c, make_rsa(c, 2048));
}

static void gen_ca_with_key(struct es_tcall *c)
{
    make_authority(c, parse_key(c, &c->args[2], "parsing private key: "));
}

static struct es_tcertificate server(struct es_tcall *c, EVP_PKEY *key)
{
    return (struct es_tcertificate){.name = &c->args[0],
                                    .addresses = c->args[1].type == ES_T_NIL ? NULL : &c->args[1],
                                    .hosts = c->args[2].type == ES_T_NIL ? NULL : &c->args[2],
                                    .days = c->args[3].i,
                                    .key = key};
}

static void make_self_signed(struct es_tcall *c, EVP_PKEY *key)
{
    struct es_tcertificate w = server(c, key);

    if (key && in_days(c, w.days))
        give_certificate(c, &w);
    EVP_PKEY_free(key);
}

static void gen_self_signed(struct es_tcall *c)
{
    make_self_signed(c, make_rsa(c, 2048));
}

static void gen_self_signed_with_key(struct es_tcall *c)
{
    make_self_signed(c, parse_key(c, &c->args[4], "parsing private key: "));
}

static X509 *parse_certificate(struct es_tcall *c, const struct es_tvalue *text)
{
    BIO *in = es_tpem_reader(c, text);
    struct es_tpem block;
    X509 *x = NULL;

    if (in && es_tpem_next(in, &block, NULL)) {
        const unsigned char *p = block.der;
        x = d2i_X509(NULL, &p, block.len);
        if (!x)
            es_tcall_fail(c, "error parsing certificate: decodedCert.Bytes: x509: malformed certificate");
        es_tpem_free(&block);
    } else if (in) {
        es_tcall_fail(c, "unable to decode certificate");
    }
    BIO_free(in);
    return x;
}

static void make_signed(struct es_tcall *c, EVP_PKEY *key)
{
    const struct pair *ca = c->args[4].object->data;
    struct es_tcertificate w = server(c, key);

    w.issuer = key && in_days(c, w.days) ? parse_certificate(c, &ca->cert) : NULL;
    w.issuer_key = w.issuer ? parse_key(c, &ca->key, "error parsing private key: ") : NULL;
    if (w.issuer_key)
        give_certificate(c, &w);
    X509_free(w.issuer);
    EVP_PKEY_free(w.issuer_key);
    EVP_PKEY_free(key);
}

static void gen_signed(struct es_tcall *c)
{
    make_signed(c, make_rsa(c, 2048));
}

static void gen_signed_with_key(struct es_tcall *c)
{
    make_signed(c, parse_key(c, &c->args[5], "parsing private key: "));
}

/* ---- buildCustomCert ---- */

static bool decode(struct es_tcall *c, const struct es_tvalue *text, const char *what, struct es_tvalue *ret)
{
    struct es_blob bytes = {0};
    int rc = es_base64_decode(&bytes, ES_BASE64_STD, text->s.ptr, text->s.len, NULL);
    char *copy = rc == 0 ? es_tcall_alloc(c, bytes.len + 1) : NULL;

    if (rc < 0)
        es_tcall_fail(c, "unable to decode base64 %s", what);
    if (copy && bytes.len)
        memcpy(copy, bytes.ptr, bytes.len);
    *ret = es_tstring(copy, copy ? bytes.len : 0);
    es_blob_fini(&bytes);
    return copy != NULL;
}

static void build_custom_cert(struct es_tcall *c)
{
    struct es_tvalue cert, key;

    if (!decode(c, &c->args[0], "certificate", &cert) || !decode(c, &c->args[1], "private key", &key))
        return;
    X509 *x = parse_certificate(c, &cert);
    EVP_PKEY *parsed = x ? parse_key(c, &key, "error parsing private key: ") : NULL;
    if (parsed)
        give_pair(c, cert, key);
    EVP_PKEY_free(parsed);
    X509_free(x);
}

static const struct es_tfunction functions[] = {
    {"genPrivateKey", "s", gen_private_key},
    {"genCA", "si", gen_ca},
    {"genCAWithKey", "sis", gen_ca_with_key},
    {"genSelfSignedCert", "slli", gen_self_signed},
    {"genSelfSignedCertWithKey", "sllis", gen_self_signed_with_key},
    {"genSignedCert", "sllic", gen_signed},
    {"genSignedCertWithKey", "sllics", gen_signed_with_key},
    {"buildCustomCert", "ss", build_custom_cert},
};

const struct es_tfunction_table es_tfunctions_certs = ES_TFUNCTION_TABLE(functions);
