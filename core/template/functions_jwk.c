/* JSON Web Keys (RFC 7517, RFC 7518 section 6, RFC 8037) as PEM. */
#include <jansson.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/template/pem.h"

/* The bytes of a member in base64 for URLs, without padding as the RFC has it. */
static bool bytes_of(const json_t *jwk, const char *member, struct es_blob *ret)
{
    const json_t *text = json_object_get(jwk, member);
    size_t len = json_string_length(text);
    struct es_buf padded;

    if (!json_is_string(text))
        return false;
    es_buf_init(&padded, 1 << 16);
    es_buf_add(&padded, json_string_value(text), len);
    for (; len % 4; len++)
        es_buf_addc(&padded, '=');
    bool ok = !es_buf_failed(&padded) &&
              es_base64_decode(ret, ES_BASE64_URL, es_buf_str(&padded), padded.len, NULL) == 0;
    es_buf_fini(&padded);
    return ok && ret->len > 0;
}

/* A number that lives until the key is made. */
struct numbers {
    BIGNUM *all[8];
    size_t count;
};

static bool push_number(OSSL_PARAM_BLD *params, struct numbers *numbers, const char *name, const json_t *jwk,
                        const char *member)
{
    struct es_blob bytes = {0};
    BIGNUM *number = bytes_of(jwk, member, &bytes) ? BN_bin2bn(bytes.ptr, (int)bytes.len, NULL) : NULL;

    es_blob_fini(&bytes);
    if (!number)
        return false;
    numbers->all[numbers->count++] = number;
    return OSSL_PARAM_BLD_push_BN(params, name, number) == 1;
}

static EVP_PKEY *build(const char *type, bool is_private, OSSL_PARAM_BLD *params)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *made = OSSL_PARAM_BLD_to_param(params);
    EVP_PKEY *key = NULL;

    if (ctx && made && EVP_PKEY_fromdata_init(ctx) == 1)
        EVP_PKEY_fromdata(ctx, &key, is_private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, made);
    OSSL_PARAM_free(made);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *rsa_key(const json_t *jwk, bool is_private)
{
    static const struct {
        const char *name, *member;
    } secret[] = {{OSSL_PKEY_PARAM_RSA_D, "d"},          {OSSL_PKEY_PARAM_RSA_FACTOR1, "p"},
                  {OSSL_PKEY_PARAM_RSA_FACTOR2, "q"},    {OSSL_PKEY_PARAM_RSA_EXPONENT1, "dp"},
                  {OSSL_PKEY_PARAM_RSA_EXPONENT2, "dq"}, {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, "qi"}};
    OSSL_PARAM_BLD *params = OSSL_PARAM_BLD_new();
    struct numbers numbers = {0};
    bool ok = params && push_number(params, &numbers, OSSL_PKEY_PARAM_RSA_N, jwk, "n") &&
              push_number(params, &numbers, OSSL_PKEY_PARAM_RSA_E, jwk, "e");

    for (size_t i = 0; ok && is_private && i < sizeof secret / sizeof *secret; i++)
        ok = push_number(params, &numbers, secret[i].name, jwk, secret[i].member);
    EVP_PKEY *key = ok ? build("RSA", is_private, params) : NULL;
    for (size_t i = 0; i < numbers.count; i++)
        BN_clear_free(numbers.all[i]);
    OSSL_PARAM_BLD_free(params);
    return key;
}

static const struct {
    const char *name, *group;
    size_t size; /* of a coordinate */
} curves[] = {{"P-256", "prime256v1", 32}, {"P-384", "secp384r1", 48}, {"P-521", "secp521r1", 66}};

/* A point as SEC 1 writes it, uncompressed. */
static bool point_of(const json_t *jwk, size_t size, unsigned char *point)
{
    struct es_blob x = {0}, y = {0};
    bool ok = bytes_of(jwk, "x", &x) && bytes_of(jwk, "y", &y) && x.len <= size && y.len <= size;

    if (ok) {
        point[0] = 4;
        memcpy(point + 1 + (size - x.len), x.ptr, x.len);
        memcpy(point + 1 + size + (size - y.len), y.ptr, y.len);
    }
    es_blob_fini(&x);
    es_blob_fini(&y);
    return ok;
}

