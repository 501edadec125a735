/* core/plugin/host_pattern.h: one item of `hosts:` of a plugin's entry. Pure
 * functions, any thread.
 *
 *   example.com         that host, at any port
 *   example.com:8443    that host at that port
 *   *.example.com       every name below example.com, not example.com itself; with a port as above
 *   [2001:db8::1]       an address; IPv6 stands in brackets
 *   spec                the hosts that the store's own block names: es_authority_host */
#ifndef ES_PLUGIN_HOST_PATTERN_H
#define ES_PLUGIN_HOST_PATTERN_H

#include <stdbool.h>

#include "core/base/error.h"

/* 0, or ES_E_CONFIG with what is wrong and how to write it. */
int es_host_pattern_check(const char *pattern, struct es_error *err);

/* `host` in the form of core/http/address.h. A pattern that is none matches
 * nothing; so does "spec", which is not about hosts that stand here. */
bool es_host_pattern_matches(const char *pattern, const char *host, int port);

#endif
