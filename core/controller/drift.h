/* core/controller/drift.h: a target that somebody else has changed, and who that was. */
#ifndef ES_CONTROLLER_DRIFT_H
#define ES_CONTROLLER_DRIFT_H

#include <jansson.h>

#include "core/controller/externalsecret_own.h"

/* `existing` is about to be overwritten: if its data is not as we left it, the log says who has
 * changed it last, by the field managers that the API server notes. Two that undo each other's
 * work look right, both, at every moment; only this tells. */
void es_drift_tell(const struct es_pass *p, const json_t *existing);

#endif
