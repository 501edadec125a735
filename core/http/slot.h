/* core/http/slot.h: libcurl easy handles, set up once and used again.
 *
 * Setting all options of a fresh handle costs more than many a request, so
 * a handle keeps what is the same for every request of its lane, and only
 * what may differ is set again. Lane's thread only. */
#ifndef ES_HTTP_SLOT_H
#define ES_HTTP_SLOT_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/http/exchange.h"

struct es_slot {
    CURL *easy;
    struct es_slot *next;
    /* What the handle has set, so that it need not be set again. */
    bool has_proxy, has_ca, has_cert, has_connect_to, insecure, gzip, secure, custom_method, upload;
    bool has_login;             /* libcurl keeps a copy of it: not to be used again */
    char text[CURL_ERROR_SIZE]; /* libcurl's words; may hold a URL */
};

struct es_slot_opts {
    CURLSH *share;
    const char *user_agent;
    const char *ca_file; /* instead of the system's roots, or NULL */
    int64_t connect_timeout_ms;
    bool http11; /* never HTTP/2 */
};

struct es_slot *es_slot_new(const struct es_slot_opts *opts); /* NULL without memory */
void es_slot_free(struct es_slot *slot);

/* Everything that differs from request to request. */
CURLcode es_slot_configure(struct es_slot *slot, struct es_exchange *x, bool http11);

/* Lets go of what belongs to the exchange that is over. */
void es_slot_clear(struct es_slot *slot);

#endif
