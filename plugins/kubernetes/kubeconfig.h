/* plugins/kubernetes/kubeconfig.h: reads the kubeconfig that authRef names. */
#ifndef KUBE_KUBECONFIG_H
#define KUBE_KUBECONFIG_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>

#define KUBE_MAX_KUBECONFIG ((size_t)1 << 20)

/* What the current context leads to. Each is empty where the file says nothing. They are
 * secret, and wiped. */
struct kube_config {
    struct esp_text server, ca, server_name; /* ca: PEM, decoded */
    bool insecure;
    struct esp_text token, cert, key, username, password; /* cert, key: PEM, decoded */
};

/* Reads YAML or JSON. False: `why` says what is wrong, without quoting a value that could be
 * a secret. What only works with programs, files or other hosts is refused: a plugin has
 * none of them. To be freed in either case. */
bool kube_config_read(struct kube_config *ret, esp_bytes text, struct esp_text *why);
void kube_config_free(struct kube_config *c);

#endif
