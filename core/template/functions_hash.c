/* sprig's crypto functions that need no key of their own: digests, password hashes, AES. */
#include <crypt.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/kdf.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/base/error.h"
#include "core/template/functions.h"

#define BCRYPT_COST 10
#define BCRYPT_PASSWORD_MAX 72
#define BCRYPT_STEPS 1000000 /* 50 ms are worth so many steps of a template */
#define SCRYPT_STEPS 2000000
#define AES_BLOCK 16
#define AES_KEY 32

/* ---- digests ---- */

static void hex_digest(struct es_tcall *c, const EVP_MD *algorithm)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;
    struct es_buf out;

    es_tcall_buf(&out);
    if (EVP_Digest(c->args[0].s.ptr, c->args[0].s.len, digest, &len, algorithm, NULL) != 1)
        es_tcall_nomem(c);
    for (unsigned int i = 0; i < len; i++)
        es_buf_addf(&out, "%02x", digest[i]);
    OPENSSL_cleanse(digest, sizeof digest);
    es_tcall_return_buf(c, &out);
}

static void sha1sum(struct es_tcall *c)
{
    hex_digest(c, EVP_sha1());
}

static void sha256sum(struct es_tcall *c)
{
    hex_digest(c, EVP_sha256());
}

static void sha512sum(struct es_tcall *c)
{
    hex_digest(c, EVP_sha512());
}

/* RFC 1950, section 8.2. */
static void adler32sum(struct es_tcall *c)
{
    uint32_t a = 1, b = 0;
    struct es_buf out;

    for (size_t i = 0; i < c->args[0].s.len; i++) {
        a = (a + (unsigned char)c->args[0].s.ptr[i]) % 65521;
        b = (b + a) % 65521;
    }
    es_tcall_buf(&out);
    es_buf_addf(&out, "%u", (unsigned)(b << 16 | a));
    es_tcall_return_buf(c, &out);
}

/* ---- hashes of passwords ---- */

/* libxcrypt wants a C string. */
static bool add_bcrypt_of(struct es_tcall *c, const struct es_tvalue *password, struct es_buf *out)
{
    char text[BCRYPT_PASSWORD_MAX + 1] = "", salt[CRYPT_GENSALT_OUTPUT_SIZE];
    unsigned char random[16];
    struct crypt_data *state = es_tcall_alloc(c, sizeof *state);
    const char *hash = NULL;

    if (!state || !es_tcall_random(c, random, sizeof random))
        return false;
    memcpy(text, password->s.ptr, password->s.len);
    if (crypt_gensalt_rn("$2a$", BCRYPT_COST, (const char *)random, sizeof random, salt, sizeof salt))
        hash = crypt_r(text, salt, state);
    if (hash && hash[0] == '$')
        es_buf_adds(out, hash);
    else
        es_tcall_fail(c, "bcrypt is not to be had here");
    OPENSSL_cleanse(text, sizeof text);
    OPENSSL_cleanse(state, sizeof *state);
    return !c->failed;
}

/* sprig puts what goes wrong into the text. */
static void add_bcrypt(struct es_tcall *c, const struct es_tvalue *password, struct es_buf *out)
{
    if (password->s.len > BCRYPT_PASSWORD_MAX)
        es_buf_adds(out, "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes");
    else if (password->s.len && memchr(password->s.ptr, 0, password->s.len))
        es_tcall_fail(c, "the password holds a NUL byte");
    else if (es_tcall_spend(c, BCRYPT_STEPS))
        add_bcrypt_of(c, password, out);
}

static void bcrypt(struct es_tcall *c)
{
    struct es_buf out;

    es_tcall_buf(&out);
    add_bcrypt(c, &c->args[0], &out);
    es_tcall_return_buf(c, &out);
}

static void add_sha(const struct es_tvalue *password, struct es_buf *out)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int len = 0;

    es_buf_adds(out, "{SHA}");
    if (EVP_Digest(password->s.ptr, password->s.len, digest, &len, EVP_sha1(), NULL) == 1)
        es_base64_encode(out, digest, len);
    else
        out->failed = true;
    OPENSSL_cleanse(digest, sizeof digest);
}

static void htpasswd(struct es_tcall *c)
{
    const struct es_tvalue *user = &c->args[0];
    struct es_buf out;

    es_tcall_buf(&out);
    if (user->s.len && memchr(user->s.ptr, ':', user->s.len)) {
        es_buf_adds(&out, "invalid username: ");
        es_buf_add(&out, user->s.ptr, user->s.len);
        es_tcall_return_buf(c, &out);
        return;
    }
    es_buf_add(&out, user->s.ptr, user->s.len);
    es_buf_addc(&out, ':');
    if (es_tstring_is(&c->args[2], "sha"))
        add_sha(&c->args[1], &out);
    else
        add_bcrypt(c, &c->args[1], &out);
    es_tcall_return_buf(c, &out);
}

