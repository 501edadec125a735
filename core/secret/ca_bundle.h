/* core/secret/ca_bundle.h: certificates to trust, in whichever wrapping they come.
 *
 * A field of type bytes is base64 in a manifest, and people often wrap once more.
 * Pure; the texts are the reference's (spec: stores, section 6). */
#ifndef ES_SECRET_CA_BUNDLE_H
#define ES_SECRET_CA_BUNDLE_H

#include "core/base/error.h"
#include "core/base/values.h"

/* Turns `bundle` into PEM text whose first block is an X.509 certificate: as it is,
 * or decoded (base64, either alphabet) once or twice. ES_E_CONFIG when none of
 * these is one, ES_E_NOMEM; `bundle` is then of no use any more. */
int es_ca_bundle_open(struct es_blob *bundle, struct es_error *err);

#endif
