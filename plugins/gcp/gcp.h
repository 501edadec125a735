/* plugins/gcp/gcp.h: what all files of the plugin share. */
#ifndef GCP_GCP_H
#define GCP_GCP_H

#include <stdbool.h>

#include <esp/plugin.h>
#include <esp/text.h>
#include <esp/token.h>
#include <esp/tree.h>

#include "identity.h"

/* Set by the entry, before anything else runs. */
extern const struct esp_host *gcp_host;

/* Ceilings of texts that are built: a URL or a small document, and one with a value
 * in it (64 KiB at most, quoted and in base64). */
#define GCP_MAX_SMALL ((size_t)64 << 10)
#define GCP_MAX_LARGE ((size_t)16 << 20)

/* An opened store. Nothing in it changes until it is closed, so any number of
 * threads may read it; the token has its own lock. */
struct gcp_store {
    json_t *request;              /* the document of `open` */
    const json_t *spec;           /* the block of the store, in `request` */
    struct gcp_identity identity; /* how a token is got */
    struct esp_token *token;
    esp_bytes project;  /* of the secrets; esp_dup */
    esp_bytes location; /* in `request`; empty: global secrets */
    bool falls_back;    /* LatestOrFetch */
};

/* Records why the operation fails and returns `status`. At most 1000 bytes, no secret. */
esp_status gcp_fail(struct esp_call *call, esp_status status, uint64_t retry_after_ms, const char *format,
                    ...) __attribute__((format(printf, 4, 5)));

esp_status gcp_no_memory(struct esp_call *call);

#endif
