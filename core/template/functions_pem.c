/* Certificates in PEM: filtered, ordered, looked into. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <strings.h>

#include "core/template/pem.h"

static bool is_type(const char *name, const struct es_tvalue *type)
{
    return strlen(name) == type->s.len && strncasecmp(name, type->s.ptr, type->s.len) == 0;
}

static void filter_pem(struct es_tcall *c)
{
    BIO *in = es_pem_reader(&c->args[1]), *out = es_pem_writer();
    struct es_pem_block block;
    bool ok = in && out, any = false, found = false;

    while (ok && es_pem_next(in, &block)) {
        any = true;
        if (is_type(block.name, &c->args[0])) {
            found = true;
            ok = PEM_write_bio(out, block.name, block.header, block.data, block.len) > 0;
        }
        es_pem_block_fini(&block);
    }
    BIO_free(in);
    if (!any && !found && c->args[1].s.len)
        es_tcall_fail(c, "error filtering pem: found junk");
    es_pem_return(c, out, ok);
}

/* Signed by nobody, or by itself. */
static bool is_root(X509 *cert)
{
    const ASN1_OCTET_STRING *authority = X509_get0_authority_key_id(cert);
    const ASN1_OCTET_STRING *own = X509_get0_subject_key_id(cert);

    return !authority || (own && ASN1_OCTET_STRING_cmp(authority, own) == 0);
}

/* Which part of the chain: [*from, *to). */
static void part_of(const STACK_OF(X509) * chain, const struct es_tvalue *what, int *from, int *to)
{
    int count = sk_X509_num(chain);

    *from = *to = 0;
    if (es_tstring_is(what, "leaf")) {
        *to = !is_root(sk_X509_value(chain, 0));
    } else if (es_tstring_is(what, "root")) {
        *from = count - 1;
        *to = *from + is_root(sk_X509_value(chain, count - 1));
    } else if (es_tstring_is(what, "intermediate")) {
        for (*from = *to = 1; *to < count && !is_root(sk_X509_value(chain, *to));)
            ++*to;
    }
}

static void filter_cert_chain(struct es_tcall *c)
{
    BIO *in = es_pem_reader(&c->args[1]);
    STACK_OF(X509) *certs = es_pem_certificates(c, in), *chain = NULL;
    const char *why = NULL;
    int from, to;

    BIO_free(in);
    if (certs)
        chain = es_pem_chain(certs, &why);
    if (why)
        es_tcall_fail(c, "%s", why);
    if (chain) {
        BIO *out = es_pem_writer();
        bool ok = out != NULL;
        part_of(chain, &c->args[0], &from, &to);
        for (int i = from; i < to && ok; i++)
            ok = PEM_write_bio_X509(out, sk_X509_value(chain, i)) == 1;
        es_pem_return(c, out, ok);
    }
    sk_X509_free(chain);
    es_pem_certificates_free(certs);
}

/* Subject alternative names */

static struct es_tvalue name_text(struct es_tcall *c, const GENERAL_NAME *name)
{
    char text[INET6_ADDRSTRLEN] = "";
    const ASN1_STRING *s = name->type == GEN_IPADD ? name->d.iPAddress : name->d.ia5;
    const unsigned char *data = ASN1_STRING_get0_data(s);
    int len = ASN1_STRING_length(s);
    struct es_tcall copy = {.exec = c->exec, .name = c->name};

    if (name->type != GEN_IPADD)
        es_tcall_return_copy(&copy, (const char *)data, (size_t)len);
    else if ((len == 4 && inet_ntop(AF_INET, data, text, sizeof text)) ||
             (len == 16 && inet_ntop(AF_INET6, data, text, sizeof text)))
        es_tcall_return_copy(&copy, text, strlen(text));
    return copy.ret.type == ES_T_STRING ? copy.ret : es_tstring("", 0);
}

static void return_names(struct es_tcall *c, const GENERAL_NAMES *names)
{
    static const int kinds[] = {GEN_DNS, GEN_IPADD, GEN_EMAIL, GEN_URI};
    int count = names ? sk_GENERAL_NAME_num(names) : 0;
    struct es_tlist *list = es_tcall_list(c, (size_t)count);
    size_t n = 0;

    for (size_t k = 0; list && k < sizeof kinds / sizeof *kinds; k++)
        for (int i = 0; i < count; i++) {
            const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
            if (name->type == kinds[k])
                list->items[n++] = name_text(c, name);
        }
    if (list)
        list->count = n;
    es_tcall_return_list(c, ES_T_LIST_STRING, list);
}

static void cert_sans(struct es_tcall *c)
{
    BIO *in = es_pem_reader(&c->args[0]);
    struct es_pem_block block;

    if (!es_pem_next(in, &block)) {
        es_tcall_fail(c, "failed to decode PEM block");
        BIO_free(in);
        return;
    }
    const unsigned char *p = block.data;
    X509 *cert = d2i_X509(NULL, &p, block.len);
    GENERAL_NAMES *names = cert ? X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL) : NULL;
    if (cert)
        return_names(c, names);
    else
        es_tcall_fail(c, "failed to parse certificate: x509: malformed certificate");
    GENERAL_NAMES_free(names);
    X509_free(cert);
    es_pem_block_fini(&block);
    BIO_free(in);
    ERR_clear_error();
}

static const struct es_tfunction functions[] = {
    {"filterPEM", "ss", filter_pem},
    {"filterCertChain", "ss", filter_cert_chain},
    {"certSANs", "s", cert_sans},
};

const struct es_tfunction_table es_tfunctions_pem = ES_TFUNCTION_TABLE(functions);
