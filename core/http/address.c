#include "core/http/address.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#include "core/base/text.h"

/* libcurl before 7.88 does not tell what it makes of an international name. */
#ifdef CURLU_PUNYCODE
#define HOST_FLAGS CURLU_PUNYCODE
#else
#define HOST_FLAGS 0
#endif

static bool is_plain(const char *host)
{
    for (; *host; host++)
        if (*host <= ' ' || *host >= 0x7F)
            return false;
    return true;
}

/* One dot at the end only says that the name is complete. */
static bool set_host(struct es_address *a, const char *host)
{
    struct in_addr v4;
    size_t len = strlen(host);

    if (len > 1 && host[len - 1] == '.')
        len--;
    if (len == 0 || len >= sizeof a->host || !is_plain(host))
        return false;
    for (size_t i = 0; i < len; i++)
        a->host[i] = (char)(host[i] >= 'A' && host[i] <= 'Z' ? host[i] - 'A' + 'a' : host[i]);
    a->host[len] = '\0';
    a->literal = a->host[0] == '[' || inet_pton(AF_INET, a->host, &v4) == 1;
    return true;
}

static bool read_port(struct es_address *a, CURLU *url)
{
    char *text = NULL;
    int64_t port = 0;

    a->has_port = curl_url_get(url, CURLUPART_PORT, &text, 0) == CURLUE_OK;
    if (!a->has_port)
        curl_url_get(url, CURLUPART_PORT, &text, CURLU_DEFAULT_PORT);
    bool fine = text && es_parse_i64(text, &port) == 0;
    a->port = (int)port;
    curl_free(text);
    return fine;
}

static bool is_http(CURLU *url)
{
    char *scheme = NULL;
    bool is = curl_url_get(url, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (es_streq(scheme, "http") || es_streq(scheme, "https"));

    curl_free(scheme);
    return is;
}

bool es_address_of_url(struct es_address *ret, const char *url)
{
    struct es_address a = {0};
    char *host = NULL;
    CURLU *u = curl_url();

    bool fine = u && curl_url_set(u, CURLUPART_URL, url, CURLU_PATH_AS_IS) == CURLUE_OK && is_http(u) &&
                curl_url_get(u, CURLUPART_HOST, &host, HOST_FLAGS) == CURLUE_OK && set_host(&a, host) &&
                read_port(&a, u);
    curl_free(host); /* some versions leave one behind even when they fail */
    curl_url_cleanup(u);
    if (fine)
        *ret = a;
    return fine;
}

bool es_address_parse(struct es_address *ret, const char *text)
{
    char url[ES_ADDRESS_HOST_MAX + sizeof "http://:65535/"];

    /* What would end the host or begin another part of the URL. */
    if (!*text || strpbrk(text, "/\\?#@% \t\r\n"))
        return false;
    int len = snprintf(url, sizeof url, "http://%s/", text);
    return len > 0 && (size_t)len < sizeof url && es_address_of_url(ret, url);
}
