/* core/controller/provision_own.h: for the files that provisioning is made of:
 * provision.c is the pass, provision_select.c where, provision_child.c one child, provision_status.c what is
 * told, provision_watched.c what wakes whom, provision_news.c where to look again. */
#ifndef ES_CONTROLLER_PROVISION_OWN_H
#define ES_CONTROLLER_PROVISION_OWN_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/controller/controller.h"
#include "core/controller/provision.h"
#include "core/controller/tally.h"

#define ES_PROVISION_TERM_MAX 640

/* What is different between the two kinds. */
struct es_provisioner {
    enum es_controller_id id, child_id;
    enum es_tally_kind tally;
    const struct es_kind *kind, *child;
    const char *logger;
    /* Members of spec; `name` is one of status too. */
    const char *spec, *name, *metadata;
    const char *own_finalizer;       /* or NULL: its children are left to the garbage collector */
    const char *namespace_finalizer; /* the part before the parent's name, or NULL: none */
    const char *mirrored;            /* an annotation that is handed down, or NULL */
    const char *taken;               /* reason of a namespace where somebody else's has the name */
    const char *not_written;         /* ... where the child could not be written */
    const char *not_deleted;         /* ... where a former child could not be deleted */
};

extern const struct es_provisioner es_provision_external_secrets, es_provision_push_secrets;

/* NULL: that kind is not served. */
struct es_cache *es_provision_parents(const struct es_env *env, const struct es_provisioner *how);
struct es_cache *es_provision_children(const struct es_env *env, const struct es_provisioner *how);

/* The name of the children. */
const char *es_provision_child_name(const struct es_provisioner *how, const json_t *parent);

/* The terms under which the caches find the children of a parent, parents by the name
 * of their children, and namespaces by the finalizer of a parent. */
void es_provision_owner_term(char out[ES_PROVISION_TERM_MAX], const char *kind, const char *parent);
void es_provision_name_term(char out[ES_PROVISION_TERM_MAX], const char *child);
void es_provision_held_term(char out[ES_PROVISION_TERM_MAX], const char *finalizer);

/* Is this parent, or one of the same name before it, the controller of the child? */
bool es_provision_is_child(const struct es_provisioner *how, const json_t *parent, const json_t *child);

/* Creates the child in a namespace or makes it what it has to be; nothing is sent when it is. ES_E_EXISTS
 * when somebody else's has its name, or one that is being deleted, with the reason as the
 * text; ES_E_CONFLICT when the cache is behind. */
int es_provision_write_child(struct es_env *env, const struct es_provisioner *how, const json_t *parent,
                             const char *ns, struct es_error *err);

/* Deletes ns/name if it is a child of this parent. What is gone is no error. */
int es_provision_delete_child(struct es_env *env, const struct es_provisioner *how, const json_t *parent,
                              const char *ns, const char *name, struct es_error *err);

/* Adds to `wanted`, as keys, the namespaces that the parent selects, of those in `places` (as keys too;
 * NULL: of all). Those that end are not wanted any more: nothing can be made there. ES_E_CONFIG when a
 * selector cannot be read. */
int es_provision_select(const struct es_env *env, const json_t *parent, const json_t *places, json_t *wanted,
                        struct es_error *err);

/* The status's entries about other namespaces than those that were looked at (as keys) are still so:
 * adds them to what a pass has found. */
int es_provision_keep_former(const json_t *parent, const json_t *looked_at, json_t *provisioned,
                             json_t *failed, struct es_error *err);

/* `provisioned` has names, `failed` a {"namespace", "reason"} each; in any order. */
int es_provision_write_status(struct es_env *env, const struct es_provisioner *how, const json_t *parent,
                              const json_t *provisioned, const json_t *failed, struct es_error *err);

#endif
