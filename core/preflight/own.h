/* core/preflight/own.h: the checks, and what they share. */
#ifndef ES_PREFLIGHT_OWN_H
#define ES_PREFLIGHT_OWN_H

#include "core/base/error.h"
#include "core/preflight/preflight.h"

/* One file each. */
int es_check_server(struct es_preflight *p);
int es_check_login(struct es_preflight *p);
int es_check_definitions(struct es_preflight *p);
int es_check_webhooks(struct es_preflight *p);
int es_check_rights(struct es_preflight *p);
int es_check_others(struct es_preflight *p);
int es_check_objects(struct es_preflight *p);
int es_check_plugins(struct es_preflight *p);
int es_check_addresses(struct es_preflight *p);

/* Notes that something could not be asked, and why: who may not is told so, everything
 * else is a failure. */
void es_check_unasked(struct es_preflight *p, const char *check, const char *what,
                      const struct es_error *err);

/* Calls `fn` for each kind that a target.manifest of an ExternalSecret names; what is no kind is
 * noted. Ends with the first result that is not 0. */
int es_check_each_target(struct es_preflight *p, int (*fn)(void *ctx, const struct es_kind *kind), void *ctx,
                         struct es_error *err);

/* All objects of a kind, as an array; `ns` NULL: everywhere. */
int es_check_list(struct es_preflight *p, const struct es_kind *kind, const char *ns,
                  const struct es_kube_list_opts *opts, json_t **ret_items, struct es_error *err);

/* Whether somebody answers behind a webhook's client configuration. Unknown: the one
 * who asks may not see services. */
enum es_behind { ES_ANSWERED, ES_NO_SERVICE, ES_NO_ENDPOINT, ES_BEHIND_UNKNOWN };
enum es_behind es_check_behind(struct es_preflight *p, const json_t *client_config);

/* "Service external-secrets/external-secrets-webhook does not exist". */
#define ES_BEHIND_TEXT_MAX 640
char *es_check_behind_text(const json_t *client_config, enum es_behind behind, char out[ES_BEHIND_TEXT_MAX]);

#endif
