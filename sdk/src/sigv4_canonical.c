/* The canonical form of a request: the one text that both sides make of it before they sign. */
#include <stdlib.h>
#include <string.h>

#include <esp/codec.h>
#include <esp/sigv4.h>

#include "sigv4_own.h"

#define MAX_QUERY 512 /* pairs; more are refused */

/* ---- the parts of a URL ---- */

static esp_bytes from(esp_bytes text, size_t at)
{
    return esp_span(text.ptr + at, text.len - at);
}

static size_t find(esp_bytes text, const char *any)
{
    size_t at = 0;
    while (at < text.len && !memchr(any, text.ptr[at], strlen(any)))
        at++;
    return at;
}

bool sigv4_url(esp_bytes url, struct sigv4_url *ret)
{
    bool tls = esp_starts_with(url, esp_str("https://"));
    if (!tls && !esp_starts_with(url, esp_str("http://")))
        return false;
    esp_bytes rest = from(url, tls ? 8 : 7);
    size_t end = find(rest, "/?#");
    ret->host = esp_span(rest.ptr, end);
    const char *usual = tls ? ":443" : ":80";
    size_t tail = strlen(usual);
    /* Clients leave the usual port out of Host, so the signature must too. */
    if (end > tail && memcmp(rest.ptr + end - tail, usual, tail) == 0)
        ret->host.len -= tail;
    rest = from(rest, end);
    end = find(rest, "?#");
    ret->path = esp_span(rest.ptr, end);
    rest = from(rest, end);
    ret->query = esp_str("");
    if (rest.len && rest.ptr[0] == '?')
        ret->query = esp_span(rest.ptr + 1, find(rest, "#") - 1);
    return ret->host.len > 0;
}

/* ---- path ---- */

static void drop_segment(struct esp_text *out, size_t start)
{
    size_t len = out->len;
    while (len > start && out->ptr[len - 1] != '/')
        len--;
    esp_text_cut(out, len > start ? len - 1 : start);
}

/* Empty and dot segments go, then what is left is escaped, once more where it is escaped already: AWS takes
 * the path as it stands in the request line for raw. */
static void add_path(esp_bytes path, struct esp_text *out)
{
    size_t start = out->len;
    bool open = true; /* ends in a slash */
    while (path.len) {
        size_t end = find(path, "/");
        esp_bytes segment = esp_span(path.ptr, end);
        bool dots = esp_equal_str(segment, "..");
        open = end < path.len || dots || esp_equal_str(segment, ".");
        if (dots) {
            drop_segment(out, start);
        } else if (segment.len && !esp_equal_str(segment, ".")) {
            esp_text_addc(out, '/');
            esp_percent_add(out, segment, "");
        }
        path = from(path, end < path.len ? end + 1 : end);
    }
    if (open || out->len == start)
        esp_text_addc(out, '/');
}

/* ---- query ---- */

static int by_name_then_value(const void *left, const void *right)
{
    const esp_pair *a = left, *b = right;
    int order = esp_compare(a->name, b->name);
    return order ? order : esp_compare(a->value, b->value);
}

/* What is escaped stays as it is, so the order of the escaped texts is the order AWS sees. */
static size_t split_query(esp_bytes query, esp_pair *pairs)
{
    size_t count = 0;
    while (query.len && count < MAX_QUERY) {
        size_t end = find(query, "&"), equals = find(esp_span(query.ptr, end), "=");
        esp_bytes value = equals < end ? esp_span(query.ptr + equals + 1, end - equals - 1) : esp_str("");
        if (end)
            pairs[count++] = (esp_pair){esp_span(query.ptr, equals), value};
        query = from(query, end < query.len ? end + 1 : end);
    }
    return query.len ? MAX_QUERY + 1 : count;
}

static void add_query(esp_bytes query, struct esp_text *out)
{
    if (!query.len)
        return;
    esp_pair *pairs = calloc(MAX_QUERY, sizeof *pairs);
    size_t count = pairs ? split_query(query, pairs) : MAX_QUERY + 1;
    if (count > MAX_QUERY) {
        out->failed = true;
        free(pairs);
        return;
    }
    qsort(pairs, count, sizeof *pairs, by_name_then_value);
    for (size_t i = 0; i < count; i++) {
        if (i)
            esp_text_addc(out, '&');
        esp_percent_add(out, pairs[i].name, "%");
        esp_text_addc(out, '=');
        esp_percent_add(out, pairs[i].value, "%");
    }
    free(pairs);
}

