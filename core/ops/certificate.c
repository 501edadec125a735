#include "core/ops/certificate.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20)
#define VALID_S (10L * 365 * 24 * 60 * 60)
#define CLOCK_SKEW_S (60L * 60)

void es_certificate_fini(struct es_certificate *c)
{
    es_buf_fini(&c->chain);
    es_buf_fini(&c->key);
    *c = (struct es_certificate){0};
}

static int read_file(struct es_buf *out, const char *path, struct es_error *err)
{
    char piece[4096];
    ssize_t n = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    es_buf_init(out, FILE_MAX);
    if (fd >= 0)
        while ((n = read(fd, piece, sizeof piece)) > 0)
            es_buf_add(out, piece, (size_t)n);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    OPENSSL_cleanse(piece, sizeof piece);
    if (fd < 0 || n < 0)
        return es_error_set(err, ES_E_CONFIG, "%s: %s", path, strerror(saved));
    return es_buf_failed(out) ? es_error_set(err, ES_E_CONFIG, "%s: above %zu bytes", path, FILE_MAX) : 0;
}

/* A key that wants a passphrase is refused, not asked about on the terminal. */
static int no_passphrase(char *buf, int size, int writing, void *ctx)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)ctx;
    return -1;
}

static int check_pair(const struct es_certificate *c, const char *chain_file, const char *key_file,
                      struct es_error *err)
{
    BIO *chain = BIO_new_mem_buf(es_buf_str(&c->chain), (int)c->chain.len);
    BIO *key = BIO_new_mem_buf(es_buf_str(&c->key), (int)c->key.len);
    X509 *x509 = chain ? PEM_read_bio_X509(chain, NULL, no_passphrase, NULL) : NULL;
    EVP_PKEY *pkey = key ? PEM_read_bio_PrivateKey(key, NULL, no_passphrase, NULL) : NULL;
    int rc = 0;

    if (!x509)
        rc = es_error_set(err, ES_E_CONFIG, "%s: not a certificate in PEM", chain_file);
    else if (!pkey)
        rc = es_error_set(err, ES_E_CONFIG, "%s: not a private key in PEM without a passphrase", key_file);
    else if (X509_check_private_key(x509, pkey) != 1)
        rc = es_error_set(err, ES_E_CONFIG, "%s: not the key of the certificate in %s", key_file, chain_file);
    EVP_PKEY_free(pkey);
    X509_free(x509);
    BIO_free(key);
    BIO_free(chain);
    ERR_clear_error();
    return rc;
}

int es_certificate_load(struct es_certificate *ret, const char *chain_file, const char *key_file,
                        struct es_error *err)
{
    struct es_certificate c = {0};
    int rc = read_file(&c.chain, chain_file, err);

    if (rc == 0)
        rc = read_file(&c.key, key_file, err);
    if (rc == 0)
        rc = check_pair(&c, chain_file, key_file, err);
    if (rc < 0) {
        es_certificate_fini(&c);
        return rc;
    }
    *ret = c;
    return 0;
}

/* ---- making one ---- */

static bool set_names(X509 *x509)
{
    X509_NAME *name = X509_get_subject_name(x509);
    X509V3_CTX ctx;
    bool good =
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"esod", -1, -1, 0) &&
        X509_set_issuer_name(x509, name);

    X509V3_set_ctx(&ctx, x509, x509, NULL, NULL, 0);
    X509_EXTENSION *names =
        X509V3_EXT_conf_nid(NULL, &ctx, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
    good = good && names && X509_add_ext(x509, names, -1);
    X509_EXTENSION_free(names);
    return good;
}

/* A serial number of its own: browsers refuse a second certificate with the same. */
static bool set_serial(X509 *x509)
{
    BIGNUM *number = BN_new();
    bool good = number && BN_rand(number, 127, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
                BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x509));

    BN_free(number);
    return good;
}

static bool sign(X509 *x509, EVP_PKEY *key)
{
    return X509_set_version(x509, X509_VERSION_3) && set_serial(x509) && X509_set_pubkey(x509, key) &&
           X509_gmtime_adj(X509_getm_notBefore(x509), -CLOCK_SKEW_S) &&
           X509_gmtime_adj(X509_getm_notAfter(x509), VALID_S) && set_names(x509) &&
           X509_sign(x509, key, EVP_sha256()) > 0;
}

static bool take_text(struct es_buf *out, BIO *bio)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);

    es_buf_init(out, FILE_MAX);
    es_buf_add(out, text, len > 0 ? (size_t)len : 0);
    return len > 0 && !es_buf_failed(out);
}

static bool write_pair(struct es_certificate *ret, X509 *x509, EVP_PKEY *key)
{
    BIO *chain_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_secmem());
    bool good = chain_bio && key_bio && PEM_write_bio_X509(chain_bio, x509) &&
                PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL) &&
                take_text(&ret->chain, chain_bio) && take_text(&ret->key, key_bio);

    BIO_free(chain_bio);
    BIO_free(key_bio);
    return good;
}

int es_certificate_make(struct es_certificate *ret, struct es_error *err)
{
    struct es_certificate c = {0};
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    bool good = key && x509 && sign(x509, key) && write_pair(&c, x509, key);

    X509_free(x509);
    EVP_PKEY_free(key);
    if (!good) {
        es_certificate_fini(&c);
        ERR_clear_error();
        return es_error_set(err, ES_E_INTERNAL, "cannot make a certificate for the metrics page");
    }
    *ret = c;
    return 0;
}
