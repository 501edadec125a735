#include "core/template/chain.h"

#include <openssl/x509v3.h>
#include <string.h>

bool es_tchain_add(struct es_tcall *c, struct es_tchain *chain, X509 *certificate)
{
    if (chain->count == chain->room) {
        size_t room = chain->room ? 2 * chain->room : 8;
        X509 **more = es_tcall_alloc(c, room * sizeof *more);
        if (!more) {
            X509_free(certificate);
            return false;
        }
        if (chain->count)
            memcpy(more, chain->certificates, chain->count * sizeof *more);
        chain->certificates = more;
        chain->room = room;
    }
    chain->certificates[chain->count++] = certificate;
    return true;
}

bool es_tchain_read(struct es_tcall *c, BIO *in, struct es_tchain *chain)
{
    struct es_tpem block;
    bool ok = true;

    while (ok && es_tpem_next(in, &block, NULL)) {
        X509 *certificate = es_tpem_certificate(c, &block);
        ok = certificate && es_tchain_add(c, chain, certificate);
        es_tpem_free(&block);
    }
    return ok;
}

/* Two that have no identifier are the same, as no bytes are the same as no bytes in Go. */
static bool made_by(X509 *a, X509 *b)
{
    const ASN1_OCTET_STRING *authority = X509_get0_authority_key_id(a),
                            *subject = X509_get0_subject_key_id(b);

    if (!authority || !subject)
        return (!authority || ASN1_STRING_length(authority) == 0) &&
               (!subject || ASN1_STRING_length(subject) == 0);
    return ASN1_OCTET_STRING_cmp(authority, subject) == 0;
}

/* The index of the one that made each, its own where nobody did; and who made somebody. */
static void find_parents(const struct es_tchain *chain, size_t *parent, bool *is_parent)
{
    for (size_t i = 0; i < chain->count; i++) {
        parent[i] = i;
        for (size_t j = 0; j < chain->count; j++)
            if (j != i && made_by(chain->certificates[i], chain->certificates[j])) {
                parent[i] = j;
                is_parent[j] = true;
                break;
            }
    }
}

static bool find_leaf(struct es_tcall *c, const struct es_tchain *chain, const bool *is_parent, size_t *ret)
{
    size_t leaves = 0;

    for (size_t i = 0; i < chain->count; i++)
        if (!is_parent[i] && leaves++ == 0)
            *ret = i;
    if (leaves > 1)
        es_tcall_fail(c, "found multiple leaf or disjunct certificates");
    else if (leaves == 0)
        es_tcall_fail(c, "no leaf certificate found");
    return leaves == 1;
}

/* How many certificates there are from the leaf upwards; 0 when the way leads back. */
static size_t height(const struct es_tchain *chain, const size_t *parent, size_t leaf)
{
    size_t steps = 1;

    for (size_t at = leaf; parent[at] != at; at = parent[at])
        if (++steps > chain->count)
            return 0;
    return steps;
}

/* What is not on the way from the leaf upwards is left out, and freed. */
static bool climb(struct es_tcall *c, struct es_tchain *chain, const size_t *parent, size_t leaf)
{
    size_t count = height(chain, parent, leaf);
    X509 **ordered = es_tcall_alloc(c, (count + 1) * sizeof *ordered);

    if (count == 0)
        es_tcall_fail(c, "constructing chain resulted in cycle");
    if (count == 0 || !ordered)
        return false;
    for (size_t i = 0, at = leaf; i < count; i++, at = parent[at]) {
        ordered[i] = chain->certificates[at];
        chain->certificates[at] = NULL;
    }
    for (size_t i = 0; i < chain->count; i++)
        X509_free(chain->certificates[i]);
    chain->certificates = ordered;
    chain->count = chain->room = count;
    return true;
}

bool es_tchain_order(struct es_tcall *c, struct es_tchain *chain)
{
    size_t *parent = es_tcall_alloc(c, (chain->count + 1) * sizeof *parent), leaf = 0;
    bool *is_parent = es_tcall_alloc(c, chain->count + 1);

    if (!parent || !is_parent || !es_tcall_spend(c, chain->count * chain->count))
        return false;
    find_parents(chain, parent, is_parent);
    return find_leaf(c, chain, is_parent, &leaf) && climb(c, chain, parent, leaf);
}

bool es_tchain_write(BIO *out, const struct es_tchain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        if (!es_tpem_write_certificate(out, chain->certificates[i]))
            return false;
    return true;
}

void es_tchain_free(struct es_tchain *chain)
{
    for (size_t i = 0; i < chain->count; i++)
        X509_free(chain->certificates[i]);
    *chain = (struct es_tchain){0};
}
