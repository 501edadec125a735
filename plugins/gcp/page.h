/* plugins/gcp/page.h: lists that come in pages. */
#ifndef GCP_PAGE_H
#define GCP_PAGE_H

#include "api.h"

struct gcp_pages {
    const struct esp_text *path; /* behind /v1/, with a query: "...?pageSize=1000" */
    const char *api;             /* name of the call */
    esp_bytes about;             /* for texts: whose list it is */
    const char *member;          /* of a page that holds the elements */
    /* Called for each; anything but ESP_OK ends the list. `element` is borrowed. */
    esp_status (*look)(void *ctx, struct esp_call *call, const json_t *element);
    void *ctx;
};

/* All of them. A page token that has been there already is an error, not a loop. As gcp_read: ESP_OK
 * when there are answers; *verdict says whether they are what was asked for. */
esp_status gcp_pages(const struct gcp_store *s, struct esp_call *call, const struct gcp_pages *pages,
                     struct gcp_verdict *verdict);

#endif
