/* core/controller/store_ca.h: whose certificates a store trusts.
 *
 * Many providers have caBundle (the certificates themselves) and caProvider (where
 * they stand in the cluster) in their block. Both are read here, for any
 * provider, and reach the plugin as PEM text (esp/plugin.h: caBundle of `open`).
 * They are looked for in the block, in its `server` and in its `auth.mtls`; the
 * first of these that has one of the two counts. Spec: stores, section 6. */
#ifndef ES_CONTROLLER_STORE_CA_H
#define ES_CONTROLLER_STORE_CA_H

#include "core/base/error.h"
#include "core/base/values.h"
#include "core/controller/controller.h"
#include "core/controller/store_table.h"

/* The PEM, or an empty blob when the store names none. What is read is noted under
 * `reader`. */
int es_store_ca(struct es_env *env, const struct es_store *s, struct es_reader *reader, struct es_blob *ret,
                struct es_error *err);

/* Only what stands in the block itself: for checks that read nothing. */
int es_store_ca_bundle(const struct es_store *s, struct es_blob *ret, struct es_error *err);

#endif
