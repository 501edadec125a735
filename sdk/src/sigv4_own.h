/* sdk/src/sigv4_own.h: what the two halves of esp/sigv4.h share. */
#ifndef ESP_SIGV4_OWN_H
#define ESP_SIGV4_OWN_H

#include <esp/sigv4.h>

/* Parts of a URL, borrowed from it. */
struct sigv4_url {
    esp_bytes host, path, query; /* host as the header Host has it */
};

/* False when it is not an http or https URL with a host. */
bool sigv4_url(esp_bytes url, struct sigv4_url *ret);

/* The headers that are signed, sorted by name. */
struct sigv4_headers {
    esp_pair list[ESP_SIGV4_MAX_HEADERS + 3];
    size_t count;
};

bool sigv4_headers(const struct esp_sigv4_request *request, const struct sigv4_url *url,
                   const struct esp_sigv4_keys *keys, const char *date, struct sigv4_headers *ret);

/* Appends "host;x-amz-date". */
void sigv4_signed_names(const struct sigv4_headers *headers, struct esp_text *out);

/* Appends the SHA-256 of the bytes in hexadecimal digits. */
void sigv4_hash(esp_bytes bytes, struct esp_text *out);

#endif
