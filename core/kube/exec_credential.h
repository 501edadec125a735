/* core/kube/exec_credential.h: logins that another program provides.
 *
 * The contract is client-go's: the program finds an ExecCredential in
 * KUBERNETES_EXEC_INFO and prints one with a status on stdout.
 * https://kubernetes.io/docs/reference/access-authn-authz/authentication/#client-go-credential-plugins */
#ifndef ES_KUBE_EXEC_CREDENTIAL_H
#define ES_KUBE_EXEC_CREDENTIAL_H

#include <stdbool.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/base/values.h"

#define ES_EXEC_TIMEOUT_MS 60000
#define ES_EXEC_OUTPUT_MAX (1024u * 1024)

/* What the kubeconfig says. All texts are owned, allocated with es_mem. */
struct es_exec {
    char *origin;       /* for errors: FILE: user "x" */
    char *command;      /* absolute, or a name to be looked up in PATH */
    char **args;        /* without the command; NULL at the end */
    char **env;         /* NAME=value, before the process's own; NULL at the end */
    char *api_version;  /* client.authentication.k8s.io/v1 or v1beta1 */
    char *info;         /* KUBERNETES_EXEC_INFO */
    char *install_hint; /* or NULL */
    bool interactive;   /* gets the terminal as stdin */
};

void es_exec_free(struct es_exec *e); /* NULL is fine */

struct es_exec_status {
    struct es_blob token, cert, key;
    int64_t expires_unix_ms; /* 0: not said */
};
void es_exec_status_fini(struct es_exec_status *s);

/* Runs it: stdin is /dev/null, stderr is ours, stdout is read up to
 * ES_EXEC_OUTPUT_MAX and never quoted. ES_E_CONFIG when it cannot be started
 * or answers nonsense, ES_E_DENIED when it fails, ES_E_RETRY after the time-out,
 * ES_E_CANCELLED when one of the flags (polled, may be NULL) is set; it
 * and what it started in its process group are killed then. */
struct es_exec_limits {
    int64_t timeout_ms;
    const bool *cancelled, *stopped;
};
int es_exec_run(const struct es_exec *e, const struct es_exec_limits *limits, struct es_exec_status *ret,
                struct es_error *err);

#endif
