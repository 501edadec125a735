/* core/http/proxy.h: which proxy the environment wants for an address. */
#ifndef ES_HTTP_PROXY_H
#define ES_HTTP_PROXY_H

#include <stdbool.h>

#include "core/base/error.h"

struct es_proxy_env {
    char *http, *https, *none; /* HTTP_PROXY, HTTPS_PROXY, NO_PROXY; NULL: not set */
};

/* Reads the environment, upper case names before lower case ones. 0 or ES_E_NOMEM. */
int es_proxy_env_init(struct es_proxy_env *e);
void es_proxy_env_fini(struct es_proxy_env *e);

/* The proxy for a host (no brackets around an IPv6 address) and port, "" for
 * none. NO_PROXY as golang.org/x/net/http/httpproxy documents it: "*", names
 * (the name and all below it), ".name" (only below it), addresses, CIDR
 * blocks, each name or address with an optional port. "localhost" and
 * loopback addresses are never proxied. */
const char *es_proxy_pick(const struct es_proxy_env *e, bool https, const char *host, int port);

#endif
