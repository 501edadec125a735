/* plugins/aws/tags.h: tags, as AWS lists them and as people write them. None is a secret. */
#ifndef AWS_TAGS_H
#define AWS_TAGS_H

#include "request.h"

/* The mark of what a push has made; nothing else is overwritten or deleted. */
#define AWS_MANAGED_KEY "managed-by"
#define AWS_MANAGED_VALUE "external-secrets"

/* [{"Key": k, "Value": v}, ...] as {k: v}; a new reference, NULL without memory. */
json_t *aws_tags_of(const json_t *list);

/* Whether such a list has the mark. */
bool aws_tags_managed(const json_t *list);

/* Appends {k: v} of such a list as JSON text, sorted: what metadataPolicy: Fetch reads. */
esp_status aws_tags_json(struct esp_call *call, const json_t *list, struct esp_text *out);

/* The tags that a push wants: those of its metadata's spec, and the mark. ESP_E_CONFIG when a tag is no
 * string, or is the mark. *ret is a new reference, NULL on failure. */
esp_status aws_tags_wanted(struct esp_call *call, const json_t *spec, json_t **ret);

/* Adds {k: v} to a request as a list under `name`. */
void aws_tags_add(struct aws_request *r, const char *name, const json_t *tags);

/* Adds the keys of `list` that are not wanted under `name`; returns how many. Tags of AWS itself, whose keys
 * begin with aws:, are nobody's to remove. */
size_t aws_tags_add_stale(struct aws_request *r, const char *name, const json_t *list, const json_t *wanted);

/* Whether some wanted tag is missing from the list, or has another value there. */
bool aws_tags_missing(const json_t *list, const json_t *wanted);

#endif
