/* plugins/kubernetes/kubeyaml.h: YAML as JSON text, so that there is one reader for both. */
#ifndef KUBE_KUBEYAML_H
#define KUBE_KUBEYAML_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>

/* Appends the one document of `yaml` as JSON. Every scalar becomes a string, for a kubeconfig
 * asks no more of them; a plain null or ~ is null. False: `why` says in which line it is
 * no such document. Anchors are refused: a kubeconfig needs none, and they multiply. */
bool kube_yaml_json(esp_bytes yaml, struct esp_text *out, struct esp_text *why);

#endif