static EVP_PKEY *ec_key_on(const json_t *jwk, bool is_private, const char *group, size_t size)
{
    unsigned char point[1 + 2 * 66] = {0};
    OSSL_PARAM_BLD *params = OSSL_PARAM_BLD_new();
    struct numbers numbers = {0};
    bool ok = params && point_of(jwk, size, point) &&
              OSSL_PARAM_BLD_push_utf8_string(params, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
              OSSL_PARAM_BLD_push_octet_string(params, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size) == 1 &&
              (!is_private || push_number(params, &numbers, OSSL_PKEY_PARAM_PRIV_KEY, jwk, "d"));
    EVP_PKEY *key = ok ? build("EC", is_private, params) : NULL;

    for (size_t i = 0; i < numbers.count; i++)
        BN_clear_free(numbers.all[i]);
    OSSL_PARAM_BLD_free(params);
    return key;
}

static EVP_PKEY *ec_key(const json_t *jwk, bool is_private)
{
    const char *curve = json_string_value(json_object_get(jwk, "crv"));

    for (size_t i = 0; curve && i < sizeof curves / sizeof *curves; i++)
        if (strcmp(curve, curves[i].name) == 0)
            return ec_key_on(jwk, is_private, curves[i].group, curves[i].size);
    return NULL;
}

static EVP_PKEY *okp_key(const json_t *jwk, bool is_private)
{
    const char *curve = json_string_value(json_object_get(jwk, "crv"));
    struct es_blob bytes = {0};
    EVP_PKEY *key = NULL;

    if (curve && (strcmp(curve, "Ed25519") == 0 || strcmp(curve, "X25519") == 0) &&
        bytes_of(jwk, is_private ? "d" : "x", &bytes))
        key = is_private ? EVP_PKEY_new_raw_private_key_ex(NULL, curve, NULL, bytes.ptr, bytes.len)
                         : EVP_PKEY_new_raw_public_key_ex(NULL, curve, NULL, bytes.ptr, bytes.len);
    es_blob_fini(&bytes);
    return key;
}

struct parsed {
    EVP_PKEY *key;
    const char *go_type; /* of the key, without the package's "PublicKey" or "PrivateKey" */
    bool is_private;
};

/* The failures name what is wrong and quote nothing of the key. */
static struct parsed parse(struct es_tcall *c, const struct es_tvalue *text)
{
    json_error_t why;
    json_t *jwk = json_loadb(text->s.ptr, text->s.len, JSON_REJECT_DUPLICATES, &why);
    const char *kty = json_string_value(json_object_get(jwk, "kty"));
    struct parsed p = {.is_private = json_object_get(jwk, "d") != NULL, .go_type = ""};

    if (!jwk || !kty) {
        es_tcall_fail(c, !jwk ? "failed to parse JWK: it is no JSON" : "failed to parse JWK: it has no kty");
    } else if (strcmp(kty, "oct") == 0) {
        p.go_type = "[]uint8";
    } else {
        p.go_type = strcmp(kty, "RSA") == 0 ? "*rsa." : strcmp(kty, "EC") == 0 ? "*ecdsa." : "ed25519.";
        p.key = strcmp(kty, "RSA") == 0   ? rsa_key(jwk, p.is_private)
                : strcmp(kty, "EC") == 0  ? ec_key(jwk, p.is_private)
                : strcmp(kty, "OKP") == 0 ? okp_key(jwk, p.is_private)
                                          : NULL;
        if (!p.key)
            es_tcall_fail(
                c, "failed to parse JWK: its kty, its crv or one of its members is not as RFC 7518 wants it");
    }
    json_decref(jwk);
    return p;
}

static void public_key(struct es_tcall *c)
{
    struct parsed p = parse(c, &c->args[0]);

    if (!c->failed && (!p.key || p.is_private))
        es_tcall_fail(c, "x509: unsupported public key type: %s%s", p.go_type, p.key ? "PrivateKey" : "");
    if (!c->failed) {
        BIO *out = es_tpem_writer(c);
        if (out)
            es_tpem_return(c, out, PEM_write_bio_PUBKEY(out, p.key) == 1);
    }
    EVP_PKEY_free(p.key);
}

static void private_key(struct es_tcall *c)
{
    struct parsed p = parse(c, &c->args[0]);

    if (!c->failed && (!p.key || !p.is_private))
        es_tcall_fail(c, "x509: unknown key type while marshaling PKCS#8: %s%s", p.go_type,
                      p.key ? "PublicKey" : "");
    if (!c->failed) {
        BIO *out = es_tpem_writer(c);
        if (out)
            es_tpem_return(c, out, es_tpem_write_pkcs8(out, p.key));
    }
    EVP_PKEY_free(p.key);
}

static const struct es_tfunction functions[] = {
    {"jwkPublicKeyPem", "s", public_key},
    {"jwkPrivateKeyPem", "s", private_key},
};

const struct es_tfunction_table es_tfunctions_jwk = ES_TFUNCTION_TABLE(functions);
