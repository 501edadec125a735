/* core/kube/kubeconfig.h: what was configured, read once.
 *
 * config.c makes logins of it. Nothing here changes after loading, so it is
 * read without a lock. */
#ifndef ES_KUBE_KUBECONFIG_H
#define ES_KUBE_KUBECONFIG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/kube/config.h"
#include "core/kube/exec_credential.h"

#define ES_KUBE_FILE_MAX (1024u * 1024)

/* Bytes given in the file itself, or kept in another one. */
struct es_kube_source {
    struct es_blob data;
    char *path; /* NULL: data, which may be empty: not given */
};

struct es_kube_pair {
    char *name, *value;
};

struct es_kube_profile {
    char *origin; /* for errors: FILE: user "x" */
    char *server, *ns, *proxy, *server_name;
    bool insecure;
    bool ca_optional; /* the file may be absent */
    struct es_kube_source ca, cert, key;
    struct es_kube_source token; /* both may be given: the file wins while it can be read */
    struct es_blob basic;        /* user:password */
    char *as;
    char **groups;
    struct es_kube_pair *impersonate; /* headers */
    size_t impersonate_count;
    struct es_exec *exec;
};

/* In the order of config.h. ES_E_CONFIG with the file and, where known, the
 * line. */
int es_kube_profile_load(struct es_kube_profile *ret, const struct es_kube_config_opts *opts,
                         struct es_error *err);
void es_kube_profile_fini(struct es_kube_profile *p); /* zeroes are fine */

/* The same from kubeconfig files alone, merged: of each name the first file's
 * entry counts, whole. */
int es_kube_profile_parse(struct es_kube_profile *ret, char *const *paths, size_t count, const char *context,
                          struct es_error *err);

/* Reads a small file whole. ES_E_CONFIG with the path. */
int es_kube_read_file(struct es_blob *ret, const char *path, struct es_error *err);

#endif
