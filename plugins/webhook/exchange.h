/* plugins/webhook/exchange.h: one request, made of the store's templates. */
#ifndef HOOK_EXCHANGE_H
#define HOOK_EXCHANGE_H

#include "data.h"

/* What one operation sends. Borrowed. */
struct hook_exchange {
    esp_bytes method;
    const char *api;                        /* its name in the metrics */
    const char *before;                     /* what begins the sentence of a failure */
    esp_bytes body;                         /* as it goes out */
    const struct esp_text *for_url, *plain; /* data for the URL, and for everything else */
};

/* Sends it; any HTTP status is ESP_OK. The answer lives as long as the call. */
esp_status hook_send(const struct hook_store *store, struct esp_call *call, const struct hook_exchange *x,
                     struct esp_http_response *ret);

/* Fails: "PREFIXendpoint gave error 500 Internal Server Error". */
esp_status hook_refused(struct esp_call *call, const char *prefix, const struct esp_http_response *answer);

static inline bool hook_succeeded(const struct esp_http_response *answer)
{
    return answer->status >= 200 && answer->status <= 299;
}

#endif
