/* core/kube/config.h: where the API server is and who we are there.
 *
 * Sources in this order, as client-go's do: an explicit path, $KUBECONFIG (a
 * list of files, merged: first one wins), the service account of the pod, and
 * ~/.kube/config. */
#ifndef ES_KUBE_CONFIG_H
#define ES_KUBE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/base/error.h"
#include "core/http/http.h"

struct es_kube_config;

struct es_kube_config_opts {
    const char *kubeconfig;          /* NULL: the order above */
    const char *context;             /* NULL: current-context */
    const char *service_account_dir; /* NULL: /var/run/secrets/kubernetes.io/serviceaccount; tests set it */
};

/* Reads cluster (server, certificate-authority[-data], insecure-skip-tls-verify,
 * tls-server-name, proxy-url), user (token, tokenFile, client-certificate[-data],
 * client-key[-data], username/password, exec, as, as-groups) and the context's
 * namespace. Relative paths are relative to the file that holds them. An
 * auth-provider or anything else that cannot be honoured is ES_E_CONFIG with
 * file, user and remedy. */
int es_kube_config_load(struct es_kube_config **ret, const struct es_kube_config_opts *opts,
                        struct es_error *err);
void es_kube_config_free(struct es_kube_config *c);

const char *es_kube_config_server(
    const struct es_kube_config *c); /* https://host:port[/prefix], no slash at the end */
const char *es_kube_config_namespace(
    const struct es_kube_config *c);                              /* of the context or the pod; "default" */
const char *es_kube_config_proxy(const struct es_kube_config *c); /* NULL: environment */
const char *es_kube_config_ca(const struct es_kube_config *c,
                              size_t *ret_len); /* PEM for plugins that talk back; NULL: none */

/* What a request needs right now. Token files are read again once a minute
 * and after es_kube_config_refused; exec plugins (client.authentication.k8s.io
 * v1 and v1beta1, ExecCredential on stdout, interactiveMode, env, provideClusterInfo)
 * run again shortly before expirationTimestamp and after a refusal, one at a
 * time, bounded in time and output. CA and client certificate files are read
 * again with the token. A failure holds for two seconds, so that a crowd does
 * not repeat it. A credential is shared and never changes; getting one costs a
 * mutex and no copy. Free each, before the config. ES_E_CONFIG, ES_E_DENIED (the
 * plugin failed), ES_E_RETRY (it took too long), ES_E_CANCELLED. */
struct es_kube_credential {
    char *authorization; /* "Bearer ...", "Basic ...", or NULL */
    char *impersonate_user;
    char **impersonate_groups;            /* NULL at the end */
    const struct es_http_header *headers; /* all of the above, ready to be sent */
    size_t header_count;
    struct es_http_tls tls; /* borrowed from the config and this credential */
    void *hold;             /* internal */
    uint64_t generation;    /* changes with the credential */
};
int es_kube_config_credential(struct es_kube_config *c, struct es_kube_credential *ret, struct es_error *err);
void es_kube_credential_fini(struct es_kube_credential *cred); /* wipes */

/* The API server answered 401 to a credential of this generation: the next
 * one asked for is made anew, at most every five seconds. What it says being
 * the same, it keeps its generation, and sending again is of no use. */
void es_kube_config_refused(struct es_kube_config *c, uint64_t generation);

#endif
