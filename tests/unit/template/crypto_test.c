/* The functions on certificates, keys and PKCS#12, with keys made on the spot: what one
 * writes another reads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/template/template.h"

static char *leaf, *middle, *root, *key_pem, *rsa_pem; /* PEM */

static char *taken(BIO *bio)
{
    char *data, *copy;
    long len = BIO_get_mem_data(bio, &data);

    copy = strndup(data, (size_t)len);
    BIO_free(bio);
    return copy;
}

static char *pem_of_key(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), 1);
    return taken(bio);
}

static void extend(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    assert_non_null(e);
    X509_add_ext(cert, e, -1);
    X509_EXTENSION_free(e);
}

static X509 *sign(const char *name, EVP_PKEY *key, X509 *issuer, EVP_PKEY *issuer_key)
{
    X509 *cert = X509_new();

    X509_set_version(cert, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(cert), 7);
    X509_gmtime_adj(X509_getm_notBefore(cert), 0);
    X509_gmtime_adj(X509_getm_notAfter(cert), 86400);
    X509_set_pubkey(cert, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name,
                               -1, -1, 0);
    X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
    extend(cert, issuer ? issuer : cert, NID_subject_key_identifier, "hash");
    if (issuer)
        extend(cert, issuer, NID_authority_key_identifier, "keyid");
    else
        issuer_key = key;
    if (strcmp(name, "leaf") == 0)
        extend(cert, issuer, NID_subject_alt_name,
               "URI:spiffe://x/y,DNS:a.test,IP:192.0.2.7,email:o@a.test,DNS:*.b.test,IP:2001:db8::1");
    assert_true(X509_sign(cert, issuer_key, EVP_sha256()) > 0);
    return cert;
}

static char *pem_of(X509 *cert)
{
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, cert), 1);
    return taken(bio);
}

static int setup(void **state)
{
    EVP_PKEY *keys[3] = {EVP_EC_gen("P-256"), EVP_EC_gen("P-256"), EVP_EC_gen("P-256")},
             *rsa = EVP_RSA_gen(2048);
    X509 *top = sign("root", keys[0], NULL, NULL), *mid = sign("middle", keys[1], top, keys[0]),
         *end = sign("leaf", keys[2], mid, keys[1]);
    (void)state;

    es_mem_init();
    root = pem_of(top);
    middle = pem_of(mid);
    leaf = pem_of(end);
    key_pem = pem_of_key(keys[2]);
    rsa_pem = pem_of_key(rsa);
    X509_free(top);
    X509_free(mid);
    X509_free(end);
    for (size_t i = 0; i < 3; i++)
        EVP_PKEY_free(keys[i]);
    EVP_PKEY_free(rsa);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    free(root);
    free(middle);
    free(leaf);
    free(key_pem);
    free(rsa_pem);
    return 0;
}

/* Renders with the certificates as data; the text or the error, to be freed. */
static char *rendered(const char *template)
{
    json_t *data = json_pack("{s:s,s:s,s:s,s:s,s:s}", "leaf", leaf, "middle", middle, "root", root, "key",
                             key_pem, "rsa", rsa_pem);
    const struct es_template_opts opts = {.missing_key_fails = true};
    struct es_error err = ES_ERROR_INIT;
    struct es_blob out = {0};
    int rc = es_template_run("k", template, strlen(template), data, &opts, &out, &err);
    char *text = strdup(rc < 0 ? err.text : out.ptr ? (const char *)out.ptr : "");

    es_blob_fini(&out);
    json_decref(data);
    return text;
}

static void check(const char *template, const char *want)
{
    char *got = rendered(template);
    assert_string_equal(got, want);
    free(got);
}

static void check_error(const char *template, const char *want)
{
    char *got = rendered(template);
    if (!strstr(got, want))
        fail_msg("%s is not in: %s", want, got);
    assert_null(strstr(got, "PRIVATE"));
    free(got);
}

static void test_filter(void **state)
{
    (void)state;
    check("{{ printf \"junk\\n%s%s\" .leaf .key | filterPEM \"certificate\" }}", leaf);
    check("{{ printf \"%s%s\" .leaf .key | filterPEM \"PRIVATE KEY\" }}", key_pem);
    check("{{ .leaf | filterPEM \"X\" }}", "");
    check_error("{{ filterPEM \"CERTIFICATE\" \"nothing\" }}",
                "error calling filterPEM: error filtering pem: found junk");
}

