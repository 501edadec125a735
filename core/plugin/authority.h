/* core/plugin/authority.h: what a store may ask the cluster and the network for.
 * Private to the room; pure functions, no I/O.
 *
 * A plugin runs inside a process that may read every Secret. What it gets to
 * see is what the author of the store could have named: an object whose name
 * stands in the provider's block, in a namespace that the store's kind allows
 * (spec/stores.md, section 5). */
#ifndef ES_PLUGIN_AUTHORITY_H
#define ES_PLUGIN_AUTHORITY_H

#include <jansson.h>
#include <stdbool.h>

#include "core/base/error.h"
#include "core/plugin/services.h"

/* Whether `text` is one of the string values somewhere in the block. */
bool es_authority_names(const json_t *spec, const char *text);

/* Where a reference of this store points: a SecretStore's own namespace, and
 * ES_E_CONFIG when the reference says another; for a ClusterSecretStore the given
 * one, which must be the consumer's or stand in the block, or else the consumer's.
 * ES_E_UNDECIDED when that is not known (validation of a referent store), ES_E_DENIED. */
int es_authority_namespace(const struct es_authority *who, const char *ns, const char **ret,
                           struct es_error *err);

/* Whether the block asks for a token of this account that is good for the API
 * server: it names the account and gives no audience for it. */
bool es_authority_api_token(const json_t *spec, const char *account);

/* Whether HTTP may go to `host` (in the form of core/http/address.h) at `port`:
 * one of the patterns (core/plugin/host_pattern.h; NULL at the end) matches. The
 * pattern "spec" stands for what the block itself names: a string value in it
 * that is an http or https URL with this host, or is the host, each with this
 * port or with none. `spec` may be NULL: it names nothing. */
bool es_authority_host(const json_t *spec, const char *const *patterns, const char *host, int port);

#endif
