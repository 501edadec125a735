/* Passwords and ciphers. */
#include <crypt.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/mem.h"
#include "core/template/pem.h"

/* bcrypt, htpasswd */

#define BCRYPT_COST 10
#define BCRYPT_MAX 72

static bool bcrypt_into(struct es_tcall *c, struct es_buf *out, const struct es_tvalue *password)
{
    struct crypt_data *data = es_mem_calloc(1, sizeof *data);
    char text[BCRYPT_MAX + 1] = "", salt[CRYPT_GENSALT_OUTPUT_SIZE], noise[16];
    const char *hash = NULL;

    if (password->s.len > BCRYPT_MAX) {
        es_buf_adds(out, "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes");
        es_mem_free(data);
        return true;
    }
    memcpy(text, password->s.ptr, password->s.len);
    if (memchr(text, '\0', password->s.len))
        es_tcall_fail(c, "the password has a NUL byte");
    else if (data && es_tcall_random(c, noise, sizeof noise) &&
             crypt_gensalt_rn("$2a$", BCRYPT_COST, noise, sizeof noise, salt, sizeof salt))
        hash = crypt_r(text, salt, data);
    if (hash && *hash == '$')
        es_buf_adds(out, hash);
    else
        es_tcall_fail(c, "bcrypt is not available");
    OPENSSL_cleanse(text, sizeof text);
    es_mem_free(data);
    return !c->failed;
}

static void bcrypt_(struct es_tcall *c)
{
    struct es_buf out;

    es_tcall_buf(&out);
    if (bcrypt_into(c, &out, &c->args[0]))
        es_tcall_return_buf(c, &out);
    else
        es_buf_fini(&out);
}

static void sha1_base64(struct es_buf *out, const struct es_tvalue *password)
{
    unsigned char digest[20];
    unsigned len = 0;

    EVP_Digest(password->s.ptr, password->s.len, digest, &len, EVP_sha1(), NULL);
    es_buf_adds(out, "{SHA}");
    es_base64_encode(out, digest, len);
}

static void htpasswd(struct es_tcall *c)
{
    const struct es_tvalue *user = &c->args[0];
    struct es_buf out;
    bool ok = true;

    es_tcall_buf(&out);
    if (memchr(user->s.ptr, ':', user->s.len)) {
        es_buf_adds(&out, "invalid username: ");
        es_buf_add(&out, user->s.ptr, user->s.len);
    } else {
        es_buf_add(&out, user->s.ptr, user->s.len);
        es_buf_addc(&out, ':');
        if (es_tstring_is(&c->args[2], "sha"))
            sha1_base64(&out, &c->args[1]);
        else
            ok = bcrypt_into(c, &out, &c->args[1]);
    }
    if (ok)
        es_tcall_return_buf(c, &out);
    else
        es_buf_fini(&out);
}

/* The Master Password algorithm, version 3: https://spectre.app/spectre-algorithm.pdf */

static const char *const long_templates[] = {
    "CvcvnoCvcvCvcv", "CvcvCvcvnoCvcv", "CvcvCvcvCvcvno", "CvccnoCvcvCvcv", "CvccCvcvnoCvcv",
    "CvccCvcvCvcvno", "CvcvnoCvccCvcv", "CvcvCvccnoCvcv", "CvcvCvccCvcvno", "CvcvnoCvcvCvcc",
    "CvcvCvcvnoCvcc", "CvcvCvcvCvccno", "CvccnoCvccCvcv", "CvccCvccnoCvcv", "CvccCvccCvcvno",
    "CvcvnoCvccCvcc", "CvcvCvccnoCvcc", "CvcvCvccCvccno", "CvccnoCvcvCvcc", "CvccCvcvnoCvcc",
    "CvccCvcvCvccno"};
static const char *const maximum_templates[] = {"anoxxxxxxxxxxxxxxxxx", "axxxxxxxxxxxxxxxxxno"};
static const char *const medium_templates[] = {"CvcnoCvc", "CvcCvcno"};
static const char *const short_templates[] = {"Cvcn"};
static const char *const basic_templates[] = {"aaanaaan", "aannaaan", "aaannaaa"};
static const char *const pin_templates[] = {"nnnn"};

#define TEMPLATES(name)                                                                                      \
    {                                                                                                        \
#name, name##_templates, sizeof name##_templates / sizeof *name##_templates                          \
    }

