/* Keys, certificates, PKCS#12, JWK, digests and password hashes in templates: against values that
 * others have published, against OpenSSL, and there and back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <jansson.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/provider.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/codec.h"
#include "core/template/template.h"

/* The result, or the error's text behind "error calling ". To be freed. */
static char *render(json_t *data, const char *template)
{
    struct es_template_opts opts = {0};
    struct es_blob out = {0};
    struct es_error err = ES_ERROR_INIT;
    char *text = NULL;
    json_t *none = json_object();

    if (es_template_run("k", template, strlen(template), data ? data : none, &opts, &out, &err) == 0) {
        text = strndup(out.ptr ? (const char *)out.ptr : "", out.len);
    } else {
        const char *calling = strstr(err.text, "error calling ");
        text = strdup(calling ? calling : err.text);
    }
    es_blob_fini(&out);
    json_decref(none);
    return text;
}

static void assert_renders(json_t *data, const char *template, const char *wanted)
{
    char *text = render(data, template);
    assert_string_equal(text, wanted);
    free(text);
}

static void assert_matches(json_t *data, const char *template, const char *pattern)
{
    char *text = render(data, template);
    regex_t re;
    assert_int_equal(regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB), 0);
    if (regexec(&re, text, 0, NULL, 0) != 0)
        fail_msg("%s gives %s, which is not %s", template, text, pattern);
    regfree(&re);
    free(text);
}

/* ---- digests and hashes ---- */