static void test_chain(void **state)
{
#define SHUFFLED "printf \"%s%s%s\" .root .leaf .middle | filterCertChain "
    (void)state;
    check("{{ " SHUFFLED "\"leaf\" }}", leaf);
    check("{{ " SHUFFLED "\"intermediate\" }}", middle);
    check("{{ " SHUFFLED "\"root\" }}", root);
    check("{{ " SHUFFLED "\"other\" }}", "");
    check("{{ .root | filterCertChain \"leaf\" }}", "");
    check("{{ .leaf | filterCertChain \"intermediate\" }}", "");
    check_error("{{ printf \"%s%s\" .root .leaf | filterCertChain \"leaf\" }}",
                "error calling filterCertChain: found multiple leaf or disjunct certificates");
    check_error("{{ filterCertChain \"leaf\" \"\" }}", "no leaf certificate found");
    check_error("{{ .key | filterCertChain \"leaf\" }}", "x509: malformed certificate");
}

static void test_names(void **state)
{
    (void)state;
    check("{{ certSANs .leaf }}", "[a.test *.b.test 192.0.2.7 2001:db8::1 o@a.test spiffe://x/y]");
    check("{{ certSANs .root | len }}", "0");
    check_error("{{ certSANs \"nope\" }}", "error calling certSANs: failed to decode PEM block");
    check_error("{{ certSANs .key }}", "failed to parse certificate");
}

static void test_pkcs12(void **state)
{
    char chain[8192];
    (void)state;

    snprintf(chain, sizeof chain, "%s%s%s", leaf, middle, root);
    check("{{ pemToPkcs12 .leaf .key | b64dec | pkcs12key }}", key_pem);
    check("{{ pemToPkcs12 .leaf .key | b64dec | pkcs12cert }}", leaf);
    check("{{ pemToPkcs12Pass .leaf .key \"pw\" | b64dec | pkcs12keyPass \"pw\" }}", key_pem);
    check(
        "{{ fullPemToPkcs12Pass (print .leaf .root .middle) .key \"pw\" | b64dec | pkcs12certPass \"pw\" }}",
        chain);
    check("{{ fullPemToPkcs12 (print .leaf .middle .root) .key | b64dec | pkcs12cert }}", chain);
    check_error(
        "{{ pemToPkcs12Pass .leaf .key \"pw\" | b64dec | pkcs12keyPass \"other\" }}",
        "error calling pkcs12keyPass: unable to decode pkcs12 with password: pkcs12: decryption password "
        "incorrect");
    check_error("{{ pkcs12key \"x\" }}",
                "unable to decode pkcs12 with password: pkcs12: error reading P12 data");
    check_error("{{ pkcs12cert \"x\" }}", "unable to decode pkcs12 certificate with password: ");
    check_error("{{ pemToPkcs12 .key .key }}", "x509: malformed certificate");
    check_error("{{ pemToPkcs12 \"\" .key }}", "there is no certificate in PEM");
    check_error("{{ pemToPkcs12 .leaf \"\" }}", "there is no private key in PEM");
    check_error("{{ pemToPkcs12 .leaf .root }}", "unable to parse private key type");
}

/* A trust store has no key; that the certificates are there shows in its size. */
static void test_trust_store(void **state)
{
    char *one = rendered("{{ pemTruststoreToPKCS12 .root | len }}");
    char *two = rendered("{{ pemTruststoreToPKCS12Pass (print .root .middle) \"pw\" | len }}");
    (void)state;

    assert_true(atoi(one) > 600);
    assert_true(atoi(two) > atoi(one) + 400);
    free(one);
    free(two);
    check_error("{{ pemTruststoreToPKCS12Pass .root \"pw\" | b64dec | pkcs12keyPass \"pw\" }}",
                "private key missing");
}

/* Keys from RFC 7515, appendices A.2 and A.3, and RFC 8037, appendix A. */
#define EC_PUBLIC                                                                                            \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\","                \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""

