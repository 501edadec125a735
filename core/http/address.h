/* core/http/address.h: where a URL leads, in the one form that two hosts can be
 * compared in. It is libcurl's parser that reads the URL, here and when the
 * request is made, so that nobody can write an address which looks like one
 * host here and leads to another. Pure functions, any thread. */
#ifndef ES_HTTP_ADDRESS_H
#define ES_HTTP_ADDRESS_H

#include <stdbool.h>

#define ES_ADDRESS_HOST_MAX 256

struct es_address {
    /* Lower case, without the dot that may end a name; international names as
     * xn--; 0x7f.1 is 127.0.0.1; IPv6 shortened and in brackets, without a zone. */
    char host[ES_ADDRESS_HOST_MAX];
    int port;      /* the scheme's own where none is written */
    bool has_port; /* one is written */
    bool literal;  /* an IP address, not a name */
};

/* An absolute http or https URL. false: it is none, or its host has no such form;
 * *ret is untouched then. */
bool es_address_of_url(struct es_address *ret, const char *url);

/* "host" or "host:port", as in a Host header. `port` is 80 where none is written. */
bool es_address_parse(struct es_address *ret, const char *text);

#endif
