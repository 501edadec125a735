/* core/cluster/managed_fields.h: who wrote what, for objects without an API
 * server. A small model of structured-merge-diff: the members of data, labels
 * and annotations, by manager, in metadata.managedFields. */
#ifndef ES_CLUSTER_MANAGED_FIELDS_H
#define ES_CLUSTER_MANAGED_FIELDS_H

#include <jansson.h>

/* `object` is about to replace `old` (NULL: to be created), written by `manager`
 * (NULL: leave the fields as they are). Members that it changes become its own,
 * members that it drops become nobody's. 0 or ES_E_NOMEM. */
int es_managed_fields_update(json_t *object, const json_t *old, const char *manager);

#endif