static const struct {
    const char *name;
    const char *const *templates;
    size_t count;
} password_types[] = {TEMPLATES(long),  TEMPLATES(maximum), TEMPLATES(medium),
                      TEMPLATES(short), TEMPLATES(basic),   TEMPLATES(pin)};

static const char *characters_of(char class)
{
    static const char *const sets[128] = {
        ['V'] = "AEIOU",
        ['C'] = "BCDFGHJKLMNPQRSTVWXYZ",
        ['v'] = "aeiou",
        ['c'] = "bcdfghjklmnpqrstvwxyz",
        ['A'] = "AEIOUBCDFGHJKLMNPQRSTVWXYZ",
        ['a'] = "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz",
        ['n'] = "0123456789",
        ['o'] = "@&%?,=[]_:-+*$#!'^~;()/.",
        ['x'] = "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()"};
    return sets[(unsigned char)class & 127];
}

static void add_number(struct es_buf *out, uint64_t n)
{
    for (int shift = 24; shift >= 0; shift -= 8)
        es_buf_addc(out, (char)(n >> shift));
}

static void add_scope(struct es_buf *out, const struct es_tvalue *name)
{
    es_buf_adds(out, "com.lyndir.masterpassword");
    add_number(out, name->s.len);
    es_buf_add(out, name->s.ptr, name->s.len);
}

static bool derive_seed(struct es_tcall *c, unsigned char seed[EVP_MAX_MD_SIZE])
{
    const struct es_tvalue *password = &c->args[2];
    unsigned char key[64];
    struct es_buf salt, message;
    unsigned len = 0;

    es_tcall_buf(&salt);
    es_tcall_buf(&message);
    add_scope(&salt, &c->args[3]);
    add_scope(&message, &c->args[4]);
    add_number(&message, c->args[0].u);
    bool ok = EVP_PBE_scrypt(password->s.ptr, password->s.len, (const unsigned char *)es_buf_str(&salt),
                             salt.len, 32768, 8, 2, (uint64_t)64 << 20, key, sizeof key) == 1 &&
              HMAC(EVP_sha256(), key, sizeof key, (const unsigned char *)es_buf_str(&message), message.len,
                   seed, &len) != NULL;
    OPENSSL_cleanse(key, sizeof key);
    es_buf_fini(&salt);
    es_buf_fini(&message);
    if (!ok)
        es_tcall_fail(c, "failed to derive password");
    return ok;
}

static void derive_password(struct es_tcall *c)
{
    unsigned char seed[EVP_MAX_MD_SIZE];
    char out[24];
    size_t n = 0, type = 0, types = sizeof password_types / sizeof *password_types;

    while (type < types && !es_tstring_is(&c->args[1], password_types[type].name))
        type++;
    if (type == types) {
        struct es_buf text;
        es_tcall_buf(&text);
        es_buf_adds(&text, "cannot find password template ");
        es_buf_add(&text, c->args[1].s.ptr, c->args[1].s.len);
        es_tcall_return_buf(c, &text);
        return;
    }
    if (!derive_seed(c, seed))
        return;
    for (const char *p = password_types[type].templates[seed[0] % password_types[type].count]; *p; p++, n++) {
        const char *set = characters_of(*p);
        out[n] = set[seed[n + 1] % strlen(set)];
    }
    es_tcall_return_copy(c, out, n);
    OPENSSL_cleanse(out, sizeof out);
    OPENSSL_cleanse(seed, sizeof seed);
}

/* AES-256-CBC with the password, cut or filled with zeros, as the key */

#define KEY_BYTES 32
#define BLOCK 16

static bool cipher(bool encrypt, const struct es_tvalue *password, const unsigned char *iv,
                   const unsigned char *in, size_t len, unsigned char *out, size_t *ret_len)
{
    unsigned char key[KEY_BYTES] = {0};
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0, last = 0;

    memcpy(key, password->s.ptr, password->s.len < KEY_BYTES ? password->s.len : KEY_BYTES);
    bool ok = ctx && EVP_CipherInit_ex(ctx, EVP_aes_256_cbc(), NULL, key, iv, encrypt) == 1 &&
              EVP_CipherUpdate(ctx, out, &n, in, (int)len) == 1 &&
              EVP_CipherFinal_ex(ctx, out + n, &last) == 1;
    *ret_len = (size_t)(n + last);
    EVP_CIPHER_CTX_free(ctx);
    OPENSSL_cleanse(key, sizeof key);
    ERR_clear_error();
    return ok;
}