static void test_jwk(void **state)
{
    char *private = rendered("{{ jwkPrivateKeyPem `{" EC_PUBLIC
                             ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}` }}");
    (void)state;

    BIO *bio = BIO_new_mem_buf(private, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    assert_non_null(key);
    BIO *public_bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PUBKEY(public_bio, key), 1);
    char *public = taken(public_bio);
    check("{{ jwkPublicKeyPem `{" EC_PUBLIC "}` }}", public);
    free(public);
    free(private);
    EVP_PKEY_free(key);
    BIO_free(bio);
    check("{{ jwkPublicKeyPem `{\"kty\":\"OKP\",\"crv\":\"Ed25519\","
          "\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\"}` }}",
          "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
          "-----END PUBLIC KEY-----\n");
    check_error("{{ jwkPublicKeyPem `{\"kty\":\"oct\",\"k\":\"AAAA\"}` }}", "not supported");
    check_error("{{ jwkPublicKeyPem `nope` }}", "it is no JSON object");
    check_error("{{ jwkPublicKeyPem `{}` }}", "it has no kty");
    check_error("{{ jwkPrivateKeyPem `{" EC_PUBLIC "}` }}", "the JWK is no private key");
}

static void test_rsa_decrypt(void **state)
{
    (void)state;
    check("{{ rsaDecrypt \"None\" \"None\" \"as it is\" \"\" }}", "as it is");
    check_error("{{ rsaDecrypt \"RSA\" \"None\" \"x\" .rsa }}", "decryption scheme RSA is not supported");
    check_error("{{ rsaDecrypt \"RSA-OAEP\" \"None\" \"x\" \"\" }}", "failed to decode PEM block");
    check_error("{{ rsaDecrypt \"RSA-OAEP\" \"None\" \"x\" .root }}", "could not parse private key: ");
    check_error("{{ rsaDecrypt \"RSA-OAEP\" \"None\" \"x\" .key }}", "could not parse RSA private key");
    check_error("{{ rsaDecrypt \"RSA-OAEP\" \"None\" \"x\" .rsa }}", "error decrypting data with RSA: ");
}

static char *encrypted(const char *text, const EVP_MD *md)
{
    unsigned char out[256], encoded[400];
    size_t len = sizeof out;
    BIO *bio = BIO_new_mem_buf(rsa_pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);

    assert_int_equal(EVP_PKEY_encrypt_init(ctx), 1);
    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING);
    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, md);
    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, md);
    assert_int_equal(EVP_PKEY_encrypt(ctx, out, &len, (const unsigned char *)text, strlen(text)), 1);
    EVP_EncodeBlock(encoded, out, (int)len);
    EVP_PKEY_CTX_free(ctx);
    EVP_PKEY_free(key);
    BIO_free(bio);
    return strdup((const char *)encoded);
}

static void test_rsa_decrypts_what_was_encrypted(void **state)
{
    static const char *const names[] = {"SHA1", "SHA256", "SHA512", "None"};
    const EVP_MD *const mds[] = {EVP_sha1(), EVP_sha256(), EVP_sha512(), EVP_sha256()};
    char template[800];
    (void)state;

    for (size_t i = 0; i < 4; i++) {
        char *in = encrypted("open sesame", mds[i]);
        snprintf(template, sizeof template, "{{ rsaDecrypt \"RSA-OAEP\" \"%s\" (b64dec \"%s\") .rsa }}",
                 names[i], in);
        check(template, "open sesame");
        free(in);
    }
}

static void test_passwords(void **state)
{
    (void)state;
    check("{{ htpasswd \"u\" \"secret\" \"sha\" }}", "u:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=");
    check("{{ htpasswd \"u:v\" \"p\" \"sha\" }}", "invalid username: u:v");
    check("{{ htpasswd \"u\" \"p\" \"bcrypt\" | trunc 9 }}", "u:$2a$10$");
    check("{{ bcrypt (repeat 73 \"x\") }}",
          "failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes");
    check_error("{{ decryptAES \"k\" \"!\" }}", "illegal base64 data at input byte 0");
    check_error("{{ decryptAES \"k\" \"AAAA\" }}", "the ciphertext has no whole number of blocks");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter),      cmocka_unit_test(test_chain),
        cmocka_unit_test(test_names),       cmocka_unit_test(test_pkcs12),
        cmocka_unit_test(test_trust_store), cmocka_unit_test(test_jwk),
        cmocka_unit_test(test_rsa_decrypt), cmocka_unit_test(test_rsa_decrypts_what_was_encrypted),
        cmocka_unit_test(test_passwords),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