static void test_digests(void **state)
{
    (void)state;
    assert_renders(NULL, "{{ sha1sum \"abc\" }}", "a9993e364706816aba3e25717850c26c9cd0d89d");
    assert_renders(NULL, "{{ sha256sum \"abc\" }}",
                   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_renders(NULL, "{{ sha512sum \"\" }}",
                   "cf83e1357eefb8bdf1542850d66d8007d620e4050b5715dc83f4a921d36ce9ce"
                   "47d0d13c5d85f2b0ff8318d2877eec2f63b931bd47417a81a538327af927da3e");
    assert_renders(NULL, "{{ adler32sum \"Wikipedia\" }}", "300286872");
}

/* The values that sprig's own tests have. */
static void test_derived_passwords(void **state)
{
    (void)state;
    assert_renders(NULL, "{{ derivePassword 1 \"long\" \"password\" \"user\" \"example.com\" }}",
                   "ZedaFaxcZaso9*");
    assert_renders(NULL, "{{ derivePassword 2 \"long\" \"password\" \"user\" \"example.com\" }}",
                   "Fovi2@JifpTupx");
    assert_renders(NULL, "{{ derivePassword 1 \"maximum\" \"password\" \"user\" \"example.com\" }}",
                   "pf4zS1LjCg&LjhsZ7T2~");
    assert_renders(NULL, "{{ derivePassword 1 \"medium\" \"password\" \"user\" \"example.com\" }}",
                   "ZedJuz8$");
    assert_renders(NULL, "{{ derivePassword 1 \"basic\" \"password\" \"user\" \"example.com\" }}",
                   "pIS54PLs");
    assert_renders(NULL, "{{ derivePassword 1 \"short\" \"password\" \"user\" \"example.com\" }}", "Zed5");
    assert_renders(NULL, "{{ derivePassword 1 \"pin\" \"password\" \"user\" \"example.com\" }}", "6685");
    assert_renders(NULL, "{{ derivePassword 1 \"x\" \"p\" \"u\" \"s\" }}", "cannot find password template x");
}

static void test_password_hashes(void **state)
{
    (void)state;
    assert_matches(NULL, "{{ bcrypt \"hunter2\" }}", "^\\$2a\\$10\\$[./A-Za-z0-9]{53}$");
    assert_matches(NULL, "{{ htpasswd \"bob\" \"hunter2\" \"bcrypt\" }}",
                   "^bob:\\$2a\\$10\\$[./A-Za-z0-9]{53}$");
    assert_renders(NULL, "{{ htpasswd \"bob\" \"password\" \"sha\" }}",
                   "bob:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=");
    assert_renders(NULL, "{{ htpasswd \"b:b\" \"x\" \"sha\" }}", "invalid username: b:b");
    assert_matches(NULL, "{{ bcrypt (printf \"%073d\" 1) }}",
                   "^failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes$");
}

static void test_chance(void **state)
{
    (void)state;
    assert_matches(NULL, "{{ randBytes 16 }}", "^[+/A-Za-z0-9]{22}==$");
    assert_renders(NULL, "{{ randBytes 0 }}", "");
    assert_renders(NULL, "{{ randBytes -1 }}",
                   "error calling randBytes: runtime error: makeslice: len out of range");
    assert_renders(NULL, "{{ randBytes 1048577 }}", "error calling randBytes: more than 1048576 characters");
    assert_matches(NULL, "{{ uuidv4 }}",
                   "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$");
    char *one = render(NULL, "{{ uuidv4 }}{{ randBytes 16 }}"),
         *two = render(NULL, "{{ uuidv4 }}{{ randBytes 16 }}");
    assert_string_not_equal(one, two);
    free(one);
    free(two);
}

static void test_aes(void **state)
{
    (void)state;
    assert_renders(NULL, "{{ encryptAES \"secret\" \"plain text\" | decryptAES \"secret\" }}", "plain text");
    assert_renders(NULL, "{{ encryptAES \"k\" \"0123456789abcdef\" | decryptAES \"k\" }}",
                   "0123456789abcdef");
    assert_renders(NULL, "{{ encryptAES \"k\" \"\" }}{{ decryptAES \"k\" \"\" }}", "");
    /* What sprig made of "plaintext" with the key "secretkey". */
    assert_renders(NULL, "{{ decryptAES \"secretkey\" \"30tEfhuJSVRhpG97XCuWgz2okj7L8vQ1s6V9zVUPeDQ=\" }}",
                   "plaintext");
    assert_renders(NULL, "{{ decryptAES \"k\" \"!\" }}",
                   "error calling decryptAES: illegal base64 data at input byte 0");
    assert_renders(NULL, "{{ decryptAES \"k\" \"YQ==\" }}",
                   "error calling decryptAES: the text is too short to be encrypted with AES");
    assert_renders(NULL, "{{ decryptAES \"k\" \"AAAAAAAAAAAAAAAAAAAAAAA=\" }}",
                   "error calling decryptAES: crypto/cipher: input not full blocks");
}

/* ---- certificates ---- */

static X509 *certificate_in(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *x = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    assert_non_null(x);
    BIO_free(bio);
    return x;
}

static EVP_PKEY *key_in(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(strstr(pem, "-----BEGIN"), -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    assert_non_null(key);
    BIO_free(bio);
    return key;
}

static void test_private_keys(void **state)
{
    (void)state;
    static const char *const begin[][2] = {{"ecdsa", "-----BEGIN EC PRIVATE KEY-----"},
                                           {"ed25519", "-----BEGIN PRIVATE KEY-----"},
                                           {"rsa", "-----BEGIN RSA PRIVATE KEY-----"}};
    for (size_t i = 0; i < sizeof begin / sizeof *begin; i++) {
        char template[64];
        snprintf(template, sizeof template, "{{ genPrivateKey \"%s\" }}", begin[i][0]);
        char *pem = render(NULL, template);
        assert_memory_equal(pem, begin[i][1], strlen(begin[i][1]));
        EVP_PKEY_free(key_in(pem));
        free(pem);
    }
    assert_renders(NULL, "{{ genPrivateKey \"x\" }}", "Unknown type x");
}

static void test_a_certificate_says_what_was_asked_for(void **state)
{
    (void)state;
    char *pem = render(
        NULL,
        "{{ $ca := genCA \"the ca\" 10 }}"
        "{{ $c := genSignedCert \"host\" (list \"10.0.0.1\" \"::1\") (list \"a.example\" \"b.example\") "
        "365 $ca }}{{ $c.Cert }}{{ $ca.Cert }}{{ $c.Key }}");
    X509 *leaf = certificate_in(pem), *ca = certificate_in(strstr(pem + 1, "-----BEGIN CERTIFICATE"));
    EVP_PKEY *key = key_in(strstr(pem, "-----BEGIN RSA PRIVATE KEY"));
    X509 *second = certificate_in(strstr(strstr(pem, "-----END CERTIFICATE"), "-----BEGIN CERTIFICATE"));
    assert_int_equal(X509_verify(leaf, X509_get0_pubkey(second)), 1);
    assert_int_equal(X509_verify(second, X509_get0_pubkey(second)), 1);
    assert_int_equal(X509_check_private_key(leaf, key), 1);
    assert_int_equal(X509_check_host(leaf, "b.example", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(leaf, "c.example", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(leaf, "10.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(leaf, "::1", 0), 1);
    assert_true(X509_check_ca(second) > 0);
    assert_int_equal(X509_check_ca(leaf), 0);
    assert_int_equal(X509_get_key_usage(leaf), X509v3_KU_DIGITAL_SIGNATURE | X509v3_KU_KEY_ENCIPHERMENT);
    assert_int_equal(X509_get_extended_key_usage(leaf), XKU_SSL_SERVER | XKU_SSL_CLIENT);
    int days, seconds;
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(leaf), X509_get0_notAfter(leaf)), 1);
    assert_int_equal(days, 365);
    json_t *data = json_pack("{s:s}", "p", pem);
    assert_renders(data, "{{ range certSANs .p }}{{ . }};{{ end }}", "a.example;b.example;10.0.0.1;::1;");
    json_decref(data);
    X509_free(leaf);
    X509_free(ca);
    X509_free(second);
    EVP_PKEY_free(key);
    free(pem);
}

static void test_keys_that_are_brought_along(void **state)
{
    (void)state;
    assert_renders(NULL,
                   "{{ $k := genPrivateKey \"ecdsa\" }}{{ $ca := genCAWithKey \"ca\" 1 $k }}"
                   "{{ $c := genSelfSignedCertWithKey \"x\" nil nil 1 $k }}{{ eq $ca.Key $k $c.Key }}"
                   "{{ $d := genSignedCertWithKey \"y\" nil nil 1 $ca $k }}{{ eq $d.Key $k }}",
                   "truetrue");
    assert_renders(NULL, "{{ (genCAWithKey \"ca\" 1 \"nope\").Cert }}",
                   "error calling genCAWithKey: parsing private key: no PEM data in input");
    assert_renders(NULL, "{{ $c := genCA \"x\" 1 }}{{ (genCAWithKey \"ca\" 1 $c.Cert).Cert }}",
                   "error calling genCAWithKey: parsing private key: no private key data in PEM block of "
                   "type CERTIFICATE");
    assert_renders(NULL, "{{ (genSelfSignedCert \"x\" (list \"300.1.1.1\") nil 1).Cert }}",
                   "error calling genSelfSignedCert: error parsing ip: an element of the list is no address");
    assert_renders(
        NULL, "{{ (genSelfSignedCert \"x\" nil nil 99999999).Cert }}",
        "error calling genSelfSignedCert: error creating certificate: 99999999 days are not to be had");
}

/* A root, an intermediate and a leaf as OpenSSL makes them, in disorder, with text around them. */
struct chain {
    X509 *certificates[3]; /* leaf, intermediate, root */
    EVP_PKEY *key;
};

static X509 *issue(EVP_PKEY *key, const char *name, X509 *issuer, EVP_PKEY *issuer_key, bool ca)
{
    X509 *x = X509_new();
    X509_NAME *subject = X509_get_subject_name(x);
    X509V3_CTX ctx;
    static const struct {
        int nid;
        const char *value;
    } extensions[] = {{NID_subject_key_identifier, "hash"}, {NID_authority_key_identifier, "keyid:always"}};
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, issuer ? X509_get_subject_name(issuer) : subject);
    X509_gmtime_adj(X509_getm_notBefore(x), 0);
    X509_gmtime_adj(X509_getm_notAfter(x), 86400);
    X509_set_pubkey(x, key);
    for (size_t i = 0; i < 2; i++) {
        X509V3_set_ctx(&ctx, issuer ? issuer : x, x, NULL, NULL, 0);
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, extensions[i].nid, extensions[i].value);
        assert_non_null(e);
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
    }
    (void)ca;
    assert_true(X509_sign(x, issuer_key ? issuer_key : key, EVP_sha256()) > 0);
    return x;
}

static struct chain make_chain(void)
{
    EVP_PKEY *root = EVP_EC_gen("P-256"), *middle = EVP_EC_gen("P-256"), *leaf = EVP_EC_gen("P-256");
    struct chain c = {.key = leaf};
    c.certificates[2] = issue(root, "root", NULL, NULL, true);
    c.certificates[1] = issue(middle, "middle", c.certificates[2], root, true);
    c.certificates[0] = issue(leaf, "leaf", c.certificates[1], middle, false);
    EVP_PKEY_free(root);
    EVP_PKEY_free(middle);
    return c;
}

static void chain_free(struct chain *c)
{
    for (size_t i = 0; i < 3; i++)
        X509_free(c->certificates[i]);
    EVP_PKEY_free(c->key);
}

static char *text_of(BIO *bio)
{
    char *data;
    long len = BIO_get_mem_data(bio, &data);
    char *text = strndup(data, (size_t)len);
    BIO_free(bio);
    return text;
}

/* PEM of the certificates at these places. */
static char *pem_of(const struct chain *c, const char *places)
{
    BIO *bio = BIO_new(BIO_s_mem());
    for (; *places; places++)
        PEM_write_bio_X509(bio, c->certificates[*places - '0']);
    return text_of(bio);
}

static char *key_pem_of(EVP_PKEY *key)
{
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
    return text_of(bio);
}

static void set_text(json_t *data, const char *name, char *text)
{
    json_object_set_new(data, name, json_string(text));
    free(text);
}

static void test_chains_are_ordered(void **state)
{
    (void)state;
    struct chain c = make_chain(), d = make_chain();
    json_t *data = json_object();
    set_text(data, "mixed", pem_of(&c, "201"));
    set_text(data, "root", pem_of(&c, "2"));
    set_text(data, "middle", pem_of(&c, "1"));
    set_text(data, "leaf", pem_of(&c, "0"));
    char *foreign = pem_of(&d, "0"), *two = NULL;
    assert_true(asprintf(&two, "%s%s", json_string_value(json_object_get(data, "leaf")), foreign) > 0);
    set_text(data, "two", two);
    free(foreign);
    assert_renders(data, "{{ eq .leaf (filterCertChain \"leaf\" .mixed) }}", "true");
    assert_renders(data, "{{ eq .middle (filterCertChain \"intermediate\" .mixed) }}", "true");
    assert_renders(data, "{{ eq .root (filterCertChain \"root\" .mixed) }}", "true");
    assert_renders(data, "[{{ filterCertChain \"leaf\" .root }}{{ filterCertChain \"x\" .mixed }}]", "[]");
    assert_renders(data, "[{{ filterCertChain \"intermediate\" .root }}{{ filterCertChain \"root\" .leaf }}]",
                   "[]");
    assert_renders(data, "{{ filterCertChain \"leaf\" .two }}",
                   "error calling filterCertChain: found multiple leaf or disjunct certificates");
    assert_renders(data, "{{ filterCertChain \"leaf\" \"\" }}",
                   "error calling filterCertChain: no leaf certificate found");
    json_decref(data);
    chain_free(&c);
    chain_free(&d);
}

static void test_blocks_are_filtered(void **state)
{
    (void)state;
    struct chain c = make_chain();
    json_t *data = json_object();
    char *all, *certificates = pem_of(&c, "01"), *key = key_pem_of(c.key);
    assert_true(asprintf(&all, "before\n%s%s", certificates, key) > 0);
    set_text(data, "all", all);
    set_text(data, "certificates", certificates);
    set_text(data, "key", key);
    assert_renders(data, "{{ eq .certificates (filterPEM \"CERTIFICATE\" .all) }}", "true");
    assert_renders(data, "{{ eq .key (filterPEM \"private key\" .all) }}", "true");
    assert_renders(data, "[{{ filterPEM \"X\" .all }}]", "[]");
    assert_renders(data,
                   "{{ $broken := \"-----BEGIN CERTIFICATE-----\\nAAAA\\n-----END KEY-----\\n\" }}"
                   "{{ eq .certificates (filterPEM \"CERTIFICATE\" (print $broken .all)) }}",
                   "true");
    assert_renders(data, "[{{ filterPEM \"X\" \"\" }}]", "[]");
    assert_renders(data, "{{ filterPEM \"X\" \"nothing here\" }}",
                   "error calling filterPEM: error filtering pem: found junk");
    assert_renders(data, "{{ certSANs \"x\" }}", "error calling certSANs: failed to decode PEM block");
    assert_renders(data, "{{ certSANs .key }}",
                   "error calling certSANs: failed to parse certificate: x509: malformed certificate");
    json_decref(data);
    chain_free(&c);
}

/* ---- PKCS#12 ---- */

static char *base64_of(PKCS12 *file)
{
    unsigned char *der = NULL;
    int len = i2d_PKCS12(file, &der);
    struct es_buf out;
    assert_true(len > 0);
    es_buf_init(&out, 100000);
    es_base64_encode(&out, der, (size_t)len);
    char *text = strdup(es_buf_str(&out));
    es_buf_fini(&out);
    OPENSSL_free(der);
    PKCS12_free(file);
    return text;
}

/* A file as OpenSSL writes it, with these ciphers. */
static char *file_of(const struct chain *c, const char *password, int key_cipher, int cipher,
                     OSSL_LIB_CTX *library)
{
    STACK_OF(X509) *others = sk_X509_new_null();
    sk_X509_push(others, c->certificates[2]);
    sk_X509_push(others, c->certificates[1]);
    PKCS12 *file = PKCS12_create_ex(password, "name", c->key, c->certificates[0], others, key_cipher, cipher,
                                    0, 0, 0, library, NULL);
    assert_non_null(file);
    sk_X509_free(others);
    return base64_of(file);
}

/* The bytes of a file cannot stand in JSON: they are put together by printf. */
static char *from_file(const char *base64, const char *call)
{
    struct es_blob bytes = {0};
    struct es_buf t;
    assert_int_equal(es_base64_decode(&bytes, ES_BASE64_STD, base64, strlen(base64), NULL), 0);
    es_buf_init(&t, 1000000);
    es_buf_addf(&t, "{{ %s \"", call);
    for (size_t i = 0; i < bytes.len; i++)
        es_buf_addf(&t, "\\x%02x", bytes.ptr[i]);
    es_buf_adds(&t, "\" }}");
    char *text = render(NULL, es_buf_str(&t));
    es_buf_fini(&t);
    es_blob_fini(&bytes);
    return text;
}

static void assert_from_file(const char *base64, const char *call, const char *wanted)
{
    char *text = from_file(base64, call);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_files_are_read(void **state)
{
    (void)state;
    struct chain c = make_chain();
    OSSL_LIB_CTX *library = OSSL_LIB_CTX_new();
    OSSL_PROVIDER *usual = OSSL_PROVIDER_load(library, "default");
    OSSL_PROVIDER *old = OSSL_PROVIDER_load(library, "legacy");
    assert_true(usual && old);
    char *key = key_pem_of(c.key), *ordered = pem_of(&c, "012");
    char *plain = file_of(&c, "", NID_aes_256_cbc, NID_aes_256_cbc, library);
    char *modern = file_of(&c, "s3same", NID_aes_256_cbc, NID_aes_256_cbc, library);
    char *legacy = file_of(&c, "s3same", NID_pbe_WithSHA1And3_Key_TripleDES_CBC,
                           NID_pbe_WithSHA1And40BitRC2_CBC, library);
    assert_from_file(plain, "pkcs12key", key);
    assert_from_file(plain, "pkcs12cert", ordered);
    assert_from_file(modern, "pkcs12keyPass \"s3same\"", key);
    assert_from_file(modern, "pkcs12certPass \"s3same\"", ordered);
    assert_from_file(legacy, "pkcs12keyPass \"s3same\"", key);
    assert_from_file(legacy, "pkcs12certPass \"s3same\"", ordered);
    assert_from_file(
        modern, "pkcs12keyPass \"wrong\"",
        "error calling pkcs12keyPass: unable to decode pkcs12 with password: pkcs12: decryption password "
        "incorrect");
    assert_from_file(
        modern, "pkcs12cert",
        "error calling pkcs12cert: unable to decode pkcs12 certificate with password: pkcs12: decryption "
        "password incorrect");
    assert_from_file(
        "eA==", "pkcs12key",
        "error calling pkcs12key: unable to decode pkcs12 with password: pkcs12: the file is malformed");
    free(plain);
    free(modern);
    free(legacy);
    free(key);
    free(ordered);
    OSSL_PROVIDER_unload(old);
    OSSL_PROVIDER_unload(usual);
    OSSL_LIB_CTX_free(library);
    chain_free(&c);
}

static PKCS12 *file_in(const char *base64)
{
    struct es_blob bytes = {0};
    assert_int_equal(es_base64_decode(&bytes, ES_BASE64_STD, base64, strlen(base64), NULL), 0);
    const unsigned char *p = bytes.ptr;
    PKCS12 *file = d2i_PKCS12(NULL, &p, (long)bytes.len);
    assert_non_null(file);
    es_blob_fini(&bytes);
    return file;
}

static void assert_holds(const char *base64, const char *password, const struct chain *c, int others)
{
    PKCS12 *file = file_in(base64);
    EVP_PKEY *key = NULL;
    X509 *certificate = NULL;
    STACK_OF(X509) *rest = NULL;
    assert_int_equal(PKCS12_parse(file, password, &key, &certificate, &rest), 1);
    assert_int_equal(EVP_PKEY_eq(key, c->key), 1);
    assert_int_equal(X509_cmp(certificate, c->certificates[0]), 0);
    assert_int_equal(rest ? sk_X509_num(rest) : 0, others);
    sk_X509_pop_free(rest, X509_free);
    X509_free(certificate);
    EVP_PKEY_free(key);
    PKCS12_free(file);
}

static void assert_makes(json_t *data, const char *template, const char *password, const struct chain *c,
                         int others)
{
    char *base64 = render(data, template);
    assert_holds(base64, password, c, others);
    free(base64);
}

static void test_files_are_made(void **state)
{
    (void)state;
    struct chain c = make_chain();
    json_t *data = json_object();
    set_text(data, "certs", pem_of(&c, "012"));
    set_text(data, "key", key_pem_of(c.key));
    assert_makes(data, "{{ pemToPkcs12 .certs .key }}", "", &c, 0);
    assert_makes(data, "{{ pemToPkcs12Pass .certs .key \"s3same\" }}", "s3same", &c, 0);
    assert_makes(data, "{{ fullPemToPkcs12 .certs .key }}", "", &c, 2);
    assert_makes(data, "{{ fullPemToPkcs12Pass .certs .key \"s3same\" }}", "s3same", &c, 2);
    assert_renders(data, "{{ pemToPkcs12 \"x\" .key }}",
                   "error calling pemToPkcs12: the certificate holds no PEM block");
    assert_renders(data, "{{ pemToPkcs12 .certs .certs }}",
                   "error calling pemToPkcs12: unable to parse private key type");
    assert_renders(data, "{{ pemToPkcs12 .key .key }}",
                   "error calling pemToPkcs12: x509: malformed certificate");
    json_decref(data);
    chain_free(&c);
}

/* All certificates of a file are bags that Java trusts. */
static void test_truststores_are_made(void **state)
{
    (void)state;
    struct chain c = make_chain();
    json_t *data = json_object();
    set_text(data, "certs", pem_of(&c, "12"));
    char *base64 = render(data, "{{ pemTruststoreToPKCS12Pass .certs \"changeit\" }}");
    PKCS12 *file = file_in(base64);
    ASN1_OBJECT *java = OBJ_txt2obj("2.16.840.1.113894.746875.1.1", 1);
    assert_int_equal(PKCS12_verify_mac(file, "changeit", -1), 1);
    STACK_OF(PKCS7) *safes = PKCS12_unpack_authsafes(file);
    int trusted = 0;
    for (int i = 0; i < sk_PKCS7_num(safes); i++) {
        STACK_OF(PKCS12_SAFEBAG) *bags = PKCS12_unpack_p7encdata(sk_PKCS7_value(safes, i), "changeit", 8);
        assert_non_null(bags);
        for (int b = 0; b < sk_PKCS12_SAFEBAG_num(bags); b++) {
            PKCS12_SAFEBAG *bag = sk_PKCS12_SAFEBAG_value(bags, b);
            trusted += X509at_get_attr_by_OBJ(PKCS12_SAFEBAG_get0_attrs(bag), java, -1) >= 0;
            char *name = PKCS12_get_friendlyname(bag);
            assert_string_equal(name, b ? "CN=root" : "CN=middle");
            OPENSSL_free(name);
        }
        sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
    }
    assert_int_equal(trusted, 2);
    sk_PKCS7_pop_free(safes, PKCS7_free);
    ASN1_OBJECT_free(java);
    PKCS12_free(file);
    free(base64);
    json_decref(data);
    chain_free(&c);
}

/* ---- JWK and RSA ---- */

/* RFC 7517, appendix A.2, the first key; RFC 8037, appendix A.1. */
#define EC_PUBLIC                                                                                            \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4\","                \
    "\"y\":\"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM\""
#define EC_PRIVATE EC_PUBLIC ",\"d\":\"870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE\""
#define OKP_PUBLIC "\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo\""
#define OKP_PRIVATE OKP_PUBLIC ",\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\""

static void test_jwk(void **state)
{
    (void)state;
    json_t *data = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "ec", "{" EC_PRIVATE "}", "ecp", "{" EC_PUBLIC "}",
                             "okp", "{" OKP_PRIVATE "}", "okpp", "{" OKP_PUBLIC "}", "oct",
                             "{\"kty\":\"oct\",\"k\":\"GawgguFyGrWKav7AX4VKUg\"}", "bad",
                             "{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"AA\",\"y\":\"AA\"}");
    char *pem = render(data, "{{ jwkPrivateKeyPem .ec }}");
    EVP_PKEY *key = key_in(pem);
    assert_memory_equal(pem, "-----BEGIN PRIVATE KEY-----", 27);
    BIO *bio = BIO_new(BIO_s_mem());
    PEM_write_bio_PUBKEY(bio, key);
    char *public = text_of(bio);
    assert_renders(data, "{{ jwkPublicKeyPem .ecp }}", public);
    free(public);
    free(pem);
    EVP_PKEY_free(key);
    assert_renders(data, "{{ jwkPrivateKeyPem .okp }}",
                   "-----BEGIN PRIVATE KEY-----\n"
                   "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g\n"
                   "-----END PRIVATE KEY-----\n");
    assert_renders(data, "{{ jwkPublicKeyPem .okpp }}",
                   "-----BEGIN PUBLIC KEY-----\n"
                   "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
                   "-----END PUBLIC KEY-----\n");
    assert_renders(data, "{{ jwkPublicKeyPem .ec }}",
                   "error calling jwkPublicKeyPem: x509: unsupported public key type: *ecdsa.PrivateKey");
    assert_renders(
        data, "{{ jwkPrivateKeyPem .ecp }}",
        "error calling jwkPrivateKeyPem: x509: unknown key type while marshaling PKCS#8: *ecdsa.PublicKey");
    assert_renders(data, "{{ jwkPublicKeyPem .oct }}",
                   "error calling jwkPublicKeyPem: x509: unsupported public key type: []uint8");
    assert_renders(data, "{{ jwkPublicKeyPem .bad }}",
                   "error calling jwkPublicKeyPem: failed to parse JWK: its kty, its crv or one of its "
                   "members is not as "
                   "RFC 7518 wants it");
    assert_renders(data, "{{ jwkPublicKeyPem \"x\" }}",
                   "error calling jwkPublicKeyPem: failed to parse JWK: it is no JSON");
    json_decref(data);
}

/* The literal of a Go template for these bytes. */
static void add_literal(struct es_buf *t, const unsigned char *bytes, size_t len)
{
    es_buf_addc(t, '"');
    for (size_t i = 0; i < len; i++)
        es_buf_addf(t, "\\x%02x", bytes[i]);
    es_buf_addc(t, '"');
}

static size_t encrypt(EVP_PKEY *key, const EVP_MD *hash, const char *text, unsigned char out[512])
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(key, NULL);
    size_t len = 512;
    EVP_PKEY_encrypt_init(ctx);
    EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING);
    EVP_PKEY_CTX_set_rsa_oaep_md(ctx, hash);
    EVP_PKEY_CTX_set_rsa_mgf1_md(ctx, hash);
    assert_int_equal(EVP_PKEY_encrypt(ctx, out, &len, (const unsigned char *)text, strlen(text)), 1);
    EVP_PKEY_CTX_free(ctx);
    return len;
}