/* ---- derivePassword: Master Password, version 3 ---- */

static const char scope[] = "com.lyndir.masterpassword";

/* The shapes of passwords: a letter stands for a class of characters. */
static const struct {
    const char *type;
    const char *shapes; /* parted by spaces */
} shapes_of[] = {
    {"maximum", "anoxxxxxxxxxxxxxxxxx axxxxxxxxxxxxxxxxxno"},
    {"long", "CvcvnoCvcvCvcv CvcvCvcvnoCvcv CvcvCvcvCvcvno CvccnoCvcvCvcv CvccCvcvnoCvcv CvccCvcvCvcvno "
             "CvcvnoCvccCvcv CvcvCvccnoCvcv CvcvCvccCvcvno CvcvnoCvcvCvcc CvcvCvcvnoCvcc CvcvCvcvCvccno "
             "CvccnoCvccCvcv CvccCvccnoCvcv CvccCvccCvcvno CvcvnoCvccCvcc CvcvCvccnoCvcc CvcvCvccCvccno "
             "CvccnoCvcvCvcc CvccCvcvnoCvcc CvccCvcvCvccno"},
    {"medium", "CvcnoCvc CvcCvcno"},
    {"short", "Cvcn"},
    {"basic", "aaanaaan aannaaan aaannaaa"},
    {"pin", "nnnn"},
};

static const char *characters(char class)
{
    switch (class) {
    case 'V':
        return "AEIOU";
    case 'C':
        return "BCDFGHJKLMNPQRSTVWXYZ";
    case 'v':
        return "aeiou";
    case 'c':
        return "bcdfghjklmnpqrstvwxyz";
    case 'a':
        return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz";
    case 'n':
        return "0123456789";
    case 'o':
        return "@&%?,=[]_:-+*$#!'^~;()/.";
    default:
        return "AEIOUaeiouBCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz0123456789!@#$%^&*()";
    }
}

/* The shape that the first byte of the seed chooses, up to a space or the end. */
static const char *choose(const char *shapes, unsigned char seed)
{
    size_t count = 1;

    for (const char *p = shapes; (p = strchr(p, ' ')); p++)
        count++;
    for (size_t at = seed % count; at > 0; at--)
        shapes = strchr(shapes, ' ') + 1;
    return shapes;
}

static void add_number(struct es_buf *b, size_t n)
{
    const unsigned char bytes[] = {(unsigned char)(n >> 24), (unsigned char)(n >> 16),
                                   (unsigned char)(n >> 8), (unsigned char)n};
    es_buf_add(b, bytes, sizeof bytes);
}

static void add_named(struct es_buf *b, const struct es_tvalue *name)
{
    es_buf_adds(b, scope);
    add_number(b, name->s.len);
    es_buf_add(b, name->s.ptr, name->s.len);
}

/* 32 bytes that depend on all arguments but the type. */
static bool derive(struct es_tcall *c, unsigned char seed[EVP_MAX_MD_SIZE])
{
    const struct es_tvalue *password = &c->args[2];
    unsigned char key[64];
    unsigned int len = 0;
    struct es_buf salt, site;

    es_tcall_buf(&salt);
    es_tcall_buf(&site);
    add_named(&salt, &c->args[3]);
    add_named(&site, &c->args[4]);
    add_number(&site, (size_t)c->args[0].u);
    bool ok = !es_buf_failed(&salt) && !es_buf_failed(&site) &&
              EVP_PBE_scrypt(password->s.ptr, password->s.len, (const unsigned char *)salt.ptr, salt.len,
                             32768, 8, 2, (uint64_t)64 << 20, key, sizeof key) == 1 &&
              HMAC(EVP_sha256(), key, (int)sizeof key, (const unsigned char *)site.ptr, site.len, seed, &len);
    OPENSSL_cleanse(key, sizeof key);
    es_buf_fini(&salt);
    es_buf_fini(&site);
    return ok;
}

static void derive_password(struct es_tcall *c)
{
    unsigned char seed[EVP_MAX_MD_SIZE];
    const char *shapes = NULL;
    struct es_buf out;

    for (size_t i = 0; i < sizeof shapes_of / sizeof *shapes_of; i++)
        if (es_tstring_is(&c->args[1], shapes_of[i].type))
            shapes = shapes_of[i].shapes;
    es_tcall_buf(&out);
    if (!shapes) {
        es_buf_adds(&out, "cannot find password template ");
        es_buf_add(&out, c->args[1].s.ptr, c->args[1].s.len);
        es_tcall_return_buf(c, &out);
        return;
    }
    if (!es_tcall_spend(c, SCRYPT_STEPS))
        return;
    if (!derive(c, seed)) {
        es_tcall_nomem(c);
        return;
    }
    const char *shape = choose(shapes, seed[0]);
    for (size_t i = 0; shape[i] && shape[i] != ' '; i++) {
        const char *class = characters(shape[i]);
        es_buf_addc(&out, class[seed[i + 1] % strlen(class)]);
    }
    OPENSSL_cleanse(seed, sizeof seed);
    es_tcall_return_buf(c, &out);
}

