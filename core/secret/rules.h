/* core/secret/rules.h: what an ExternalSecret must not say.
 *
 * The definitions that `esod crds` prints refuse all of this at the door, in
 * the same words (CEL; spec: operator, section 2.1). An object may still have
 * come in otherwise: under the definitions of another operator, or before ours
 * were applied. Templates have rules of their own: es_target_check_template. */
#ifndef ES_SECRET_RULES_H
#define ES_SECRET_RULES_H

#include <jansson.h>

#include "core/base/error.h"

/* 0, or ES_E_CONFIG with every broken rule, joined by "; ". Pure. */
int es_external_secret_check(const json_t *external_secret, struct es_error *err);

#endif
