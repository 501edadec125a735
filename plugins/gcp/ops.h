/* plugins/gcp/ops.h: the operations, each in the file that is named. */
#ifndef GCP_OPS_H
#define GCP_OPS_H

#include "gcp.h"

esp_status gcp_check(void *instance, struct esp_call *call, const struct esp_request *req); /* check.c */

/* What `check` says of a parsed document of `open`: `open` asks first, so that what is wrong is said
 * before something fails because of it. */
esp_status gcp_check_request(struct esp_call *call, const json_t *request);

/* store.c */
esp_status gcp_open(struct esp_call *call, const struct esp_request *req, void **instance);
void gcp_close(void *instance, struct esp_call *call);
esp_status gcp_validate(void *instance, struct esp_call *call, const struct esp_request *req);

esp_status gcp_get(void *instance, struct esp_call *call, const struct esp_request *req);  /* read.c */
esp_status gcp_list(void *instance, struct esp_call *call, const struct esp_request *req); /* list.c */

/* remove.c */
esp_status gcp_exists(void *instance, struct esp_call *call, const struct esp_request *req);
esp_status gcp_remove(void *instance, struct esp_call *call, const struct esp_request *req);

esp_status gcp_push(void *instance, struct esp_call *call, const struct esp_request *req); /* push.c */

#endif
