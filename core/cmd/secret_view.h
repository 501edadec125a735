/* core/cmd/secret_view.h: Secrets as people may see them, and as people write them. */
#ifndef ES_CMD_SECRET_VIEW_H
#define ES_CMD_SECRET_VIEW_H

#include <jansson.h>

/* "(hidden, 7 bytes)" for a value in base64. NULL without memory. */
json_t *es_view_hidden(const json_t *value);

/* Hides every value of a Secret's data, and in an object of another kind every text but
 * those of apiVersion, kind and metadata. In place. 0 or ES_E_NOMEM. */
int es_view_hide(json_t *object);

/* A Secret's data that is text goes to stringData, where it can be read. In place. 0 or
 * ES_E_NOMEM. */
int es_view_plain(json_t *secret);

/* What an API server does with stringData: encodes it into data. 0 or ES_E_NOMEM. */
int es_view_encode(json_t *secret);

#endif
