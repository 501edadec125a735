#include "pem.h"

#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

static BIO *reader(esp_bytes text)
{
    return text.len && text.len <= INT_MAX ? BIO_new_mem_buf(text.ptr, (int)text.len) : NULL;
}

/* What was written to `bio`; OpenSSL wipes such memory when it frees it. */
static bool take(BIO *bio, struct esp_text *out)
{
    char *text = NULL;
    long len = BIO_get_mem_data(bio, &text);

    if (len <= 0)
        return false;
    esp_text_add(out, esp_span(text, (size_t)len));
    return !esp_text_failed(out);
}

static bool add_certificate(X509 *certificate, struct esp_text *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    bool ok = bio && PEM_write_bio_X509(bio, certificate) == 1 && take(bio, out);
    BIO_free(bio);
    return ok;
}

/* Whether reading stopped because there was nothing more to read. */
static bool is_end(void)
{
    unsigned long code = ERR_peek_last_error();
    return ERR_GET_LIB(code) == ERR_LIB_PEM && ERR_GET_REASON(code) == PEM_R_NO_START_LINE;
}

bool aws_pem_split(esp_bytes bundle, struct esp_text *leaf, struct esp_text *chain)
{
    BIO *bio = reader(bundle);
    size_t count = 0;
    X509 *certificate;
    bool ok = bio != NULL;

    ERR_clear_error();
    while (ok && (certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL)) != NULL) {
        ok = add_certificate(certificate, count++ ? chain : leaf);
        X509_free(certificate);
    }
    ok = ok && count > 0 && is_end();
    ERR_clear_error();
    BIO_free(bio);
    return ok;
}

static int give_passphrase(char *buf, int size, int writing, void *ctx)
{
    const esp_bytes *passphrase = ctx;

    (void)writing;
    if (size < 0 || passphrase->len > (size_t)size)
        return -1;
    memcpy(buf, passphrase->ptr, passphrase->len);
    return (int)passphrase->len;
}

bool aws_pem_decrypt(esp_bytes key, esp_bytes passphrase, struct esp_text *out)
{
    BIO *from = reader(key), *to = BIO_new(BIO_s_mem());
    EVP_PKEY *read = from ? PEM_read_bio_PrivateKey(from, NULL, give_passphrase, &passphrase) : NULL;

    bool ok = read && to && PEM_write_bio_PKCS8PrivateKey(to, read, NULL, NULL, 0, NULL, NULL) == 1 &&
              take(to, out);
    EVP_PKEY_free(read);
    BIO_free(to);
    BIO_free(from);
    ERR_clear_error();
    return ok;
}

esp_bytes aws_pem_trim(esp_bytes text)
{
    while (text.len && (text.ptr[text.len - 1] == '\n' || text.ptr[text.len - 1] == '\r'))
        text.len--;
    return text;
}
