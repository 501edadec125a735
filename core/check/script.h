/* core/check/script.h: what the checker's services answer instead of the world. */
#ifndef ES_CHECK_SCRIPT_H
#define ES_CHECK_SCRIPT_H

#include <stdbool.h>
#include <stddef.h>

#include "core/plugin/services.h"
#include "esp/plugin.h"

struct es_script {
    const char *name;   /* "a 429 answer"; the end of a sentence that begins with "after" */
    esp_status failure; /* not ESP_OK: there is no HTTP answer, but this */
    const char *why;    /* with a failure: the service's own sentence */
    int32_t status;     /* else: the answer */
    const char *type;   /* Content-Type */
    const char *retry_after;
    const char *body; /* %BODY% stands for the planted secret; NULL: what `fill` says */
    size_t fill;      /* body of so many letters */
    bool cancels;     /* http, kube_read, sa_token and wait wait, find the call cancelled, and say so */
};

/* Nobody listens. */
extern const struct es_script es_script_refused;

/* An answer with everything that a plugin may look for, and a planted secret in each place. */
extern const struct es_script es_script_plenty;

/* The services below the host table: planted values for what the spec names. With
 * --live, what is in `objects` (an array of manifests, borrowed). */
void es_script_services(struct es_services *services, const json_t *objects);

/* Answers for http, in the arena of the call. */
esp_status es_script_answer(struct esp_call *call, const struct es_script *script,
                            struct esp_http_response *response);

#endif
