/* core/http/redirect.h: following an answer to another address. */
#ifndef ES_HTTP_REDIRECT_H
#define ES_HTTP_REDIRECT_H

#include "core/http/http.h"

#define ES_HTTP_MAX_REDIRECTS 5

/* A request that is sent on to another address: the original with another
 * URL and, once it leaves the original's origin, without what is meant for
 * that one only. */
struct es_redirect {
    struct es_http_request req;
    char *url;                      /* curl_free */
    struct es_http_header *headers; /* es_mem_free */
    int hops;
};

void es_redirect_init(struct es_redirect *r, const struct es_http_request *req);
void es_redirect_fini(struct es_redirect *r);

/* 1: r->req is the next request to make. 0: `head` is the final answer.
 * ES_E_CONFIG: a redirect we do not follow. */
int es_redirect_next(struct es_redirect *r, const struct es_http_response *head, struct es_error *err);

#endif
