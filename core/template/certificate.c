#include "core/template/certificate.h"

#include <arpa/inet.h>
#include <openssl/x509v3.h>
#include <string.h>

static bool add_address(struct es_tcall *c, GENERAL_NAMES *names, const struct es_tvalue *v)
{
    char text[INET6_ADDRSTRLEN] = "";
    ASN1_OCTET_STRING *bytes = NULL;
    GENERAL_NAME *name;

    if (v->type != ES_T_STRING) {
        es_tcall_fail(c, "error parsing ip: an element of the list is not a string");
        return false;
    }
    if (v->s.len < sizeof text) {
        memcpy(text, v->s.ptr, v->s.len);
        bytes = a2i_IPADDRESS(text);
    }
    if (!bytes) {
        es_tcall_fail(c, "error parsing ip: an element of the list is no address");
        return false;
    }
    name = GENERAL_NAME_new();
    if (!name || !sk_GENERAL_NAME_push(names, name)) {
        GENERAL_NAME_free(name);
        ASN1_OCTET_STRING_free(bytes);
        es_tcall_nomem(c);
        return false;
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, bytes);
    return true;
}

static bool add_host(struct es_tcall *c, GENERAL_NAMES *names, const struct es_tvalue *v)
{
    if (v->type != ES_T_STRING) {
        es_tcall_fail(c, "error processing alternate dns name: an element of the list is not a string");
        return false;
    }
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    if (!text || !name || !ASN1_STRING_set(text, v->s.ptr, (int)v->s.len) ||
        !sk_GENERAL_NAME_push(names, name)) {
        ASN1_IA5STRING_free(text);
        GENERAL_NAME_free(name);
        es_tcall_nomem(c);
        return false;
    }
    GENERAL_NAME_set0_value(name, GEN_DNS, text);
    return true;
}

static bool add_all(struct es_tcall *c, GENERAL_NAMES *names, const struct es_tvalue *list,
                    bool (*add)(struct es_tcall *, GENERAL_NAMES *, const struct es_tvalue *))
{
    size_t count = list ? es_tvalue_len(list) : 0;

    if (!es_tcall_spend(c, count))
        return false;
    for (size_t i = 0; i < count; i++) {
        struct es_tvalue v = es_tlist_at(list, i);
        if (!add(c, names, &v))
            return false;
    }
    return true;
}

static bool set_names(struct es_tcall *c, X509 *x, const struct es_tcertificate *w)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool ok =
        names && add_all(c, names, w->hosts, add_host) && add_all(c, names, w->addresses, add_address) &&
        (sk_GENERAL_NAME_num(names) == 0 || X509_add1_ext_i2d(x, NID_subject_alt_name, names, 0, 0) == 1);

    sk_GENERAL_NAME_pop_free(names, GENERAL_NAME_free);
    return ok;
}

static bool add_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    bool ok = extension && X509_add_ext(x, extension, -1) == 1;
    X509_EXTENSION_free(extension);
    return ok;
}

/* An issuer of another name is pointed at by its key's identifier, where it has one. */
static bool set_extensions(X509 *x, const struct es_tcertificate *w)
{
    X509 *issuer = w->issuer ? w->issuer : x;
    bool other = X509_NAME_cmp(X509_get_issuer_name(x), X509_get_subject_name(x)) != 0 &&
                 X509_get0_subject_key_id(issuer);

    return add_extension(x, issuer, NID_key_usage,
                         w->is_ca ? "critical,digitalSignature,keyEncipherment,keyCertSign"
                                  : "critical,digitalSignature,keyEncipherment") &&
           add_extension(x, issuer, NID_ext_key_usage, "serverAuth,clientAuth") &&
           add_extension(x, issuer, NID_basic_constraints,
                         w->is_ca ? "critical,CA:TRUE" : "critical,CA:FALSE") &&
           (!w->is_ca || add_extension(x, issuer, NID_subject_key_identifier, "hash")) &&
           (!other || add_extension(x, issuer, NID_authority_key_identifier, "keyid:always"));
}

static bool set_serial(struct es_tcall *c, X509 *x)
{
    unsigned char random[16];
    BIGNUM *number =
        es_tcall_random(c, random, sizeof random) ? BN_bin2bn(random, sizeof random, NULL) : NULL;
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));

    BN_free(number);
    return ok;
}

static bool set_subject(X509 *x, const struct es_tcertificate *w)
{
    X509_NAME *name = X509_NAME_new();
    bool ok =
        name && X509_NAME_add_entry_by_NID(name, NID_commonName, V_ASN1_UTF8STRING,
                                           (const unsigned char *)w->name->s.ptr, (int)w->name->s.len, -1, 0);
    if (ok && w->name->s.len == 0) { /* Go leaves out what is empty */
        X509_NAME_free(name);
        name = X509_NAME_new();
        ok = name != NULL;
    }
    ok = ok && X509_set_subject_name(x, name) == 1 &&
         X509_set_issuer_name(x, w->issuer ? X509_get_subject_name(w->issuer) : name) == 1;
    X509_NAME_free(name);
    return ok;
}

static bool set_times(struct es_tcall *c, X509 *x, const struct es_tcertificate *w)
{
    time_t now = (time_t)(es_tcall_now_ns(c) / 1000000000);

    return ASN1_TIME_set(X509_getm_notBefore(x), now) &&
           ASN1_TIME_adj(X509_getm_notAfter(x), now, (int)w->days, 0);
}

static bool sign(X509 *x, EVP_PKEY *key)
{
    bool has_own = EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;

    return X509_sign(x, key, has_own ? NULL : EVP_sha256()) > 0;
}

X509 *es_tcertificate_make(struct es_tcall *c, const struct es_tcertificate *w)
{
    X509 *x = X509_new();
    bool ok = x && X509_set_version(x, X509_VERSION_3) == 1 && set_serial(c, x) && set_subject(x, w) &&
              set_times(c, x, w) && X509_set_pubkey(x, w->key) == 1 && set_extensions(x, w) &&
              set_names(c, x, w) && sign(x, w->issuer_key ? w->issuer_key : w->key);

    if (ok)
        return x;
    X509_free(x);
    if (!c->failed)
        es_tcall_fail(c, "error creating certificate: OpenSSL refuses its names, its days or its keys");
    return NULL;
}
