/* plugins/aws/push.h: what every push reads before it asks AWS anything. */
#ifndef AWS_PUSH_H
#define AWS_PUSH_H

#include "request.h"

/* A push, as far as all services read it in the same way. */
struct aws_push {
    const struct esp_request *req;
    json_t *document;
    json_t *spec;       /* of the PushSecretMetadata; an empty object without one */
    json_t *tags;       /* wanted at AWS, the mark among them */
    struct esp_text id; /* the name at AWS */
};

/* Reads a push whose metadata may have the members `known` (NULL at the end). End it in any case. */
esp_status aws_push_begin(struct aws_push *push, const struct aws_store *store, struct esp_call *call,
                          const struct esp_request *req, const char *const known[]);
void aws_push_end(struct aws_push *push);

/* A string of the metadata's spec, or the fallback where there is none. ESP_E_CONFIG when it is no string. */
esp_status aws_push_text(const struct aws_push *push, struct esp_call *call, const char *name,
                         const char *fallback, esp_bytes *ret);

/* How a service takes tags. */
struct aws_tagging {
    void (*begin)(struct aws_request *r, const char *operation, esp_bytes id);
    const char *add, *remove; /* operations; with Tags, with TagKeys */
};

/* Makes the tags of what is there, `list`, those that are wanted. A push whose metadata lists none leaves
 * them as they are. */
esp_status aws_push_tags(const struct aws_push *push, struct aws_store *store, struct esp_call *call,
                         const struct aws_tagging *how, const json_t *list);

/* Removes what the request names: calls `act` with its name at AWS. */
esp_status aws_remove(struct aws_store *store, struct esp_call *call, const struct esp_request *req,
                      esp_status (*act)(struct aws_store *store, struct esp_call *call, esp_bytes id));

/* How texts and descriptions call what a push has made. */
#define AWS_DESCRIPTION "secret 'managed-by:external-secrets'"

/* ESP_E_CONFIG with the reference's sentence: somebody else made it. */
esp_status aws_not_managed(struct esp_call *call);

#endif