static void assert_decrypts(json_t *data, EVP_PKEY *key, const EVP_MD *hash, const char *name,
                            const char *wanted)
{
    unsigned char sealed[512];
    struct es_buf t;
    size_t len = encrypt(key, hash, "the text", sealed);
    es_buf_init(&t, 100000);
    es_buf_addf(&t, "{{ rsaDecrypt \"RSA-OAEP\" \"%s\" ", name);
    add_literal(&t, sealed, len);
    es_buf_adds(&t, " .key }}");
    assert_renders(data, es_buf_str(&t), wanted);
    es_buf_fini(&t);
}

static void test_rsa(void **state)
{
    (void)state;
    EVP_PKEY *key = EVP_RSA_gen(2048), *ec = EVP_EC_gen("P-256");
    json_t *data = json_object();
    set_text(data, "key", key_pem_of(key));
    set_text(data, "ec", key_pem_of(ec));
    assert_decrypts(data, key, EVP_sha256(), "SHA256", "the text");
    assert_decrypts(data, key, EVP_sha256(), "None", "the text");
    assert_decrypts(data, key, EVP_sha1(), "SHA1", "the text");
    assert_decrypts(data, key, EVP_sha512(), "SHA512", "the text");
    assert_decrypts(data, key, EVP_sha512(), "SHA1",
                    "error calling rsaDecrypt: error decrypting data with RSA: crypto/rsa: decryption error");
    assert_renders(data, "{{ rsaDecrypt \"None\" \"\" \"x\" \"\" }}", "x");
    assert_renders(data, "{{ rsaDecrypt \"X\" \"\" \"x\" \"\" }}",
                   "error calling rsaDecrypt: decryption scheme X is not supported");
    assert_renders(data, "{{ rsaDecrypt \"RSA-OAEP\" \"\" \"x\" \"x\" }}",
                   "error calling rsaDecrypt: failed to decode PEM block");
    assert_renders(data, "{{ rsaDecrypt \"RSA-OAEP\" \"\" \"x\" .ec }}",
                   "error calling rsaDecrypt: could not parse RSA private key");
    json_decref(data);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_digests),
        cmocka_unit_test(test_derived_passwords),
        cmocka_unit_test(test_password_hashes),
        cmocka_unit_test(test_chance),
        cmocka_unit_test(test_aes),
        cmocka_unit_test(test_private_keys),
        cmocka_unit_test(test_a_certificate_says_what_was_asked_for),
        cmocka_unit_test(test_keys_that_are_brought_along),
        cmocka_unit_test(test_chains_are_ordered),
        cmocka_unit_test(test_blocks_are_filtered),
        cmocka_unit_test(test_files_are_read),
        cmocka_unit_test(test_files_are_made),
        cmocka_unit_test(test_truststores_are_made),
        cmocka_unit_test(test_jwk),
        cmocka_unit_test(test_rsa),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
