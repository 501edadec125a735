/* plugins/aws/certificates.h: what a store of the Certificate Manager remembers.
 *
 * Every export of a certificate is paid for, so an exported one is kept for as long as the certificate at AWS
 * stays the same, a day at most. And AWS finds a new certificate by its tags only after a while, so what was
 * imported is remembered by its name. Wiped when the store is closed. */
#ifndef AWS_CERTIFICATES_H
#define AWS_CERTIFICATES_H

#include <esp/text.h>

struct aws_certificates;

struct aws_certificates *aws_certificates_new(void); /* NULL without memory */
void aws_certificates_free(struct aws_certificates *c);

/* Appends what was kept under `key` for this very state, if it is younger than a day. Any thread. */
bool aws_certificates_get(struct aws_certificates *c, esp_bytes key, esp_bytes state, int64_t now_ms,
                          struct esp_text *out);

/* Keeps a copy, in place of what is there under `key`; of too many, the oldest goes. Without memory, nothing
 * is kept. Any thread. */
void aws_certificates_put(struct aws_certificates *c, esp_bytes key, esp_bytes state, esp_bytes value,
                          int64_t now_ms);

void aws_certificates_drop(struct aws_certificates *c, esp_bytes key);

#endif
