/* JSON Web Keys (RFC 7517) into PEM. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/template/json.h"
#include "core/template/pem.h"

struct jwk {
    struct es_tcall *call;
    const struct es_tmap *members;
    OSSL_PARAM_BLD *params;
    BIGNUM *numbers[8];
    size_t count;
};

static const struct es_tvalue *text_member(const struct jwk *k, const char *name)
{
    const struct es_tvalue *v = es_tmap_get(k->members, name, strlen(name));
    return v && v->type == ES_T_STRING ? v : NULL;
}

/* base64url without padding, as RFC 7515 has it. */
static bool bytes_of(const struct jwk *k, const char *name, struct es_blob *ret)
{
    const struct es_tvalue *v = text_member(k, name);
    struct es_buf padded;

    if (!v)
        return false;
    es_tcall_buf(&padded);
    es_buf_add(&padded, v->s.ptr, v->s.len);
    while (padded.len % 4)
        es_buf_addc(&padded, '=');
    int rc = es_base64_decode(ret, ES_BASE64_URL, es_buf_str(&padded), padded.len, NULL);
    es_buf_fini(&padded);
    return rc == 0;
}

static bool add_number(struct jwk *k, const char *member, const char *param)
{
    struct es_blob bytes = {0};
    bool ok = bytes_of(k, member, &bytes);
    BIGNUM *n = ok ? BN_secure_new() : NULL;

    ok = n && BN_bin2bn(bytes.ptr, (int)bytes.len, n) && OSSL_PARAM_BLD_push_BN(k->params, param, n);
    es_blob_fini(&bytes);
    if (n)
        k->numbers[k->count++] = n;
    return ok;
}

static bool add_rsa(struct jwk *k, bool private)
{
    static const char *const members[] = {"n", "e", "d", "p", "q", "dp", "dq", "qi"};
    static const char *const params[] = {OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,
                                         OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,
                                         OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
                                         OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};
    bool ok = true;

    for (size_t i = 0; ok && i < (private ? 8 : 2); i++)
        ok = add_number(k, members[i], params[i]);
    return ok;
}

static const char *curve_of(const struct es_tvalue *crv)
{
    static const char *const names[][2] = {
        {"P-256", "P-256"}, {"P-384", "P-384"}, {"P-521", "P-521"}, {"secp256k1", "secp256k1"}};

    for (size_t i = 0; crv && i < sizeof names / sizeof *names; i++)
        if (es_tstring_is(crv, names[i][0]))
            return names[i][1];
    return NULL;
}

/* 0x04, x and y, each as long as the longer of them. */
static bool add_point(struct jwk *k)
{
    struct es_blob x = {0}, y = {0};
    bool ok = bytes_of(k, "x", &x) && bytes_of(k, "y", &y);
    size_t size = x.len > y.len ? x.len : y.len;
    unsigned char *point = ok ? es_tcall_alloc(k->call, 1 + 2 * size) : NULL;

    if (point) {
        point[0] = 4;
        if (x.len)
            memcpy(point + 1 + (size - x.len), x.ptr, x.len);
        if (y.len)
            memcpy(point + 1 + size + (size - y.len), y.ptr, y.len);
        ok = OSSL_PARAM_BLD_push_octet_string(k->params, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * size) == 1;
    }
    es_blob_fini(&x);
    es_blob_fini(&y);
    return point && ok;
}

static bool add_ec(struct jwk *k, bool private)
{
    const char *curve = curve_of(text_member(k, "crv"));

    return curve && OSSL_PARAM_BLD_push_utf8_string(k->params, OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) &&
           add_point(k) && (!private || add_number(k, "d", OSSL_PKEY_PARAM_PRIV_KEY));
}

static EVP_PKEY *from_params(struct jwk *k, const char *type, bool private)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(k->params);
    EVP_PKEY *key = NULL;

    if (!ctx || !params || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &key, private ? EVP_PKEY_KEYPAIR : EVP_PKEY_PUBLIC_KEY, params) != 1)
        key = NULL;
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

static EVP_PKEY *ed25519(struct jwk *k, bool private)
{
    struct es_blob raw = {0};
    EVP_PKEY *key = NULL;
    const struct es_tvalue *crv = text_member(k, "crv");

    if (crv && es_tstring_is(crv, "Ed25519") && bytes_of(k, private ? "d" : "x", &raw))
        key = private ? EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw.ptr, raw.len)
                      : EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw.ptr, raw.len);
    es_blob_fini(&raw);
    return key;
}

static EVP_PKEY *build(struct jwk *k, const struct es_tvalue *kty, bool private)
{
    if (es_tstring_is(kty, "RSA") && add_rsa(k, private))
        return from_params(k, "RSA", private);
    if (es_tstring_is(kty, "EC") && add_ec(k, private))
        return from_params(k, "EC", private);
    return es_tstring_is(kty, "OKP") ? ed25519(k, private) : NULL;
}

/* NULL after a failure of the call. */
static EVP_PKEY *read_key(struct es_tcall *c, bool private)
{
    char error[ES_TJSON_ERROR_MAX];
    struct es_tvalue v;
    struct jwk k = {.call = c};

    if (!es_tjson_read(es_tcall_arena(c), c->args[0].s.ptr, c->args[0].s.len, &v, error) ||
        v.type != ES_T_MAP_ANY) {
        es_tcall_fail(c, "failed to unmarshal JWK: it is no JSON object");
        return NULL;
    }
    k.members = v.map;
    const struct es_tvalue *kty = text_member(&k, "kty");
    if (!kty || (text_member(&k, "d") != NULL) != private) {
        es_tcall_fail(c, !kty ? "failed to unmarshal JWK: it has no kty"
                         : private
                             ? "x509: unknown key type while marshaling PKCS#8: the JWK is no private key"
                             : "x509: unsupported public key type: the JWK is no public key");
        return NULL;
    }
    k.params = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = k.params ? build(&k, kty, private) : NULL;
    for (size_t i = 0; i < k.count; i++)
        BN_clear_free(k.numbers[i]);
    OSSL_PARAM_BLD_free(k.params);
    if (!key)
        es_tcall_fail(c, "failed to unmarshal JWK: its key type or its members are not supported");
    ERR_clear_error();
    return key;
}

static void public_key(struct es_tcall *c)
{
    EVP_PKEY *key = read_key(c, false);
    BIO *out = key ? es_pem_writer() : NULL;

    if (key)
        es_pem_return(c, out, out && PEM_write_bio_PUBKEY(out, key) == 1);
    EVP_PKEY_free(key);
}

static void private_key(struct es_tcall *c)
{
    EVP_PKEY *key = read_key(c, true);
    BIO *out = key ? es_pem_writer() : NULL;

    if (key)
        es_pem_return(c, out, out && PEM_write_bio_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL) == 1);
    EVP_PKEY_free(key);
}

static const struct es_tfunction functions[] = {
    {"jwkPublicKeyPem", "s", public_key},
    {"jwkPrivateKeyPem", "s", private_key},
};

const struct es_tfunction_table es_tfunctions_jwk = ES_TFUNCTION_TABLE(functions);
