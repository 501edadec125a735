/* core/kube/kubeconfig_entry.h: typed reading of a kubeconfig file's parts,
 * with errors that name file and line. For kubeconfig_*.c only. */
#ifndef ES_KUBE_KUBECONFIG_ENTRY_H
#define ES_KUBE_KUBECONFIG_ENTRY_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/base/yaml.h"
#include "core/kube/kubeconfig.h"

struct es_conf_file {
    const char *path;
    struct es_yaml yaml;
};

/* An object of a file: what is read from it, and what errors name. */
struct es_conf_entry {
    const struct es_conf_file *file;
    const json_t *node; /* NULL: nothing there, every member is absent */
};

const struct es_yaml_doc *es_conf_doc_of(const struct es_conf_file *f); /* NULL: the file is empty */

/* ES_E_CONFIG with "FILE:LINE: ..."; `node` (may be NULL) gives the line. */
int es_conf_complain(const struct es_conf_entry *at, const json_t *node, struct es_error *err,
                     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* A member, or ES_E_CONFIG when it has another type. Absent, null and "":
 * *ret is NULL (false), and 0 is returned. All but the copy are borrowed. */
int es_conf_get_text(const struct es_conf_entry *at, const char *name, const char **ret,
                     struct es_error *err);
int es_conf_copy_text(const struct es_conf_entry *at, const char *name, char **ret, struct es_error *err);
int es_conf_get_bool(const struct es_conf_entry *at, const char *name, bool *ret, struct es_error *err);
int es_conf_get_object(const struct es_conf_entry *at, const char *name, const json_t **ret,
                       struct es_error *err);
int es_conf_get_array(const struct es_conf_entry *at, const char *name, const json_t **ret,
                      struct es_error *err);

/* NAME-data, or the path at NAME; data wins, as client-go has it. */
int es_conf_get_source(const struct es_conf_entry *at, const char *name, struct es_kube_source *ret,
                       struct es_error *err);

/* `path` relative to the directory of the file; NULL without memory. */
char *es_conf_resolve(const struct es_conf_file *f, const char *path);

/* The exec member of a user, if there is one, into p->exec. */
int es_conf_read_exec(struct es_kube_profile *p, const struct es_conf_entry *user,
                      const struct es_conf_entry *cluster, struct es_error *err);

#endif
