/* core/check/options.h: what the command line of esp-check asks for. */
#ifndef ES_CHECK_OPTIONS_H
#define ES_CHECK_OPTIONS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/check/check.h"

/* Texts are the command line's own or owned as said. */
struct es_check_opts {
    char *file; /* with a slash, so that it is a path for everybody; owned */
    const char *component;
    const char *spec_file;
    json_t *spec; /* the provider's block, an object; NULL: none was given */
    const char *secrets_file;
    json_t *objects; /* array: the Secrets and ConfigMaps of secrets_file */
    const char **keys;
    size_t key_count;
    const char **only, **skip;
    size_t only_count, skip_count;
    const char *junit, *json;
    bool help, manual, list, version, quick, strict, live;
};

/* ES_E_CONFIG with a sentence that names the argument. es_check_opts_fini in any case. */
int es_check_opts_read(struct es_check_opts *ret, int argc, char **argv, struct es_error *err);
void es_check_opts_fini(struct es_check_opts *o);

/* Whether --only and --skip let a check run. */
bool es_check_opts_wants(const struct es_check_opts *o, const struct es_check *check);

/* What --help prints, and the page of the manual. */
void es_check_opts_help(struct es_buf *out);
void es_check_opts_manual(struct es_buf *out);

#endif