static void encrypt_aes(struct es_tcall *c)
{
    const struct es_tvalue *text = &c->args[1];
    unsigned char *out = es_tcall_alloc(c, text->s.len + 2 * BLOCK);
    struct es_buf encoded;
    size_t len;

    es_tcall_return_text(c, ""); /* what nothing is encrypted to */
    if (text->s.len == 0 || !out || !es_tcall_random(c, out, BLOCK))
        return;
    if (!cipher(true, &c->args[0], out, (const unsigned char *)text->s.ptr, text->s.len, out + BLOCK, &len)) {
        es_tcall_fail(c, "AES does not work here");
        return;
    }
    es_tcall_buf(&encoded);
    es_base64_encode(&encoded, out, BLOCK + len);
    es_tcall_return_buf(c, &encoded);
}

static void decrypt_aes(struct es_tcall *c)
{
    struct es_blob in = {0};
    size_t bad = 0, len;

    if (es_base64_decode(&in, ES_BASE64_STD, c->args[1].s.ptr, c->args[1].s.len, &bad) < 0) {
        es_tcall_fail(c, "illegal base64 data at input byte %zu", bad);
        return;
    }
    unsigned char *out = in.len >= 2 * BLOCK ? es_tcall_alloc(c, in.len + BLOCK) : NULL;
    if (in.len < 2 * BLOCK || in.len % BLOCK)
        es_tcall_fail(c, "the ciphertext has no whole number of blocks");
    else if (out && cipher(false, &c->args[0], in.ptr, in.ptr + BLOCK, in.len - BLOCK, out, &len))
        c->ret = es_tstring((const char *)out, len);
    else if (out)
        es_tcall_fail(c, "the password does not fit the ciphertext");
    es_blob_fini(&in);
}

/* rsaDecrypt scheme hash ciphertext key */

static const EVP_MD *hash_of(const struct es_tvalue *name)
{
    if (es_tstring_is(name, "SHA1"))
        return EVP_sha1();
    return es_tstring_is(name, "SHA512") ? EVP_sha512() : EVP_sha256();
}

static bool oaep(EVP_PKEY *key, const EVP_MD *md, const struct es_tvalue *in, unsigned char *out, size_t *len)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    bool ok = ctx && EVP_PKEY_decrypt_init(ctx) == 1 &&
              EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
              EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md) == 1 && EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md) == 1 &&
              EVP_PKEY_decrypt(ctx, out, len, (const unsigned char *)in->s.ptr, in->s.len) == 1;

    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return ok;
}

static void rsa_decrypt(struct es_tcall *c)
{
    const struct es_tvalue *in = &c->args[2];

    if (es_tstring_is(&c->args[0], "None")) {
        c->ret = *in;
        return;
    }
    if (!es_tstring_is(&c->args[0], "RSA-OAEP")) {
        es_tcall_fail(c, "decryption scheme %.*s is not supported",
                      (int)(c->args[0].s.len < 60 ? c->args[0].s.len : 60), c->args[0].s.ptr);
        return;
    }
    EVP_PKEY *key = es_pem_private_key(c, &c->args[3], "failed to decode PEM block");
    if (key && EVP_PKEY_get_base_id(key) != EVP_PKEY_RSA)
        es_tcall_fail(c, "could not parse RSA private key");
    size_t len = key ? (size_t)EVP_PKEY_get_size(key) : 0;
    unsigned char *out = key && !c->failed ? es_tcall_alloc(c, len + 1) : NULL;
    if (out && oaep(key, hash_of(&c->args[1]), in, out, &len))
        c->ret = es_tstring((const char *)out, len);
    else if (out)
        es_tcall_fail(c, "error decrypting data with RSA: crypto/rsa: decryption error");
    EVP_PKEY_free(key);
}

static const struct es_tfunction functions[] = {
    {"bcrypt", "s", bcrypt_},
    {"htpasswd", "sss", htpasswd},
    {"derivePassword", "ussss", derive_password},
    {"encryptAES", "ss", encrypt_aes},
    {"decryptAES", "ss", decrypt_aes},
    {"rsaDecrypt", "ssss", rsa_decrypt},
};

const struct es_tfunction_table es_tfunctions_crypto = ES_TFUNCTION_TABLE(functions);
