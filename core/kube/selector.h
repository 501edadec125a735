/* core/kube/selector.h: label selectors as requests carry them. What they match is
 * es_label_selector_match in obj.h. */
#ifndef ES_KUBE_SELECTOR_H
#define ES_KUBE_SELECTOR_H

#include <jansson.h>

#include "core/base/error.h"

/* A metav1.LabelSelector as the value of a request's labelSelector, such as
 * "app=web,tier in (a,b),!old"; es_mem_free it. An empty selector gives "". ES_E_CONFIG
 * for what es_label_selector_match refuses, and for characters that no label has: they
 * would change the meaning. */
int es_label_selector_text(const json_t *selector, char **ret, struct es_error *err);

#endif