/* ---- AES-256 in CBC mode, the password itself as the key ---- */

/* `in` is whole blocks; `out` has room for as much. */
static bool run_aes(bool encrypt, const struct es_tvalue *password, const unsigned char *iv, const void *in,
                    size_t len, unsigned char *out)
{
    unsigned char key[AES_KEY] = {0};
    size_t used = password->s.len < sizeof key ? password->s.len : sizeof key;
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int done = 0;

    if (used)
        memcpy(key, password->s.ptr, used);
    bool ok = ctx && len <= INT_MAX &&
              EVP_CipherInit_ex2(ctx, EVP_aes_256_cbc(), key, iv, encrypt, NULL) == 1 &&
              EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 &&
              EVP_CipherUpdate(ctx, out, &done, in, (int)len) == 1 && (size_t)done == len;
    EVP_CIPHER_CTX_free(ctx);
    OPENSSL_cleanse(key, sizeof key);
    return ok;
}

static void encrypt_aes(struct es_tcall *c)
{
    const struct es_tvalue *text = &c->args[1];
    size_t padding = AES_BLOCK - text->s.len % AES_BLOCK, len = text->s.len + padding;
    struct es_buf out;

    if (text->s.len == 0) {
        es_tcall_return_text(c, "");
        return;
    }
    unsigned char *plain = es_tcall_alloc(c, len), *sealed = es_tcall_alloc(c, AES_BLOCK + len);
    if (!plain || !sealed || !es_tcall_spend(c, len) || !es_tcall_random(c, sealed, AES_BLOCK))
        return;
    memcpy(plain, text->s.ptr, text->s.len);
    memset(plain + text->s.len, (int)padding, padding);
    if (!run_aes(true, &c->args[0], sealed, plain, len, sealed + AES_BLOCK)) {
        es_tcall_nomem(c);
        return;
    }
    es_tcall_buf(&out);
    es_base64_encode(&out, sealed, AES_BLOCK + len);
    es_tcall_return_buf(c, &out);
}

/* The padding is not judged, only taken off: as the reference does it. */
static void open_sealed(struct es_tcall *c, const struct es_blob *sealed)
{
    size_t len = sealed->len < AES_BLOCK ? 0 : sealed->len - AES_BLOCK;

    if (len == 0) {
        es_tcall_fail(c, "the text is too short to be encrypted with AES");
        return;
    }
    if (len % AES_BLOCK) {
        es_tcall_fail(c, "crypto/cipher: input not full blocks");
        return;
    }
    const unsigned char *bytes = (const unsigned char *)sealed->ptr;
    unsigned char *plain = es_tcall_alloc(c, len);
    if (!plain || !es_tcall_spend(c, len))
        return;
    if (!run_aes(false, &c->args[0], bytes, bytes + AES_BLOCK, len, plain))
        es_tcall_nomem(c);
    else if (plain[len - 1] > len)
        es_tcall_fail(c, "the text was encrypted with another password");
    else
        es_tcall_return_copy(c, (const char *)plain, len - plain[len - 1]);
}

static void decrypt_aes(struct es_tcall *c)
{
    const struct es_tvalue *text = &c->args[1];
    struct es_blob sealed = {0};
    size_t bad = 0;

    if (text->s.len == 0) {
        es_tcall_return_text(c, "");
        return;
    }
    int rc = es_base64_decode(&sealed, ES_BASE64_STD, text->s.ptr, text->s.len, &bad);
    if (rc == ES_E_INVALID)
        es_tcall_fail(c, "illegal base64 data at input byte %zu", bad);
    else if (rc < 0)
        es_tcall_nomem(c);
    else
        open_sealed(c, &sealed);
    es_blob_fini(&sealed);
}

static const struct es_tfunction functions[] = {
    {"sha1sum", "s", sha1sum},
    {"sha256sum", "s", sha256sum},
    {"sha512sum", "s", sha512sum},
    {"adler32sum", "s", adler32sum},
    {"bcrypt", "s", bcrypt},
    {"htpasswd", "sss", htpasswd},
    {"encryptAES", "ss", encrypt_aes},
    {"decryptAES", "ss", decrypt_aes},
    {"derivePassword", "ussss", derive_password},
};

const struct es_tfunction_table es_tfunctions_hash = ES_TFUNCTION_TABLE(functions);
