#include "core/http/proxy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/mem.h"
#include "core/base/text.h"

/* An address of either family in 16 bytes: IPv4 as ::ffff:a.b.c.d, so that
 * one comparison does for both. */
struct address {
    unsigned char bytes[16];
    bool v4;
};

static bool parse_address(const char *text, struct address *ret)
{
    static const unsigned char mapped[12] = {[10] = 0xFF, [11] = 0xFF};

    memcpy(ret->bytes, mapped, sizeof mapped);
    ret->v4 = inet_pton(AF_INET, text, ret->bytes + 12) == 1;
    if (ret->v4)
        return true;
    if (inet_pton(AF_INET6, text, ret->bytes) != 1)
        return false;
    ret->v4 = memcmp(ret->bytes, mapped, sizeof mapped) == 0;
    return true;
}

static bool is_loopback(const char *host)
{
    static const unsigned char v6[16] = {[15] = 1};
    struct address a;

    if (es_strieq(host, "localhost"))
        return true;
    if (!parse_address(host, &a))
        return false;
    return a.v4 ? a.bytes[12] == 127 : memcmp(a.bytes, v6, sizeof v6) == 0;
}

static bool same_bits(const unsigned char *a, const unsigned char *b, unsigned bits)
{
    if (memcmp(a, b, bits / 8) != 0)
        return false;
    unsigned rest = bits % 8;
    return rest == 0 || ((a[bits / 8] ^ b[bits / 8]) >> (8 - rest)) == 0;
}

/* "10.0.0.0/8" or "fd00::/8". */
static bool in_block(const struct address *host, const char *entry)
{
    char text[64];
    struct address net;
    int64_t bits;
    const char *slash = strchr(entry, '/');
    size_t len = (size_t)(slash - entry);

    if (len >= sizeof text)
        return false;
    memcpy(text, entry, len);
    text[len] = '\0';
    if (!parse_address(text, &net) || es_parse_i64(slash + 1, &bits) < 0 || bits < 0 ||
        bits > (net.v4 ? 32 : 128) || net.v4 != host->v4)
        return false;
    return same_bits(net.bytes, host->bytes, (unsigned)bits + (net.v4 ? 96 : 0));
}

/* Cuts ":port" off, and the brackets of an IPv6 address. false: the entry
 * names another port. */
static bool cut_port(char *entry, int port)
{
    char *colon = strrchr(entry, ':');
    bool bracketed = entry[0] == '[';
    char *end = bracketed ? strchr(entry, ']') : NULL;
    int64_t want;

    if (bracketed && !end)
        return false;
    if (colon && (bracketed ? colon == end + 1 : strchr(entry, ':') == colon)) {
        if (es_parse_i64(colon + 1, &want) < 0 || want != port)
            return false;
        *colon = '\0';
    }
    if (bracketed) {
        *end = '\0';
        memmove(entry, entry + 1, strlen(entry));
    }
    return true;
}

static bool matches_name(const char *entry, const char *host)
{
    size_t have = strlen(host);

    if (entry[0] == '*' && entry[1] == '.')
        entry++;
    size_t want = strlen(entry);
    if (entry[0] == '.')
        return have > want && es_strieq(host + have - want, entry);
    if (es_strieq(host, entry))
        return true;
    return have > want && host[have - want - 1] == '.' && es_strieq(host + have - want, entry);
}

static bool matches(char *entry, const char *host, const struct address *address, int port)
{
    struct address a;

    if (es_streq(entry, "*"))
        return true;
    if (strchr(entry, '/'))
        return address && in_block(address, entry);
    if (!cut_port(entry, port) || !*entry)
        return false;
    if (parse_address(entry, &a))
        return address && memcmp(a.bytes, address->bytes, sizeof a.bytes) == 0;
    return !address && matches_name(entry, host);
}

static bool is_excluded(const char *list, const char *host, int port)
{
    struct address a;
    const struct address *address = parse_address(host, &a) ? &a : NULL;
    char entry[256];

    while (*list) {
        size_t len = strcspn(list, ", \t");
        if (len > 0 && len < sizeof entry) {
            memcpy(entry, list, len);
            entry[len] = '\0';
            if (matches(entry, host, address, port))
                return true;
        }
        list += len + (list[len] != '\0');
    }
    return false;
}

const char *es_proxy_pick(const struct es_proxy_env *e, bool https, const char *host, int port)
{
    const char *proxy = https ? e->https : e->http;

    if (es_str_empty(proxy) || is_loopback(host))
        return "";
    if (e->none && is_excluded(e->none, host, port))
        return "";
    return proxy;
}

static int read_variable(char **ret, const char *upper, const char *lower)
{
    const char *value = getenv(upper);

    if (es_str_empty(value))
        value = getenv(lower);
    if (es_str_empty(value))
        return 0;
    *ret = es_mem_strdup(value);
    return *ret ? 0 : ES_E_NOMEM;
}

int es_proxy_env_init(struct es_proxy_env *e)
{
    *e = (struct es_proxy_env){0};
    if (read_variable(&e->http, "HTTP_PROXY", "http_proxy") < 0 ||
        read_variable(&e->https, "HTTPS_PROXY", "https_proxy") < 0 ||
        read_variable(&e->none, "NO_PROXY", "no_proxy") < 0) {
        es_proxy_env_fini(e);
        return ES_E_NOMEM;
    }
    return 0;
}

void es_proxy_env_fini(struct es_proxy_env *e)
{
    es_mem_free(e->http); /* may hold a password */
    es_mem_free(e->https);
    es_mem_free(e->none);
    *e = (struct es_proxy_env){0};
}
