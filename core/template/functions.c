#include "core/template/functions.h"

#include <string.h>

static const struct es_tfunction_table *const tables[] = {
    &es_tfunctions_builtin, &es_tfunctions_strings, &es_tfunctions_cut,    &es_tfunctions_case,
    &es_tfunctions_lists,   &es_tfunctions_dicts,   &es_tfunctions_merge,  &es_tfunctions_math,
    &es_tfunctions_decimal, &es_tfunctions_default, &es_tfunctions_encode, &es_tfunctions_json,
    &es_tfunctions_hash,    &es_tfunctions_pem,     &es_tfunctions_pkcs12, &es_tfunctions_jwk,
    &es_tfunctions_certs,   &es_tfunctions_regex,   &es_tfunctions_path,   &es_tfunctions_random,
    &es_tfunctions_url,     &es_tfunctions_semver,  &es_tfunctions_date,
};

const struct es_tfunction *es_tfunction_find(const char *name, size_t len)
{
    for (size_t t = 0; t < sizeof tables / sizeof *tables; t++)
        for (size_t i = 0; i < tables[t]->count; i++) {
            const struct es_tfunction *f = &tables[t]->functions[i];
            if (strncmp(f->name, name, len) == 0 && f->name[len] == '\0')
                return f;
        }
    return NULL;
}
