#include "core/plugin/host_pattern.h"

#include <string.h>

#include "core/base/text.h"
#include "core/http/address.h"

/* Patterns are read by the parser that reads the URLs, so that both come in the
 * same form: "Example.com." and "[2001:DB8:0::1]:443" mean what they mean there. */
static bool read_pattern(struct es_address *ret, bool *ret_below, const char *pattern)
{
    *ret_below = es_str_starts(pattern, "*.");
    const char *host = *ret_below ? pattern + 2 : pattern;

    return !strchr(host, '*') && es_address_parse(ret, host) && !(*ret_below && ret->literal);
}

int es_host_pattern_check(const char *pattern, struct es_error *err)
{
    struct es_address a;
    bool below;

    if (read_pattern(&a, &below, pattern))
        return 0;
    if (es_streq(pattern, "*"))
        return es_error_set(err, ES_E_CONFIG, "\"*\" is no host; leave hosts away to allow every one");
    if (es_address_of_url(&a, pattern))
        return es_error_set(err, ES_E_CONFIG, "\"%s\" is a URL; write its host alone: %s", pattern, a.host);
    if (strchr(pattern, '*'))
        return es_error_set(err, ES_E_CONFIG,
                            "\"%s\" has a * where none can be; *.example.com stands for every name below "
                            "example.com",
                            pattern);
    return es_error_set(err, ES_E_CONFIG,
                        "\"%s\" is no host; write example.com, example.com:8443, *.example.com, "
                        "[2001:db8::1] or spec",
                        pattern);
}

static bool is_below(const char *host, const char *domain)
{
    size_t len = strlen(host), below = strlen(domain);

    return len > below + 1 && host[len - below - 1] == '.' && es_strieq(host + len - below, domain);
}

bool es_host_pattern_matches(const char *pattern, const char *host, int port)
{
    struct es_address a;
    bool below;

    if (es_streq(pattern, "spec") || !read_pattern(&a, &below, pattern))
        return false;
    if (a.has_port && a.port != port)
        return false;
    return below ? is_below(host, a.host) : es_strieq(host, a.host);
}