/* ---- headers ---- */

static int lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? c + 32 : c;
}

static int compare_names(esp_bytes a, esp_bytes b)
{
    for (size_t i = 0; i < a.len && i < b.len; i++)
        if (lower(a.ptr[i]) != lower(b.ptr[i]))
            return lower(a.ptr[i]) - lower(b.ptr[i]);
    return (a.len > b.len) - (a.len < b.len);
}

/* Stable, since values of one name keep their order; and there are few. */
static void sort_headers(esp_pair *headers, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t k = i; k > 0 && compare_names(headers[k - 1].name, headers[k].name) > 0; k--) {
            esp_pair other = headers[k];
            headers[k] = headers[k - 1];
            headers[k - 1] = other;
        }
}

static void add_lower(esp_bytes name, struct esp_text *out)
{
    for (size_t i = 0; i < name.len; i++)
        esp_text_addc(out, (char)lower(name.ptr[i]));
}

/* Without the spaces around it, and with one where there are several. */
static void add_value(esp_bytes value, struct esp_text *out)
{
    bool space = false, begun = false;
    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] == ' ' || value.ptr[i] == '\t') {
            space = begun;
            continue;
        }
        if (space)
            esp_text_addc(out, ' ');
        esp_text_addc(out, (char)value.ptr[i]);
        space = false;
        begun = true;
    }
}

static bool same_name(const esp_pair *headers, size_t i)
{
    return i > 0 && compare_names(headers[i - 1].name, headers[i].name) == 0;
}

static void add_headers(const esp_pair *headers, size_t count, struct esp_text *out)
{
    for (size_t i = 0; i < count; i++) {
        if (same_name(headers, i)) {
            esp_text_addc(out, ',');
        } else {
            if (i)
                esp_text_addc(out, '\n');
            add_lower(headers[i].name, out);
            esp_text_addc(out, ':');
        }
        add_value(headers[i].value, out);
    }
    esp_text_addc(out, '\n');
}

void sigv4_signed_names(const struct sigv4_headers *headers, struct esp_text *out)
{
    for (size_t i = 0; i < headers->count; i++) {
        if (same_name(headers->list, i))
            continue;
        if (i)
            esp_text_addc(out, ';');
        add_lower(headers->list[i].name, out);
    }
}

bool sigv4_headers(const struct esp_sigv4_request *request, const struct sigv4_url *url,
                   const struct esp_sigv4_keys *keys, const char *date, struct sigv4_headers *ret)
{
    if (request->header_count > ESP_SIGV4_MAX_HEADERS)
        return false;
    ret->count = request->header_count;
    if (ret->count)
        memcpy(ret->list, request->headers, ret->count * sizeof *ret->list);
    ret->list[ret->count++] = (esp_pair){esp_str("host"), url->host};
    ret->list[ret->count++] = (esp_pair){esp_str("x-amz-date"), esp_str(date)};
    if (keys->token.len)
        ret->list[ret->count++] = (esp_pair){esp_str("x-amz-security-token"), keys->token};
    sort_headers(ret->list, ret->count);
    return true;
}

/* ---- all of it ---- */

void esp_sigv4_canonical(const struct esp_sigv4_request *request, const struct esp_sigv4_keys *keys,
                         const char *date, struct esp_text *out)
{
    struct sigv4_url url;
    struct sigv4_headers headers;
    if (!sigv4_url(request->url, &url) || !sigv4_headers(request, &url, keys, date, &headers)) {
        out->failed = true;
        return;
    }
    esp_text_add(out, request->method);
    esp_text_addc(out, '\n');
    add_path(url.path, out);
    esp_text_addc(out, '\n');
    add_query(url.query, out);
    esp_text_addc(out, '\n');
    add_headers(headers.list, headers.count, out);
    esp_text_addc(out, '\n');
    sigv4_signed_names(&headers, out);
    esp_text_addc(out, '\n');
    sigv4_hash(request->body, out);
}
